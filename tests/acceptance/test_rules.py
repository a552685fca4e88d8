"""What the server says of the rules that it judges: at its start, and when one cannot be judged."""

import json
from pathlib import Path
from typing import Any

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
WORDS = "ValueError: my.level is a gauge: it has no rate; use avg, max or last"


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
