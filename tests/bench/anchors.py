"""
What the grid of anchors and the scale of sketches cost and give: agreement, bytes, KS error, false alarms, power.

    python tests/bench/anchors.py [--features 150]

Agreement: of how many features do ten replicas, each with values of its own, choose sketches that add up exactly (equal
centers; units differ by a power of two at most). KS error: distance of two samples told by the buckets, against
that of the values. False alarms and power: rank location test on the buckets, at p < 0.01, 500 values against 5,000.
"""

import argparse
import gzip
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

from monitorx.sketch import Anchor, ExponentialHistogram, anchor, choose, fold
from monitorx.sketch.exponential import dense

Floats = npt.NDArray[np.float64]
Draw = Callable[[int], Floats]
REPLICAS, REFERENCE, WINDOW, WINDOWS, LEVEL = 10, 5_000, 500, 24, 0.01
FEW, MANY = anchor.ENOUGH, anchor.SAMPLE  # values that a replica chooses from
SCALES: Final = (3, 4, 5, 6, 7)


def families(random: np.random.Generator) -> dict[str, Callable[[], Draw]]:
    """By name, what makes one random feature of that kind."""

    def normal() -> Draw:
        mean, sigma = random.normal(0, 3), 10 ** random.uniform(-3, 3)
        return lambda n: sigma * random.normal(mean, 1, n)

    def offset() -> Draw:
        mean, sigma = 10 ** random.uniform(1, 6), 10 ** random.uniform(-3, 3)
        return lambda n: sigma * random.normal(mean, 1, n)

    def lognormal() -> Draw:
        middle, sigma = random.uniform(-5, 5), random.uniform(0.3, 2)
        return lambda n: random.lognormal(middle, sigma, n)

    def integer() -> Draw:
        low, width = int(10 ** random.uniform(0, 4)), int(10 ** random.uniform(0.3, 3))
        return lambda n: random.integers(low, low + width + 1, n).astype(float)

    def poisson() -> Draw:
        rate = 10 ** random.uniform(-1, 3)
        return lambda n: random.poisson(rate, n).astype(float)

    def inflated() -> Draw:
        share, middle = random.uniform(0.3, 0.98), random.uniform(0, 5)
        return lambda n: np.where(random.random(n) < share, 0.0, random.lognormal(middle, 1, n))

    def constant() -> Draw:
        value = random.normal(0, 1000)
        return lambda n: np.full(n, value)

    makers = (normal, offset, lognormal, integer, poisson, inflated, constant)
    return {maker.__name__: maker for maker in makers}


def by_fours(values: Iterable[float]) -> Anchor:
    """The unit a power of four, the median rounded to four units."""
    return _rounded(values, lambda spread: 4.0 ** round(math.log(spread, 4)), 4, 0)


def by_sixteens(values: Iterable[float]) -> Anchor:
    """The unit a power of two; 0 up to eight units, then the median rounded to sixteen units."""
    return _rounded(values, anchor.power_of_two, 16, 8)


def _rounded(values: Iterable[float], unit: Callable[[float], float], grid: int, zero_up_to: int) -> Anchor:
    low, median, high = np.quantile(np.asarray(values), (0.1, 0.5, 0.9), method="higher").tolist()
    scale = unit((high - low) / anchor.DECILES_IN_SIGMAS or 1.0)
    is_near = abs(median) <= zero_up_to * scale
    return Anchor(0.0 if is_near else round(median / (grid * scale)) * grid * scale, scale)


def reaching(reach: float) -> Callable[[Iterable[float]], Anchor]:
    """The simplest number within *reach* spreads of the median."""

    def chosen(values: Iterable[float]) -> Anchor:
        low, median, high = np.quantile(np.asarray(values), (0.1, 0.5, 0.9), method="higher").tolist()
        spread = (high - low) / anchor.DECILES_IN_SIGMAS
        return Anchor(
            anchor.simplest(median - reach * spread, median + reach * spread), anchor.power_of_two(spread or 1.0)
        )

    return chosen


GRIDS: Final[dict[str, tuple[Callable[[Iterable[float]], Anchor], int]]] = {
    "powers of 4, median to 4 units": (by_fours, FEW),
    "powers of 2, median to 16 units": (by_sixteens, FEW),
    "simplest within 4 spreads": (reaching(4), FEW),
    "simplest within 16": (reaching(16), FEW),
    "simplest within 8 (chosen)": (choose, FEW),
    "powers of 2, median to 16 units ": (by_sixteens, MANY),
    "simplest within 8 (chosen) ": (choose, MANY),
}


def agreement(drawn: dict[str, list[Draw]]) -> None:
    print(f"{'agreement of ten replicas':<34}{'values':>6}" + "".join(f"{name:>11}" for name in drawn))
    samples = {name: [[draw(MANY) for _ in range(REPLICAS)] for draw in draws] for name, draws in drawn.items()}
    for grid, (choice, size) in GRIDS.items():
        row = ""
        for features in samples.values():
            agreed = sum(len({lattice(choice(sample[:size])) for sample in replicas}) == 1 for replicas in features)
            row += f"{agreed / len(features):>11.1%}"
        print(f"{grid:<34}{size:>6}{row}")


def lattice(chosen: Anchor) -> tuple[float, float]:
    return chosen.center, math.frexp(chosen.scale)[0]


