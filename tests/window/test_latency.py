import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.window.bucket import MAX_INDEX, MIN_INDEX
from monitorx.backend.window.latency import LatencyHistogram

DURATIONS = st.lists(st.floats(0, 1e5, allow_nan=False, allow_subnormal=False), max_size=20)


def of(seconds: Sequence[float], weight: float = 1.0) -> LatencyHistogram:
    histogram = LatencyHistogram()
    histogram.add_values(np.array(seconds, np.float64), np.full(len(seconds), weight))
    return histogram


def merged(*histograms: LatencyHistogram) -> LatencyHistogram:
    total = LatencyHistogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def buckets(histogram: LatencyHistogram) -> dict[int, float]:
    return {histogram.offset + i: float(c) for i, c in enumerate(histogram.counts) if c}


def facts(histogram: LatencyHistogram) -> tuple[object, ...]:
    return buckets(histogram), histogram.zero, pytest.approx(histogram.sum_s), histogram.max_s


@given(DURATIONS, DURATIONS, DURATIONS)
def test_merging_is_associative(a: list[float], b: list[float], c: list[float]) -> None:
    assert facts(merged(merged(of(a), of(b)), of(c))) == facts(merged(of(a), merged(of(b), of(c))))


@given(DURATIONS, DURATIONS)
def test_merging_is_commutative_and_the_same_as_adding_all_at_once(a: list[float], b: list[float]) -> None:
    assert facts(merged(of(a), of(b))) == facts(merged(of(b), of(a))) == facts(of(a + b))


@given(DURATIONS, st.sampled_from([1.0, 300.0, 70_000.0, 2.5]))
def test_bytes_give_back_the_same_histogram(seconds: list[float], weight: float) -> None:
    histogram = of(seconds, weight)

    assert facts(LatencyHistogram.from_bytes(histogram.to_bytes())) == facts(histogram)


def test_bytes_are_small() -> None:
    assert len(of([0.01] * 100 + [0.02] * 100).to_bytes()) < 34 + 40


def test_bytes_of_another_version_are_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        LatencyHistogram.from_bytes(b"\x09" + of([1.0]).to_bytes()[1:])


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9, 0.95, 0.99, 0.999])
def test_quantile_is_within_a_bucket_of_the_true_one(q: float) -> None:
    seconds = np.random.default_rng(7).lognormal(-3, 1.2, 50_000)

    # 2.2 % is the width of a bucket: 2^(1/32).
    assert of(seconds).quantile(q) == pytest.approx(float(np.quantile(seconds, q)), rel=0.022)


def test_quantile_is_never_above_the_largest_duration() -> None:
    assert of([0.1001] * 10).quantile(0.99) == 0.1001


def test_quantile_of_nothing_is_nan_and_of_zeros_is_zero() -> None:
    assert math.isnan(LatencyHistogram().quantile(0.5))
    assert math.isnan(LatencyHistogram().mean)
    assert of([0.0, 0.0, 0.0, 1.0]).quantile(0.5) == 0.0
    assert of([1.0, 1.0]).quantile(0.0) == pytest.approx(1.0, rel=0.022)


def test_weights_count_a_value_several_times() -> None:
    histogram = of([0.5, 2.0], weight=3.0)

    assert (histogram.count, histogram.sum_s, histogram.mean, histogram.max_s) == (6.0, 7.5, 1.25, 2.0)


def test_a_bound_belongs_to_the_bucket_below_it() -> None:
    assert buckets(of([1.0, 1.001])) == {-1: 1.0, 0: 1.0}


def test_durations_out_of_range_fall_into_the_end_buckets() -> None:
    assert buckets(of([1e-30, 1e30, math.inf])) == {MIN_INDEX: 1.0, MAX_INDEX: 2.0}
    assert of([-1.0, math.nan]).zero == 2.0


def test_exponential_of_the_same_or_a_finer_scale_is_added_exactly() -> None:
    histogram = LatencyHistogram()

    histogram.add_exponential(scale=5, zero_count=2, offset=-3, counts=np.array([1.0, 0.0, 4.0]), sum_s=5.0)
    histogram.add_exponential(scale=6, zero_count=0, offset=-5, counts=np.array([1.0, 2.0, 3.0]), sum_s=6.0, max_s=0.97)

    # At scale 6 index i lies in our i >> 1: -5 → -3, -4 and -3 → -2.
    assert buckets(histogram) == {-3: 2.0, -2: 5.0, -1: 4.0}
    assert (histogram.zero, histogram.sum_s, histogram.max_s) == (2.0, 11.0, 1.0)


