import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.alerting.matcher import parse
from monitorx.backend.window import METRIC, OTHER, SPAN, Bounds, PaneKey, PanePartial, Windows
from tests.window.build import NOW, PANE, SECOND, Store, add, durations, gauge, points, spans

MINUTE = timedelta(minutes=1)
KEY = PaneKey("t", "shop", "i1", "fraud", "3", "tabular", "predict", SPAN)


class Counts(dict[tuple[str, str], float]):
    def __call__(self, name: str, labels: Any, value: float) -> None:
        place = name.removeprefix("monitorx_window_").removesuffix("_total"), labels.get("reason", "")
        self[place] = self.get(place, 0.0) + value


def requests(windows: Windows, *by: str, window: timedelta = MINUTE, now_ns: int = NOW, where: str = "") -> Any:
    totals = windows.totals([parse(where)] if where else [], by, window=window, now_ns=now_ns)
    return {group: total.requests for group, total in totals.items()}


def test_spans_add_up_to_a_pane() -> None:
    windows = Windows()

    add(
        windows,
        spans(
            {"duration_s": 0.5, "input_tokens": 10.0, "output_tokens": 4.0, "cost_usd": 0.25, "batch_size": 3.0},
            {"duration_s": 1.0, "error_type": "ValueError", "weight": 2.0, "batch_size": 1.0},
        ),
    )

    (pane,), closed, cursors = windows.take()
    assert (pane.key, pane.start_ns, closed, cursors) == (KEY, PANE, [], {})
    assert (pane.requests, pane.errors, pane.input_tokens, pane.output_tokens) == (3.0, 2.0, 10.0, 4.0)
    assert (pane.cost_usd, pane.samples) == (0.25, 5.0)
    assert (pane.latency.count, pane.latency.sum_s, pane.latency.max_s) == (3.0, 2.5, 1.0)


def test_a_span_belongs_to_the_pane_of_its_end() -> None:
    windows = Windows()

    add(windows, spans({"duration_s": 60.0, "end_ns": PANE + SECOND}, {"end_ns": PANE - 1}))

    assert sorted(pane.start_ns for pane in windows.take()[0]) == [PANE - 10 * SECOND, PANE]


def test_groups_are_told_apart_by_every_label_and_null_is_empty() -> None:
    windows = Windows()
    rows = [{}, {"model": None}, {"version": None}, {"instance": "i2"}, {"service": "x"}, {"tenant": "u"}, {}]

    add(windows, spans(*rows, {"operation": "transform"}, {"kind": "vision"}))

    panes = windows.take()[0]
    assert len(panes) == 8
    assert {pane.key: pane.requests for pane in panes}[KEY] == 2.0
    assert requests(windows, "model", "version")[("", "3")] == 1.0


def test_senseless_numbers_in_spans_do_no_harm() -> None:
    windows = Windows()

    add(
        windows,
        spans(
            {"duration_s": 0.5, "weight": math.nan, "cost_usd": math.inf},
            {"duration_s": 0.5, "weight": -1.0, "input_tokens": math.nan},
        ),
    )

    (pane,) = windows.take()[0]
    assert (pane.requests, pane.latency.sum_s, pane.cost_usd, pane.input_tokens) == (2.0, 1.0, 0.0, 0.0)


def test_event_time_is_clamped_to_a_minute_after_the_arrival() -> None:
    counts = Counts()
    windows = Windows(count=counts)

    add(windows, spans({"end_ns": NOW + 3600 * SECOND}, {"end_ns": NOW}))

    assert sorted(pane.start_ns for pane in windows.take()[0]) == [PANE, PANE + 60 * SECOND]
    assert counts == {("clamped", ""): 1.0}


def test_a_window_is_its_whole_panes_and_that_of_now() -> None:
    windows = Windows()
    ends = [PANE - 60 * SECOND - 1, PANE - 60 * SECOND, PANE + 9 * SECOND, PANE + 10 * SECOND]

    add(windows, spans(*({"end_ns": end, "model": str(i)} for i, end in enumerate(ends))))

    assert requests(windows, "model") == {("1",): 1.0, ("2",): 1.0}


