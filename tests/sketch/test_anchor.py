"""Anchors that samples of one feature agree on."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.sketch import Anchor, choose
from monitorx.sketch.anchor import ENOUGH, REACH, power_of_two, simplest

Draw = Callable[[np.random.Generator], "np.typing.NDArray[np.float64]"]


@pytest.mark.parametrize(
    ("values", "anchor"),
    [
        pytest.param([], Anchor(0.0, 1.0), id="nothing"),
        pytest.param([math.nan, math.inf], Anchor(0.0, 1.0), id="nothing finite"),
        pytest.param([0.0] * 200, Anchor(0.0, 1.0), id="all zero"),
        pytest.param([7.25] * 200, Anchor(7.25, 1.0), id="constant"),
        pytest.param([0.0] * 190 + [40.0] * 10, Anchor(0.0, 32.0), id="mostly zero"),
        pytest.param([0.0, 1.0] * 100, Anchor(0.0, 0.5), id="yes or no"),
        pytest.param([2010.0 + year for year in range(15)] * 20, Anchor(2048.0, 4.0), id="years"),
        pytest.param([-2010.0 - year for year in range(15)] * 20, Anchor(-2048.0, 4.0), id="years before"),
        pytest.param([1e308, -1e308] * 100, Anchor(0.0, 2.0**1023), id="as far apart as can be"),
        pytest.param([5e-324, 1e-323] * 100, Anchor(0.0, 2.0**-1021), id="as small as can be"),
    ],
)
def test_the_anchor_of(values: list[float], anchor: Anchor) -> None:
    assert choose(values) == anchor


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300))
def test_every_sample_has_a_usable_anchor(values: list[float]) -> None:
    center, scale = choose(values)

    assert math.isfinite(center)
    assert scale > 0
    assert math.frexp(scale)[0] == 0.5  # a power of two: dividing by it is exact


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_the_simplest_number_lies_in_the_interval(low: float, width: float) -> None:
    high = low + width

    assert low <= simplest(low, high) <= high


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 0.4))
def test_a_wider_interval_has_no_less_simple_number(low: float, width: float) -> None:
    def step(value: float) -> float:
        """The largest power of two that it is a multiple of."""
        numerator, denominator = value.as_integer_ratio()
        return (numerator & -numerator) / denominator

    narrow, wide = simplest(low, low * (1 + width)), simplest(low * (1 - width), low * (1 + 2 * width))

    assert step(wide) >= step(narrow)


@pytest.mark.parametrize(
    ("spread", "unit"), [(1.0, 1.0), (1.4, 1.0), (1.42, 2.0), (0.72, 1.0), (0.7, 0.5), (3e-320, 2.0**-1021)]
)
def test_the_unit_is_the_nearest_power_of_two(spread: float, unit: float) -> None:
    assert power_of_two(spread) == unit


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        pytest.param(lambda random: random.normal(1.5, 1, ENOUGH), 1.0, id="normal"),
        pytest.param(lambda random: random.lognormal(0, 1, ENOUGH), 1.0, id="lognormal"),
        pytest.param(lambda random: random.poisson(3, ENOUGH).astype(float), 1.0, id="counts"),
        pytest.param(lambda random: random.integers(0, 100, ENOUGH).astype(float), 1.0, id="integers"),
        pytest.param(lambda random: np.where(random.random(ENOUGH) < 0.7, 0, random.normal(9, 2, ENOUGH)), 1.0, id="0"),
    ],
)
def test_ten_replicas_agree_on_the_center(draw: Draw, least: float) -> None:
    random = np.random.default_rng(3)
    features = 40
    agreed = sum(len({choose(draw(random)).center for _ in range(10)}) == 1 for _ in range(features))

    assert agreed / features >= least


def test_the_bulk_is_within_reach_of_the_center() -> None:
    random = np.random.default_rng(4)
    for mean in 10 ** random.uniform(0, 8, 200):
        center, scale = choose(random.normal(mean, 1, ENOUGH).tolist())

        assert abs(mean - center) <= (REACH + 1) * max(scale, 1.0) * 1.5
