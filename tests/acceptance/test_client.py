"""The client against the real server: what it collects is judged like everything that comes over OTLP."""

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitorx.client import (
    BreakerSettings,
    ClientSettings,
    ModelConfig,
    MonitorXClient,
    ResourceUsage,
    Retry,
    Thresholds,
    Unavailable,
)
from tests.support.server import Server, until

SLOW_MS = 400.0
FAST_MS = 20.0


RULES = [
    'p95(latency{model="org/faces"}[1m]) > 0.2 by (model)',
    'ratio(errors{model="org/faces"}[1m], requests{model="org/faces"}[1m]) > 0.5 by (model)',
]


def test_slow_calls_of_a_registered_model_become_an_alert(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        told = asyncio.run(register(server))
        asyncio.run(slow_and_fast(server))
        alerts = until(lambda: firing(server))

    assert told == {
        "model": "org/faces",
        "kind": "vision",
        "thresholds": {"latency_s": 0.2, "error_ratio": 0.5},
        "rules": RULES,
    }
    assert [each["labels"] for each in alerts] == [
        {"alertname": "ModelLatencyHigh", "model": "org/faces", "severity": "warning"}
    ]
    assert alerts[0]["annotations"] == {"summary": summary(alerts[0]["value"])}


def test_a_threshold_that_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        told = asyncio.run(register(server))
        server.kill()
        server.start()
        asyncio.run(slow_and_fast(server))
        alerts = until(lambda: firing(server))
        again = asyncio.run(registered(server))

    assert again == told
    assert [each["labels"]["alertname"] for each in alerts] == ["ModelLatencyHigh"]


def test_what_the_client_collects_is_told_by_every_question(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        asyncio.run(slow_and_fast(server))
        models = until(lambda: len(server.get("/api/v1/models")["models"]) == 2 and server.get("/api/v1/models"))
        answers = asyncio.run(ask(server))
        gpu = until(lambda: server.get("/api/v1/metrics?name=hw.gpu.memory.usage")["points"])

    assert [(each["model"], each["version"], each["kind"], each["requests"]) for each in models["models"]] == [
        ("fraud", "7", "tabular", 30.0),
        ("org/faces", None, "vision", 20.0),
    ]
    assert answers["models"] == models["models"]
    assert [(each["group"], each["requests"], each["errors"], each["samples"]) for each in answers["aggregates"]] == [
        ({"model": "fraud"}, 30.0, 3.0, 0.0),
        ({"model": "org/faces"}, 20.0, 0.0, 160.0),
    ]
    assert answers["drift"] == []
    assert answers["health"]["status"] == "ok"
    assert (answers["summary"]["models"], answers["summary"]["requests"]) == (2, 50.0)
    assert [(each["value"], each["unit"], each["attributes"]["ml.model.name"]) for each in gpu] == [
        (3221225472.0, "By", "org/faces")
    ]


def test_what_is_collected_while_the_server_is_away_arrives_once_it_is_back(tmp_path: Path) -> None:
    async def outage() -> Any:
        async with MonitorXClient(f"http://{server.api}", service="shop") as client:
            server.start()
            client.collect_inference_metric("fraud", FAST_MS)
            await client.flush()
            await asyncio.to_thread(server.kill)
            for _ in range(5):
                client.collect_inference_metric("fraud", FAST_MS)
            await asyncio.sleep(1.5)  # several attempts find nobody
            waiting = client.stats.waiting
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(until, lambda: client.stats.waiting == 0, 40.0)
            return waiting, client.stats

    server = Server(tmp_path)
    waiting, stats = asyncio.run(outage())
    requests = until(lambda: server.get("/api/v1/summary")["requests"] == 6.0 and 6.0)
    server.stop()

    assert (waiting, stats.collected, stats.sent, stats.dropped, requests) == (5, 6, 6, 0, 6.0)


def test_the_example_of_the_reference_page_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "client.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)

    with Server(tmp_path) as server:
        script = example.replace("127.0.0.1:8000", server.api)
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
        models = until(lambda: server.get("/api/v1/models")["models"])

    assert [(each["model"], each["kind"], each["requests"]) for each in models] == [("faces", "vision", 1.0)]


def test_a_server_that_is_away_is_told_with_the_cause() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port, and it refuses
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        words = asyncio.run(asked_twice(f"http://me:secret@127.0.0.1:{port}"))

    assert words == [
        f"GET http://127.0.0.1:{port}/api/v1/summary: no answer after 1 attempts; ConnectError: Connection refused",
        f"http://127.0.0.1:{port}/api/v1/summary failed several times in a row, "
        "last with ConnectError: Connection refused; it is asked again in 60.0 s",
    ]


async def asked_twice(base_url: str) -> list[str]:
    settings = ClientSettings(
        retry=Retry(attempts=1), breaker=BreakerSettings(failures=1, first_s=60.0, longest_s=60.0)
    )
    words = []
    async with MonitorXClient(base_url, settings=settings) as client:
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await client.summary()
            words.append(str(caught.value))
    return words


async def register(server: Server) -> Any:
    async with MonitorXClient(f"http://{server.api}") as client:
        return await client.register_model(
            ModelConfig(id="org/faces", model_type="cv", thresholds=Thresholds(latency=200, error_rate=0.5))
        )


async def slow_and_fast(server: Server) -> None:
    """Calls of two models; those of one take longer than it may."""
    async with MonitorXClient(f"http://{server.api}", service="shop", instance="shop-1") as client:
        usage = ResourceUsage(gpu_memory=3 << 30)
        await client.collect_inference_metric("org/faces", SLOW_MS, model_type="cv", batch_size=8, resources=usage)
        for _ in range(19):
            client.collect_inference_metric("org/faces", SLOW_MS, model_type="cv", batch_size=8)
        for number in range(30):
            client.collect_inference_metric("fraud", FAST_MS, version="7", error=number % 10 == 0)


async def registered(server: Server) -> Any:
    async with MonitorXClient(f"http://{server.api}") as client:
        return await client.registered_model("org/faces")


async def ask(server: Server) -> dict[str, Any]:
    async with MonitorXClient(f"http://{server.api}") as client:
        return {
            "models": await client.models(),
            "aggregates": await client.aggregates(by="model", start="-30m"),
            "summary": await client.summary(),
            "health": await client.health(),
            "drift": await client.drift(model="fraud", limit=5),
        }


def firing(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/api/v1/alerts?state=firing")["alerts"]
    return found


def summary(value: float) -> str:
    return f"org/faces: 95 of 100 calls take up to {value * 1000:.4g}ms, more than 200ms"
