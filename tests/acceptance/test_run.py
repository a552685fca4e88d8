"""`monitorx run` and `opentelemetry-instrument` with real programs, and a sink that keeps what they send."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

RUN = [sys.executable, "-m", "monitorx.backend.cli", "run"]
INSTRUMENT = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]
ONE_SPAN = "from opentelemetry import trace; trace.get_tracer('app').start_span('work').end()\n"
FORKS = f"""
import os, sys
{ONE_SPAN}
child = os.fork()
if not child:
    {ONE_SPAN}
    sys.exit(0)
os.waitpid(child, 0)
"""


class Sink:
    """What arrived: (service name, instance id, span name), sorted."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []

    def spans(self) -> list[tuple[str, str, str]]:
        found = []
        for request in self.requests:
            for resource_spans in request.resource_spans:
                resource = {each.key: each.value.string_value for each in resource_spans.resource.attributes}
                who = (resource.get("service.name", ""), resource.get("service.instance.id", ""))
                found += [(*who, span.name) for scope in resource_spans.scope_spans for span in scope.spans]
        return sorted(found)


@pytest.fixture
def http_sink() -> Iterator[tuple[Sink, str]]:
    sink = Sink()

    class Call(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                sink.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Call)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield sink, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def grpc_sink() -> Iterator[tuple[Sink, str]]:
    sink = Sink()

    class Service(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:
            sink.requests.append(request)
            return ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield sink, f"http://127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "shop.py"
    file.write_text(f"{ONE_SPAN}print('done')\n")
    return file


def start(command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    # metrics and logs have no sink here
    quiet = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    return subprocess.run(command, env={**os.environ, **quiet, **environ}, capture_output=True, text=True, timeout=60)


def test_run_sends_the_spans_of_a_short_script_before_it_ends(http_sink: tuple[Sink, str], script: Path) -> None:
    sink, url = http_sink

    done = start([*RUN, "--endpoint", url, str(script)])

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    ((service, instance, name),) = sink.spans()
    assert (service, name) == ("shop", "work")
    assert len(instance) == 36


def test_the_service_flag_names_the_service(http_sink: tuple[Sink, str], script: Path) -> None:
    sink, url = http_sink

    start([*RUN, "--endpoint", url, "--service", "till", "--", "python", str(script)])

    assert [(service, name) for service, _, name in sink.spans()] == [("till", "work")]


def test_replicas_do_not_share_an_instance(http_sink: tuple[Sink, str], script: Path) -> None:
    sink, url = http_sink

    for _ in range(2):
        start([*RUN, "--endpoint", url, str(script)])

    assert len({instance for _, instance, _ in sink.spans()}) == 2


def test_a_forked_child_is_another_instance_and_its_spans_arrive(http_sink: tuple[Sink, str], tmp_path: Path) -> None:
    sink, url = http_sink
    file = tmp_path / "forks.py"
    file.write_text(FORKS)

    done = start([*RUN, "--endpoint", url, str(file)])

    assert (done.returncode, done.stderr) == (0, "")
    assert [(service, name) for service, _, name in sink.spans()] == [("forks", "work")] * 2
    assert len({instance for _, instance, _ in sink.spans()}) == 2


def test_opentelemetry_instrument_works_with_our_distro(http_sink: tuple[Sink, str], script: Path) -> None:
    sink, url = http_sink

    done = start(
        [*INSTRUMENT, sys.executable, str(script)],
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_PYTHON_DISTRO="monitorx",
        OTEL_PYTHON_CONFIGURATOR="monitorx",
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert [(service, name) for service, _, name in sink.spans()] == [("shop", "work")]


@pytest.mark.needs("distro")
def test_opentelemetry_instrument_works_with_the_other_distro(grpc_sink: tuple[Sink, str], script: Path) -> None:
    sink, url = grpc_sink

    done = start(
        [*INSTRUMENT, sys.executable, str(script)],
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_PYTHON_DISTRO="distro",
        OTEL_PYTHON_CONFIGURATOR="configurator",
    )

    assert (done.returncode, done.stdout) == (0, "done\n")
    assert [name for _, _, name in sink.spans()] == ["work"]


def test_a_disabled_sdk_sends_nothing(http_sink: tuple[Sink, str], script: Path) -> None:
    sink, url = http_sink

    done = start([*RUN, "--endpoint", url, str(script)], OTEL_SDK_DISABLED="true")

    assert (done.returncode, done.stdout) == (0, "done\n")
    assert sink.spans() == []


@pytest.mark.parametrize(
    ("words", "code"),
    [pytest.param("exit 7", 7, id="exit code"), pytest.param("kill -TERM $$", -15, id="signal")],
)
def test_run_becomes_its_command(words: str, code: int) -> None:
    done = subprocess.run([*RUN, "--", "sh", "-c", words])

    assert done.returncode == code


def test_run_warns_once_of_http_to_the_port_of_grpc_and_goes_on() -> None:
    done = start([*RUN, "--endpoint", "http://127.0.0.1:4317", "--", "sh", "-c", "echo done"])

    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "done\n",
        "monitorx run: warning: OTLP goes to http://127.0.0.1:4317 over http/protobuf, and 4317 is the usual port of "
        "OTLP/gRPC; HTTP is usually taken on 4318 (or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc)\n",
    )


def test_run_starts_nothing_with_an_endpoint_that_cannot_be_one() -> None:
    done = start([*RUN, "--endpoint", "127.0.0.1:4318", "--", "sh", "-c", "echo done"])

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "monitorx run: --endpoint: '127.0.0.1:4318' cannot be used; "
        "http:// or https:// and a host is expected, as in http://127.0.0.1:4318"
    )
