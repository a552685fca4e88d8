"""What detectors take and say."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from monitorx.backend.detector.reference import Reference
from monitorx.backend.detector.sketch import Sketch


class Status(StrEnum):
    """Whether there is an answer. Without one nothing is said: "cannot tell" is never "no drift"."""

    OK = "ok"
    SMALL = "small"  # too few values yet, of the window or of the reference
    LOW_RESOLUTION = "low_resolution"  # the sketches cannot tell
    NO_REFERENCE = "no_reference"


@dataclass(frozen=True, slots=True)
class Effects:
    """
    How large the difference is; p only tells how sure it is.

    Attributes:
        ks: Kolmogorov-Smirnov distance, 0 to 1.
        psi: Population stability index, debiased, in nats; psi_low and psi_high are its band of 90 %.
        wasserstein: In units of the reference's spread (its interquartile range / 1.349).
        reference_quantiles, current_quantiles: At 5, 25, 50, 75 and 95 %, in the unit of the feature.
    """

    ks: float
    psi: float
    psi_low: float
    psi_high: float
    wasserstein: float
    reference_quantiles: tuple[float, ...]
    current_quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One detector's word on one feature in one window.

    Attributes:
        status: Whether the others are there: they are None unless it is `ok`.
        method: The detector, with `:iid` behind it where the reference has too few windows to tell how much windows
            differ when all is well.
        statistic: The detector's own; for rank location standard deviations, above 0 where the values have risen.
        p: How often chance alone shows as much.
        effects: How large it is.
        window: [start_ns, end_ns).
        reference_id: What it was compared with; empty without a reference.
    """

    status: Status
    method: str
    statistic: float | None
    p: float | None
    effects: Effects | None
    window: tuple[int, int]
    reference_id: str


class Detector(Protocol):
    """
    Compares a window with a reference.

    Never raises for what a sketch holds; says `low_resolution` where it cannot tell. The same two always give the
    same finding. *current* has at least one value.
    """

    @property
    def method(self) -> str:
        """Its name in results."""
        ...

    def compare(self, reference: Reference, current: Sketch) -> Finding: ...
