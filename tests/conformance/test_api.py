"""The API's server on a real port: it answers, and gives up who keeps it waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse, StreamingResponse

from monitorx.backend.api.body import BoundedRoute
from monitorx.backend.api.connection import ApiSettings
from monitorx.backend.api.serve import ApiServer
from tests.support.reception import Counts, read_replies

LARGE = 8 << 20  # more than sockets hold
ASKED = b"GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n"


@asynccontextmanager
async def running(settings: ApiSettings, counts: Counts) -> AsyncIterator[tuple[str, int]]:
    app = FastAPI()
    app.get("/large")(lambda: PlainTextResponse("a" * LARGE))
    app.get("/livez")(lambda: PlainTextResponse("ok"))
    written = APIRouter(route_class=BoundedRoute)
    written.post("/written")(lambda: PlainTextResponse("ok"))
    app.include_router(written)
    server = ApiServer(app, settings, count=counts)
    try:
        yield await server.start("127.0.0.1", 0)
    finally:
        await server.stop()


async def answered(address: tuple[str, int], sent: bytes) -> bytes:
    """Everything that comes back for *sent* until the server hangs up."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("sent", "statuses", "reasons"),
    [
        pytest.param(b"", [], [], id="nothing"),
        pytest.param(b"GET /livez HTTP/1.1\r\nx: ", [408], ["slow_head"], id="half a head"),
        pytest.param(b"GET /livez HTTP/1.1\r\n\r\n", [200], [], id="a request and then nothing"),
    ],
)
def test_who_does_not_go_on_is_hung_up_on(sent: bytes, statuses: list[int], reasons: list[str]) -> None:
    counts = Counts()

    async def scenario() -> list[int]:
        async with running(ApiSettings(timeout_s=0.1, keep_alive_s=60), counts) as address:
            return [reply.status for reply in read_replies(await answered(address, sent))]

    assert uvloop.run(scenario()) == statuses
    assert [reason for _, reason in counts.sums] == reasons


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    counts = Counts()

    async def scenario() -> None:
        async with running(ApiSettings(timeout_s=0.1), counts) as address:
            _, writer = await asyncio.open_connection(*address, limit=1)
            writer.write(b"GET /large HTTP/1.1\r\n\r\n")
            while not counts.sums:
                await asyncio.sleep(0.01)
            writer.transport.abort()

    uvloop.run(scenario())
    assert [reason for _, reason in counts.sums] == ["slow_answer"]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            b"POST /written HTTP/1.1\r\ncontent-type: application/json\r\n"
            b"content-length: 10\r\nexpect: 100-continue\r\n\r\n",
            id="a body that does not come",
        ),
        pytest.param(b"GET /large HTTP/1.1\r\n\r\n", id="an answer that nobody reads"),
        pytest.param(b"GET /large HTTP/1.1\r\nconnection: close\r\n\r\n", id="a last answer that nobody reads"),
    ],
)
def test_a_probe_is_answered_while_others_hold_all_places(sent: bytes) -> None:
    counts = Counts()

    async def scenario() -> list[int]:
        async with running(ApiSettings(max_connections=4), counts) as address:
            others = [await asyncio.open_connection(*address, limit=1) for _ in range(4)]
            for reader, writer in others:
                writer.write(sent)
                await reader.readexactly(1)  # so it has come, and is under way
            replies = read_replies(await answered(address, ASKED))
            for _, writer in others:
                writer.transport.abort()
            return [reply.status for reply in replies]

    assert uvloop.run(scenario()) == [200]
    assert [reason for _, reason in counts.sums] == ["too_many"]


def test_little_of_an_answer_lies_where_it_cannot_be_seen_whether_it_is_read() -> None:
    made: list[int] = []
    held: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LARGE >> 12):
            made.append(1 << 12)
            yield b"a" * (1 << 12)

    async def scenario() -> None:
        app = FastAPI()
        app.get("/large")(lambda: StreamingResponse(pieces()))
        server = ApiServer(app, ApiSettings(timeout_s=0.1), count=lambda *_: held.append(sum(made)))
        address = await server.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*address, limit=1)
        writer.write(b"GET /large HTTP/1.1\r\n\r\n")
        while not held:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        await server.stop()

    uvloop.run(scenario())
    assert [size < 1 << 20 for size in held] == [True]
