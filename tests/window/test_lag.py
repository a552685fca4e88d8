"""Processes whose clock is so far behind that no rule ever looks at what they send."""

from datetime import timedelta
from typing import Any

from monitorx.backend.window import Bounds, Windows
from tests.window.build import NOW, PANE, SECOND, add, durations, points, spans

MINUTE = timedelta(minutes=1)
SLOW = {"instance": "slow", "end_ns": NOW - 300 * SECOND}
FIRST = PANE - 60 * SECOND  # the first pane that a rule of a minute looks at


class Unjudged(list[float]):
    def __call__(self, name: str, labels: Any, value: float) -> None:
        if name == "monitorx_window_unjudged_total":
            assert labels == {}
            self.append(value)


def windows_of(retain: timedelta = MINUTE) -> tuple[Windows, Unjudged]:
    unjudged = Unjudged()
    return Windows(Bounds(retain=retain), count=unjudged), unjudged


def test_what_arrives_when_no_rule_looks_at_its_time_any_more_is_counted() -> None:
    windows, unjudged = windows_of()

    add(windows, spans({"end_ns": FIRST}, {"end_ns": FIRST - 1}, SLOW, SLOW), spans({}))

    assert unjudged == [2.0]


def test_the_process_whose_clock_is_behind_is_named_with_its_seconds() -> None:
    windows, _ = windows_of()

    add(windows, spans({}, SLOW), points(durations(1, 1, 0, time_ns=NOW - 600 * SECOND, instance="slower")))

    # Event times are known by their panes: 5 s after the start of one, they are taken as its end.
    assert windows.lagging == {("shop", "slow"): 295.0, ("shop", "slower"): 595.0}


def test_a_process_that_sends_old_things_again_among_new_ones_has_no_slow_clock() -> None:
    windows, unjudged = windows_of()

    add(windows, spans(SLOW, {**SLOW, "end_ns": NOW}))

    assert (windows.lagging, unjudged) == ({}, [1.0])


def test_a_clock_that_was_set_right_is_named_no_more() -> None:
    windows, _ = windows_of()

    add(windows, spans(SLOW), spans({"instance": "slow"}))

    assert windows.lagging == {}


def test_a_slow_process_that_is_gone_is_forgotten_after_ten_minutes() -> None:
    windows, _ = windows_of()
    add(windows, spans(SLOW))

    windows.close(NOW + 599 * SECOND)
    before = windows.lagging
    windows.close(NOW + 601 * SECOND)

    assert (list(before), windows.lagging) == ([("shop", "slow")], {})


def test_of_many_slow_processes_those_furthest_behind_are_named() -> None:
    windows, _ = windows_of()

    add(windows, spans(*({"instance": str(i), "end_ns": NOW - (100 + 10 * i) * SECOND} for i in range(200))))

    assert len(windows.lagging) == 100
    assert min(windows.lagging.values()) == 95.0 + 10 * 100
