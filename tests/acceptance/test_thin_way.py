"""An unchanged script that calls a real model, and the alert that reaches somebody: the whole way."""

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server, until

RULES = """
groups:
  - name: models
    rules:
      - alert: TooBusy
        expr: rate(requests[10s]) > 0.1 by (model)
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.model }} is called"}
route:
  receiver: hook
  group_by: [alertname, model]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: hook
    webhook_configs:
      - url: http://127.0.0.1:PORT/
"""

SCRIPT = """
import time
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
for _ in range(30):
    model.predict([[0.5]])
    time.sleep(0.01)
"""


class Hook:
    """A webhook receiver that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.mark.needs("sklearn")
def test_a_call_in_an_unchanged_script_becomes_an_alert_at_a_webhook(tmp_path: Path) -> None:
    hook = Hook()
    script = tmp_path / "app.py"
    script.write_text(SCRIPT)

    with Server(tmp_path, config=RULES.replace("PORT", str(hook.server.server_port))) as server:
        environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{server.http}"}
        subprocess.run(
            [sys.executable, "-m", "monitorx.backend.cli", "run", "--", sys.executable, str(script)],
            env=environment,
            check=True,
        )
        body = until(lambda: hook.bodies and hook.bodies[0])
        models = until(lambda: server.get("/api/v1/models")["models"])
    hook.server.shutdown()

    assert (body["version"], body["status"], body["commonLabels"]["model"]) == ("4", "firing", "LogisticRegression")
    assert body["alerts"][0]["annotations"] == {"summary": "LogisticRegression is called"}
    assert [(each["model"], each["kind"], each["requests"]) for each in models] == [
        ("LogisticRegression", "tabular", 30.0)
    ]
