"""The real server over a real InfluxDB 1.x: the answers of the embedded store, and nothing lost while it is away."""

import json
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.support.influxd import Influxd
from tests.support.otlp import attributes, spans
from tests.support.server import Server, until

pytestmark = pytest.mark.needs("influxdb")

QUESTIONS = (
    "/api/v1/models?",
    "/api/v1/aggregates?by=model,version,instance,operation&",
    "/api/v1/aggregates?step=1m&",
    "/api/v1/aggregates?",
)


_TOLD_BY_SPANS = {"gen_ai.usage.input_tokens": 8, "gen_ai.usage.cost": 0.25}
# Requests, input tokens, samples and cost.
_COUNTED = {
    "calls": (50.0, 320.0, 40.0, 10.0),
    "tokens": (40.0, 400.0, 40.0, 10.0),
    "samples": (40.0, 320.0, 90.0, 10.0),
}


class InfluxServer(Server):
    """The server with `--store influxdb1://...`."""

    def __init__(self, folder: Path, influxd: Influxd) -> None:
        folder.mkdir()
        super().__init__(folder)
        self._store = f"influxdb1://127.0.0.1:{influxd.port}/monitorx"

    def command(self) -> list[str]:
        return [*super().command(), "--store", self._store]


def send(
    server: Server,
    first: int,
    number: int,
    *,
    end_ns: int,
    extras: dict[str, str | int | float] | None = None,
    **options: Any,
) -> None:
    """Send spans; *extras* are attributes of each."""
    request = spans([n.to_bytes(8, "big") for n in range(first, first + number)], end_ns=end_ns, **options)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.attributes.extend(attributes(extras or {}))
    assert server.post("traces", request.SerializeToString()) == 200


