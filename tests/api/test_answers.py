"""What each path answers."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from monitorx.alerting.alert import Alert, Severity, State
from monitorx.alerting.fingerprint import fingerprint
from monitorx.backend.api import Part
from monitorx.backend.batch import BatchKind
from tests.api.conftest import NOW, World
from tests.storage.sample import SECOND, T0, calls, columns, commit, ids, latency, later, pane

TRACE, SPAN_ID = "00" * 15 + "01", "00" * 7 + "01"


def test_models_are_told_with_their_totals(world: World, client: TestClient) -> None:
    closed = [pane(errors=1.0), pane(later(1), service="app", version="2", kind="vision", operation="detect")]
    world.store.write(commit(1, closed=closed))

    assert client.get("/api/v1/models").json() == {
        "models": [
            {
                "model": "fraud",
                "version": "1",
                "kind": "tabular",
                "services": ["shop"],
                "operations": ["predict"],
                "requests": 1.0,
                "errors": 1.0,
                "first_seen": "2025-10-09T08:53:20.000000Z",
                "last_seen": "2025-10-09T08:53:20.000000Z",
            },
            {
                "model": "fraud",
                "version": "2",
                "kind": "vision",
                "services": ["app"],
                "operations": ["detect"],
                "requests": 1.0,
                "errors": 0.0,
                "first_seen": "2025-10-09T08:53:30.000000Z",
                "last_seen": "2025-10-09T08:53:30.000000Z",
            },
        ]
    }


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        pytest.param("", ["1", "2"], id="all"),
        pytest.param("?version=2", ["2"], id="version"),
        pytest.param("?service=shop&kind=tabular", ["1"], id="two filters"),
        pytest.param("?start=2025-10-09T08:53:30Z", ["2"], id="from"),
        pytest.param("?end=2025-10-09T10:53:30%2B02:00", ["1"], id="until, in another time zone"),
        pytest.param("?start=-595s", ["2"], id="relative"),
        pytest.param("?start=1760000000&end=1760000010.0", ["1"], id="unix seconds"),
    ],
)
def test_models_are_selected(world: World, client: TestClient, query: str, versions: list[str]) -> None:
    world.store.write(commit(1, closed=[pane(), pane(later(1), version="2", service="app", kind="vision")]))

    assert [each["version"] for each in client.get(f"/api/v1/models{query}").json()["models"]] == versions


def test_a_version_that_is_not_known_is_null_wherever_it_is_told(world: World, client: TestClient) -> None:
    world.store.write(commit(1, calls({"version": None}), closed=[pane(version="")]))

    def told(path: str, key: str) -> list[dict[str, Any]]:  # Any: JSON values
        return list(client.get(path).json()[key])

    assert [each["version"] for each in told("/api/v1/models?version=", "models")] == [None]
    assert [each["version"] for each in told("/api/v1/inferences?version=", "inferences")] == [None]
    (aggregate,) = told("/api/v1/aggregates?by=model,version&version=", "aggregates")
    assert aggregate["group"] == {"model": "fraud", "version": None}


def test_an_inference_is_told_with_all_its_columns(world: World, client: TestClient) -> None:
    world.store.write(commit(1, calls({"duration_s": 0.25, "error_type": "ValueError", "parent_span_id": b"\1" * 8})))

    assert client.get("/api/v1/inferences").json() == {
        "inferences": [
            {
                "start": "2025-10-09T08:53:20.000000Z",
                "duration_s": 0.25,
                "trace_id": TRACE,
                "span_id": SPAN_ID,
                "parent_span_id": "01" * 8,
                "error_type": "ValueError",
                "service": "shop",
                "instance": "shop-1",
                "model": "fraud",
                "version": "1",
                "kind": "tabular",
                "operation": "predict",
                "framework": None,
                "input_tokens": None,
                "output_tokens": None,
                "cost_usd": None,
                "batch_size": None,
                "ttft_s": None,
                "weight": 1.0,
            }
        ],
        "next_cursor": None,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("error=true", ["2"], id="failed"),
        pytest.param("error=false", ["3", "1"], id="succeeded"),
        pytest.param("operation=transform&version=3", ["3"], id="operation and version"),
        pytest.param("trace_id=" + ("00" * 15 + "02").upper(), ["2"], id="trace"),
        pytest.param("start=-590s&limit=1", ["3"], id="time"),
        pytest.param("model=nobody", [], id="nothing"),
    ],
)
def test_inferences_are_selected(world: World, client: TestClient, query: str, expected: list[str]) -> None:
    rows = [{"version": "1"}, {"version": "2", "error_type": "x"}, {"version": "3", "operation": "transform"}]
    world.store.write(commit(1, calls(*({**row, "time_ns": later(n)} for n, row in enumerate(rows)))))

    found = client.get(f"/api/v1/inferences?{query}").json()["inferences"]

    assert [each["version"] for each in found] == expected


def test_pages_follow_one_another_without_gap_or_double(world: World, client: TestClient) -> None:
    world.store.write(commit(1, calls(*({"time_ns": T0 + n // 4} for n in range(10)))))

    seen, pages, cursor = [], 0, ""
    while pages == 0 or cursor:
        page = client.get("/api/v1/inferences", params={"limit": 4, **({"cursor": cursor} if cursor else {})}).json()
        seen += [int(each["span_id"], 16) for each in page["inferences"]]
        pages, cursor = pages + 1, page["next_cursor"]

    assert (pages, seen) == (3, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1])


def test_a_whole_span_is_read_back_by_the_position_of_its_record(world: World, client: TestClient) -> None:
    world.store.write(commit(7, calls({})))
    span = {"name": "predict fraud", "attributes": {"a": [1, math.nan], "b": "\ud800"}}
    world.spans[7, TRACE, SPAN_ID] = span

    answer = client.get(f"/api/v1/inferences/{TRACE.upper()}/{SPAN_ID}")

    assert answer.json() == {"name": "predict fraud", "attributes": {"a": [1, None], "b": "?"}}


def test_a_span_that_nobody_sent_is_not_found(client: TestClient) -> None:
    answer = client.get(f"/api/v1/inferences/{TRACE}/{SPAN_ID}")

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:monitorx:problem:not-found")


def test_a_span_that_retention_took_is_gone(world: World, client: TestClient) -> None:
    world.store.write(commit(1, calls({})))

    answer = client.get(f"/api/v1/inferences/{TRACE}/{SPAN_ID}")

    assert (answer.status_code, answer.json()["type"]) == (410, "urn:monitorx:problem:gone")


def test_aggregates_are_told_by_group_and_step(world: World, client: TestClient) -> None:
    durations = (0.1, 0.1, 0.1, 0.5)
    extras = {"input_tokens": 8.0, "output_tokens": 2.0, "cost_usd": 0.5, "samples": 4.0}
    world.store.write(commit(1, closed=[pane(durations=durations, errors=1.0, **extras), pane(later(1))]))

    answer = client.get("/api/v1/aggregates?step=10s&by=model,version&end=2025-10-09T08:53:30Z").json()

    whole = latency(*durations)
    assert answer == {
        "aggregates": [
            {
                "start": "2025-10-09T08:53:20.000000Z",
                "group": {"model": "fraud", "version": "1"},
                "requests": 4.0,
                "errors": 1.0,
                "rate": 0.4,
                "error_ratio": 0.25,
                "p50_s": whole.quantile(0.5),
                "p95_s": whole.quantile(0.95),
                "p99_s": whole.quantile(0.99),
                "mean_s": pytest.approx(0.2),
                "max_s": 0.5,
                **extras,
            }
        ]
    }


def test_without_a_step_there_is_one_and_its_rate_is_over_the_time_that_has_passed(
    world: World, client: TestClient
) -> None:
    world.store.write(commit(1, closed=[pane(later(n), durations=(0.1,) * 10) for n in range(6)]))

    (row,) = client.get("/api/v1/aggregates?start=-10m").json()["aggregates"]

    assert (row["start"], row["requests"], row["rate"]) == ("2025-10-09T08:53:20.000000Z", 60.0, 0.1)


def test_a_group_without_calls_has_nulls(world: World, client: TestClient) -> None:
    world.store.write(commit(1, closed=[pane(durations=())]))

    (row,) = client.get("/api/v1/aggregates").json()["aggregates"]

    assert {name: row[name] for name in ("error_ratio", "p50_s", "p95_s", "p99_s", "mean_s", "max_s")} == dict.fromkeys(
        ("error_ratio", "p50_s", "p95_s", "p99_s", "mean_s", "max_s")
    )


def test_points_are_told_and_what_is_no_number_is_null(world: World, client: TestClient) -> None:
    rows = [{"value": math.nan, "attributes": '{"room":"a","bad":NaN}'}, {"name": "other"}]
    world.store.write(commit(1, columns(BatchKind.METRIC, *rows)))

    assert client.get("/api/v1/metrics?name=queue.length&service=shop").json() == {
        "points": [
            {
                "time": "2025-10-09T08:53:20.000000Z",
                "name": "queue.length",
                "unit": "1",
                "type": "gauge",
                "service": "shop",
                "instance": "shop-1",
                "attributes": {"room": "a", "bad": None},
                "value": None,
                "count": None,
                "sum": None,
                "min": None,
                "max": None,
            }
        ]
    }


def alert(state: State, minute: int, severity: Severity = Severity.ERROR, **labels: str) -> Alert:
    moment = datetime(2025, 10, 9, 8, minute, tzinfo=UTC)
    return Alert(
        labels={"alertname": "Slow", "severity": severity, **labels},
        annotations={"summary": "slow"},
        state=state,
        active_at=moment,
        starts_at=moment + timedelta(seconds=30),
        ends_at=moment + timedelta(minutes=1) if state is State.RESOLVED else None,
        severity=severity,
        value=math.inf if state is State.RESOLVED else 1.5,
        evidence={"window": "1m"},
    )


def test_an_alert_is_told_whole(world: World, client: TestClient) -> None:
    world.alerts.append(alert(State.RESOLVED, 0))

    assert client.get("/api/v1/alerts").json() == {
        "alerts": [
            {
                "fingerprint": fingerprint({"alertname": "Slow", "severity": "error"}),
                "state": "resolved",
                "severity": "error",
                "labels": {"alertname": "Slow", "severity": "error"},
                "annotations": {"summary": "slow"},
                "active_at": "2025-10-09T08:00:00.000000Z",
                "starts_at": "2025-10-09T08:00:30.000000Z",
                "ends_at": "2025-10-09T08:01:00.000000Z",
                "value": None,
                "evidence": {"window": "1m"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", ["c", "b", "a"], id="all, the latest first"),
        pytest.param("?state=firing", ["b"], id="one state"),
        pytest.param("?state=firing&state=pending", ["c", "b"], id="two states"),
    ],
)
def test_alerts_are_selected_by_state(world: World, client: TestClient, query: str, expected: list[str]) -> None:
    states = (State.RESOLVED, State.FIRING, State.PENDING)
    world.alerts += [alert(state, n, model=name) for n, (state, name) in enumerate(zip(states, "abc", strict=True))]

    assert [each["labels"]["model"] for each in client.get(f"/api/v1/alerts{query}").json()["alerts"]] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("model=fraud", ["d", "b", "a"], id="model"),
        pytest.param("service=shop", ["c", "a"], id="service"),
        pytest.param("service=", ["d", "b"], id="no service"),
        pytest.param("severity=critical", ["b"], id="severity"),
        pytest.param("severity=critical&severity=info", ["d", "b"], id="two severities"),
        pytest.param("model=fraud&service=shop&state=firing", ["a"], id="all at once"),
        pytest.param("model=nobody", [], id="nothing"),
    ],
)
def test_alerts_are_selected_by_what_they_are_about(
    world: World, client: TestClient, query: str, expected: list[str]
) -> None:
    world.alerts += [
        alert(State.FIRING, 0, alertname="a", model="fraud", service="shop"),
        alert(State.FIRING, 1, Severity.CRITICAL, alertname="b", model="fraud"),
        alert(State.PENDING, 2, alertname="c", model="faces", service="shop"),
        alert(State.FIRING, 3, Severity.INFO, alertname="d", model="fraud"),
    ]

    answer = client.get(f"/api/v1/alerts?{query}").json()

    assert [each["labels"]["alertname"] for each in answer["alerts"]] == expected


def test_the_summary_counts_the_last_hour(world: World, client: TestClient) -> None:
    old = pane(later(-360))
    world.store.write(commit(1, closed=[old, pane(errors=1.0, durations=(0.1,) * 4), pane(version="2")]))
    world.alerts += [alert(State.FIRING, 0), alert(State.FIRING, 1, model="a"), alert(State.PENDING, 2)]

    assert client.get("/api/v1/summary").json() == {
        "start": "2025-10-09T08:03:20.000000Z",
        "end": "2025-10-09T09:03:20.000000Z",
        "models": 2,
        "requests": 5.0,
        "errors": 1.0,
        "error_ratio": 0.2,
        "alerts_firing": 2,
        "alerts_pending": 1,
    }


def test_health_is_degraded_where_one_part_is(world: World, client: TestClient) -> None:
    world.parts["store"] = Part(False, "the disk is full")

    assert client.get("/api/v1/health").json() == {
        "status": "degraded",
        "parts": {
            "journal": {"status": "ok", "message": "writes"},
            "store": {"status": "degraded", "message": "the disk is full"},
        },
        "versions": {"monitorx": "0.1.0"},
        "dedup_horizon_s": 900.0,
    }


def test_probes_say_whether_we_live_and_take_requests(world: World, client: TestClient) -> None:
    assert [client.get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]

    world.is_ready = False

    assert [client.get(path).status_code for path in ("/livez", "/readyz")] == [200, 503]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/api/v1/health", "/api/v1/models", "/openapi.json"])
def test_head_is_answered_as_get_without_the_body(client: TestClient, path: str) -> None:
    whole, head = client.get(path), client.head(path)

    assert (head.status_code, head.headers["content-type"]) == (200, whole.headers["content-type"])
    assert int(head.headers["content-length"]) > 0
    assert head.content == b""


def test_head_is_told_when_we_are_not_ready(world: World, client: TestClient) -> None:
    world.is_ready = False

    assert client.head("/readyz").status_code == 503


def test_own_metrics_are_scraped(world: World, client: TestClient) -> None:
    world.telemetry.count("monitorx_decode_items_total", {"signal": "traces"}, 3)

    answer = client.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'monitorx_decode_items_total{signal="traces"} 3.0' in answer.text.splitlines()


def test_a_clock_that_runs_ahead_hides_nothing(world: World, client: TestClient) -> None:
    world.store.write(commit(1, calls({**ids(1), "time_ns": NOW + 30 * SECOND}), closed=[pane(NOW + 30 * SECOND)]))

    assert len(client.get("/api/v1/inferences").json()["inferences"]) == 1
    assert [each["requests"] for each in client.get("/api/v1/aggregates").json()["aggregates"]] == [1.0]