def resolution(drawn: dict[str, list[Draw]], kinds: tuple[str, ...]) -> None:
    """Sizes and errors for each scale, over the features of *kinds*."""
    draws = [draw for kind in kinds for draw in drawn[kind]]
    print(
        f"\nscale  bytes: 500  gzip  5,000  gzip   KS error: mean     max   false alarms   power   {', '.join(kinds)}"
    )
    for scale in SCALES:
        found = [Measured(draw, scale) for draw in draws]
        sizes = [np.mean([m.bytes[column] for m in found]) for column in range(4)]
        errors = np.array([m.error for m in found])
        false, power = np.mean([m.false for m in found]), np.mean([m.found for m in found])
        row = f"{scale:<7}{sizes[0]:>10.0f}{sizes[1]:>6.0f}{sizes[2]:>7.0f}{sizes[3]:>6.0f}"
        print(f"{row}{errors.mean():>17.4f}{errors.max():>8.4f}{false:>15.2%}{power:>8.1%}")
    exact = [Measured(draw, None) for draw in draws]
    false, power = np.mean([m.false for m in exact]), np.mean([m.found for m in exact])
    print(f"{'the values themselves':<61}{false:>15.2%}{power:>8.1%}")


class Measured:
    """One feature at one scale; with None, its values themselves."""

    def __init__(self, draw: Draw, scale: int | None) -> None:
        reference, clean = draw(REFERENCE), [draw(WINDOW) for _ in range(WINDOWS)]
        chosen = choose(reference.tolist())
        shift = 0.2 * float(np.subtract(*np.quantile(reference, (0.9, 0.1)))) / anchor.DECILES_IN_SIGMAS
        moved = [shifted(draw(WINDOW), shift) for _ in range(WINDOWS)]

        def cells(values: Floats) -> Floats:
            return values if scale is None else places(fold(values, chosen, scale=scale))

        known = cells(reference)
        self.false = np.mean([rank_location(known, cells(window)) < LEVEL for window in clean])
        self.found = np.mean([rank_location(known, cells(window)) < LEVEL for window in moved])
        self.error, self.bytes = 0.0, (0, 0, 0, 0)
        if scale is not None:
            self.error = max(abs(ks(reference, window) - ks(known, cells(window))) for window in moved)
            sent = [point(chosen, fold(values, chosen, scale=scale)) for values in (clean[0], reference)]
            self.bytes = (len(sent[0]), zipped(sent[0]), len(sent[1]), zipped(sent[1]))


def shifted(values: Floats, shift: float) -> Floats:
    """Zeros stay, and integers stay integers: an atom that moves by less than its bucket is not what is looked for."""
    moved = values + (math.ceil(shift) if not np.any(values % 1) else shift)
    return np.where(values == 0, values, moved)


def places(histogram: ExponentialHistogram) -> Floats:
    """For each value counted, the place of its bucket in the order of the values."""
    far = 1 << 40
    counts = {far + index: count for index, count in histogram.positive.items()}
    counts |= {-far - index: count for index, count in histogram.negative.items()}
    counts[0] = histogram.zero_count
    return np.repeat(np.array(list(counts), float), list(counts.values()))


def ks(one: Floats, other: Floats) -> float:
    at = np.union1d(one, other)
    return float(
        np.abs(
            np.searchsorted(np.sort(one), at, "right") / one.size
            - np.searchsorted(np.sort(other), at, "right") / other.size
        ).max()
    )


def rank_location(one: Floats, other: Floats) -> float:
    """Two-sided p of Mann and Whitney's test with ties, by the normal approximation."""
    _, place, counts = np.unique(np.concatenate([one, other]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n, m = one.size, other.size
    total = n + m
    variance = n * m / 12 * (total + 1 - float((counts.astype(float) ** 3 - counts).sum()) / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = (float(ranks[n:].sum()) - m * (total + 1) / 2) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def point(chosen: Anchor, histogram: ExponentialHistogram) -> bytes:
    """The data point as it is sent, with its attributes."""
    made: Any = ExponentialHistogramDataPoint(  # Any: the generated class has no types
        start_time_unix_nano=1_700_000_000 * 10**9, time_unix_nano=1_700_000_005 * 10**9, count=histogram.count,
        sum=histogram.sum, min=histogram.min, max=histogram.max, scale=histogram.scale, zero_count=histogram.zero_count,
    )  # fmt: skip
    for side, buckets in ((made.positive, histogram.positive), (made.negative, histogram.negative)):
        side.offset, counts = dense(buckets)
        side.bucket_counts.extend(counts)
    for key, value in (("ml.model.name", "fraud"), ("ml.model.version", "3"), ("ml.model.kind", "tabular"),
                       ("ml.feature.name", "amount"), ("ml.feature.role", "input")):  # fmt: skip
        made.attributes.add(key=key).value.string_value = value
    for key, number in (("monitorx.anchor.center", chosen.center), ("monitorx.anchor.scale", chosen.scale)):
        made.attributes.add(key=key).value.double_value = number
    return bytes(made.SerializeToString())


def zipped(body: bytes) -> int:
    """Its share of a compressed request: 20 of them at once."""
    return len(gzip.compress(body * 20)) // 20 if len(body) > 16_000 else len(gzip.compress(body))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=150, help="of each kind")
    options = parser.parse_args()
    started = time.process_time()
    random = np.random.default_rng(8)
    drawn = {name: [make() for _ in range(options.features)] for name, make in families(random).items()}
    agreement(drawn)
    few = {name: draws[: options.features // 6] for name, draws in drawn.items()}
    resolution(few, ("normal", "offset", "lognormal"))
    resolution(few, ("integer", "poisson", "inflated"))
    print(f"\n{time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
