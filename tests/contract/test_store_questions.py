"""What every store promises to answer, whatever stands behind it."""

import math
from dataclasses import replace
from typing import Any

import pytest

from monitorx.backend.batch import BatchKind
from monitorx.backend.storage.store import AggregateRow, InferenceRow, ModelRow, PointRow, Selection, Store
from monitorx.backend.window.pane import METRIC, PANE_NS, SPAN
from tests.storage.sample import (
    ALL_TIME,
    SECOND,
    T0,
    calls,
    columns,
    commit,
    ids,
    latency,
    later,
    pane,
    requests,
    starts,
)


def test_an_aggregate_tells_everything_of_a_group(store: Store) -> None:
    extras = {"input_tokens": 10.0, "output_tokens": 4.0, "cost_usd": 0.5, "samples": 6.0}
    store.write(commit(1, closed=[pane(durations=(0.1, 0.2, 0.3), errors=1.0, **extras), pane(model="other")]))

    merged = latency(0.1, 0.2, 0.3)
    assert store.aggregates(ALL_TIME, step_ns=0, by=["model", "version"])[0] == AggregateRow(
        start_ns=0,
        group={"model": "fraud", "version": "1"},
        requests=3.0,
        errors=1.0,
        p50_s=merged.quantile(0.5),
        p95_s=merged.quantile(0.95),
        p99_s=merged.quantile(0.99),
        mean_s=pytest.approx(0.2),
        max_s=0.3,
        **extras,
    )


def test_quantiles_come_from_all_panes_of_a_group_together(store: Store) -> None:
    durations = [0.001 * 1.01**n for n in range(600)]
    panes = [pane(later(n % 5), durations=durations[n::20], instance=f"shop-{n % 4}") for n in range(20)]
    store.write(commit(1, closed=panes[:15], opened=panes[15:]))

    (row,) = store.aggregates(ALL_TIME, step_ns=0, by=[])

    whole = latency(*durations)
    assert [row.p50_s, row.p95_s, row.p99_s] == [whole.quantile(q) for q in (0.5, 0.95, 0.99)]
    assert row.p95_s == pytest.approx(durations[569], rel=0.022)


def test_a_group_without_calls_has_no_latency(store: Store) -> None:
    store.write(commit(1, closed=[pane(durations=(), samples=2.0)]))

    (row,) = store.aggregates(ALL_TIME, step_ns=0, by=[])

    assert (row.requests, row.p50_s, row.p95_s, row.p99_s, row.mean_s, row.max_s) == (0.0, None, None, None, None, None)


def test_calls_that_took_no_time_count(store: Store) -> None:
    store.write(commit(1, closed=[pane(durations=(0.0, 0.0, 0.0, 1.0))]))

    (row,) = store.aggregates(ALL_TIME, step_ns=0, by=[])

    assert (row.p50_s, row.mean_s, row.max_s) == (0.0, 0.25, 1.0)


