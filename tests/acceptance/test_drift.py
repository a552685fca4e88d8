"""Sketches of a shifted feature become an alert that names model and feature, over a kill, and no other."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np

from monitorx.sketch import Anchor
from tests.support.otlp import spans
from tests.support.server import Server, until
from tests.support.sketching import sketches

RULES = """
groups:
  - name: drift
    rules:
      - alert: InputDrifts
        expr: max(drift_score[10s]) > 0 by (model, feature)
        annotations: {summary: "{{ $labels.model }}: {{ $labels.feature }} has drifted"}
route: {receiver: none, group_wait: 0s}
receivers: [{name: none}]
"""
BUSY = """
groups:
  - name: calls
    rules:
      - alert: Busy
        expr: rate(requests[10s]) > 0 by (model)
route: {receiver: none, group_wait: 0s}
receivers: [{name: none}]
"""
ANCHORS = {"age": Anchor(0.0, 8.0), "amount": Anchor(0.0, 16.0), "items": Anchor(0.0, 1.0)}
SETTINGS = {"MONITORX_DRIFT_WINDOW": "2", "MONITORX_REFERENCE_WINDOWS": "3"}


def send(server: Server, random: np.random.Generator, *, older: float) -> None:
    values = {
        "age": random.normal(40.0 + older, 10.0, 400),
        "amount": random.lognormal(3.0, 1.0, 400),
        "items": random.poisson(3.0, 400).astype(float),
    }
    assert server.post("metrics", sketches(values, anchors=ANCHORS).SerializeToString()) == 200


def findings(server: Server, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get(f"/api/v1/drift?limit=1000{query}")["drift"]
    return found


def test_a_shift_becomes_an_alert_that_names_model_and_feature_over_a_kill(tmp_path: Path) -> None:
    random = np.random.default_rng(5)

    def answered(server: Server, older: float) -> int:
        send(server, random, older=older)
        time.sleep(1.0)  # as often as an application exports
        return len(findings(server, "&status=ok"))

    with Server(tmp_path, config=RULES, env=SETTINGS) as server:
        until(lambda: answered(server, 0.0) >= 3)
        server.kill()
        server.start()
        quiet = server.get("/api/v1/alerts")["alerts"]
        alerts = until(lambda: answered(server, 8.0) and server.get("/api/v1/alerts")["alerts"])
        # An alert does not wait for the store.
        until(lambda: any(each["drifted"] for each in findings(server)))
        found = findings(server)

    assert quiet == []
    assert [(each["labels"]["model"], each["labels"]["feature"], each["state"]) for each in alerts] == [
        ("fraud", "age", "firing")
    ]
    assert alerts[0]["annotations"]["summary"] == "fraud: age has drifted"
    assert {each["feature"] for each in found if each["drifted"]} == {"age"}
    # One reference a feature, before the kill and after it; no window twice.
    assert len({(each["feature"], each["reference"]) for each in found if each["reference"]}) == 3
    assert len({(each["feature"], each["end"]) for each in found}) == len(found)


def test_a_feature_whose_values_go_missing_is_told_by_the_api(tmp_path: Path) -> None:
    random = np.random.default_rng(5)

    def told(server: Server, age: float) -> bool:
        values = {"age": np.full(400, age), "amount": random.lognormal(3.0, 1.0, 400)}
        assert server.post("metrics", sketches(values, anchors=ANCHORS).SerializeToString()) == 200
        time.sleep(0.5)
        return any(each["feature"] == "age" for each in findings(server, "&status=small"))

    with Server(tmp_path, env=SETTINGS) as server:
        until(lambda: told(server, 40.0) or findings(server, "&status=no_reference"))
        before = findings(server, "&status=small")
        until(lambda: told(server, np.nan))
        small = findings(server, "&status=small")

    assert before == []
    assert {(each["feature"], each["events"], each["score"], each["drifted"]) for each in small} == {
        ("age", 0.0, None, False)
    }


def test_a_file_that_somebody_else_has_locked_holds_up_neither_rules_nor_store(tmp_path: Path) -> None:
    path = tmp_path / "data" / "drift.sqlite"

    with Server(tmp_path, config=BUSY, env=SETTINGS | {"MONITORX_LOG_FORMAT": "json"}) as server:
        with sqlite3.connect(path, isolation_level=None) as backup:
            backup.execute("BEGIN IMMEDIATE")
            send(server, np.random.default_rng(5), older=0.0)
            assert server.post("traces", spans([b"12345678"]).SerializeToString()) == 200
            until(lambda: server.get("/api/v1/alerts")["alerts"])
            until(lambda: server.get("/api/v1/inferences")["inferences"])
            health = until(lambda: (found := server.get("/api/v1/health"))["status"] == "degraded" and found)
            backup.execute("ROLLBACK")
        until(lambda: server.get("/api/v1/health")["status"] == "ok")
    log = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]

    assert {name: part["message"] for name, part in health["parts"].items() if part["status"] != "ok"} == {
        "rules": f"the step drift_state fails and is passed over: StorageError: {path} cannot be written:"
        " database is locked"
    }
    assert [line["step"] for line in log if line["level"] == "error"] == ["drift_state"]
