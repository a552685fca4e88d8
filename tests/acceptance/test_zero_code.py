"""Both ways for a program to be seen: without a line in it, and with its own providers and one call."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.server import Server, until

ROOT = Path(__file__).parents[2]

OWN_PROVIDERS = """
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

resource = Resource.create({"service.name": "own-providers"})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource))

from monitorx.processor.attach import attach

attach()

from sklearn.linear_model import LogisticRegression

model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
for _ in range(25):
    model.predict([[0.5]])
"""


def environment(server: Server) -> dict[str, str]:
    bin_folder = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{server.http}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "PATH": bin_folder,
    }


@pytest.mark.needs("sklearn")
def test_opentelemetry_instrument_shows_the_model_within_ten_seconds_of_its_first_call(tmp_path: Path) -> None:
    script = ROOT / "docs/examples/tabular.py"
    assert "monitorx" not in script.read_text().replace("monitorx run", "")

    with Server(tmp_path) as server:
        command = ["opentelemetry-instrument", sys.executable, str(script), "--seconds", "8"]
        program = subprocess.Popen(command, env=environment(server))
        models = until(lambda: server.get("/api/v1/models")["models"])
        seen_at = datetime.now(UTC)
        assert program.wait(30) == 0
        rows = until(lambda: server.get("/api/v1/inferences?limit=1000")["inferences"])

    assert [(each["model"], each["kind"]) for each in models] == [("GradientBoostingClassifier", "tabular")]
    first_call = min(datetime.fromisoformat(each["start"]) for each in rows)
    assert seen_at - first_call < timedelta(seconds=10)


def test_a_short_program_without_providers_attaches_and_loses_nothing(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        """
import multiprocessing

from monitorx.instrumentation import inference
from monitorx.processor.attach import attach

def work(calls):
    for _ in range(calls):
        with inference("fraud", "tabular"):
            pass

attach()
work(7)
child = multiprocessing.get_context("fork").Process(target=work, args=(5,))
child.start()
child.join()
"""
    )

    with Server(tmp_path) as server:
        command = [sys.executable, str(script)]
        done = subprocess.run(command, env=environment(server), check=True, capture_output=True, text=True)
        model = until(lambda: [m for m in server.get("/api/v1/models")["models"] if m["requests"] == 12])

    assert (done.stdout, done.stderr) == ("", "")
    assert [(each["model"], each["services"]) for each in model] == [("fraud", ["app"])]


@pytest.mark.needs("sklearn")
def test_a_program_with_its_own_providers_attaches_and_every_call_counts_once(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(OWN_PROVIDERS)

    with Server(tmp_path) as server:
        subprocess.run([sys.executable, str(script)], env=environment(server), check=True)
        models = until(lambda: server.get("/api/v1/models")["models"])
        rows = until(lambda: server.get("/api/v1/inferences?limit=100")["inferences"])

    assert [(each["model"], each["services"], each["requests"]) for each in models] == [
        ("LogisticRegression", ["own-providers"], 25.0)
    ]
    assert len(rows) == 25
