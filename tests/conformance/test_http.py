"""The HTTP receiver on a real port: it listens, answers, keeps its deadlines and stops without losing an answer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from monitorx.backend.receiver.admission import Accepted
from monitorx.backend.receiver.http import HttpReceiver, HttpSettings
from tests.support.reception import ARRIVAL_NS, Counts, HandIngest, Reply, read_replies, request


@asynccontextmanager
async def running(
    ingest: HandIngest, settings: HttpSettings | None = None
) -> AsyncIterator[tuple[HttpReceiver, tuple[str, int]]]:
    receiver = HttpReceiver(ingest, settings or HttpSettings(), clock=lambda: ARRIVAL_NS, count=Counts())
    try:
        yield receiver, await receiver.start("127.0.0.1", 0)
    finally:
        await receiver.stop(0)


async def until_requested(ingest: HandIngest) -> None:
    while not ingest.requests:
        await asyncio.sleep(0.01)


def test_a_request_over_a_socket_is_answered() -> None:
    async def scenario() -> None:
        async with running(HandIngest(Accepted())) as (_, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request(b"abc", connection="close"))
            (reply,) = read_replies(await reader.read())
            assert (reply.status, reply.body) == (200, b"")
            writer.close()

    asyncio.run(scenario())


def test_a_sender_that_writes_far_too_much_still_reads_why() -> None:
    async def scenario() -> None:
        settings = HttpSettings(max_body_bytes=4 << 20)
        async with running(HandIngest(Accepted()), settings) as (_, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request(bytes(6 << 20)))
            await writer.drain()
            (reply,) = read_replies(await reader.read())
            assert reply.status == 413
            writer.close()

    asyncio.run(scenario())


def test_a_head_that_trickles_in_is_given_up() -> None:
    async def scenario() -> None:
        async with running(HandIngest(), HttpSettings(head_timeout_s=0.1)) as (_, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request(b"abc")[:30])
            (reply,) = read_replies(await asyncio.wait_for(reader.read(), 10))
            assert reply.status == 408
            writer.close()

    asyncio.run(scenario())


def test_a_stop_answers_what_is_in_flight_and_takes_nothing_more() -> None:
    async def scenario() -> None:
        ingest = HandIngest()
        async with running(ingest) as (receiver, address):
            reader, writer = await asyncio.open_connection(*address)
            idle, idle_writer = await asyncio.open_connection(*address)
            writer.write(request(b"abc"))
            await until_requested(ingest)
            counted = (receiver.connections, receiver.buffered_bytes)

            stop = asyncio.ensure_future(receiver.stop(10))
            ended = await idle.read()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*address)
            ingest.answer(0, Accepted())

            headers = {"content-type": "application/x-protobuf", "content-length": "0", "connection": "close"}
            assert read_replies(await reader.read()) == [Reply(200, headers, b"")]
            assert (counted, ended) == ((2, 3), b"")
            await stop
            writer.close()
            idle_writer.close()

    asyncio.run(scenario())


def test_a_stop_waits_no_longer_than_its_grace() -> None:
    async def scenario() -> None:
        ingest = HandIngest()
        async with running(ingest) as (receiver, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request(b"abc"))
            await until_requested(ingest)
            await receiver.stop(0.05)
            assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())


def test_a_port_in_use_is_an_os_error() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            receiver = HttpReceiver(HandIngest(), HttpSettings(), clock=lambda: 0, count=Counts())
            with pytest.raises(OSError, match="in use"):
                await receiver.start("127.0.0.1", taken.getsockname()[1])
            await receiver.stop(0)

    asyncio.run(scenario())
