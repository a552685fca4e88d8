"""The gRPC receiver on a real port: codes, details, health, and a stop that loses no answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from monitorx.backend.batch import Signal
from monitorx.backend.errors import Malformed, Overloaded, StorageError, TooLarge
from monitorx.backend.receiver.admission import Accepted, Encoding, Request
from monitorx.backend.receiver.grpc import METHODS, GrpcReceiver, GrpcSettings
from tests.support.reception import ARRIVAL_NS, Counts, HandIngest

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Running:
    """A receiver and a channel to it."""

    def __init__(self, ingest: HandIngest, settings: GrpcSettings) -> None:
        self.ingest = ingest
        self.counts = Counts()
        self.receiver = GrpcReceiver(ingest, settings, clock=lambda: ARRIVAL_NS, count=self.counts)
        self.address = ""
        self.channel: grpc.aio.Channel

    async def export(self, body: bytes, method: str = TRACES, **options: object) -> bytes:
        return await self.channel.unary_unary(method)(body, timeout=10, **options)

    async def failure(self, body: bytes = b"abc", **options: object) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await self.export(body, **options)
        return raised.value


@asynccontextmanager
async def running(
    at_once: Accepted | BaseException | None = None, settings: GrpcSettings | None = None
) -> AsyncIterator[Running]:
    made = Running(HandIngest(at_once), settings or GrpcSettings())
    made.address = "{}:{}".format(*await made.receiver.start("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(made.address) as made.channel:
        try:
            yield made
        finally:
            await made.receiver.stop(0)


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    return status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])


def test_every_signal_has_its_method() -> None:
    async def scenario() -> None:
        async with running(Accepted()) as server:
            for method in METHODS:
                assert await server.export(b"abc", method) == b""
        assert server.ingest.requests == [
            Request(signal, Encoding.PROTOBUF, "", b"abc", "default", ARRIVAL_NS) for signal in METHODS.values()
        ]
        assert set(METHODS.values()) == set(Signal)

    asyncio.run(scenario())


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_messages_come_out_unpacked(compression: grpc.Compression) -> None:
    async def scenario() -> None:
        async with running(Accepted()) as server:
            await server.export(b"abc" * 1000, compression=compression)
        assert [each.body for each in server.ingest.requests] == [b"abc" * 1000]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "code", "outcome", "retry_ms"),
    [
        pytest.param(Malformed("bad"), "INVALID_ARGUMENT", "malformed", None, id="malformed"),
        pytest.param(TooLarge("big"), "RESOURCE_EXHAUSTED", "too_large", None, id="too large"),
        pytest.param(Overloaded("full", retry_after_s=0.5), "UNAVAILABLE", "overloaded", 500, id="overloaded"),
        pytest.param(StorageError("disk"), "UNAVAILABLE", "unavailable", 5000, id="storage"),
        pytest.param(RuntimeError("ours"), "UNAVAILABLE", "unavailable", 5000, id="our fault"),
    ],
)
def test_a_failure_has_its_code_and_says_whether_to_come_again(
    error: Exception, code: str, outcome: str, retry_ms: int | None
) -> None:
    async def scenario() -> None:
        async with running(error) as server:
            failure = await server.failure()
        retry, told = error_details_pb2.RetryInfo(), details(failure)
        unpacked = any(detail.Unpack(retry) for detail in told.details)
        assert (failure.code().name, told.code) == (code, failure.code().value[0])
        assert (retry.retry_delay.ToMilliseconds() if unpacked else None) == retry_ms
        assert server.counts.sums[("requests_total", "grpc", "traces", outcome)] == 1

    asyncio.run(scenario())


def test_a_partial_success_is_counted_as_one() -> None:
    async def scenario() -> None:
        async with running(Accepted(2, "no ids")) as server:
            assert await server.export(b"abc") == b"\x0a\x0a\x08\x02\x12\x06no ids"
        assert server.counts.sums[("requests_total", "grpc", "traces", "partial")] == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_never_reaches_the_ingest_step(compression: grpc.Compression) -> None:
    async def scenario() -> None:
        async with running(Accepted(), GrpcSettings(max_message_bytes=1000)) as server:
            failure = await server.failure(bytes(2000), compression=compression)
        assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert server.ingest.requests == []

    asyncio.run(scenario())


def test_an_answer_that_does_not_come_in_time_is_temporary() -> None:
    async def scenario() -> None:
        async with running(None, GrpcSettings(answer_timeout_s=0.05)) as server:
            assert (await server.failure()).code() is grpc.StatusCode.UNAVAILABLE

    asyncio.run(scenario())


def test_an_unknown_method_is_unimplemented() -> None:
    async def scenario() -> None:
        async with running(Accepted()) as server:
            failure = await server.failure(method=TRACES.replace("Export", "Nope"))
        assert failure.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(scenario())


def test_a_cancelled_call_leaves_the_request_alone() -> None:
    async def scenario() -> None:
        async with running() as server:
            call = server.channel.unary_unary(TRACES)(b"abc")
            while not server.ingest.futures:
                await asyncio.sleep(0.01)
            call.cancel()
            await asyncio.wait([asyncio.ensure_future(call.code())])
            await asyncio.sleep(0.05)
            assert not server.ingest.futures[0].cancelled()
            server.ingest.answer(0, Accepted())
            server.ingest.at_once = Accepted()
            assert await server.export(b"after") == b""

    asyncio.run(scenario())


def test_calls_that_wait_do_not_keep_others_from_being_served() -> None:
    async def scenario() -> None:
        async with running() as server:
            calls = [server.channel.unary_unary(TRACES)(b"abc", timeout=10) for _ in range(200)]
            while len(server.ingest.futures) < 200:
                await asyncio.sleep(0.01)
            for index in reversed(range(200)):
                server.ingest.answer(index, Accepted())
            assert [await call for call in calls] == [b""] * 200

    asyncio.run(scenario())


def test_a_call_in_flight_is_answered_before_the_stop() -> None:
    async def scenario() -> None:
        async with running() as server:
            call = asyncio.ensure_future(server.export(b"abc"))
            while not server.ingest.futures:
                await asyncio.sleep(0.01)
            stop = asyncio.ensure_future(server.receiver.stop(10))
            await asyncio.sleep(0.05)
            server.ingest.answer(0, Accepted())
            assert await call == b""
            await stop
            await server.receiver.stop(10)

    asyncio.run(scenario())


def test_a_connection_over_the_limit_is_closed_and_one_that_goes_makes_room() -> None:
    async def scenario() -> None:
        async with running(Accepted(), GrpcSettings(max_connections=3)) as server:
            host, port = server.address.split(":")
            idle = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
            ends = {asyncio.ensure_future(reader.read()) for reader, _ in idle}
            while len(ends) > 3:
                _, ends = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            assert (await server.failure()).code() is grpc.StatusCode.UNAVAILABLE
            for _, writer in idle:
                writer.close()
            await asyncio.wait(ends)
            assert await server.export(b"abc", wait_for_ready=True) == b""

    asyncio.run(scenario())


def test_health_says_that_every_service_is_served() -> None:
    async def scenario() -> None:
        async with running() as server:
            check = health_pb2_grpc.HealthStub(server.channel).Check
            for service in ("", "opentelemetry.proto.collector.trace.v1.TraceService"):
                answer = await check(health_pb2.HealthCheckRequest(service=service))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING

    asyncio.run(scenario())


def test_a_port_in_use_is_an_os_error() -> None:
    async def scenario() -> None:
        async with running() as server:
            other = GrpcReceiver(HandIngest(), GrpcSettings(), clock=lambda: 0, count=Counts())
            with pytest.raises(OSError, match="in use"):
                await other.start("127.0.0.1", int(server.address.rpartition(":")[2]))

    asyncio.run(scenario())