def test_steps_are_multiples_since_epoch_and_groups_are_in_order(store: Store) -> None:
    store.write(
        commit(1, closed=[pane(later(n), model=model, durations=[0.1] * (n + 1)) for n in (0, 1, 5) for model in "ba"])
    )

    rows = store.aggregates(ALL_TIME, step_ns=2 * PANE_NS, by=["model"])

    assert [((row.start_ns - T0) // PANE_NS, row.group["model"], row.requests) for row in rows] == [
        (0, "a", 3.0),
        (0, "b", 3.0),
        (4, "a", 6.0),
        (4, "b", 6.0),
    ]


def test_one_step_begins_where_the_selection_does(store: Store) -> None:
    store.write(commit(1, closed=[pane(later(1))]))

    (row,) = store.aggregates(Selection("default", T0 - 3, later(2)), step_ns=0, by=[])

    assert row.start_ns == T0 - 3


@pytest.mark.parametrize("place", ["opened", "closed"])
def test_a_process_that_sends_metrics_is_counted_by_them_alone(store: Store, place: str) -> None:
    told_twice = [pane(durations=(0.1,) * 4, source=SPAN), pane(later(1), durations=(0.1,) * 5, source=METRIC)]
    only_spans = [pane(durations=(0.1,) * 20, instance="shop-2"), pane(durations=(0.1,) * 300, operation="transform")]
    store.write(commit(1, **{place: [*told_twice, *only_spans]}))

    assert requests(store) == 325.0
    assert requests(store, Selection("default", later(0), later(1))) == 324.0, "no metrics in the selected time"


_DURATIONS = (0.1, 0.2, 0.3, 0.4)
_SPANS = {
    "requests": 4.0,
    "errors": 1.0,
    "p50_s": latency(*_DURATIONS).quantile(0.5),
    "p95_s": latency(*_DURATIONS).quantile(0.95),
    "p99_s": latency(*_DURATIONS).quantile(0.99),
    "mean_s": pytest.approx(0.25),
    "max_s": 0.4,
    "input_tokens": 40.0,
    "output_tokens": 8.0,
    "cost_usd": 0.5,
    "samples": 6.0,
}
_CALLS = {
    "requests": 5.0,
    "errors": 2.0,
    **{f"p{q}_s": latency(*(0.05,) * 5).quantile(q / 100) for q in (50, 95, 99)},
    "mean_s": pytest.approx(0.05),
    "max_s": 0.05,
}
_TOKENS = {"input_tokens": 50.0, "output_tokens": 10.0}


@pytest.mark.parametrize("place", ["opened", "closed"])
@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        pytest.param([{"durations": ()}], {}, id="nothing"),
        pytest.param([{"durations": (), **_TOKENS}], _TOKENS, id="tokens"),
        pytest.param(
            [{"durations": (), "output_tokens": 10.0}], {**_TOKENS, "input_tokens": 0.0}, id="tokens out alone"
        ),
        pytest.param([{"durations": (), "samples": 7.0}], {"samples": 7.0}, id="samples"),
        pytest.param([{"durations": (0.05,) * 5, "errors": 2.0}], _CALLS, id="calls"),
        pytest.param(
            [{"durations": (0.05,) * 5, "errors": 2.0}, {"durations": (), **_TOKENS, "samples": 7.0, "kind": "llm"}],
            {**_CALLS, **_TOKENS, "samples": 7.0},
            id="all, in panes of their own",
        ),
    ],
)
def test_metrics_stand_in_for_what_they_tell_and_spans_for_the_rest(
    store: Store, place: str, metrics: list[dict[str, Any]], told: dict[str, Any]
) -> None:
    totals = {"input_tokens": 40.0, "output_tokens": 8.0, "cost_usd": 0.5, "samples": 6.0}
    spans = pane(later(2), durations=_DURATIONS, errors=1.0, **totals)
    panes = [pane(later(number), source=METRIC, **each) for number, each in enumerate(metrics)]
    store.write(commit(1, **{place: [spans, *panes]}))

    expected = {**_SPANS, **told}
    assert store.aggregates(ALL_TIME, step_ns=0, by=["model"]) == [AggregateRow(0, {"model": "fraud"}, **expected)]
    (model,) = store.models(ALL_TIME)
    assert (model.requests, model.errors) == (expected["requests"], expected["errors"])


