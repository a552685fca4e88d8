"""
OTLP requests by the thousand, each different, at next to no cost for the sender.

One request is built and serialised; its ids and times are then overwritten in the bytes, so that a receiver which
recognises what it has seen before has no easier work than in life.
"""

import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.otlp import attributes

SPANS_A_REQUEST = 512
POINTS_A_REQUEST = 10_000
MODELS = 20


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one signal, `items` spans or points in each."""

    signal: str
    bodies: Sequence[bytes]
    items: int

    @property
    def total(self) -> int:
        """Items in all requests."""
        return self.items * len(self.bodies)


def spans(requests: int) -> Load:
    """Inference spans with 15 attributes each, 512 a request."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.extend(attributes({"service.name": "bench", "service.instance.id": "bench-1"}))
    scope = resource.scope_spans.add()
    for i in range(SPANS_A_REQUEST):
        span = scope.spans.add(name=f"predict model-{i % MODELS}", kind=1, flags=257)
        span.trace_id, span.span_id = b"\xf7TRACE-ID" + i.to_bytes(7), b"\xf8SPAN" + i.to_bytes(3)
        span.start_time_unix_nano, span.end_time_unix_nano = _START, _END
        known: dict[str, str | int | float] = {
            "ml.operation.name": "predict",
            "ml.framework.name": "sklearn",
            "ml.framework.version": "1.5.0",
            "ml.model.name": f"model-{i % MODELS}",
            "ml.model.version": "3",
            "ml.model.class": "GradientBoostingClassifier",
            "ml.model.kind": "tabular",
            "ml.task.type": "classification",
            "ml.request.batch.size": 1 + i % 8,
            "ml.request.feature.count": 30,
            "ml.request.input.shape": "(1, 30)",
            "ml.device.type": "cpu",
            "thread.id": 140_000 + i % 16,
            "thread.name": f"worker-{i % 16}",
            "app.request.id": f"req-{i:06d}",
        }
        span.attributes.extend(attributes(known))
    template = message.SerializeToString()
    ids = [(template.index(s.trace_id), 16) for s in scope.spans] + [
        (template.index(s.span_id), 8) for s in scope.spans
    ]
    return Load("traces", [_restamp(template, ids) for _ in range(requests)], SPANS_A_REQUEST)


def points(requests: int, *, a_request: int = POINTS_A_REQUEST) -> Load:
    """Points of ten gauges and counters with 4 attributes each, 10,000 a request by default."""
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    resource.resource.attributes.extend(attributes({"service.name": "bench", "service.instance.id": "bench-1"}))
    scope = resource.scope_metrics.add()
    for number in range(10):
        metric = scope.metrics.add(name=f"bench.metric.{number}", unit="1")
        series = metric.gauge.data_points if number % 2 else metric.sum.data_points
        if not number % 2:
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = 1, True
        for i in range(a_request // 10):
            point = series.add(as_double=float(i), time_unix_nano=_END, start_time_unix_nano=_START)
            point.attributes.extend(
                attributes({"host": f"h{i % 50}", "zone": f"z{i % 3}", "model": f"m{i % 20}", "shard": i})
            )
    return Load("metrics", [_restamp(message.SerializeToString(), []) for _ in range(requests)], a_request)


_START, _END = 0x1111_2222_3333_4444, 0x1111_2222_3333_5555
_clock = [0]


def _restamp(template: bytes, ids: list[tuple[int, int]]) -> bytes:
    # Times a microsecond apart: the points of two requests are different points.
    _clock[0] += 1000
    end = time.time_ns() + _clock[0]
    body = bytearray(template.replace(_START.to_bytes(8, "little"), (end - 50_000_000).to_bytes(8, "little")))
    body = bytearray(bytes(body).replace(_END.to_bytes(8, "little"), end.to_bytes(8, "little")))
    view = np.frombuffer(body, dtype=np.uint8)
    for offset, length in ids:
        view[offset : offset + length] = np.frombuffer(os.urandom(length), dtype=np.uint8)
    return bytes(body)


def send(load: Load, address: str, *, connections: int = 4, per_second: float | None = None) -> list[float]:
    """
    POST every body, each on one of *connections*; how long each answer took, seconds, refused ones sent again.

    Args:
        per_second: Requests a second over all connections; as fast as answers come where None.
    """
    began = time.monotonic()

    def work(worker: int) -> list[float]:
        took = []
        with _Connection(address) as connection:
            for number in range(worker, len(load.bodies), connections):
                if per_second:
                    time.sleep(max(0.0, began + number / per_second - time.monotonic()))
                start = time.monotonic()
                while not connection.post(f"/v1/{load.signal}", load.bodies[number]):
                    time.sleep(0.05)
                took.append(time.monotonic() - start)
        return took

    with ThreadPoolExecutor(connections) as pool:
        return [each for part in pool.map(work, range(connections)) for each in part]


class _Connection:
    """One kept-alive HTTP/1.1 connection: the least that a sender can be."""

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self._host = address
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes) -> bool:
        """Whether the body was taken; False for 429 and 503."""
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/x-protobuf\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        self._socket.sendall(body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._received()
        top, _, rest = answer.partition(b"\r\n\r\n")
        headers = top.lower()
        length = int(headers.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in headers else 0
        while len(rest) < length:
            rest += self._received()
        status = int(top.split(b" ", 2)[1])
        if status not in (200, 429, 503):
            raise AssertionError(f"answered {status}: {rest[:200]!r}")
        return status == 200

    def _received(self) -> bytes:
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        return chunk

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
