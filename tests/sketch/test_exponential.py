import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.sketch import ExponentialHistogram
from monitorx.sketch.exponential import bucket_index, dense

VALUES = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)
BATCHES = st.lists(VALUES, max_size=40)


def histogram(values: list[float], scale: int = 5, zero_threshold: float = 0.0) -> ExponentialHistogram:
    made = ExponentialHistogram(scale, zero_threshold=zero_threshold)
    for value in values:
        made.record(value)
    return made


def counts(made: ExponentialHistogram) -> tuple[object, ...]:
    return made.positive, made.negative, made.zero_count, made.nonfinite, made.clamped, made.min, made.max


def merged(*parts: ExponentialHistogram) -> ExponentialHistogram:
    total = ExponentialHistogram(parts[0].scale)
    for part in parts:
        total.merge(part)
    return total


@given(BATCHES, BATCHES)
def test_merging_counts_exactly_what_recording_together_counts(left: list[float], right: list[float]) -> None:
    together = histogram(left + right)
    apart = merged(histogram(left), histogram(right))

    assert counts(apart) == counts(together)
    assert apart.count == len(left) + len(right)
    assert apart.sum == pytest.approx(together.sum, rel=1e-9, abs=1e-3)  # float addition depends on the order


ODD = st.sampled_from([0.0, -0.0, 1e-13, 2.0**-40, 2.0**40, 1e13, 5e-324, math.inf, -math.inf, math.nan])


@given(BATCHES, st.lists(st.one_of(st.floats(min_value=1e-9, max_value=1e9), ODD)), st.sampled_from([0.0, 1.0]))
def test_recording_all_counts_what_recording_each_counts(
    before: list[float], values: list[float], zero_threshold: float
) -> None:
    one_by_one, together = (
        histogram(before, zero_threshold=zero_threshold),
        histogram(before, zero_threshold=zero_threshold),
    )

    for value in values:
        one_by_one.record(value)
    together.record_all(values)

    assert counts(together) == counts(one_by_one)
    assert together.sum == pytest.approx(one_by_one.sum, rel=1e-9, abs=1e-3)


@given(BATCHES, BATCHES, BATCHES)
def test_merging_is_associative_and_commutative(a: list[float], b: list[float], c: list[float]) -> None:
    x, y, z = histogram(a), histogram(b), histogram(c)

    assert counts(merged(merged(x, y), z)) == counts(merged(x, merged(y, z))) == counts(merged(z, y, x))


@given(st.floats(min_value=1e-11, max_value=1e11), st.integers(min_value=0, max_value=8))
def test_a_value_lies_within_the_edges_of_its_bucket(value: float, scale: int) -> None:
    index = bucket_index(value, scale)
    exact, steps = Fraction(value), 1 << scale

    # (lower, upper], compared as integers' powers: 2^index < value^steps <= 2^(index + 1)
    upper = exact**steps
    assert Fraction(2) ** index < upper * (1 + Fraction(1, 10**12))
    assert upper <= Fraction(2) ** (index + 1) * (1 + Fraction(1, 10**12))


@pytest.mark.parametrize("exponent", range(-30, 31))
def test_a_power_of_two_is_the_upper_edge_of_its_bucket(exponent: int) -> None:
    assert bucket_index(2.0**exponent, 5) == exponent * 32 - 1
    assert bucket_index(math.nextafter(2.0**exponent, math.inf), 5) == exponent * 32


def test_values_that_are_no_numbers_are_counted_and_never_bucketed() -> None:
    made = histogram([math.nan, math.inf, -math.inf, 1.0])

    assert counts(made) == ({-1: 1}, {}, 0, 3, 0, 1.0, 1.0)
    assert (made.count, made.sum) == (1, 1.0)


def test_values_near_zero_count_as_zero() -> None:
    made = histogram([0.0, 0.25, -0.25, 0.5], zero_threshold=0.25)

    assert counts(made) == ({-33: 1}, {}, 3, 0, 0, -0.25, 0.5)


def test_values_beyond_the_outermost_edges_are_clamped_and_counted() -> None:
    made = histogram([1e-300, 1e300])

    assert counts(made) == ({1279: 1}, {}, 1, 0, 2, 1e-300, 1e300)


def test_recording_a_value_several_times_is_recording_it_so_often() -> None:
    once = ExponentialHistogram()
    once.record(0.3, times=4)

    assert counts(once) == counts(histogram([0.3] * 4))
    assert once.sum == pytest.approx(1.2)


def test_histograms_of_different_scale_do_not_merge() -> None:
    with pytest.raises(ValueError, match=r"cannot merge scale 6, zero threshold 0\.0 into scale 5"):
        ExponentialHistogram(5).merge(ExponentialHistogram(6))


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        pytest.param({}, (0, []), id="none"),
        pytest.param({-3: 2}, (-3, [2]), id="one"),
        pytest.param({1: 5, -1: 2}, (-1, [2, 0, 5]), id="a gap is a zero"),
    ],
)
def test_dense_counts_run_from_the_first_to_the_last_bucket(
    buckets: dict[int, int], expected: tuple[int, list[int]]
) -> None:
    assert dense(buckets) == expected