def test_coarser_exponential_is_spread_evenly() -> None:
    histogram = LatencyHistogram()

    histogram.add_exponential(scale=4, zero_count=0, offset=1, counts=np.array([6.0, 2.0]), sum_s=9.0)

    assert buckets(histogram) == {2: 3.0, 3: 3.0, 4: 1.0, 5: 1.0}


def test_coarse_exponential_stays_between_its_smallest_and_largest_value() -> None:
    histogram = LatencyHistogram()

    histogram.add_exponential(
        scale=-2, zero_count=0, offset=0, counts=np.array([10.0]), sum_s=20.0, min_s=1.5, max_s=3.0
    )

    assert histogram.count == pytest.approx(10.0)
    assert 2 ** (histogram.offset / 32) <= 1.5 < 2 ** ((histogram.offset + 1) / 32)
    assert histogram.quantile(1.0) == 3.0
    assert histogram.quantile(0.5) == pytest.approx(math.sqrt(1.5 * 3.0), rel=0.022)


@pytest.mark.parametrize("scale", [-1000, -10, 0, 5, 20, 1000])
@pytest.mark.parametrize("offset", [-(2**31), 2**31 - 1])
def test_hostile_scale_and_offset_cost_no_memory(scale: int, offset: int) -> None:
    histogram = LatencyHistogram()

    histogram.add_exponential(scale=scale, zero_count=0, offset=offset, counts=np.array([1.0, 1.0]), sum_s=1.0)

    assert histogram.counts.size <= MAX_INDEX - MIN_INDEX + 1
    assert histogram.count == pytest.approx(2.0)


def test_explicit_buckets_are_spread_within_their_bounds() -> None:
    histogram = LatencyHistogram()

    histogram.add_explicit(
        bounds=np.array([0.25, 1.0, 4.0]),
        counts=np.array([8.0, 64.0, 0.0, 16.0]),
        sum_s=60.0,
        min_s=0.125,
        max_s=8.0,
    )

    assert histogram.count == pytest.approx(88.0)
    assert buckets(histogram) == {
        **{i: pytest.approx(0.25) for i in range(-96, -64)},
        **{i: pytest.approx(1.0) for i in range(-64, 0)},
        **{i: pytest.approx(0.5) for i in range(64, 96)},
    }
    assert histogram.max_s == 8.0


def test_explicit_ends_without_min_and_max_are_half_and_twice_the_bounds() -> None:
    histogram = LatencyHistogram()

    histogram.add_explicit(bounds=np.array([1.0, 2.0]), counts=np.array([32.0, 0.0, 32.0]), sum_s=90.0)

    assert buckets(histogram) == {i: pytest.approx(1.0) for i in (*range(-32, 0), *range(32, 64))}
    assert histogram.max_s == 4.0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        pytest.param(math.nan, math.nan, {-1: 4.0}, id="the mean"),
        pytest.param(1.0, 1.0, {-1: 4.0}, id="both ends"),
        pytest.param(0.5, 1.0, {i: pytest.approx(0.125) for i in range(-32, 0)}, id="an interval"),
    ],
)
def test_a_histogram_without_bounds_is_placed_by(low: float, high: float, expected: dict[int, float]) -> None:
    histogram = LatencyHistogram()

    histogram.add_explicit(bounds=np.array([]), counts=np.array([4.0]), sum_s=4.0, min_s=low, max_s=high)

    assert buckets(histogram) == expected


def test_explicit_buckets_at_or_below_zero_count_as_zero() -> None:
    histogram = LatencyHistogram()

    histogram.add_explicit(bounds=np.array([0.0, 1.0]), counts=np.array([5.0, 1.0, 0.0]), sum_s=1.0)

    assert histogram.zero == 5.0
    assert histogram.count == pytest.approx(6.0)


@given(
    st.lists(st.floats(allow_nan=True), max_size=5),
    st.lists(st.floats(-(2.0**64), 2.0**64) | st.just(math.nan), min_size=6, max_size=6),  # 64 bits on the wire
    st.floats(),
    st.floats(),
)
def test_senseless_explicit_histograms_do_no_harm(
    bounds: list[float], counts: list[float], low: float, high: float
) -> None:
    histogram = LatencyHistogram()

    histogram.add_explicit(
        bounds=np.array(bounds), counts=np.array(counts[: len(bounds) + 1]), sum_s=1.0, min_s=low, max_s=high
    )

    assert histogram.counts.size <= MAX_INDEX - MIN_INDEX + 1
    assert (histogram.counts >= 0).all()


def test_a_copy_does_not_change_with_the_original() -> None:
    original = of([1.0])
    copy = original.copy()

    original.merge(of([1.0]))

    assert (copy.count, original.count) == (1.0, 2.0)