@pytest.mark.parametrize("into_the_pane_ns", [0, 1, SECOND, 10 * SECOND - 1])
def test_what_ended_within_the_window_is_read_wherever_in_its_pane_now_is(into_the_pane_ns: int) -> None:
    windows, now_ns = Windows(), PANE + into_the_pane_ns

    add(windows, spans({"end_ns": now_ns}, {"end_ns": now_ns - 10 * SECOND}), arrival_ns=now_ns)

    assert requests(windows, window=timedelta(seconds=10), now_ns=now_ns) == {(): 2.0}


def test_matchers_pick_by_label() -> None:
    windows = Windows()

    add(windows, spans({"model": "a"}, {"model": "b"}, {"model": "b", "version": "4"}))

    assert requests(windows, "model", where='model=~"b|c"') == {("b",): 2.0}
    assert requests(windows, "version", where='model!="a"') == {("3",): 1.0, ("4",): 1.0}
    assert requests(windows, where='source="span"') == {(): 3.0}


def test_duration_metrics_count_calls_and_errors() -> None:
    windows = Windows()

    add(
        windows,
        points(
            durations(0, 6, 0),
            durations(0, 2, 0, error_type="Timeout", series_key=2),
            {
                "type": "exponential_histogram",
                "series_key": 3,
                "count": 4.0,
                "sum": 4.5,
                "scale": 5,
                "zero_count": 1.0,
                "positive_offset": -1,
                "max": 1.5,
                "positive": [2.0, 1.0],
            },
        ),
    )

    (pane,) = windows.take()[0]
    assert pane.key == KEY._replace(source=METRIC)
    assert (pane.requests, pane.errors, pane.latency.count) == (12.0, 2.0, pytest.approx(12.0))
    assert (pane.latency.zero, pane.latency.sum_s, pane.latency.max_s) == (1.0, 8.5, 1.5)


@pytest.mark.parametrize(("unit", "factor"), [("s", 1.0), ("ms", 1e-3), ("", 1.0)])
def test_units_of_time_become_seconds(unit: str, factor: float) -> None:
    windows = Windows()
    exponential = {"scale": 5, "positive_offset": -1, "positive": [9.0], "zero_count": 0.0}

    add(
        windows,
        points(
            durations(0, 9, 0, unit=unit, max=0.5, min=0.4),
            {"type": "exponential_histogram", "count": 9.0, "sum": 4.5, "unit": unit, "series_key": 2, **exponential},
        ),
    )

    latency = windows.take()[0][0].latency
    assert latency.sum_s == pytest.approx(9 * factor)
    assert latency.quantile(0.25) == pytest.approx(0.45 * factor, rel=0.05)
    assert latency.quantile(0.9) == pytest.approx(factor, rel=0.05)


def test_token_metrics_and_samples_are_read() -> None:
    windows = Windows()
    tokens = {"name": "gen_ai.client.token.usage", "unit": "{token}", "count": 2.0}

    add(
        windows,
        points(
            {**tokens, "sum": 100.0, "attributes": '{"gen_ai.token.type":"input"}'},
            {**tokens, "sum": 30.0, "attributes": '{"gen_ai.token.type":"output"}', "series_key": 2},
            {"name": "ml.inference.samples", "type": "sum", "monotonic": True, "value": 7.0, "series_key": 3},
        ),
    )

    (pane,) = windows.take()[0]
    assert (pane.input_tokens, pane.output_tokens, pane.samples, pane.requests) == (100.0, 30.0, 7.0, 0.0)
    assert pane.latency.count == 0.0


def test_a_point_without_a_value_counts_for_nothing() -> None:
    windows = Windows()

    add(windows, points({"count": None}, {"type": "gauge", "value": 3.0}, {"type": "summary", "count": 3.0}))

    assert windows.take() == ([], [], {})


