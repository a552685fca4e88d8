from datetime import timedelta
from typing import Any

import pytest

from monitorx.alerting.alert import Condition, Observation
from monitorx.backend.rule import Rule, Verdict, evaluate, observation, parse, policy
from monitorx.backend.window import Windows
from tests.window.build import NOW, PANE, SECOND, add, gauge, points, spans

END = PANE + 10 * SECOND


def rule(text: str, **fields: Any) -> Rule:
    return Rule(name="R", expression=parse(text), **fields)


def said(text: str, windows: Windows, now_ns: int = NOW, **fields: Any) -> list[tuple[dict[str, str], Any, str]]:
    verdicts = evaluate(rule(text, **fields), windows, now_ns)
    return [(dict(each.labels), each.value and pytest.approx(each.value, rel=0.022), each.state) for each in verdicts]


def calls() -> Windows:
    windows = Windows()
    fast = {"model": "a", "duration_s": 0.1}
    add(windows, spans(*[fast] * 9, {**fast, "duration_s": 3.0, "error_type": "E", "output_tokens": 60.0}))
    add(windows, spans(*[{"model": "b", "duration_s": 0.2, "end_ns": NOW - 30 * SECOND}] * 3))
    return windows


def test_a_verdict_says_all_that_was_found() -> None:
    (verdict,) = evaluate(rule("max(latency{model='a'}[1m]) > 2s by (model)"), calls(), NOW)

    assert verdict == Verdict(
        rule="R",
        labels={"model": "a"},
        value=3.0,
        threshold=2.0,
        state="breached",
        window=(PANE - 60 * SECOND, END),
        evidence={"window": "2023-11-14T22:12:20Z/2023-11-14T22:13:30Z", "events": "10"},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p50(latency[1m]) > 1s by (model)", [({"model": "a"}, 0.1, "ok"), ({"model": "b"}, 0.2, "ok")]),
        ("p99(latency[1m]) > 1s", [({}, 3.0, "breached")]),
        ("min(latency[1m]) < 150ms", [({}, 0.1, "breached")]),
        ("avg(latency{model='b'}[1m]) >= 200ms", [({}, 0.2, "breached")]),
        (
            "ratio(errors[1m], requests[1m]) > 5% by (model)",
            [({"model": "a"}, 0.1, "breached"), ({"model": "b"}, 0.0, "ok")],
        ),
        ("ratio(requests{model='a'}[1m], requests[1m]) > 5%", [({}, 10 / 13, "breached")]),
        ("rate(requests[1m]) < 1", [({}, 13 / 65, "breached")]),
        (
            "rate(requests[10s]) < 1 by (model)",
            [({"model": "a"}, 10 / 15, "breached"), ({"model": "b"}, None, "no_data")],
        ),
        ("sum(tokens[1m]) >= 60 by (service)", [({"service": "shop"}, 60.0, "breached")]),
        ("sum(errors{model='none'}[1m]) > 0", [({}, None, "no_data")]),
        ("sum(errors{model='none'}[1m]) > 0 by (model)", []),
    ],
)
def test_calls_are_measured(text: str, expected: Any) -> None:
    assert said(text, calls()) == expected


def test_fewer_events_than_wanted_are_no_data() -> None:
    (verdict,) = evaluate(rule("p99(latency[1m]) > 1s", min_events=14), calls(), NOW)

    assert (verdict.value, verdict.state) == (None, "no_data")
    assert (verdict.evidence["events"], verdict.evidence["min_events"]) == ("13", "14")
    assert said("p99(latency[1m]) > 1s", calls(), min_events=13) == [({}, 3.0, "breached")]


def test_a_group_that_fell_silent_is_no_data_and_in_the_end_nothing() -> None:
    windows = calls()
    text = "rate(requests{model='b'}[1m]) > 0 by (model)"
    silent, gone = NOW + 600 * SECOND, NOW + 4000 * SECOND

    windows.close(silent)
    after = said(text, windows, silent)
    windows.close(gone)

    assert after == [({"model": "b"}, None, "no_data")]
    assert said(text, windows, gone) == []


METRICS = ["temperature", "hits", "size", "level"]