def test_a_step_has_a_row_where_metrics_speak_or_spans_are_counted(store: Store) -> None:
    spans = [
        pane(later(0), cost_usd=0.5),
        pane(later(1)),
        pane(later(2), input_tokens=4.0),
        pane(later(3), samples=2.0),
    ]
    metrics = [pane(later(4), source=METRIC), pane(later(5), source=METRIC, durations=())]
    store.write(commit(1, closed=[*spans, *metrics]))

    rows = store.aggregates(ALL_TIME, step_ns=PANE_NS, by=[])

    assert [((row.start_ns - T0) // PANE_NS, row.requests, row.p50_s is None) for row in rows] == [
        (0, 0.0, True),
        (2, 0.0, True),
        (3, 0.0, True),
        (4, 1.0, False),
        (5, 0.0, True),
    ]


def test_a_model_is_there_from_its_first_span_on_whoever_counts_its_calls(store: Store) -> None:
    spans = [pane(later(0), durations=(0.1,) * 9), pane(later(5), durations=(0.1,) * 9)]
    store.write(commit(1, closed=[*spans, pane(later(3), source=METRIC)]))

    assert store.models(ALL_TIME) == [
        ModelRow("fraud", "1", "tabular", ["shop"], ["predict"], 1.0, 0.0, later(0), later(5))
    ]


def test_metrics_of_one_tenant_do_not_hide_the_spans_of_another(store: Store) -> None:
    store.write(commit(1, closed=[pane(tenant="a", source=METRIC), pane(tenant="b", source=SPAN)]))

    assert requests(store, replace(ALL_TIME, tenant="b")) == 1.0


def test_models_are_told_by_version_out_of_panes(store: Store) -> None:
    store.write(
        commit(
            1,
            closed=[
                pane(later(0), errors=1.0),
                pane(later(3), service="app", operation="transform"),
                pane(later(1), version="2", kind="vision", durations=(0.1,) * 3),
            ],
            opened=[pane(later(4), service="app")],
        )
    )

    assert store.models(ALL_TIME) == [
        ModelRow("fraud", "1", "tabular", ["app", "shop"], ["predict", "transform"], 3.0, 1.0, later(0), later(4)),
        ModelRow("fraud", "2", "vision", ["shop"], ["predict"], 3.0, 0.0, later(1), later(1)),
    ]


def test_models_follow_the_source_rule(store: Store) -> None:
    store.write(commit(1, closed=[pane(source=SPAN, durations=(0.1,) * 9), pane(source=METRIC)]))

    assert [row.requests for row in store.models(ALL_TIME)] == [1.0]


def test_an_inference_is_read_back_whole(store: Store) -> None:
    labels = {
        "framework": "sklearn",
        "input_tokens": 1.0,
        "output_tokens": 2.0,
        "cost_usd": 0.5,
        "batch_size": 3.0,
        "ttft_s": 0.1,
        "weight": 4.0,
    }
    row = {**ids(1), "time_ns": T0 + 5, "duration_s": 0.25, "error_type": "ValueError", **labels}
    store.write(commit(9, calls({**row, "parent_span_id": b"\xab" * 8})))

    assert store.inferences(ALL_TIME, limit=10) == [
        InferenceRow(
            time_ns=T0 + 5,
            duration_s=0.25,
            trace_id="00" * 15 + "01",
            span_id="00" * 7 + "01",
            error_type="ValueError",
            position=9,
            labels={
                "service": "shop",
                "instance": "shop-1",
                "model": "fraud",
                "version": "1",
                "kind": "tabular",
                "operation": "predict",
                **labels,
                "parent_span_id": "ab" * 8,
            },
        )
    ]


def test_inferences_are_told_newest_first_whatever_the_order_they_came_in(store: Store) -> None:
    store.write(commit(1, calls({"time_ns": T0 + 2 * SECOND}, {"time_ns": T0})))
    store.write(commit(2, calls({"time_ns": T0 + SECOND}, {"time_ns": T0 + 3 * SECOND})))

    assert starts(store) == [3, 2, 1, 0]


def test_a_selection_is_half_open(store: Store) -> None:
    rows = [{"time_ns": T0 + n * SECOND} for n in range(4)]
    store.write(commit(1, calls(*rows), closed=[pane(later(n), durations=(0.1,) * 10**n) for n in range(3)]))

    assert starts(store, Selection("default", T0 + SECOND, T0 + 3 * SECOND)) == [2, 1]
    assert requests(store, Selection("default", later(1), later(2))) == 10.0


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_are_complete_and_without_doubles_even_where_times_are_equal(store: Store, size: int) -> None:
    for position in (1, 2, 3):
        numbers = range(position * 10, position * 10 + 7)
        store.write(commit(position, calls(*({**ids(n), "time_ns": T0 + n % 2} for n in numbers))))

    seen: list[InferenceRow] = []
    while page := store.inferences(ALL_TIME, limit=size, before=seen[-1].place if seen else None):
        assert len(page) <= size
        seen += page

    assert seen == store.inferences(ALL_TIME, limit=1000)
    assert len({row.span_id for row in seen}) == len(seen) == 21


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("model", "fraud", [2, 1, 0], id="model"),
        pytest.param("model", "", [3], id="model not known"),
        pytest.param("error", "true", [1], id="failed"),
        pytest.param("error", "false", [3, 2, 0], id="succeeded"),
        pytest.param("error_type", "ValueError", [1], id="error type"),
        pytest.param("operation", "transform", [2], id="operation"),
        pytest.param("trace_id", "00" * 15 + "03", [2], id="trace"),
        pytest.param("span_id", "00" * 7 + "04", [3], id="span"),
    ],
)
def test_inferences_are_selected_by_what_they_equal(store: Store, name: str, value: str, expected: list[int]) -> None:
    rows = [{}, {"error_type": "ValueError"}, {"operation": "transform"}, {"model": None}]
    store.write(commit(1, calls(*({**row, "time_ns": T0 + n * SECOND} for n, row in enumerate(rows)))))

    assert starts(store, replace(ALL_TIME, equals={name: value})) == expected


