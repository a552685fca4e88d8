"""What the SDKs of other languages and curl send is read back over REST."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server, until

CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(CLIENTS / "node", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    fetch("node", ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"], folder)
    return folder


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("go") / "client"
    fetch("go", ["go", "build", "-o", str(program), "."], CLIENTS / "go")
    return program


def fetch(part: str, command: list[str], folder: Path) -> None:
    """Run what brings an SDK from its registry; a machine that reaches none has no such part."""
    try:
        run(command, folder)
    except AssertionError as error:
        if part in os.environ.get("MONITORX_REQUIRE", "").split(","):
            raise
        pytest.skip(f"{command[0]} could not bring the SDK: {str(error)[-200:]}")


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, env=dict(os.environ))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def read_back(server: Server, name: str) -> dict[str, Any]:
    """What the server knows of the client called *name*: its span, its gauge, its model."""
    spans = until(lambda: server.get(f"/api/v1/inferences?service={name}")["inferences"])
    gauges = until(lambda: server.get(f"/api/v1/metrics?name=check.temperature&service={name}")["points"])
    models = until(lambda: server.get(f"/api/v1/models?service={name}")["models"])
    span = server.get(f"/api/v1/inferences/{spans[0]['trace_id']}/{spans[0]['span_id']}")
    return {
        "spans": [(each["model"], each["operation"], each["kind"]) for each in spans],
        "span name": span["name"],
        "gauges": [(each["value"], each["unit"], each["attributes"]) for each in gauges],
        # The duration metric is the one source of requests where it exists: the span of the same call adds none.
        "models": [(each["model"], each["requests"]) for each in models],
    }


def expected(name: str) -> dict[str, Any]:
    return {
        "spans": [(name, "predict", "tabular")],
        "span name": f"predict {name}",
        "gauges": [(36.6, "Cel", {"room": "a"})],
        "models": [(name, 1.0)],
    }


@pytest.mark.needs("node")
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_node_is_read_back(server: Server, node: Path, protocol: str) -> None:
    name = {"http/protobuf": "node-proto", "http/json": "node-http", "grpc": "node-grpc"}[protocol]

    run(["node", "send.js", protocol, f"http://{server.grpc if protocol == 'grpc' else server.http}"], node)

    assert read_back(server, name) == expected(name)


@pytest.mark.needs("go")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_go_is_read_back(server: Server, go: Path, protocol: str) -> None:
    run([str(go), protocol, server.grpc if protocol == "grpc" else server.http], go.parent)

    assert read_back(server, f"go-{protocol}") == expected(f"go-{protocol}")


@pytest.mark.needs("curl")
def test_curl_is_read_back(server: Server, tmp_path: Path) -> None:
    now = time.time_ns()
    resource = {"attributes": [text("service.name", "curl"), text("service.instance.id", "curl")]}
    model = [text("ml.model.name", "curl"), text("ml.operation.name", "predict")]
    span = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "name": "predict curl",
        "startTimeUnixNano": str(now - 10**8),
        "endTimeUnixNano": str(now),
        "attributes": [*model, text("ml.model.kind", "tabular")],
    }
    point = {"timeUnixNano": str(now), "asDouble": 36.6, "attributes": [text("room", "a")]}
    histogram = {
        "timeUnixNano": str(now),
        "startTimeUnixNano": str(now - 10**9),
        "count": "1",
        "sum": 0.25,
        "bucketCounts": ["0", "1", "0"],
        "explicitBounds": [0.1, 1],
        "attributes": model,
    }
    metrics = [
        {"name": "check.temperature", "unit": "Cel", "gauge": {"dataPoints": [point]}},
        {
            "name": "ml.inference.duration",
            "unit": "s",
            "histogram": {"aggregationTemporality": 1, "dataPoints": [histogram]},
        },
    ]
    for signal, body in {
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]},
        "metrics": {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]},
    }.items():
        file = tmp_path / f"{signal}.json"
        file.write_text(json.dumps(body))
        run(
            [
                "curl",
                "-fsS",
                "-H",
                "content-type: application/json",
                "-d",
                f"@{file}",
                f"http://{server.http}/v1/{signal}",
            ],
            tmp_path,
        )

    assert read_back(server, "curl") == expected("curl")


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}
