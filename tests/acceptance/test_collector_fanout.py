"""The recipe for MonitorX beside other systems: each gets what it can use, and none holds up another."""

import gzip
import http.server
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from tests.support.carried import SECOND_NS, Arrived, feedback, grains, other_metrics, sketches
from tests.support.collector import opentelemetry_collector, taken
from tests.support.otlp import spans
from tests.support.server import Server, free_port, until


@pytest.mark.needs("otelcol")
def test_the_fan_out_gives_each_system_what_it_can_use(tmp_path: Path) -> None:
    now = time.time_ns()
    sent = {"traces": spans([os.urandom(8) for _ in range(50)]), "metrics": sketches(now), "logs": feedback(["p"], now)}
    sent["metrics"].MergeFrom(other_metrics(now))
    sent["metrics"].MergeFrom(other_metrics(now + SECOND_NS))

    with Server(tmp_path) as server, Others() as others:
        to = {"BACKEND_HTTP": f"http://{server.http}", **others.addresses()}
        with opentelemetry_collector("fanout.yaml", tmp_path / "collector", **to) as collector:
            assert [collector.post(signal, each.SerializeToString()) for signal, each in sent.items()] == [200] * 3
            until(lambda: others.spans and others.points)
            until(lambda: taken(server) == {"inference": 50.0, "metric": 6.0, "sketch": 4.0, "feedback": 1.0})

    arrived = Arrived(tmp_path)
    assert {signal: arrived.grains(signal) for signal in sent} == {
        signal: Counter(grains(request)) for signal, request in sent.items()
    }
    assert Counter(others.spans) == arrived.grains("traces")
    # The sketches are not there, and what came as deltas of 3 calls is 6 by now, cumulative.
    assert others.points == [
        ("room.temperature", "gauge", None, 36.6),
        ("calls", "sum", 2, 2**53 + 1),
        ("ml.inference.batch.size", "histogram", 2, 3),
        ("room.temperature", "gauge", None, 36.6),
        ("calls", "sum", 2, 2**53 + 1),
        ("ml.inference.batch.size", "histogram", 2, 6),
    ]


@pytest.mark.needs("otelcol")
def test_other_systems_that_are_down_hold_up_nothing(tmp_path: Path) -> None:
    now = time.time_ns()
    sent = {"traces": spans([os.urandom(8)]), "metrics": other_metrics(now), "logs": feedback(["p"], now)}
    down = {"TRACES_GRPC": f"127.0.0.1:{free_port()}", "PROMETHEUS_OTLP": f"http://127.0.0.1:{free_port()}"}

    with Server(tmp_path) as server:
        to = {"BACKEND_HTTP": f"http://{server.http}", **down}
        with opentelemetry_collector("fanout.yaml", tmp_path / "collector", **to) as collector:
            answers = [collector.post(signal, each.SerializeToString()) for signal, each in sent.items()]
            until(lambda: taken(server) == {"inference": 1.0, "metric": 3.0, "feedback": 1.0})

    assert answers == [200] * 3


class Others:
    """
    Where Tempo and Prometheus would be.

    Attributes:
        spans: What came for Tempo, item by item.
        points: What came for Prometheus: name, kind, temporality, value or count.
    """

    def __init__(self) -> None:
        self.spans: list[bytes] = []
        self.points: list[tuple[str, str, int | None, float]] = []
        others = self

        class Tempo(TraceServiceServicer):
            def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:
                others.spans += grains(request)
                return ExportTraceServiceResponse()

        class Prometheus(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                assert self.path == "/api/v1/otlp/v1/metrics"
                others.points += points_of(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._grpc = grpc.server(ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(Tempo(), self._grpc)
        self._grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)

    def addresses(self) -> dict[str, str]:
        """The recipe's variables."""
        prometheus = f"http://127.0.0.1:{self._http.server_port}/api/v1/otlp"
        return {"TRACES_GRPC": f"127.0.0.1:{self._grpc_port}", "PROMETHEUS_OTLP": prometheus}

    def __enter__(self) -> Self:
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._grpc.stop(None)
        self._http.shutdown()
        self._http.server_close()


def points_of(request: ExportMetricsServiceRequest) -> list[tuple[str, str, int | None, float]]:
    found: list[tuple[str, str, int | None, float]] = []
    for resource in request.resource_metrics:
        for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
            kind = metric.WhichOneof("data")
            assert kind is not None
            data = getattr(metric, kind)
            for point in data.data_points:
                value = point.count if kind == "histogram" else getattr(point, point.WhichOneof("value"))
                found.append((metric.name, kind, None if kind == "gauge" else data.aggregation_temporality, value))
    return found