@pytest.mark.parametrize("name", ["model", "version", "service", "instance", "kind", "operation"])
def test_panes_are_selected_by_what_they_equal(store: Store, name: str) -> None:
    store.write(commit(1, closed=[pane(), pane(**{name: "another"}, durations=(0.1,) * 5)]))
    selection = replace(ALL_TIME, equals={name: "another"})

    assert requests(store, selection) == 5.0
    assert [row.requests for row in store.models(selection)] == [5.0]
    assert [row.group for row in store.aggregates(selection, step_ns=0, by=[name])] == [{name: "another"}]


@pytest.mark.parametrize("name", ["shoe_size", "tenant", "1=1 OR model", "source"])
def test_a_name_that_cannot_be_selected_or_grouped_by_is_refused(store: Store, name: str) -> None:
    selection = replace(ALL_TIME, equals={name: "x"})

    for ask in (
        lambda: store.models(selection),
        lambda: store.inferences(selection, limit=1),
        lambda: store.points(selection, limit=1),
        lambda: store.aggregates(selection, step_ns=0, by=[]),
        lambda: store.aggregates(ALL_TIME, step_ns=0, by=[name]),
    ):
        with pytest.raises(ValueError, match="model"):
            ask()


def test_points_are_read_back_newest_first(store: Store) -> None:
    gauge = {"time_ns": T0, "value": 3.5, "attributes": '{"gpu":0,"name":"ü\\u0000"}'}
    histogram = {"time_ns": T0 + 1, "name": "size", "unit": "By", "type": "histogram"}
    summary = {"count": 4.0, "sum": 10.0, "min": 1.0, "max": 4.0}
    store.write(commit(1, columns(BatchKind.METRIC, gauge, {**histogram, **summary, "bounds": [1.0]})))

    origin = {"service": "shop", "instance": "shop-1"}
    assert store.points(ALL_TIME, limit=10) == [
        PointRow(
            time_ns=T0 + 1, name="size", unit="By", type="histogram", **origin, attributes={}, value=None, **summary
        ),
        PointRow(
            time_ns=T0,
            name="queue.length",
            unit="1",
            type="gauge",
            **origin,
            attributes={"gpu": 0, "name": "ü\x00"},
            value=3.5,
            **dict.fromkeys(summary),
        ),
    ]


def test_points_are_selected_by_time_and_name(store: Store) -> None:
    rows = [{"time_ns": T0 + n, "name": f"m{n % 2}", "value": float(n)} for n in range(6)]
    store.write(commit(1, columns(BatchKind.METRIC, *rows)))
    selection = Selection("default", T0 + 1, T0 + 5, {"name": "m1"})

    assert [row.value for row in store.points(selection, limit=10)] == [3.0, 1.0]
    assert [row.value for row in store.points(selection, limit=1)] == [3.0]


def test_values_that_are_no_numbers_come_back_as_they_are(store: Store) -> None:
    rows = [{"time_ns": T0 + n, "value": value} for n, value in enumerate((math.nan, math.inf, -math.inf))]
    store.write(commit(1, columns(BatchKind.METRIC, *rows)))

    assert [str(row.value) for row in store.points(ALL_TIME, limit=10)] == ["-inf", "inf", "nan"]
