"""The API's server on a real port: it answers, and gives up who keeps it waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from monitorx.backend.api.connection import ApiSettings
from monitorx.backend.api.serve import ApiServer
from tests.support.reception import Counts, read_replies

LARGE = 8 << 20  # more than sockets hold


@asynccontextmanager
async def running(settings: ApiSettings, counts: Counts) -> AsyncIterator[tuple[str, int]]:
    app = FastAPI()
    app.get("/large")(lambda: PlainTextResponse("a" * LARGE))
    app.get("/livez")(lambda: PlainTextResponse("ok"))
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