def test_calls_told_by_spans_and_metrics_are_counted_by_metrics() -> None:
    windows = Windows()

    add(windows, spans({"cost_usd": 0.5, "input_tokens": 5.0}, {}, {"instance": "i2"}), points(durations(0, 2, 0)))

    totals = windows.totals([], ["instance"], window=MINUTE, now_ns=NOW)
    assert {group: (total.requests, total.latency.count) for group, total in totals.items()} == {
        ("i1",): (2.0, pytest.approx(2.0)),
        ("i2",): (1.0, 1.0),
    }
    # Nobody sent metrics of tokens, and none tells cost.
    assert (totals["i1",].input_tokens, totals["i1",].cost_usd) == (5.0, 0.5)


@pytest.mark.parametrize(("gap_s", "expected"), [(290, {}), (330, {(): 1.0})])
def test_spans_count_again_when_there_were_no_metrics_for_five_minutes(gap_s: int, expected: Any) -> None:
    windows = Windows(Bounds(retain=MINUTE))
    add(windows, points(durations(0, 2, 0)))
    later = NOW + gap_s * SECOND

    windows.close(later)
    add(windows, spans({"end_ns": later}), arrival_ns=later)

    assert {group: n for group, n in requests(windows, now_ns=later).items() if n} == expected


def test_an_open_pane_is_taken_whole_each_time_it_changes_and_a_closed_one_once() -> None:
    windows = Windows()
    taken = []

    add(windows, spans({}))
    taken.append(windows.take())
    add(windows, spans({}))
    taken.append(windows.take())
    taken.append(windows.take())
    windows.close(PANE + 40 * SECOND)
    taken.append(windows.take())

    assert [([p.requests for p in opened], [p.requests for p in closed]) for opened, closed, _ in taken] == [
        ([1.0], []),
        ([2.0], []),
        ([], []),
        ([], [2.0]),
    ]


def test_panes_close_after_their_lateness() -> None:
    windows = Windows(Bounds(lateness=timedelta(seconds=20)))
    add(windows, spans({}))

    windows.close(PANE + 30 * SECOND - 1)
    before = windows.take()
    windows.close(PANE + 30 * SECOND)

    assert (len(before[0]), before[1]) == (1, [])
    assert [pane.start_ns for pane in windows.take()[1]] == [PANE]


def test_what_comes_after_the_watermark_goes_to_the_store_and_not_to_rules() -> None:
    counts = Counts()
    windows = Windows(count=counts)
    add(windows, spans({}))
    late = spans({"end_ns": PANE - 100 * SECOND}, {"end_ns": PANE - 100 * SECOND, "instance": "slow"})

    add(windows, late)

    opened, closed, _ = windows.take()
    assert {(pane.key.instance, pane.start_ns) for pane in opened} == {("i1", PANE), ("slow", PANE - 100 * SECOND)}
    assert [(pane.key.instance, pane.requests) for pane in closed] == [("i1", 1.0)]
    assert requests(windows, "instance", window=timedelta(minutes=5)) == {("i1",): 1.0, ("slow",): 1.0}
    assert counts == {("late", ""): 1.0}


def test_a_clock_that_runs_ahead_makes_nobody_late() -> None:
    windows = Windows()

    add(windows, spans({"end_ns": NOW + 3600 * SECOND}), spans({}))

    assert requests(windows) == {(): 1.0}


def test_the_store_is_given_copies() -> None:
    windows = Windows()
    add(windows, spans({}))
    opened = windows.take()[0]
    windows.close(PANE + 40 * SECOND)
    closed = windows.take()[1]

    add(windows, spans({}))

    assert (opened[0].requests, closed[0].requests, closed[0].latency.count) == (1.0, 1.0, 1.0)


def copied(pane: PanePartial) -> PanePartial:
    return replace(pane, latency=pane.latency.copy())


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(-200, 70), st.sampled_from(["i1", "i2"])),
        st.tuples(st.just("close"), st.integers(-60, 200), st.none()),
        st.tuples(st.just("take"), st.none(), st.none()),
        st.tuples(st.just("restart"), st.none(), st.none()),
    ),
    max_size=30,
)


