"""One histogram, whichever way it was counted."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitorx.sketch import Anchor, ExponentialHistogram, fold
from monitorx.sketch.fold import FARTHEST, NUMPY_FROM

ANY = st.floats(allow_nan=True, allow_infinity=True, width=64)
POWERS = st.builds(lambda sign, exponent: sign * 2.0**exponent, st.sampled_from([-1, 1]), st.integers(-1074, 1023))
EDGES = st.builds(lambda step, scale: 2.0 ** (step / 2**scale), st.integers(-600, 600), st.integers(0, 7))
VALUES = st.lists(st.one_of(ANY, POWERS, EDGES, st.sampled_from([0.0, -0.0, 5e-324, 2.0**-6, -(2.0**-6)])), max_size=60)
ANCHORS = st.builds(
    Anchor, st.sampled_from([0.0, 1.0, -1e300, 1e300, 3.5]), st.integers(-1000, 1000).map(lambda e: 2.0**e)
)


def counts(made: ExponentialHistogram) -> tuple[object, ...]:
    return made.positive, made.negative, made.zero_count, made.nonfinite, made.clamped, made.min, made.max


@given(VALUES, ANCHORS, st.integers(0, 10))
@example([1.7976931348623157e308, -1.7976931348623157e308], Anchor(-1e300, 2.0**-1000), 6)
def test_numpy_and_pure_python_fill_the_same_buckets(values: list[float], anchor: Anchor, scale: int) -> None:
    repeated = values * (NUMPY_FROM // max(len(values), 1) + 1)  # numpy counts only many

    by_array = fold(np.array(repeated), anchor, scale=scale)
    by_loop = ExponentialHistogram(scale, zero_threshold=2.0**-6)
    for start in range(0, len(repeated), NUMPY_FROM - 1):
        by_loop.merge(fold(repeated[start : start + NUMPY_FROM - 1], anchor, scale=scale))

    assert counts(by_array) == counts(by_loop)
    assert math.isfinite(by_array.sum)


@given(VALUES, VALUES, ANCHORS)
def test_folding_apart_and_merging_is_folding_together(left: list[float], right: list[float], anchor: Anchor) -> None:
    apart = fold(left, anchor)
    apart.merge(fold(right, anchor))

    assert counts(apart) == counts(fold(left + right, anchor))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=100), st.integers(-20, 20))
def test_a_unit_twice_as_large_only_moves_the_buckets(values: list[float], exponent: int) -> None:
    unit = 2.0**exponent
    fine, coarse = fold(values, Anchor(0.0, unit)), fold(values, Anchor(0.0, unit * 2))

    inside = {index - 64: count for index, count in fine.positive.items() if index - 64 >= -6 * 64}
    assert {index: count for index, count in coarse.positive.items() if index >= -6 * 64} == inside


def test_values_are_counted_by_their_distance_from_the_center() -> None:
    made = fold([10.0, 12.0, 8.0, 10.0 + 2.0**-5, math.nan, math.inf], Anchor(10.0, 2.0), scale=6)

    assert (made.positive, made.negative, made.zero_count, made.nonfinite) == ({-1: 1}, {-1: 1}, 2, 2)
    assert (made.scale, made.zero_threshold, made.min, made.max, made.sum) == (6, 2.0**-6, -1.0, 1.0, 2.0**-6)


def test_a_distance_that_no_double_holds_is_clamped_and_counted() -> None:
    made = fold([1.7e308] * 100, Anchor(-1.7e308, 1.0))

    assert (sum(made.positive.values()), made.clamped, made.nonfinite, made.max) == (100, 100, 0, FARTHEST)


@pytest.mark.parametrize("kind", ["int64", "float32", "bool", "uint8"])
def test_every_kind_of_number_is_the_number_it_is(kind: str) -> None:
    values = np.array([0, 1, 1, 0, 1] * 20).astype(kind)

    made = fold(values, Anchor(0.0, 1.0))

    assert (made.positive, made.zero_count, made.sum) == ({-1: 60}, 40, 60.0)


def test_it_never_loads_numpy() -> None:
    script = """
import sys
from monitorx.sketch import choose, fold
values = [number / 7 for number in range(5_000)]
print(fold(values, choose(values)).count, "numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "5000 False\n"