def delta(
    name: str, model: str, end_ns: int, *, total: float, count: int = 0, bounds: Sequence[float] = ()
) -> ExportMetricsServiceRequest:
    """A sum over one interval, or where there are *bounds* a histogram whose values are all below the first."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(attributes({"service.name": "shop", "service.instance.id": "i-1"}))
    metric = resource.scope_metrics.add().metrics.add(name=name, unit="s")
    data = metric.histogram if bounds else metric.sum
    data.aggregation_temporality = 1
    point = data.data_points.add(start_time_unix_nano=end_ns - 10**9, time_unix_nano=end_ns)
    if bounds:
        point.count, point.sum = count, total
        point.explicit_bounds.extend(bounds)
        point.bucket_counts.extend([count, 0])
    else:
        metric.sum.is_monotonic = True
        point.as_double = total
    whose = {
        "ml.model.name": model,
        "ml.model.version": "1",
        "ml.model.kind": "tabular",
        "ml.operation.name": "predict",
    }
    point.attributes.extend(attributes({**whose, "gen_ai.token.type": "input"}))
    return request


def told(server: Server) -> list[tuple[float, ...]]:
    """What the server counts of each model, in the order of names."""
    rows = server.get("/api/v1/aggregates?start=-1h&by=model")["aggregates"]
    return [tuple(row[name] for name in ("requests", "input_tokens", "samples", "cost_usd")) for row in rows]


def of_models(influxd: Influxd) -> dict[str, tuple[float, ...]]:
    """The same out of InfluxDB, as a dashboard asks."""
    question = 'SELECT "requests", "input_tokens", "samples", "cost_usd" FROM "ml_model" GROUP BY "model"'
    with urllib.request.urlopen(f"{influxd.url}/query?{urlencode({'db': 'monitorx', 'q': question})}") as answer:
        (result,) = json.load(answer)["results"]
    return {series["tags"]["model"]: tuple(row[1:]) for series in result["series"] for row in series["values"]}


def counted(server: Server) -> float:
    return sum(each["requests"] for each in server.get("/api/v1/aggregates?start=-1h")["aggregates"])


def test_rest_answers_the_same_over_both_stores(tmp_path: Path) -> None:
    now_ns = time.time_ns()
    span = f"start={now_ns // 10**9 - 3600}&end={now_ns // 10**9}"
    (tmp_path / "plain").mkdir()
    with (
        Influxd(tmp_path / "influxd") as influxd,
        Server(tmp_path / "plain") as plain,
        InfluxServer(tmp_path / "influx", influxd) as over_influxdb,
    ):
        answers = []
        for server in (plain, over_influxdb):
            for n in range(8):
                send(
                    server,
                    1 + n * 50,
                    50,
                    end_ns=now_ns - (5 + n * 15) * 10**9,
                    model=f'model {n % 3}, "hard\\',
                    duration_s=0.01 * (n + 1),
                    error="ValueError" if n % 4 == 0 else "",
                    instance=f"i-{n % 2}",
                )
            until(lambda server=server: counted(server) == 400)
            answers.append([rounded(server.get(question + span)) for question in QUESTIONS])
        health = over_influxdb.get("/api/v1/health")

    assert answers[0] == answers[1]
    assert len(answers[0][0]["models"]) == 3
    assert health["parts"]["store"]["status"] == "ok"


def test_metrics_stand_in_for_what_they_tell_and_spans_for_the_rest_over_both_stores(tmp_path: Path) -> None:
    end_ns = time.time_ns() - 5 * 10**9
    sent = {
        "calls": delta("ml.inference.duration", "calls", end_ns, count=50, total=5.0, bounds=[0.2]),
        "tokens": delta("gen_ai.client.token.usage", "tokens", end_ns, count=40, total=400.0, bounds=[20.0]),
        "samples": delta("ml.inference.samples", "samples", end_ns, total=90.0),
    }
    (tmp_path / "plain").mkdir()
    with (
        Influxd(tmp_path / "influxd") as influxd,
        Server(tmp_path / "plain") as plain,
        InfluxServer(tmp_path / "influx", influxd) as over_influxdb,
    ):
        for server in (plain, over_influxdb):
            for number, (model, metrics) in enumerate(sent.items()):
                send(server, 1 + 100 * number, 40, end_ns=end_ns, model=model, extras=_TOLD_BY_SPANS)
                assert server.post("metrics", metrics.SerializeToString()) == 200
            until(lambda server=server: told(server) == [_COUNTED[model] for model in sorted(sent)])

        found = of_models(influxd)

    assert found == _COUNTED


def test_while_influxdb_is_away_nothing_is_lost_and_health_says_so(tmp_path: Path) -> None:
    influxd = Influxd(tmp_path / "influxd").start()
    try:
        with InfluxServer(tmp_path / "influx", influxd) as server:
            now_ns = time.time_ns()
            send(server, 1, 100, end_ns=now_ns)
            until(lambda: counted(server) == 100)

            influxd.stop()
            for n in range(20):  # ten seconds of traffic that nobody takes
                send(server, 1000 + n * 100, 100, end_ns=now_ns + n)
                time.sleep(0.5)
            away = until(
                lambda: (
                    (part := server.get("/api/v1/health")["parts"]["store"]) and part["status"] == "degraded" and part
                )
            )
            rows = len(server.get("/api/v1/inferences?start=-1h&limit=1000")["inferences"])
            influxd.start()

            until(lambda: server.get("/api/v1/health")["parts"]["store"]["status"] == "ok")
            total = counted(server)
    finally:
        influxd.stop()

    assert "does not answer" in away["message"]
    assert rows == 1000, "single calls are read while InfluxDB is away"
    assert total == 2100


def test_the_server_starts_while_influxdb_is_away(tmp_path: Path) -> None:
    influxd = Influxd(tmp_path / "influxd")
    with InfluxServer(tmp_path / "influx", influxd) as server:
        send(server, 1, 10, end_ns=time.time_ns())
        until(lambda: server.get("/api/v1/health")["parts"]["store"]["status"] == "degraded")
        server.kill()
        server.start()

        with influxd:
            # What the journal alone had when the server was killed is stored a moment after its start.
            until(lambda: server.get("/api/v1/health")["parts"]["store"]["status"] == "ok" and counted(server) == 10)


def rounded(value: Any) -> Any:
    """*value*, its floats to 12 digits: the stores add them up in different orders."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value
