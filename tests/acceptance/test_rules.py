"""What the server says of the rules that it judges: at its start, and when one cannot be judged."""

import json
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

from tests.support.otlp import gauge
from tests.support.server import Server, until

RULES = """
groups:
  - name: g
    rules:
      - alert: Asked
        expr: rate(my.level[10s]) > 0
      - alert: High
        expr: max(my.level[10s]) > 5
route: {receiver: a}
receivers: [{name: a}]
"""
WORDS = "my.level is a gauge: it has no rate; use avg, max or last"


def entries(server: Server, **wanted: Any) -> list[dict[str, Any]]:
    """The lines of the log that have these."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]


def test_a_rule_that_cannot_be_judged_is_in_the_log_once_and_in_the_health_answer(tmp_path: Path) -> None:
    with Server(tmp_path, config=RULES, env={"MONITORX_LOG_FORMAT": "json"}) as server:
        before = server.get("/api/v1/health")["parts"]["rules"]
        server.post("metrics", gauge("my.level", 9.0).SerializeToString())
        until(lambda: server.get("/api/v1/health")["parts"]["rules"]["status"] == "degraded")
        until(lambda: server.get("/api/v1/alerts")["alerts"])
        health = server.get("/api/v1/health")

    assert before == {"status": "ok", "message": "2 rules"}
    assert health["status"] == "degraded"
    assert health["parts"]["rules"] == {"status": "degraded", "message": f"Asked cannot be judged: {WORDS}"}
    warnings = entries(server, event="a rule cannot be judged: its alerts stay as they are")
    assert [(each["level"], each["rule"], each["error"]) for each in warnings] == [("warning", "Asked", WORDS)]
    assert [(each["rules"], each["receivers"]) for each in entries(server, event="ready")] == [(2, 1)]


SEEN = """
groups:
  - name: g
    rules:
      - alert: Failing
        expr: rate(errors.seen[10s]) > 0 by (shop)
route: {receiver: a}
receivers: [{name: a}]
"""


def counter(name: str, value: float, **labels: str) -> ExportMetricsServiceRequest:
    """The increments of one counter."""
    request = gauge(name, value, **labels)
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    point = metric.gauge.data_points[0]
    metric.sum.data_points.add().CopyFrom(point)
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = AGGREGATION_TEMPORALITY_DELTA, True
    return request


def test_a_sender_whose_data_cannot_be_judged_hides_no_other_and_is_named(tmp_path: Path) -> None:
    with Server(tmp_path, config=SEEN) as server:
        for request in (counter("errors.seen", 9.0, shop="north"), gauge("errors.seen", 9.0, shop="toy")):
            server.post("metrics", request.SerializeToString())
        until(lambda: server.get("/api/v1/health")["parts"]["rules"]["status"] == "degraded")
        until(lambda: server.get("/api/v1/alerts")["alerts"])
        alerts = server.get("/api/v1/alerts")["alerts"]
        health = server.get("/api/v1/health")["parts"]["rules"]

    assert [(each["labels"]["shop"], each["state"]) for each in alerts] == [("north", "firing")]
    words = "errors.seen is a gauge: it has no rate; use avg, max or last"
    assert health["message"] == f'Failing cannot be judged: {words} (for shop="toy")'
