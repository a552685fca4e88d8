"""Sketches add up exactly, whoever began with which anchor, and survive whatever a sender puts into them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitorx.backend.detector.alignment import aligned, moved, pooled
from monitorx.backend.detector.codec import dump, load
from monitorx.backend.detector.quantile import quantiles
from monitorx.backend.detector.sketch import MAX_CELLS, Lattice, Unreadable, merged, sketch_of
from monitorx.sketch import Anchor, choose
from tests.detector.build import sketch, told

finite = st.floats(-1e6, 1e6)
samples = st.lists(finite, min_size=1, max_size=40)
anchors = st.builds(Anchor, st.just(3.0), st.integers(-8, 8).map(lambda exponent: 2.0**exponent))
scales = st.integers(0, 8)
sketches = st.builds(lambda values, anchor, scale: sketch(values, anchor, scale=scale), samples, anchors, scales)


@given(sketches, sketches, sketches)
@settings(max_examples=60, deadline=None)
def test_merging_is_commutative_and_associative(one: object, two: object, three: object) -> None:
    parts = [one, two, three]

    ways = [merged(parts), merged(parts[::-1]), merged([merged(parts[:2]), three]), merged([one, merged(parts[1:])])]

    assert [told(way) for way in ways] == [told(ways[0])] * 4


@given(st.lists(samples, min_size=2, max_size=5), anchors)
@settings(max_examples=60, deadline=None)
def test_replicas_with_one_anchor_add_up_to_the_sketch_of_all_rows(parts: list[list[float]], anchor: Anchor) -> None:
    whole = sketch([value for part in parts for value in part], anchor)

    assert told(merged([sketch(part, anchor) for part in parts]))[:5] == told(whole)[:5]


@given(samples, st.integers(-6, 6))
@settings(max_examples=60, deadline=None)
def test_a_power_of_two_in_the_anchor_only_changes_how_much_is_zero(values: list[float], power: int) -> None:
    fine, other = sketch(values, Anchor(0.0, 1.0)), sketch(values, Anchor(0.0, 2.0**power))
    zero = max(fine.zero_cell, other.zero_cell)

    assert told(fine.coarsened(6, zero))[:5] == told(other.coarsened(6, zero))[:5]


@given(samples, st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_coarsening_gives_what_the_coarser_histogram_counts(values: list[float], scale: int) -> None:
    anchor = Anchor(0.0, 1.0)

    assert told(sketch(values, anchor).coarsened(scale)) == told(sketch(values, anchor, scale=scale))


def test_cells_have_the_bounds_of_their_buckets() -> None:
    low, high = sketch([-4.0, 0.0, 1.5, 16.0], Anchor(0.0, 1.0), scale=0).bounds()

    # Buckets are (2^i, 2^(i+1)], cut at the smallest and the largest value.
    assert low.tolist() == [-4.0, -(2**-6), 1.0, 8.0]
    assert high.tolist() == [-2.0, 2**-6, 2.0, 16.0]


def test_lattices_that_differ_are_not_merged() -> None:
    with pytest.raises(ValueError, match="must be equal"):
        merged([sketch([1.0], Anchor(0.0, 1.0)), sketch([1.0], Anchor(8.0, 1.0))])


def test_smooth_sketches_of_different_centers_are_compared() -> None:
    values = np.random.default_rng(0).normal(100.0, 3.0, 20_000)
    one, other = sketch(values, Anchor(96.0, 4.0)), sketch(values, Anchor(128.0, 2.0))

    both = aligned(one, other)

    assert both is not None
    distance = np.abs(np.cumsum(both.reference) - np.cumsum(both.current)).max() / values.size
    assert distance < 0.01
    assert both.current.sum() == pytest.approx(values.size)


def test_atoms_of_different_centers_cannot_be_compared() -> None:
    values = np.random.default_rng(0).poisson(3.0, 1_000).astype(float)

    assert aligned(sketch(values, Anchor(0.0, 1.0)), sketch(values, Anchor(8.0, 1.0))) is None
    assert pooled([sketch(values, Anchor(0.0, 1.0)), sketch(values, Anchor(8.0, 1.0))]) is None


def test_values_that_all_fall_into_one_cell_cannot_be_compared_unless_they_are_one_value() -> None:
    blind, constant = [1000.0, 1001.0, 1002.0], [1000.0, 1000.0]

    assert aligned(sketch(blind, Anchor(0.0, 1.0)), sketch(blind, Anchor(0.0, 1.0))) is None
    assert aligned(sketch(constant, Anchor(0.0, 1.0)), sketch(constant, Anchor(0.0, 1.0))) is not None


def test_pooling_moves_the_smaller_part_to_the_lattice_of_the_larger() -> None:
    values = np.random.default_rng(0).normal(size=3_000)
    large, small = sketch(values[:2_000], Anchor(0.0, 1.0)), sketch(values[2_000:], Anchor(0.5, 1.0))

    whole = pooled([small, large])

    assert whole is not None
    assert whole.lattice == large.lattice
    assert whole.count == pytest.approx(3_000.0)


def test_quantiles_are_those_of_the_values_but_for_a_cell() -> None:
    values = np.random.default_rng(0).lognormal(3.0, 1.0, 50_000)
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)

    found = quantiles(sketch(values), shares)

    assert found == pytest.approx(np.quantile(values, shares).tolist(), rel=0.02)


def test_what_is_kept_is_read_back_to_the_last_bit() -> None:
    one = sketch([1.0, -3.0, 1e9], Anchor(0.1, 0.3)).during(5, 7)

    (again,) = load(dump([one]))

    assert (told(again), again.start_ns, again.end_ns) == (told(one), 5, 7)


def hostile(**changed: object) -> dict[str, object]:
    plain = {"center": 0.0, "anchor": 1.0, "scale": 6, "zero_count": 0.0, "zero_threshold": 2.0**-6}
    buckets = {"positive_offset": 0, "positive": [1.0], "negative_offset": 0, "negative": []}
    return {**plain, **buckets, **changed}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"scale": -1}, "scale", id="scale too low"),
        pytest.param({"scale": 21}, "scale", id="scale too high"),
        pytest.param({"anchor": 0.0}, "anchor", id="no unit"),
        pytest.param({"anchor": math.inf}, "anchor", id="endless unit"),
        pytest.param({"center": math.nan}, "anchor", id="no center"),
        pytest.param({"zero_threshold": math.inf}, "anchor", id="everything is zero"),
        pytest.param({"zero_count": math.inf}, "count", id="endless count"),
        pytest.param({"positive": [math.nan]}, "count", id="count that is none"),
    ],
)
def test_a_histogram_that_makes_no_sense_is_refused(changed: dict[str, object], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        sketch_of(**hostile(**changed))  # type: ignore[arg-type]  # the values are of all kinds


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"positive_offset": 2**31 - 1, "negative": [3.0], "negative_offset": -(2**31)}, id="far offsets"),
        pytest.param({"scale": 20, "positive": np.ones(100_000)}, id="many buckets"),
        pytest.param({"positive": [-5.0, 2.0]}, id="negative count"),
        pytest.param({"anchor": 5e-324, "center": 1e308}, id="tiny unit far away"),
        pytest.param({"anchor": 1.7e308, "zero_threshold": 1e308}, id="huge unit"),
        pytest.param({"zero_threshold": -1.0}, id="negative threshold"),
        pytest.param({"low": 9.0, "high": -9.0}, id="largest below smallest"),
        pytest.param({"low": math.inf, "high": math.nan}, id="no smallest"),
        pytest.param({"zero_count": 1e300, "positive": [1e300]}, id="huge counts"),
    ],
)
def test_a_strange_histogram_is_bounded_and_can_be_used(changed: dict[str, object]) -> None:
    made = sketch_of(**hostile(**changed))  # type: ignore[arg-type]  # the values are of all kinds

    low, high = made.bounds()
    assert made.cells.size <= MAX_CELLS
    assert (np.diff(made.cells) > 0).all()
    assert (made.counts > 0).all()
    assert (low <= high).all()
    assert moved(made, Lattice(0.0, 1.0), 4).count == pytest.approx(made.count)
    aligned(made, sketch([1.0, 2.0], Anchor(0.0, 1.0)))


def test_without_a_threshold_exact_zeros_are_kept_apart() -> None:
    made = sketch_of(**hostile(zero_threshold=0.0, zero_count=4.0))  # type: ignore[arg-type]  # as above

    assert (made.zero_cell, made.counts.tolist(), made.cells[0]) == (0, [4.0, 1.0], 0)


def test_anchors_of_replicas_of_integers_agree() -> None:
    random = np.random.default_rng(0)

    assert len({choose(random.poisson(3.0, 200).astype(float)) for _ in range(10)}) == 1
