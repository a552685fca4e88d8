"""
Makes the golden files. `python -m tests.golden.capture` asks real SDKs; `... rows` writes what comes out.

`NAME.SIGNAL.pb` and `NAME.SIGNAL.json` are requests, `NAME.SIGNAL.rows` the columns that decoding must give, read by a
person before they are committed. The JSON requests were written by hand in the manner of Go's (upper-case hex, integers
in texts) and Rust's (every empty field) senders. New captures have new ids and times, so their rows are written anew.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder, json_to_protobuf

FOLDER = Path(__file__).parent
ARRIVAL_NS = 1_800_000_000_000_000_000


def requests() -> list[Path]:
    """All captured requests."""
    return sorted(path for path in FOLDER.iterdir() if path.suffix in (".pb", ".json"))


def decoded(path: Path) -> dict[str, Any]:
    """What decoding makes of a request, as JSON. `series` is left out: it is not the same in every process."""
    signal = Signal(path.suffixes[-2].removeprefix("."))
    body = path.read_bytes()
    if path.suffix == ".json":
        body = json_to_protobuf(signal, body)
    result = Decoder().decode(signal, body, tenant="golden", arrival_ns=ARRIVAL_NS)
    rows = {batch.kind: [_shown(row) for row in batch.rows.to_pylist()] for batch in result.batches}
    return {"items": result.items, "rejected": result.rejected, "message": result.message, "rows": rows}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in row.items()
        if value is not None and name != "series"
    }


class _Catcher(BaseHTTPRequestHandler):
    caught: list[tuple[str, bytes]] = []  # noqa: RUF012 - one capture a process: the class is made by the server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.caught.append((self.path.removeprefix("/v1/"), body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def capture() -> None:
    """Run the Python SDK against a server of our own and keep what it sends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Catcher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    for name, emit in (("python-genai", _generative), ("python-metrics", _instruments)):
        _Catcher.caught.clear()
        emit(url)
        for signal in Signal:
            bodies = [body for path, body in _Catcher.caught if path == signal]
            if bodies:
                (FOLDER / f"{name}.{signal}.pb").write_bytes(bodies[-1])
    server.shutdown()


def _resource() -> Any:
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": "golden", "service.instance.id": "g-1"})


def _generative(url: str) -> None:
    """A chat call, one that fails, an agent around a call, as `opentelemetry-util-genai` emits them."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.util.genai.handler import TelemetryHandler

    tracing = TracerProvider(resource=_resource())
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/traces")))
    metering = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/metrics"))], _resource())
    handler = TelemetryHandler(tracing, metering)
    with handler.inference("openai", request_model="gpt-4o", server_address="api.example.com", server_port=443) as call:
        call.response_model_name, call.response_id, call.finish_reasons = "gpt-4o-2024-08-06", "r-1", ["stop"]
        call.input_tokens, call.output_tokens, call.temperature = 120, 34, 0.5
    try:
        with handler.inference("openai", request_model="gpt-4o"):
            raise TimeoutError("too slow")
    except TimeoutError:
        pass
    with (
        handler.invoke_local_agent(request_model="gpt-4o"),
        handler.inference("openai", request_model="gpt-4o-mini") as call,
    ):
        call.input_tokens = 7
    tracing.shutdown()
    metering.shutdown()


def _instruments(url: str) -> None:
    """Every kind of instrument, cumulative as the SDK sends by default, with explicit and exponential buckets."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

    views = [View(instrument_name="*.exponential", aggregation=ExponentialBucketHistogramAggregation())]
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/metrics"))
    provider = MeterProvider([reader], _resource(), views=views)
    meter = provider.get_meter("golden", "1.0")
    told = {"ml.model.name": "fraud", "ml.operation.name": "predict", "ml.model.kind": "tabular"}
    meter.create_counter("ml.inference.samples", "{sample}").add(32, told)
    meter.create_up_down_counter("queue").add(-3, {"zone": "a"})
    meter.create_gauge("temperature", "Cel").set(21.5, {"zone": "ä"})
    meter.create_histogram("ml.inference.duration", "s").record(0.012, told)
    for value in (0.0, 0.5, 2.0, 8.5):
        meter.create_histogram("size.exponential", "By").record(value)
    provider.shutdown()


def write_rows() -> None:
    """Write what decoding gives, to be read before it is committed."""
    for path in requests():
        text = json.dumps(decoded(path), indent=1, sort_keys=True, ensure_ascii=False)
        path.with_suffix(".rows").write_text(text + "\n")


if __name__ == "__main__":
    write_rows() if sys.argv[1:] == ["rows"] else capture()
