import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.window import Bounds, Windows
from monitorx.backend.window.cumulative import Cursors, Point, explicit_shape, exponential_shape
from tests.window.build import NOW, SECOND, Store, add, durations, points

SHAPE = explicit_shape(np.array([1.0]))


def point(at_s: float, *buckets: float, start_s: float = -10, **facts: Any) -> Point:
    """A point `at_s` seconds from now whose sum is its count."""
    counts = np.array(buckets)
    zero = facts.get("zero", 0.0)
    return Point(
        start_ns=NOW + int(start_s * SECOND),
        time_ns=NOW + int(at_s * SECOND),
        count=float(counts.sum()) + zero,
        sum=float(counts.sum()),
        zero=zero,
        max=facts.get("max", math.nan),
        shape=facts.get("shape", SHAPE),
        offset=facts.get("offset", 0),
        buckets=counts,
    )


def advance(cursors: Cursors, *states: Point, series: int = 1) -> list[Any]:
    """What each adds: its buckets, or None."""
    added = [cursors.advance(series, state, NOW) for state in states]
    return [None if each is None else (each.count, each.sum, each.buckets.tolist()) for each in added]


def test_a_point_adds_the_difference_to_the_one_before() -> None:
    cursors = Cursors()

    assert advance(cursors, point(0, 1, 2), point(1, 1, 5), point(60, 4, 5)) == [
        (3.0, 3.0, [1.0, 2.0]),
        (3.0, 3.0, [0.0, 3.0]),
        (3.0, 3.0, [3.0, 0.0]),
    ]
    assert (cursors.resets, cursors.ignored, cursors.baselines) == (0, 0, 0)


def test_an_old_series_never_seen_before_is_a_baseline() -> None:
    cursors = Cursors()

    assert advance(cursors, point(0, 9, start_s=-301), point(1, 11, start_s=-301)) == [None, (2.0, 2.0, [2.0])]
    assert advance(cursors, point(0, 9, start_s=-299), series=2) == [(9.0, 9.0, [9.0])]
    assert cursors.baselines == 1


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(point(1, 2, 1, start_s=0), id="another start"),
        pytest.param(point(1, 1, 2), id="a count that went down"),
        pytest.param(point(1, 0, 9), id="a bucket that went down"),
        pytest.param(point(1, 9, 9, shape=explicit_shape(np.array([2.0]))), id="other bounds"),
    ],
)
def test_a_reset_counts_in_full(after: Point) -> None:
    cursors = Cursors()

    assert advance(cursors, point(0, 3, 3), after)[1] == (after.count, after.sum, after.buckets.tolist())
    assert cursors.resets == 1


def test_points_out_of_order_and_repeated_ones_are_ignored() -> None:
    cursors = Cursors()

    assert advance(cursors, point(5, 3), point(5, 3), point(4, 2), point(6, 4)) == [
        (3.0, 3.0, [3.0]),
        None,
        None,
        (1.0, 1.0, [1.0]),
    ]
    assert cursors.ignored == 2


def test_an_exponential_histogram_may_grow_coarser_and_wider() -> None:
    cursors = Cursors()
    fine, coarse = exponential_shape(5), exponential_shape(4)

    added = advance(
        cursors,
        point(0, 1, 2, 3, shape=fine, offset=4),
        point(1, 1, 1, 2, 3, shape=fine, offset=3),
        point(2, 1, 1, 5, 4, shape=coarse, offset=0, zero=2.0),
    )

    # At scale 4 buckets 3 … 6 are 1, 2, 2, 3: they held 1, 3 and 3.
    assert added[1:] == [(1.0, 1.0, [1.0, 0.0, 0.0, 0.0]), (6.0, 4.0, [1.0, 0.0, 2.0, 1.0])]
    assert cursors.resets == 0


def test_an_exponential_histogram_that_lost_a_bucket_was_reset() -> None:
    cursors = Cursors()
    shape = exponential_shape(5)

    advance(cursors, point(0, 1, 2, shape=shape, offset=4), point(1, 9, 9, shape=shape, offset=5))
    advance(cursors, point(2, 9, 9, 9, shape=exponential_shape(6), offset=5))

    assert cursors.resets == 2


def test_the_largest_value_is_known_only_where_it_grew() -> None:
    cursors = Cursors()
    cursors.advance(1, point(0, 1, max=3.0), NOW)

    same, grown = cursors.advance(1, point(1, 2, max=3.0), NOW), cursors.advance(1, point(2, 3, max=4.0), NOW)

    assert same is not None
    assert grown is not None
    assert math.isnan(same.max)
    assert grown.max == 4.0


