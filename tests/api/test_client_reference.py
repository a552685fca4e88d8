"""The client, its reference page and the API say the same."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import pytest
from fastapi.testclient import TestClient

from monitorx.client import BreakerSettings, ClientSettings, ModelConfig, MonitorXClient, ResourceUsage, Retry, answer
from monitorx.client import query as queries
from monitorx.client.inference import Inference
from tests.client.fake import FakeServer

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "client.md").read_text()
ROW = re.compile(r"^\| `(\w+)\(.*?\)` \| `(\w+ /[^`]*)`")

CALLS: dict[str, Callable[[MonitorXClient], Awaitable[Any]]] = {
    "register_model": lambda client: client.register_model(ModelConfig(id="m")),
    "registered_model": lambda client: client.registered_model("m"),
    "unregister_model": lambda client: client.unregister_model("m"),
    "collect_inference_metric": lambda client: client.collect_inference_metric("m", 1),
    "flush": lambda client: collected(client).flush(),
    "models": lambda client: client.models(),
    "aggregates": lambda client: client.aggregates(),
    "drift": lambda client: client.drift(),
    "alerts": lambda client: client.alerts(),
    "summary": lambda client: client.summary(),
    "health": lambda client: client.health(),
}


def collected(client: MonitorXClient) -> MonitorXClient:
    client.collect_inference_metric("m", 1)
    return client


def described(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def test_the_page_lists_every_method_with_the_route_that_it_asks() -> None:
    async def asked(call: Callable[[MonitorXClient], Awaitable[Any]]) -> str:
        server = FakeServer([httpx.Response(200, json={"models": [], "aggregates": [], "drift": [], "alerts": []})])
        async with MonitorXClient("http://monitorx.test", transport=server.transport()) as client:
            await call(client)
        ((method, path, _),) = server.asked
        return f"{method} {path}".replace("/models/m", "/models/{model}")

    used = {name: asyncio.run(asked(call)) for name, call in CALLS.items()}

    assert dict(match.groups() for line in PAGE.splitlines() if (match := ROW.match(line))) == used


def test_every_public_method_is_on_the_page() -> None:
    public = {name for name in vars(MonitorXClient) if not name.startswith("_")}

    assert public - {"close", "stats"} == set(CALLS)


def test_every_route_of_the_client_is_served(client: TestClient) -> None:
    served = {f"{method.upper()} {path}" for path, each in described(client)["paths"].items() for method in each}

    assert {route for line in PAGE.splitlines() if (row := ROW.match(line)) for route in [row[2]]} <= served


@pytest.mark.parametrize(
    ("path", "query"),
    [
        pytest.param("/api/v1/models", queries.ModelQuery, id="models"),
        pytest.param("/api/v1/aggregates", queries.AggregateQuery, id="aggregates"),
        pytest.param("/api/v1/drift", queries.DriftQuery, id="drift"),
        pytest.param("/api/v1/alerts", queries.AlertQuery, id="alerts"),
        pytest.param("/api/v1/summary", queries.Span, id="summary"),
    ],
)
def test_a_question_has_the_parameters_of_its_route(client: TestClient, path: str, query: Any) -> None:
    parameters = described(client)["paths"][path]["get"]["parameters"]

    assert set(get_type_hints(query)) == {parameter["name"] for parameter in parameters}


@pytest.mark.parametrize(
    "shape",
    [
        *(answer.Model, answer.Aggregate, answer.AlertItem, answer.Summary, answer.HealthAnswer, answer.HealthPart),
        *(answer.RegisteredModel, answer.ModelThresholds, answer.DriftFinding),
    ],
    ids=lambda shape: shape.__name__,
)
def test_an_answer_has_the_fields_of_its_route(client: TestClient, shape: Any) -> None:
    schema = described(client)["components"]["schemas"][shape.__name__]

    assert set(get_type_hints(shape)) == set(schema["properties"])


def test_what_the_client_tells_is_what_the_api_takes(client: TestClient) -> None:
    schemas = described(client)["components"]["schemas"]
    usage = ResourceUsage(1, 1, 1, 1)
    inference = Inference("m", 1, 1, "llm", "1", "chat", "e", 1, 1, 1, 1, 1, usage).as_json(bytes)
    config = ModelConfig(id="m").as_json()

    assert set(schemas["NewInference"]["properties"]) - set(inference) == {"framework"}
    assert set(inference) - set(schemas["NewInference"]["properties"]) == set()
    assert set(usage.as_json()) == set(schemas["Resources"]["properties"])
    assert set(config) == set(schemas["ModelEntry"]["properties"])


def test_the_page_lists_the_settings_with_their_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .* \|$", PAGE.split("| setting |")[1], re.M)
    settings = ClientSettings()
    written = {name: eval(text.strip("`"), {"Retry": Retry, "BreakerSettings": BreakerSettings}) for name, text in rows}

    assert written == {each.name: getattr(settings, each.name) for each in fields(settings)}