@given(ACTIONS, st.sampled_from([3, 200_000]))
def test_the_store_ends_up_with_everything_added_once(actions: list[Any], most_panes: int) -> None:
    bounds = Bounds(panes=most_panes)
    windows, store, wanted = Windows(bounds), Store(), 0.0

    for action, offset, instance in actions:
        if action == "add":
            add(windows, spans({"end_ns": NOW + offset * SECOND, "instance": instance, "weight": 1.0}))
            wanted += 1.0
        elif action == "close":
            windows.close(NOW + offset * SECOND)
        else:
            store.write(windows)
        if action == "restart":
            windows = Windows(bounds)
            windows.restore(map(copied, store.open.values()), map(copied, store.closed.values()), store.cursors)
    store.write(windows)

    assert sum(pane.requests for pane in store.panes()) == wanted
    assert sum(pane.latency.count for pane in store.panes()) == wanted


def test_restored_windows_read_the_same() -> None:
    windows, store = Windows(), Store()
    old = spans({"end_ns": PANE - 60 * SECOND})
    add(windows, old, points(durations(0, 3, 0)), spans({}, {"model": "b"}))
    windows.close(NOW)
    store.write(windows)

    restored = Windows()
    restored.restore(store.open.values(), store.closed.values(), store.cursors)

    window = timedelta(minutes=5)
    assert requests(restored, "model", window=window) == requests(windows, "model", window=window)
    assert requests(restored, "model", window=window) == {("fraud",): 3.0, ("b",): 1.0}


def test_keys_beyond_the_bound_are_counted_as_other() -> None:
    counts = Counts()
    windows = Windows(Bounds(keys=2), count=counts)

    add(windows, spans(*({"model": str(i)} for i in range(4))))

    found = requests(windows, "model")
    assert found == {("0",): 1.0, ("1",): 1.0, (OTHER,): 2.0}
    assert counts == {("dropped", "keys"): 2.0}


def test_panes_beyond_the_bound_go_oldest_first_to_the_store() -> None:
    counts = Counts()
    windows = Windows(Bounds(panes=2), count=counts)

    add(windows, spans(*({"end_ns": NOW - i * 10 * SECOND} for i in range(3))))

    opened, closed, _ = windows.take()
    assert windows.pane_count == 2
    assert [pane.start_ns for pane in closed] == [PANE - 20 * SECOND]
    assert sorted(pane.start_ns for pane in opened) == [PANE - 10 * SECOND, PANE]
    assert counts == {("dropped", "panes"): 1.0}


def test_panes_are_dropped_when_no_rule_looks_at_them() -> None:
    windows = Windows(Bounds(retain=MINUTE), watch=["temperature"])
    add(windows, spans({}), points(gauge("temperature", 20.0)))

    windows.close(NOW + 65 * SECOND)
    kept = windows.pane_count, windows.readings("temperature", [], [], window=MINUTE, now_ns=NOW)
    windows.close(NOW + 81 * SECOND)

    assert (kept[0], kept[1][()].count) == (1, 1.0)
    assert windows.pane_count == 0
    assert windows.readings("temperature", [], [], window=MINUTE, now_ns=NOW) == {}


def test_that_panes_are_missing_from_the_longest_window_is_known() -> None:
    windows = Windows(Bounds(panes=2, retain=MINUTE))
    add(windows, spans(*({"end_ns": NOW - i * 10 * SECOND} for i in range(3))))
    unseen = []

    for later_s in (0, 30, 40, 50):
        windows.close(NOW + later_s * SECOND)
        unseen.append(windows.unseen_s)

    assert unseen == [50.0, 20.0, 10.0, 0.0]  # the window begins 60 s before the pane of now


def test_restored_panes_are_bounded_too() -> None:
    windows = Windows(Bounds(panes=2))
    full = Windows()
    add(full, spans(*({"end_ns": NOW - i * 10 * SECOND} for i in range(3))))

    windows.restore(full.take()[0], [], {})

    assert windows.pane_count == 2


def test_who_was_there_before_a_start_is_missed_a_minute_after_it() -> None:
    windows = Windows(Bounds(retain=MINUTE))
    windows.restore([], [], {}, {KEY: PANE - 1800 * SECOND})
    known = []

    for later_s in (0, 59, 60, 1820):
        windows.close(NOW + later_s * SECOND)
        known.append(windows.known([], ["model"]))

    assert known == [set(), set(), {("fraud",)}, set()]