def test_cursors_are_bounded_and_those_untouched_for_longest_go() -> None:
    cursors = Cursors(limit=2)

    for series in (1, 2, 1, 3):
        advance(cursors, point(series, 1), series=series)

    assert advance(cursors, point(10, 5), series=1) == [(4.0, 4.0, [4.0])]
    assert (len(cursors), cursors.evicted) == (2, 1)
    assert sorted(cursors.take()) == [1, 3]


STATES = st.builds(
    point,
    st.integers(0, 5),
    st.sampled_from([0.0, 1.0, 300.0, 70_000.0, 1e12, 0.5]),
    st.just(2.0),
    shape=st.sampled_from([SHAPE, exponential_shape(-3)]),
    offset=st.integers(-(2**31), 2**31 - 1),
)


@given(STATES)
def test_bytes_give_back_the_same_cursor(state: Point) -> None:
    cursors, restored = Cursors(), Cursors()
    cursors.advance(2**64 - 1, state, NOW)
    taken = cursors.take()

    restored.restore(taken)

    assert cursors.take() == {}
    later = point(100, *(state.buckets + 1.0), shape=state.shape, offset=state.offset)
    assert advance(restored, later, series=2**64 - 1) == [(2.0, 2.0, [1.0, 1.0])]


def totals(windows: Windows) -> Any:
    opened, closed, _ = windows.take()
    panes = [*opened, *closed]
    return sum(pane.requests for pane in panes), sum(pane.latency.count for pane in panes)


def cumulative(*counts: float, **row: Any) -> dict[str, Any]:
    return durations(*counts, temporality="cumulative", start_ns=NOW - 20 * SECOND, **row)


def test_points_of_one_series_in_one_batch_are_taken_in_the_order_of_their_times() -> None:
    windows = Windows()

    add(
        windows,
        points(
            cumulative(2, 4, 1, time_ns=NOW - SECOND),
            cumulative(1, 1, 0, time_ns=NOW - 3 * SECOND),
            cumulative(0, 5, 0, time_ns=NOW, series_key=2),
            durations(0, 1, 0, series_key=3),
        ),
    )

    assert totals(windows) == (13.0, pytest.approx(13.0))


def test_cumulative_and_delta_tell_the_same() -> None:
    delta, running = Windows(), Windows()
    states = np.cumsum([[1, 2, 0], [0, 3, 1], [2, 0, 0]], axis=0).tolist()
    for index, (own, state) in enumerate(zip([[1, 2, 0], [0, 3, 1], [2, 0, 0]], states, strict=True)):
        time_ns = NOW + index * SECOND
        add(delta, points(durations(*own, time_ns=time_ns)))
        add(running, points(cumulative(*state, time_ns=time_ns)))

    (one,), (other,) = delta.take()[0], running.take()[0]
    assert (one.requests, one.latency.sum_s) == (other.requests, other.latency.sum_s) == (9.0, 4.5)
    assert np.allclose(one.latency.counts, other.latency.counts)


def test_cursors_survive_a_restart_with_the_store() -> None:
    windows, store = Windows(), Store()
    add(windows, points(cumulative(1, 2, 0)))
    store.write(windows)
    restarted = Windows()
    restarted.restore([], [], store.cursors)

    add(restarted, points(cumulative(1, 2, 0)), points(cumulative(1, 3, 0, time_ns=NOW + SECOND)))

    assert totals(restarted) == (1.0, pytest.approx(1.0))


def test_a_gauge_whose_start_moves_is_no_series_of_steps() -> None:
    windows = Windows(watch=["level"])
    row = {"name": "level", "type": "sum", "temporality": "cumulative", "monotonic": False}

    add(windows, points({**row, "value": 5.0, "start_ns": 1}), points({**row, "value": 4.0, "start_ns": 2}))

    assert windows.take() == ([], [], {})


def test_what_was_reset_ignored_or_only_a_baseline_is_counted() -> None:
    counted: dict[Any, float] = {}

    def count(name: str, labels: Any, value: float) -> None:
        counted[name, *labels.values()] = counted.get((name, *labels.values()), 0) + value

    windows = Windows(Bounds(series=1), count=count)
    add(windows, points(cumulative(1, 2, 0), cumulative(1, 2, 0)), points(cumulative(1, 1, 0, time_ns=NOW + SECOND)))
    add(windows, points({**cumulative(1, 2, 0, series_key=2), "start_ns": 0}))

    assert counted == {
        ("monitorx_window_resets_total",): 1.0,
        ("monitorx_window_dropped_total", "out_of_order"): 1.0,
        ("monitorx_window_dropped_total", "baseline"): 1.0,
        ("monitorx_window_dropped_total", "series"): 1.0,
    }
