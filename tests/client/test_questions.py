"""What the client asks and tells a server directly: models and lists, each at its address."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from monitorx.client import ModelConfig, MonitorXClient, Thresholds
from tests.client.fake import TAKEN, FakeServer, run


def test_registering_a_model_tells_the_server_and_is_remembered_for_its_calls() -> None:
    told = {"model": "org/faces", "kind": "vision", "thresholds": {}, "rules": []}
    server = FakeServer([httpx.Response(200, json=told), TAKEN])
    config = ModelConfig(id="org/faces", model_type="cv", version="3", thresholds=Thresholds(latency=200))

    async def work(client: MonitorXClient) -> Any:
        answer = await client.register_model(config)
        client.collect_inference_metric("org/faces", 1)
        return answer

    assert run(server, work) == told
    assert server.asked[0] == (
        "PUT",
        "/api/v1/models/org%2Ffaces",
        {"kind": "vision", "thresholds": {"latency_s": 0.2, "error_ratio": None}},
    )
    ((inference,),) = server.inferences
    assert (inference["kind"], inference["version"]) == ("vision", "3")


@pytest.mark.parametrize(
    ("ask", "address"),
    [
        pytest.param(lambda client: client.models(), "/api/v1/models", id="models"),
        pytest.param(
            lambda client: client.models(kind="vision", start="-5m"),
            "/api/v1/models?kind=vision&start=-5m",
            id="models, selected",
        ),
        pytest.param(
            lambda client: client.aggregates(by="model", step="5m", end=datetime(2026, 1, 31, 12, tzinfo=UTC)),
            "/api/v1/aggregates?by=model&step=5m&end=2026-01-31T12%3A00%3A00%2B00%3A00",
            id="aggregates",
        ),
        pytest.param(
            lambda client: client.alerts(state=["firing", "pending"]),
            "/api/v1/alerts?state=firing&state=pending",
            id="alerts",
        ),
        pytest.param(
            lambda client: client.alerts(severity=["critical"], model="fraud"),
            "/api/v1/alerts?severity=critical&model=fraud",
            id="alerts about a model",
        ),
        pytest.param(lambda client: client.drift(drifted=True), "/api/v1/drift?drifted=true", id="drift alone"),
    ],
)
def test_a_list_is_asked_for_at_its_address(ask: Callable[[MonitorXClient], Awaitable[Any]], address: str) -> None:
    server = FakeServer([httpx.Response(200, json={"models": [1], "aggregates": [1], "alerts": [1], "drift": [1]})])

    assert run(server, ask) == [1]
    assert server.asked == [("GET", address, None)]