def machine() -> Windows:
    windows = Windows(watch=METRICS)
    own = {"model": None, "version": None, "kind": None, "operation": None, "service": "gpu"}
    counter = {"type": "sum", "monotonic": True, **own}
    add(
        windows,
        points(
            gauge("temperature", 60.0, attributes='{"hw.id":"g0"}', time_ns=NOW - 2 * SECOND, **own),
            gauge("temperature", 90.0, attributes='{"hw.id":"g0"}', time_ns=NOW - SECOND, **own),
            gauge("temperature", 70.0, attributes='{"hw.id":"g1"}', time_ns=NOW - 20 * SECOND, **own),
            {"name": "hits", "value": 30.0, **counter},
            {"name": "hits", "value": 90.0, "time_ns": NOW - 20 * SECOND, **counter},
            {
                "name": "size",
                "count": 4.0,
                "sum": 10.0,
                "min": 1.0,
                "max": 5.0,
                "bounds": [2.0],
                "buckets": [2.0, 2.0],
                **own,
            },
            {"name": "level", "type": "sum", "temporality": "cumulative", "value": -3.0, **own},
        ),
    )
    return windows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'avg("temperature"[1m]) > 74 by (hw.id)',
            [({"hw.id": "g0"}, 75.0, "breached"), ({"hw.id": "g1"}, 70.0, "ok")],
        ),
        ("""max("temperature"{hw.id=~"g0|g1"}[1m]) > 80""", [({}, 90.0, "breached")]),
        ("""min("temperature"[1m]) > 80""", [({}, 60.0, "ok")]),
        ("""last("temperature"[1m]) > 80 by (service)""", [({"service": "gpu"}, 90.0, "breached")]),
        ("""sum("temperature"[1m]) > 80""", [({}, 160.0, "breached")]),
        ("""sum("hits"[1m]) > 100""", [({}, 120.0, "breached")]),
        ("""rate("hits"[1m]) > 100""", [({}, 120 / 65, "ok")]),
        ("""avg("hits"[1m]) > 100""", [({}, 60.0, "ok")]),
        ("""avg("size"[1m]) > 100""", [({}, 2.5, "ok")]),
        ("""max("size"[1m]) > 4""", [({}, 5.0, "breached")]),
        ("""last("level"[1m]) < 0""", [({}, -3.0, "breached")]),
        ("""last("unseen.metric"[1m]) < 0""", [({}, None, "no_data")]),
    ],
)
def test_any_metric_is_measured_by_its_name(text: str, expected: Any) -> None:
    assert said(text, machine()) == expected


def test_a_group_that_cannot_be_judged_is_an_error_and_the_others_are_judged() -> None:
    windows = Windows(watch={"errors.seen"})
    counter = {"name": "errors.seen", "type": "sum", "monotonic": True}
    add(
        windows,
        points(
            {**counter, "service": "cart", "value": 650.0},
            gauge("errors.seen", 1.0, service="toy"),
            gauge("errors.seen", 2.0, service="trial"),
        ),
    )
    counted: list[Any] = []

    verdicts = evaluate(
        rule("rate(errors.seen[1m]) > 5 by (service)"), windows, NOW, count=lambda *each: counted.append(each)
    )

    words = "errors.seen is a gauge: it has no rate; use avg, max or last"
    assert [(each.labels, each.state, each.value, each.evidence.get("error")) for each in verdicts] == [
        ({"service": "cart"}, "breached", 10.0, None),
        ({"service": "toy"}, "error", None, words),
        ({"service": "trial"}, "error", None, words),
    ]
    assert counted == [("monitorx_rule_failures_total", {"rule": "R"}, 1.0)]


class Broken(Windows):
    """Windows that cannot be read."""

    def totals(self, *args: Any, **more: Any) -> Any:
        raise RuntimeError("a bug")


def test_a_rule_that_fails_is_one_error_counted() -> None:
    counted: list[Any] = []

    verdicts = evaluate(rule("sum(errors) > 1 by (model)"), Broken(), NOW, count=lambda *each: counted.append(each))

    assert [(each.labels, each.state, each.value, each.evidence) for each in verdicts] == [
        ({}, "error", None, {"error": "RuntimeError: a bug"})
    ]
    assert counted == [("monitorx_rule_failures_total", {"rule": "R"}, 1.0)]


def test_an_observation_carries_the_verdict_to_alerting() -> None:
    slow = rule("max(latency[1m]) > 2s", held_for=timedelta(minutes=1), labels={"severity": "error"})
    (verdict,) = evaluate(slow, calls(), NOW)

    assert observation(slow, verdict) == Observation(
        policy=policy(slow),
        labels={},
        condition=Condition.BREACHED,
        value=3.0,
        threshold=2.0,
        evidence=verdict.evidence,
    )
