"""A reference: what a feature looked like when all was well. It never changes; another one has another id."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitorx.backend.detector.alignment import onto, pooled
from monitorx.backend.detector.sketch import Sketch

MAX_WINDOWS = 500
FittedKey = tuple[str, str, str, str]  # model, version ("": any), feature, role


class FeatureKey(NamedTuple):
    """Whose distribution it is."""

    tenant: str
    model: str
    version: str
    feature: str
    role: str


@dataclass(frozen=True, slots=True)
class Reference:
    """
    Windows of one feature, on one lattice.

    Attributes:
        id: Tells where it comes from and which it is.
        windows: At least one, at most MAX_WINDOWS: how much windows differ from each other is a part of it.
        whole: All of them together.
    """

    id: str
    windows: tuple[Sketch, ...]
    whole: Sketch = field(repr=False)


def reference_of(reference_id: str, windows: Sequence[Sketch]) -> Reference | None:
    """
    A reference out of *windows*; None where they lie on lattices that cannot be brought together.

    Raises:
        ValueError: There is none, or more than MAX_WINDOWS.
    """
    if not 0 < len(windows) <= MAX_WINDOWS:
        raise ValueError(f"a reference has 1 to {MAX_WINDOWS} windows, not {len(windows)}")
    whole = pooled(windows)
    if whole is None:
        return None
    return Reference(reference_id, tuple(onto(window, whole) for window in windows), whole)
