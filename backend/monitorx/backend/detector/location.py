"""The detector of shifts: rank location on common cells, calibrated by replay, with effects beside it."""

import math
from collections import OrderedDict

from monitorx.backend.detector.alignment import Aligned, aligned
from monitorx.backend.detector.calibration import Calibration, replay
from monitorx.backend.detector.finding import Effects, Finding, Status
from monitorx.backend.detector.ks import ks
from monitorx.backend.detector.psi import psi
from monitorx.backend.detector.quantile import quantiles
from monitorx.backend.detector.rank_location import rank_location
from monitorx.backend.detector.reference import Reference
from monitorx.backend.detector.sketch import Floats, Sketch
from monitorx.backend.detector.student import two_sided
from monitorx.backend.detector.wasserstein import wasserstein

METHOD = "rank_location"
SMALLEST = 300  # values in a window; with fewer of them only large shifts would be seen
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_IQR_OF_NORMAL = 1.3489795003921634
_CALIBRATIONS = 10_000  # remembered; the longest unused is made anew


class RankLocationDetector:
    """
    A `Detector` for values that have risen or fallen.

    Args:
        smallest: Fewer values than this, of the window or of the reference, are `small`.
    """

    method = METHOD

    def __init__(self, *, smallest: float = SMALLEST) -> None:
        self._smallest = smallest
        self._calibrations: OrderedDict[str, Calibration] = OrderedDict()

    def compare(self, reference: Reference, current: Sketch) -> Finding:
        """Whether *current* lies elsewhere than *reference*."""
        calibration = self._calibration(reference)
        method = f"{METHOD}:iid" if calibration.is_iid else METHOD
        window = current.start_ns, current.end_ns

        def without(status: Status) -> Finding:
            return Finding(status, method, None, None, None, window, reference.id)

        if min(current.count, reference.whole.count) < self._smallest:
            return without(Status.SMALL)
        both = aligned(reference.whole, current)
        if both is None:
            return without(Status.LOW_RESOLUTION)
        shift = rank_location(both.reference, both.current)
        variance, degrees = calibration.scaled(shift.variance)
        z = shift.effect / math.sqrt(variance) if variance > 0.0 else 0.0
        effects = _effects(reference.whole, current, both)
        return Finding(Status.OK, method, z, two_sided(z, degrees), effects, window, reference.id)

    def _calibration(self, reference: Reference) -> Calibration:
        found = self._calibrations.get(reference.id)
        if found is None:
            found = self._calibrations[reference.id] = replay(reference, rank_location)
            if len(self._calibrations) > _CALIBRATIONS:
                self._calibrations.popitem(last=False)
        self._calibrations.move_to_end(reference.id)
        return found


def _effects(reference: Sketch, current: Sketch, both: Aligned) -> Effects:
    index = psi(both.reference, both.current)
    before, now = (tuple(quantiles(sketch, QUANTILES)) for sketch in (reference, current))
    spread = (before[3] - before[1]) / _IQR_OF_NORMAL
    if not spread > 0.0:  # half of the values are the same: in units of the anchor
        spread = reference.lattice.unit
    return Effects(
        ks=ks(both.reference, both.current),
        psi=index.debiased,
        psi_low=index.low,
        psi_high=index.high,
        wasserstein=wasserstein(_middles(both.frame), both.reference, both.current, unit=spread),
        reference_quantiles=before,
        current_quantiles=now,
    )


def _middles(frame: Sketch) -> Floats:
    """The middle of each cell."""
    low, high = frame.bounds()
    middles: Floats = (low + high) / 2.0
    return middles
