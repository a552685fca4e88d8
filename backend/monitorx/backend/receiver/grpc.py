"""
The OTLP/gRPC receiver: the three Export methods, bytes in and bytes out, and the health service.

Runs on asyncio. A call that waits, be it for its own message or for the journal, costs a coroutine: in the threaded
server a sender that opens a stream and says nothing would hold a thread for ever. gRPC unpacks gzip and deflate itself
and stops at the limit.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health  # type: ignore[attr-defined]  # the stubs leave it out

from monitorx.backend.batch import Signal
from monitorx.backend.count import Count
from monitorx.backend.receiver.admission import Accepted, Encoding, Ingest, Request
from monitorx.backend.receiver.answer import (
    NO_ANSWER,
    Code,
    Outcome,
    Refusal,
    refusal_of,
    status_of,
    success,
    unavailable,
)

_SERVICE = "opentelemetry.proto.collector.{}.v1.{}Service"
SERVICES = {
    _SERVICE.format("trace", "Trace"): Signal.TRACES,
    _SERVICE.format("metrics", "Metrics"): Signal.METRICS,
    _SERVICE.format("logs", "Logs"): Signal.LOGS,
}
METHODS = {f"/{service}/Export": signal for service, signal in SERVICES.items()}

_CODES = {code: grpc.StatusCode[code.name] for code in Code}


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """
    Bounds of OTLP/gRPC.

    Attributes:
        max_message_bytes: Largest message, after decompression.
        max_connections: Open at once; more are closed, by gRPC itself, which tells nobody.
        max_streams: Calls at once on one connection; a client queues the rest.
        handshake_timeout_s: A connection that has not spoken HTTP/2 by then is closed.
        answer_timeout_s: Until the ingest step has answered.
        idle_timeout_s: A connection without a call is told to go.
        min_ping_interval_s: Keepalive pings may come this often, with or without calls.
    """

    max_message_bytes: int = 64 << 20
    max_connections: int = 4096
    max_streams: int = 256
    handshake_timeout_s: float = 20.0
    answer_timeout_s: float = 30.0
    idle_timeout_s: float = 600.0
    min_ping_interval_s: float = 5.0


class GrpcReceiver:
    """
    One listening address.

    Args:
        ingest: Where requests go.
        settings: Bounds.
        clock: ns since epoch.
        count: Where counters go.
    """

    def __init__(self, ingest: Ingest, settings: GrpcSettings, *, clock: Callable[[], int], count: Count) -> None:
        self._ingest = ingest
        self._settings = settings
        self._clock = clock
        self._count = count
        self._server: grpc.aio.Server | None = None
        self._health: health.HealthServicer | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """
        Listen, on the running loop.

        Returns:
            Host and port, the latter as the system chose it where *port* is 0.

        Raises:
            OSError: The address cannot be used.
        """
        server = grpc.aio.server(options=_options(self._settings))
        exports = _Exports(self._ingest, self._settings, self._clock, self._count)
        server.add_generic_rpc_handlers((exports,))
        checks = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(checks, server)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # gRPC says that it failed, and the reason only in its own log: a plain socket says why.
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        try:
            bound = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"{address} cannot be used: {error}") from None
        await server.start()
        for service in ("", *SERVICES):
            await checks.set(service, health_pb2.HealthCheckResponse.SERVING)
        self._server, self._health = server, checks
        return host, bound

    async def stop(self, grace_s: float) -> None:
        """Take no new call, let calls in flight be answered for up to *grace_s*, close. Safe twice."""
        server, self._server = self._server, None
        checks, self._health = self._health, None
        if server is None or checks is None:
            return
        await checks.enter_graceful_shutdown()
        await server.stop(grace_s)


class _Exports(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs only
    """Turns calls into requests and answers into replies."""

    def __init__(self, ingest: Ingest, settings: GrpcSettings, clock: Callable[[], int], count: Count) -> None:
        self._ingest = ingest
        self._settings = settings
        self._clock = clock
        self._count = count
        self._handlers = {method: self._handler(signal) for method, signal in METHODS.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        return self._handlers.get(handler_call_details.method)

    def _handler(self, signal: Signal) -> "grpc.RpcMethodHandler[bytes, bytes]":
        async def export(body: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
            return await self._export(signal, body, context)

        # No deserializer and no serializer: bytes go through as they are.
        return grpc.unary_unary_rpc_method_handler(export)

    async def _export(self, signal: Signal, body: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        self._count("monitorx_receiver_bytes_total", {"transport": "grpc", "signal": signal}, len(body))
        answer = await self._answer(Request(signal, Encoding.PROTOBUF, "", body, "default", self._clock()))
        if isinstance(answer, Accepted):
            self._count_outcome(signal, Outcome.PARTIAL if answer.rejected else Outcome.OK)
            return success(signal, Encoding.PROTOBUF, answer)
        self._count_outcome(signal, answer.outcome)
        status = status_of(answer).SerializeToString()
        await context.abort(_CODES[answer.code], answer.message, (("grpc-status-details-bin", status),))
        raise AssertionError("abort raises")

    async def _answer(self, request: Request) -> Accepted | Refusal:
        try:
            done = await _settled(self._ingest.submit(request), self._settings.answer_timeout_s)
        except TimeoutError:
            return unavailable(NO_ANSWER)
        except Exception as error:  # noqa: BLE001  what escapes here becomes UNKNOWN, and clients drop data on that
            return refusal_of(error)
        failure = CancelledError() if done.cancelled() else done.exception()
        return done.result() if failure is None else refusal_of(failure)

    def _count_outcome(self, signal: Signal, outcome: Outcome) -> None:
        labels = {"transport": "grpc", "signal": signal, "outcome": outcome}
        self._count("monitorx_receiver_requests_total", labels, 1.0)


async def _settled(future: "Future[Accepted]", timeout_s: float) -> "Future[Accepted]":
    """
    Wait until *future* is done, and hand it back.

    Not `asyncio.wrap_future`: that would carry a sender's cancellation into the ingest step.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: "Future[Accepted]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop has gone, and with it everybody who waited
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    async with asyncio.timeout(timeout_s):
        await done.wait()
    return future


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    ping_ms = round(settings.min_ping_interval_s * 1000)
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_concurrent_streams", settings.max_streams),
        ("grpc.server_handshake_timeout_ms", round(settings.handshake_timeout_s * 1000)),
        ("grpc.max_connection_idle_ms", round(settings.idle_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", ping_ms),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", ping_ms),
        ("grpc.so_reuseport", 0),  # else two servers share a port, and each gets half of the data
    ]
