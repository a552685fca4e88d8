"""What is told over REST goes the way of OTLP, or is refused in words."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from monitorx.backend.api import Dependencies, Health, create_app
from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.errors import Malformed, Overloaded, StorageError
from monitorx.backend.receiver.admission import Accepted, Request
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.registry import Registry
from monitorx.backend.telemetry import Telemetry
from tests.storage.sample import SECOND, T0

NOW = T0 + 600 * SECOND
GOOD = {"model": "fraud", "duration_s": 0.1}


@dataclass
class FakeIngest:
    """Decodes what it is given, keeps it, and answers as it is told."""

    outcome: Accepted | Exception = field(default_factory=Accepted)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def submit(self, request: Request) -> "Future[Accepted]":
        answer: Future[Accepted] = Future()
        if isinstance(self.outcome, Exception):
            answer.set_exception(self.outcome)
            return answer
        decoded = Decoder().decode(
            Signal(request.signal), request.body, tenant=request.tenant, arrival_ns=request.arrival_ns
        )
        for batch in decoded.batches:
            self.rows.setdefault(batch.kind, []).extend(batch.rows.to_pylist())
        answer.set_result(self.outcome)
        return answer


@dataclass
class Way:
    """The API, and what came out of it on the other side."""

    client: TestClient
    ingest: FakeIngest

    def post(self, *inferences: dict[str, Any], **head: str) -> Any:
        return self.client.post("/api/v1/inferences", json={**head, "inferences": list(inferences)})


@pytest.fixture
def way(tmp_path: Path) -> Any:
    store, registry, ingest = DuckDBStore(tmp_path / "store.duckdb"), Registry(tmp_path / "models.sqlite"), FakeIngest()
    app = create_app(
        Dependencies(
            store=store,
            alerts=list,
            health=lambda: Health({}, {}, 900.0),
            ready=lambda: True,
            telemetry=Telemetry(strict=True),
            span=lambda position, trace_id, span_id: None,
            clock=lambda: NOW,
            version="0.1.0",
            ingest=ingest,
            registry=registry,
        )
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Way(client, ingest)
    registry.close()
    store.close()


def test_an_inference_arrives_as_a_span_would(way: Way) -> None:
    told = {
        "model": "fraud",
        "version": "1",
        "kind": "tabular",
        "operation": "predict",
        "framework": "sklearn",
        "duration_s": 0.25,
        "end": "2025-10-09T08:00:00Z",
        "error_type": "ValueError",
        "batch_size": 4,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
    }

    answer = way.post(told, service="shop", instance="shop-1")

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": 0, "message": ""})
    (row,) = way.ingest.rows["inference"]
    end_ns = 1_759_996_800 * SECOND
    del row["key"]
    assert row == {
        "time_ns": end_ns - SECOND // 4,
        "tenant": "default",
        "service": "shop",
        "instance": "shop-1",
        "model": "fraud",
        "version": "1",
        "kind": "tabular",
        "operation": "predict",
        "framework": "sklearn",
        "duration_s": 0.25,
        "error_type": "ValueError",
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "batch_size": 4.0,
        "ttft_s": None,
        "trace_id": bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736"),
        "span_id": bytes.fromhex("00f067aa0ba902b7"),
        "parent_span_id": None,
        "weight": 1.0,
    }


def test_a_call_of_an_llm_keeps_its_tokens_cost_and_first_token(way: Way) -> None:
    way.post(
        {"model": "gpt", "kind": "llm", "duration_s": 2, "input_tokens": 10, "output_tokens": 20, "cost_usd": 0.01}
        | {"ttft_s": 0.4, "framework": "openai"}
    )

    (row,) = way.ingest.rows["inference"]
    names = (
        "model",
        "kind",
        "operation",
        "framework",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "ttft_s",
    )
    assert [row[name] for name in names] == [*("gpt", "llm", "chat", "openai", 10.0, 20.0, 0.01, 0.4)]
    assert row["time_ns"] == NOW - 2 * SECOND


def test_resources_become_gauges_of_the_model(way: Way) -> None:
    resources = {
        "gpu": "1",
        "gpu_memory_bytes": 1024,
        "gpu_utilization": 0.5,
        "memory_bytes": 2048,
        "cpu_utilization": 0.25,
    }

    way.post({"model": "faces", "kind": "vision", "duration_s": 0.1, "resources": resources})

    points = way.ingest.rows["metric"]
    assert [(point["name"], point["unit"], point["value"], point["model"], point["kind"]) for point in points] == [
        ("hw.gpu.memory.usage", "By", 1024.0, "faces", "vision"),
        ("hw.gpu.utilization", "1", 0.5, "faces", "vision"),
        ("process.memory.usage", "By", 2048.0, "faces", "vision"),
        ("process.cpu.utilization", "1", 0.25, "faces", "vision"),
    ]
    assert ['"hw.id":"1"' in point["attributes"] for point in points] == [True, True, False, False]
    assert {point["time_ns"] for point in points} == {NOW}


def test_without_ids_every_call_gets_its_own(way: Way) -> None:
    way.post({"model": "fraud", "duration_s": 0.1}, {"model": "fraud", "duration_s": 0.1})

    assert len({(row["trace_id"], row["span_id"]) for row in way.ingest.rows["inference"]}) == 2


def test_a_call_that_does_not_say_its_kind_has_that_of_its_registered_model(way: Way) -> None:
    way.client.put("/api/v1/models/faces", json={"kind": "vision"})

    way.post(
        {"model": "faces", "duration_s": 0.1},
        {"model": "faces", "duration_s": 0.1, "kind": "llm"},
        {"model": "other", "duration_s": 0.1},
    )

    assert [row["kind"] for row in way.ingest.rows["inference"]] == ["vision", "llm", "tabular"]


def test_an_empty_request_is_taken_and_means_nothing(way: Way) -> None:
    assert way.post().json() == {"accepted": 0, "rejected": 0, "message": ""}


def test_what_decoding_refuses_is_told(way: Way) -> None:
    way.ingest.outcome = Accepted(1, "the trace_id of a span must be 16 bytes, not all zero")

    answer = way.post(GOOD | {"trace_id": "0" * 32}, GOOD)

    assert (answer.status_code, answer.json()) == (
        202,
        {"accepted": 1, "rejected": 1, "message": "the trace_id of a span must be 16 bytes, not all zero"},
    )


@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        pytest.param(
            {"duration_s": -1.0},
            "inferences.1.duration_s: -1.0 cannot be used; input should be greater than or equal to 0",
            id="negative",
        ),
        pytest.param(
            {"duration_s": "0.1"},
            "inferences.1.duration_s: '0.1' cannot be used; input should be a valid number",
            id="a number as text",
        ),
        pytest.param(
            {"model": ""},
            "inferences.1.model: '' cannot be used; string should have at least 1 character",
            id="no name",
        ),
        pytest.param(
            {"model": "a\nb"},
            "inferences.1.model: 'a\\nb' cannot be used; printable characters are expected",
            id="a name with a line break",
        ),
        pytest.param(
            {"kind": "cv"},
            "inferences.1.kind: 'cv' cannot be used; input should be 'llm', 'vision' or 'tabular'",
            id="kind",
        ),
        pytest.param(
            {"latency": 3},
            "inferences.1.latency: there is no such parameter; /docs lists those of this path",
            id="unknown field",
        ),
        pytest.param(
            {"end": "yesterday"},
            "inferences.1.end: 'yesterday' cannot be used; RFC 3339 (2026-01-31T12:00:00Z), unix seconds "
            "(1767182400.5), or relative to now (-15m), after 1970, is expected",
            id="no moment",
        ),
        pytest.param(
            {"end": "1901-01-01T00:00:00Z"},
            "inferences.1.end: '1901-01-01T00:00:00Z' cannot be used; RFC 3339 (2026-01-31T12:00:00Z), unix seconds "
            "(1767182400.5), or relative to now (-15m), after 1970, is expected",
            id="before time began",
        ),
        pytest.param(
            {"resources": {"gpu_utilization": 93}},
            "inferences.1.resources.gpu_utilization: 93 cannot be used; input should be less than or equal to 1",
            id="a percentage",
        ),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_place(way: Way, bad: dict[str, Any], detail: str) -> None:
    answer = way.post(GOOD, GOOD | bad)

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:monitorx:problem:invalid-parameter")
    assert answer.json()["detail"] == detail
    assert way.ingest.rows == {}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(b"{", "the body is not JSON: Expecting property name", id="half of it"),
        pytest.param(b"\xff", "POST /api/v1/inferences: ", id="no text"),
        pytest.param(b"", "the body: is missing; ", id="nothing"),
        pytest.param(b"[]", "the body: [] cannot be used; ", id="no object"),
        pytest.param(b"{}", "inferences: is missing; ", id="no list"),
        pytest.param(b'{"inferences": [{"model": "a", "duration_s": NaN}]}', "inferences.0.duration_s: nan ", id="NaN"),
        pytest.param(b"[" * 100_000, "POST /api/v1/inferences: ", id="deep"),
        pytest.param(
            b'{"inferences": [{"model": "\\ud800", "duration_s": 1}]}', "inferences.0.model: ", id="half a pair"
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(way: Way, body: bytes, detail: str) -> None:
    answer = way.client.post("/api/v1/inferences", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)


def test_more_than_a_thousand_are_refused(way: Way) -> None:
    answer = way.post(*[GOOD] * 1001)

    assert (answer.status_code, way.ingest.rows) == (400, {})
    assert answer.json()["detail"].endswith("list should have at most 1000 items after validation, not 1001")
    assert len(answer.json()["detail"]) < 400


@pytest.mark.parametrize("is_told", [pytest.param(True, id="told"), pytest.param(False, id="in chunks")])
def test_a_body_over_the_limit_is_refused(way: Way, is_told: bool) -> None:
    body = b" " * (1 << 20) + b"{}"
    content = body if is_told else iter([body[:1000], body[1000:]])

    answer = way.client.post("/api/v1/inferences", content=content, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (413, "urn:monitorx:problem:too-large")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"content-type": "text/plain"}, id="as a page of another origin may send"),
        pytest.param({"content-type": "application/json", "content-encoding": "gzip"}, id="compressed"),
    ],
)
def test_only_plain_json_is_read(way: Way, headers: dict[str, str]) -> None:
    answer = way.client.post("/api/v1/inferences", content=b'{"inferences": []}', headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (415, "urn:monitorx:problem:unsupported-media-type")


@pytest.mark.parametrize(
    ("outcome", "status", "kind", "retry_after"),
    [
        pytest.param(Overloaded("full", retry_after_s=1.2), 429, "overloaded", "2", id="overloaded"),
        pytest.param(StorageError("no disk"), 503, "unavailable", "5", id="disk"),
        pytest.param(RuntimeError("secret"), 503, "unavailable", "5", id="a fault of ours"),
        pytest.param(Malformed("odd"), 400, "malformed", None, id="malformed"),
    ],
)
def test_what_the_ingest_step_says_is_answered(
    way: Way, outcome: Exception, status: int, kind: str, retry_after: str | None
) -> None:
    way.ingest.outcome = outcome

    answer = way.post(GOOD)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:monitorx:problem:{kind}")
    assert answer.headers.get("retry-after") == retry_after
    assert "secret" not in answer.text


def test_a_registered_model_is_told_with_the_rules_it_means(way: Way) -> None:
    body = {"kind": "vision", "thresholds": {"latency_s": 0.2, "error_ratio": None}}

    put = way.client.put("/api/v1/models/org%2Ffaces", json=body)

    told = {
        "model": "org/faces",
        "kind": "vision",
        "thresholds": {"latency_s": 0.2, "error_ratio": None},
        "rules": ['p95(latency{model="org/faces"}[1m]) > 0.2 by (model)'],
    }
    assert (put.status_code, put.json()) == (200, told)
    assert way.client.get("/api/v1/models/org/faces").json() == told
    assert way.client.delete("/api/v1/models/org%2Ffaces").status_code == 204
    assert way.client.get("/api/v1/models/org%2Ffaces").status_code == 404
    assert way.client.delete("/api/v1/models/org%2Ffaces").json()["detail"] == (
        "org/faces was not registered; PUT it first"
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(
            {"thresholds": {"latency_s": 0}},
            "thresholds.latency_s: 0 cannot be used; input should be greater than 0",
            id="no time at all",
        ),
        pytest.param(
            {"thresholds": {"error_ratio": 5}},
            "thresholds.error_ratio: 5 cannot be used; input should be less than or equal to 1",
            id="a percentage",
        ),
        pytest.param(
            {"threshold": {}}, "threshold: there is no such parameter; /docs lists those of this path", id="mistyped"
        ),
    ],
)
def test_a_threshold_that_cannot_be_used_is_named(way: Way, body: dict[str, Any], detail: str) -> None:
    answer = way.client.put("/api/v1/models/fraud", json=body)

    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_a_server_without_a_way_in_says_so(client: TestClient) -> None:
    answer = client.post("/api/v1/inferences", json={"inferences": []})

    assert (answer.status_code, answer.json()["detail"]) == (503, "this server does not take anything in over REST")
