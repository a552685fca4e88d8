"""
Drift: how often clean windows alarm, and how often a shift of 0.4 standard deviations is found.

    python -m tests.bench.drift [--windows 2000] [--trials 500] [--seed 1]

20 features of all kinds, 500 values in a window, sketched as an application sketches them (anchors from the first 200
values), against references frozen from the first windows. In each trial one of the features is shifted for a window.
With each share comes the interval that holds the true one in 95 of 100 cases (Clopper and Pearson).
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from monitorx.backend.detector import RankLocationDetector, Reference, Sketch, drifted, reference_of
from monitorx.sketch import Anchor, choose
from tests.detector.build import sketch

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]

SIZE = 500
REFERENCE_WINDOWS = 12
STREAMS = 20  # each with a reference of its own: one lucky reference must not decide
SCALE = 6
MOST_FALSE, LEAST_FOUND = 4 / 2000, 0.9

# Name to how it is drawn; a shift adds 0.4 of its standard deviation.
FEATURES: Mapping[str, tuple[Draw, float]] = {
    "normal": (lambda r, n: r.normal(size=n), 1.0),
    "normal far from 0": (lambda r, n: r.normal(1e6, 3.0, n), 3.0),
    "normal, tiny": (lambda r, n: r.normal(2e-9, 1e-9, n), 1e-9),
    "uniform": (lambda r, n: r.uniform(0, 10, n), 10 / 12**0.5),
    "lognormal": (lambda r, n: r.lognormal(0, 1, n), 2.161),
    "lognormal, wide": (lambda r, n: r.lognormal(3, 0.5, n), 12.13),
    "exponential": (lambda r, n: r.exponential(20.0, n), 20.0),
    "gamma": (lambda r, n: r.gamma(2.0, 5.0, n), 5 * 2**0.5),
    "student t, 3": (lambda r, n: r.standard_t(3, n), 3**0.5),
    "pareto": (lambda r, n: r.pareto(2.5, n), 1.49),
    "two humps": (lambda r, n: r.normal(np.where(r.random(n) < 0.5, -3.0, 3.0), 1.0), 10**0.5),
    "beta, a score": (lambda r, n: r.beta(2, 5, n), 0.16),
    "poisson 2": (lambda r, n: r.poisson(2.0, n).astype(float), 2**0.5),
    "poisson 40": (lambda r, n: r.poisson(40.0, n).astype(float), 40**0.5),
    "age in years": (lambda r, n: np.floor(r.gamma(8, 5, n)), 14.1),
    "zero or lognormal": (lambda r, n: np.where(r.random(n) < 0.7, 0.0, r.lognormal(2, 1, n)), 9.6),
    "zero or count": (lambda r, n: np.where(r.random(n) < 0.6, 0.0, r.poisson(5.0, n)).astype(float), 2.85),
    "yes or no": (lambda r, n: (r.random(n) < 0.3).astype(float), 0.458),
    "grade 1 to 5": (lambda r, n: r.choice([1.0, 2.0, 3.0, 4.0, 5.0], n, p=[0.1, 0.2, 0.4, 0.2, 0.1]), 1.095),
    "constant": (lambda r, n: np.full(n, 7.0), 0.0),
}
NAMES = list(FEATURES)
SHIFTED = [name for name, (_, deviation) in FEATURES.items() if deviation > 0]


class Share(NamedTuple):
    """So many of so many, and where the true share lies."""

    found: int
    of: int

    def bounds(self) -> tuple[float, float]:
        """Clopper and Pearson (1934): 95 %."""
        low = beta.ppf(0.025, self.found, self.of - self.found + 1) if self.found else 0.0
        high = beta.ppf(0.975, self.found + 1, self.of - self.found) if self.found < self.of else 1.0
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.bounds()
        return f"{self.found} of {self.of} = {self.found / self.of:.2%} ({low:.2%} to {high:.2%})"


@dataclass
class Result:
    """
    What was counted.

    Attributes:
        false: Clean windows in which any feature was told to drift.
        found: Shifted windows in which the shifted feature was told, by feature.
        others: Shifted windows in which another feature was told as well.
    """

    false: Share
    found: dict[str, Share]
    others: Share

    @property
    def power(self) -> Share:
        """Over all features that were shifted."""
        return Share(sum(each.found for each in self.found.values()), sum(each.of for each in self.found.values()))


class Stream:
    """One model: its 20 features, their anchors and references, and windows drawn from them."""

    def __init__(self, random: np.random.Generator, *, reference_windows: int = REFERENCE_WINDOWS) -> None:
        self._random = random
        self._detector = RankLocationDetector()
        self._anchors: dict[str, Anchor] = {}
        self._references: dict[str, Reference] = {}
        for name, (draw, _) in FEATURES.items():
            self._anchors[name] = choose(draw(random, 200))
            windows = [self._sketch(name, draw(random, SIZE)) for _ in range(reference_windows)]
            reference = reference_of(name, windows)
            assert reference is not None
            self._references[name] = reference

    def window(self, shifted: str = "") -> set[str]:
        """The features that are told to drift in the next window, in which *shifted* has moved."""
        findings = []
        for name, (draw, deviation) in FEATURES.items():
            values = draw(self._random, SIZE) + (0.4 * deviation if name == shifted else 0.0)
            findings.append(self._detector.compare(self._references[name], self._sketch(name, values)))
        return {name for name, is_drift in zip(NAMES, drifted(findings), strict=True) if is_drift}

    def _sketch(self, name: str, values: Values) -> Sketch:
        anchor = self._anchors[name]
        return sketch(values, anchor)


def measure(*, windows: int, trials: int, seed: int, streams: int = STREAMS) -> Result:
    """Draw, sketch, compare, count."""
    alarms = others = 0
    found: dict[str, list[bool]] = {name: [] for name in SHIFTED}
    for number in range(streams):
        stream = Stream(np.random.default_rng([seed, number]))
        alarms += sum(bool(stream.window()) for _ in range(windows // streams))
        for trial in range(number, trials, streams):
            name = SHIFTED[(trial // streams + number) % len(SHIFTED)]
            told = stream.window(shifted=name)
            found[name].append(name in told)
            others += bool(told - {name})
    return Result(
        Share(alarms, windows),
        {name: Share(sum(each), len(each)) for name, each in found.items() if each},
        Share(others, trials),
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args([] if argv is None else argv)
    began = time.process_time()
    result = measure(windows=options.windows, trials=options.trials, seed=options.seed)
    for name, share in result.found.items():
        print(f"  {name:<20}{share}")
    print(f"a shift of 0.4 sd is found in         {result.power}; must: {LEAST_FOUND:.0%}")
    print(f"another feature is told with it in    {result.others}")
    print(f"clean windows with a false alarm      {result.false}; must: {MOST_FALSE:.2%}")
    print(f"{time.process_time() - began:.0f} s of CPU time")
    missed = result.power.found < LEAST_FOUND * result.power.of or result.false.found > MOST_FALSE * result.false.of
    return int(missed)


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
