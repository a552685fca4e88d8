"""What the API refuses, and in which words."""

import asyncio

import pytest
import structlog
from fastapi.testclient import TestClient
from starlette.types import Message

from tests.api.conftest import World


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        pytest.param(
            "/api/v1/models?start=yesterday",
            "start: 'yesterday' cannot be used; RFC 3339 (2026-01-31T12:00:00Z), unix seconds (1767182400.5), "
            "or relative to now (-15m) is expected",
            id="no moment",
        ),
        pytest.param(
            "/api/v1/models?end=2025-10-09T08:00:00",
            "end: '2025-10-09T08:00:00' cannot be used; RFC 3339 (2026-01-31T12:00:00Z), unix seconds (1767182400.5), "
            "or relative to now (-15m) is expected",
            id="no time zone",
        ),
        pytest.param(
            "/api/v1/summary?start=-1h&end=-2h",
            "start: '-1h' cannot be used; a moment before the end (-2h) is expected",
            id="start after end",
        ),
        pytest.param(
            "/api/v1/inferences?limit=1001",
            "limit: '1001' cannot be used; input should be less than or equal to 1000",
            id="limit too high",
        ),
        pytest.param(
            "/api/v1/inferences?error=maybe",
            "error: 'maybe' cannot be used; input should be 'true' or 'false'",
            id="not one of the choices",
        ),
        pytest.param(
            "/api/v1/inferences?cursor=xyz",
            "cursor: 'xyz' cannot be used; `next_cursor` of the page before is expected",
            id="cursor",
        ),
        pytest.param(
            "/api/v1/inferences?modle=fraud",
            "modle: there is no such parameter; /docs lists those of this path",
            id="mistyped name",
        ),
        pytest.param(
            "/api/v1/inferences?model=a&limit=5&model=b",
            "model: ['a', 'b'] cannot be used; it may be given once",
            id="given twice",
        ),
        pytest.param(
            "/api/v1/inferences/zz/00",
            "trace_id: 'zz' cannot be used; 32 hexadecimal digits are expected",
            id="ids that are no ids",
        ),
        pytest.param(
            f"/api/v1/inferences/{'0' * 32}/0123",
            "span_id: '0123' cannot be used; 16 hexadecimal digits are expected",
            id="a span's id that is too short",
        ),
        pytest.param(
            "/api/v1/inferences?trace_id=xyz",
            "trace_id: 'xyz' cannot be used; 32 hexadecimal digits are expected",
            id="a filter by what is no id",
        ),
        pytest.param(
            "/api/v1/models/",
            "model: '' cannot be used; the name of a model is expected behind /models/; "
            "GET /api/v1/models lists those that were called",
            id="no name",
        ),
        pytest.param(
            "/api/v1/models/a%09b",
            "model: 'a\\tb' cannot be used; printable characters are expected",
            id="a name that nobody can read",
        ),
        pytest.param(
            "/api/v1/aggregates?step=15s",
            "step: '15s' cannot be used; a multiple of 10s is expected",
            id="step within a pane",
        ),
        pytest.param(
            "/api/v1/aggregates?step=soon",
            "step: 'soon' cannot be used; a length of time (90s, 5m, 1h30m) or a number of seconds is expected",
            id="no length",
        ),
        pytest.param(
            "/api/v1/aggregates?step=10s&start=-2d",
            "step: '10s' cannot be used; a longer step is expected: at most 11000 fit into an answer",
            id="too many steps",
        ),
        pytest.param(
            "/api/v1/aggregates?by=model,colour",
            "by: 'model,colour' cannot be used; some of model, version, service, instance, kind, operation are "
            "expected, comma-separated",
            id="unknown group",
        ),
        pytest.param(
            "/api/v1/alerts?state=loud",
            "state.0: 'loud' cannot be used; input should be 'pending', 'firing' or 'resolved'",
            id="unknown state",
        ),
        pytest.param(
            "/api/v1/alerts?severity=bad",
            "severity.0: 'bad' cannot be used; input should be 'info', 'warning', 'error' or 'critical'",
            id="unknown severity",
        ),
        pytest.param(
            "/api/v1/alerts?model=a&model=b", "model: ['a', 'b'] cannot be used; it may be given once", id="two models"
        ),
        pytest.param(
            "/api/v1/drift?drifted=1",
            "drifted: '1' cannot be used; input should be 'true' or 'false'",
            id="neither true nor false",
        ),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_with_what_would_be_right(
    client: TestClient, path: str, detail: str
) -> None:
    answer = client.get(path)

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:monitorx:problem:invalid-parameter",
        "title": "Bad Request",
        "status": 400,
        "detail": detail,
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_and_methods_that_are_not_there_are_problems_too(client: TestClient, method: str) -> None:
    path = "/api/v1/nothing" if method == "GET" else "/api/v1/models"

    answer = client.request(method, path)

    assert answer.status_code == {"GET": 404, "POST": 405}[method]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(f"{method} {path}: ")


def test_the_root_says_where_to_go(client: TestClient) -> None:
    assert client.get("/").json() == {
        "type": "urn:monitorx:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "GET /: there is nothing here; /docs lists every route, /openapi.json does without the internet, "
        "and /api/v1/health says how the server does",
    }


def test_a_store_that_does_not_answer_is_503_with_a_time_to_come_back(world: World, client: TestClient) -> None:
    world.store.close()

    with structlog.testing.capture_logs() as logs:
        answer = client.get("/api/v1/models")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == {
        "type": "urn:monitorx:problem:store-unavailable",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "the store does not answer now; the server's log and /api/v1/health say why",
    }
    (entry,) = logs
    assert (entry["log_level"], entry["path"]) == ("warning", "/api/v1/models")
    assert entry["error"].endswith("store.duckdb is closed")
    assert world.telemetry.value("monitorx_store_errors_total", {"operation": "question"}) == 1.0


def test_a_store_that_goes_on_not_answering_is_logged_once(world: World, client: TestClient) -> None:
    world.store.close()

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            client.get("/api/v1/models")

    assert len(logs) == 1
    assert world.telemetry.value("monitorx_store_errors_total", {"operation": "question"}) == 3.0


def test_a_fault_of_ours_tells_nothing_of_the_inside(world: World, client: TestClient) -> None:
    world.parts = None  # type: ignore[assignment]  # a fault

    with structlog.testing.capture_logs() as logs:
        answer = client.get("/api/v1/health")

    assert [(entry["path"], type(entry["exc_info"])) for entry in logs] == [("/api/v1/health", AttributeError)]
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:monitorx:problem:fault")
    assert answer.json()["detail"] == "a fault of the server; its log says more"


def test_who_hangs_up_in_the_middle_of_a_body_is_counted_and_is_no_fault(world: World, client: TestClient) -> None:
    heard = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(heard)

    async def send(_: Message) -> None:
        """Nobody is there."""

    scope = {"type": "http", "method": "POST", "path": "/api/v1/inferences", "query_string": b""}
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]

    with structlog.testing.capture_logs() as logs:
        asyncio.run(client.app({**scope, "headers": headers}, receive, send))  # type: ignore[arg-type]  # ASGI

    assert logs == []
    assert world.telemetry.value("monitorx_api_requests_abandoned_total") == 1.0


def test_no_browser_of_another_origin_is_let_in(client: TestClient) -> None:
    answer = client.get("/livez", headers={"Origin": "https://elsewhere.example"})

    assert [name for name in answer.headers if name.startswith("access-control")] == []
