"""Several processes that write one cumulative series, since nothing in their resources tells them apart."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.window import Windows
from monitorx.backend.window.cumulative import BASELINE_NS, FORGET_NS, MAX_WRITERS, NO_BUCKETS, Cursors, Point
from tests.window.build import NOW, SECOND, Store, add, durations, points

HOUR_S = 3600


def point(count: float, *, start_s: float = -10, at_s: float = 0) -> Point:
    """A point `at_s` seconds from now of the process that began at `start_s`."""
    start_ns, time_ns = NOW + int(start_s * SECOND), NOW + int(at_s * SECOND)
    return Point(start_ns, time_ns, count, count, 0.0, math.nan, NO_BUCKETS, 0, np.zeros(0))


def advance(cursors: Cursors, *states: Point, arrival_s: float = 0) -> list[Any]:
    """The counts that they add."""
    added = [cursors.advance(1, state, NOW + int(arrival_s * SECOND)) for state in states]
    return [None if each is None else each.count for each in added]


def facts(cursors: Cursors) -> dict[str, int]:
    names = ("resets", "ignored", "baselines", "evicted", "shared", "crowded", "unreadable")
    return {name: getattr(cursors, name) for name in names if getattr(cursors, name)}


def test_two_replicas_with_equal_resources_are_counted_once_each() -> None:
    counted: dict[str, float] = {}

    def count(name: str, labels: Any, value: float) -> None:
        counted[name] = counted.get(name, 0.0) + value

    windows = Windows(count=count)
    row = {"name": "gen_ai.client.operation.duration", "temporality": "cumulative"}

    for step in range(1, 21):
        for start_s in (0.0, 0.5):
            times = {"start_ns": NOW + int(start_s * SECOND), "time_ns": NOW + int((start_s + step) * SECOND)}
            add(windows, points(durations(0, 10 * step, 0, **row, **times)), arrival_ns=NOW + (step + 1) * SECOND)

    opened, closed, _ = windows.take()
    assert sum(pane.requests for pane in [*opened, *closed]) == 400.0
    assert windows.sharing == {"shop": 38}
    assert counted == {"monitorx_window_shared_total": 38.0}


def test_a_process_that_began_after_the_last_point_of_the_old_one_is_a_restart() -> None:
    cursors = Cursors()

    assert advance(cursors, point(5), point(3, start_s=0, at_s=9), point(4, start_s=0, at_s=10)) == [5.0, 3.0, 1.0]
    assert facts(cursors) == {"resets": 1}


def test_a_restart_is_counted_in_full_however_late_it_is_told() -> None:
    cursors = Cursors()
    advance(cursors, point(5))

    assert advance(cursors, point(3, start_s=1, at_s=HOUR_S), arrival_s=HOUR_S) == [3.0]


def test_one_of_two_processes_may_restart() -> None:
    cursors = Cursors()
    both = [point(5), point(7, start_s=-9, at_s=1), point(6, at_s=10), point(8, start_s=-9, at_s=11)]
    after = [point(1, start_s=10.5, at_s=12), point(9, start_s=-9, at_s=21), point(4, start_s=10.5, at_s=22)]

    assert advance(cursors, *both, *after) == [5.0, 7.0, 1.0, 1.0, 1.0, 1.0, 3.0]
    assert facts(cursors) == {"shared": 4}


def test_a_second_process_that_began_long_ago_is_a_baseline() -> None:
    cursors = Cursors()
    long_ago_s = -HOUR_S

    added = advance(cursors, point(5), point(1000, start_s=long_ago_s), point(1001, start_s=long_ago_s, at_s=1))

    assert added == [5.0, None, 1.0]
    assert facts(cursors) == {"baselines": 1}


def test_a_point_of_the_old_process_that_comes_again_adds_nothing() -> None:
    cursors = Cursors()

    assert advance(cursors, point(5), point(3, start_s=1, at_s=9), point(5)) == [5.0, 3.0, None]
    assert facts(cursors) == {"resets": 1, "ignored": 1}


def test_writers_of_a_series_are_bounded_and_one_that_finds_no_room_adds_nothing() -> None:
    cursors = Cursors()
    full = [point(2, start_s=-100 + number) for number in range(MAX_WRITERS)]

    assert advance(cursors, *full) == [2.0] * MAX_WRITERS
    assert advance(cursors, point(2, start_s=-1), point(4, start_s=-1, at_s=1)) == [None, None]
    assert advance(cursors, point(3, start_s=-100, at_s=1)) == [1.0]
    assert (len(cursors), cursors.crowded) == (MAX_WRITERS, 2)


def test_a_silent_writer_gives_way_and_is_a_baseline_when_it_speaks_again() -> None:
    cursors = Cursors()
    later_s = BASELINE_NS / SECOND + 1
    advance(cursors, *(point(2, start_s=-100 + number) for number in range(MAX_WRITERS)))

    assert advance(cursors, point(2, start_s=-1, at_s=later_s), arrival_s=later_s) == [None]
    assert advance(cursors, point(9, start_s=-100, at_s=later_s), arrival_s=later_s) == [None]
    assert (len(cursors), facts(cursors)) == (MAX_WRITERS, {"baselines": 2})


def test_writers_silent_for_long_are_forgotten() -> None:
    cursors = Cursors()
    later_s = FORGET_NS / SECOND + 1

    advance(cursors, point(2), point(2, start_s=1, at_s=2))
    advance(cursors, point(3, start_s=1, at_s=later_s), arrival_s=later_s)

    assert len(cursors) == 1


def test_the_bound_on_cursors_counts_every_writer() -> None:
    cursors = Cursors(limit=2)

    for series, start_s in ((1, -10), (2, -10), (2, -9)):
        cursors.advance(series, point(1, start_s=start_s), NOW)

    assert (len(cursors), cursors.evicted, sorted(cursors.take())) == (2, 1, [2])


def test_all_writers_survive_a_restart_of_the_server() -> None:
    windows, store = Windows(), Store()
    row = {"temporality": "cumulative"}
    for start_s in (-20, -19):
        add(windows, points(durations(0, 5, 0, start_ns=NOW + start_s * SECOND, **row)))
    store.write(windows)
    restarted = Windows()
    restarted.restore([], [], store.cursors)

    for start_s in (-20, -19):
        times = {"start_ns": NOW + start_s * SECOND, "time_ns": NOW + SECOND}
        add(restarted, points(durations(0, 6, 0, **times, **row)))

    assert [pane.requests for pane in restarted.take()[0]] == [2.0]


def test_a_cursor_stored_when_a_series_had_one_writer_is_read() -> None:
    head = "0100" + (NOW - SECOND).to_bytes(8, "little").hex() + NOW.to_bytes(8, "little").hex()
    numbers = np.array([4.0, 4.0, 0.0, math.nan], "<f8").tobytes().hex()
    stored = bytes.fromhex(head + numbers + "00" * 16 + "00" * 8 + "00" * 4)
    cursors = Cursors()

    cursors.restore({1: stored})

    assert advance(cursors, point(6, start_s=-1, at_s=1)) == [2.0]


@pytest.mark.parametrize("stored", [b"", b"\x02" + bytes(79), b"\x01\x00short", b"\x01\x09" + bytes(79)])
def test_a_cursor_that_cannot_be_read_is_as_if_never_seen(stored: bytes) -> None:
    cursors = Cursors()

    cursors.restore({1: stored})

    assert (len(cursors), facts(cursors)) == (0, {"unreadable": 1})
    assert advance(cursors, point(9, start_s=-HOUR_S)) == [None]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True),
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9)), max_size=40),
)
def test_any_processes_in_any_turns_add_up_to_what_they_did(starts_s: list[int], steps: list[tuple[int, int]]) -> None:
    cursors, counts, counted = Cursors(), dict[int, float](), 0.0

    for at, (who, more) in enumerate(steps):
        start_s = starts_s[who % len(starts_s)] - 60
        counts[start_s] = counts.get(start_s, 0.0) + more
        counted += advance(cursors, point(counts[start_s], start_s=start_s, at_s=at))[0]

    assert counted == sum(counts.values())
    assert cursors.resets == 0
