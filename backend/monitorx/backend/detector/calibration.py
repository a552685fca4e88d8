"""
Replay: how much the windows of a reference differ from each other when all is well.

Real windows are not independent draws from one distribution: hours and days differ. Each window of the reference is
tested against the rest; what they differ by beyond chance is a variance between windows, which a test must expect of
the current window as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from monitorx.backend.detector.alignment import counts_on
from monitorx.backend.detector.rank_location import RankLocation
from monitorx.backend.detector.reference import Reference
from monitorx.backend.detector.sketch import Floats

FEWEST_WINDOWS = 8

Test = Callable[[Floats, Floats], RankLocation]


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    What replay has found.

    Attributes:
        windows: How many there were; below FEWEST_WINDOWS nothing was found and windows are taken to be alike.
        between: Variance of the effect from window to window, beyond chance; 0 where they are alike.
    """

    windows: int
    between: float

    @property
    def is_iid(self) -> bool:
        """Whether windows are taken to be alike without having been compared."""
        return self.windows < FEWEST_WINDOWS

    def scaled(self, variance: float) -> tuple[float, float]:
        """
        The variance to expect of an effect whose variance by chance is *variance*, and its degrees of freedom.

        The part between windows was estimated from a few of them, so the test has a heavier tail where that part
        is large: degrees of freedom by Satterthwaite (1946), Biometrics Bulletin 2.
        """
        extra = 0.0 if self.is_iid else self.between * (1.0 + 1.0 / self.windows)
        if extra <= 0.0:
            return variance, float("inf")
        whole = variance + extra
        return whole, (self.windows - 1) * (whole / extra) ** 2


def replay(reference: Reference, test: Test) -> Calibration:
    """Test each window of *reference* against the rest of them."""
    count = len(reference.windows)
    if count < FEWEST_WINDOWS:
        return Calibration(count, 0.0)
    cells = reference.whole.cells
    rows = [counts_on(cells, window) for window in reference.windows]
    return Calibration(count, _between(rows, test))


def _between(rows: Sequence[Floats], test: Test) -> float:
    """The variance between windows by moments, as DerSimonian and Laird (1986), Controlled Clinical Trials 7."""
    whole = np.sum(rows, axis=0)
    found = [test(whole - row, row) for row in rows]
    effects = np.array([each.effect for each in found])
    chance = np.array([each.variance for each in found])
    if not chance.all():
        return 0.0
    weights = 1.0 / chance
    beyond = float(np.dot(weights, effects**2 - chance) / weights.sum())
    # The rest is an average of the other windows and varies between windows, too.
    return max(0.0, beyond * (len(rows) - 1) / len(rows))
