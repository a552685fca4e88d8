"""A connection to the API is held for its answers, and for a bounded time between them."""

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from monitorx.backend.api.connection import ApiSettings, Connection
from tests.support.reception import Counts, MemoryTransport, read_replies

ASKED = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
POSTED = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
CHUNKED = b"GET /livez HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
HALF = b"GET /livez HTTP/1.1\r\nx: "


class Held:
    """What an answer waits for, until the test goes on with it."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass(eq=False)
class Loop:
    """An event loop as far as a connection knows one, on a clock that the test moves."""

    now: float = 0.0
    works: list[Coroutine[Any, Any, None]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def create_task(self, work: Coroutine[Any, Any, None]) -> "Loop":
        self.works.append(work)
        return self

    def add_done_callback(self, _: Callable[..., None]) -> None:
        """The task is dropped with the test."""

    def call_later(self, *_: object) -> "Loop":
        return self  # uvicorn's own deadline between requests is no matter here

    def cancel(self) -> None:
        """See `call_later`."""

    def go_on(self) -> None:
        """Run what was begun until it waits."""
        begun, self.works = self.works, []
        for work in begun:
            try:
                work.send(None)
            except StopIteration:
                continue
            self.works.append(work)


class Line(MemoryTransport):
    """A transport whose other end reads when the test says so."""

    unread_bytes = 0

    def is_closing(self) -> bool:
        return self.state != "open"

    def get_write_buffer_size(self) -> int:
        return self.unread_bytes


class Caller:
    """The other end of one connection."""

    def __init__(self, settings: ApiSettings = ApiSettings(), *, is_held: bool = False) -> None:  # noqa: B008  frozen
        async def answer(_: Any, receive: Any, send: Any) -> None:
            if is_held:
                await Held()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

        self.loop, self.counts = Loop(), Counts()
        self.settings = settings
        self.config = uvicorn.Config(answer, lifespan="off", ws="none", log_config=None, access_log=False)
        self.state = ServerState()
        self.connection, self.line = self.connect()

    def connect(self) -> tuple[Connection, Line]:
        connection = Connection(
            self.settings, self.counts, config=self.config, server_state=self.state, app_state={}, _loop=self.loop
        )
        line = Line()
        connection.connection_made(line)
        return connection, line

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)
            self.loop.go_on()

    def wait(self, seconds: float) -> None:
        self.loop.now += seconds
        if self.connection.deadline <= self.loop.now:
            self.connection.expire()

    def leave(self) -> None:
        """What asyncio does when the connection has gone, and what then ends."""
        self.connection.connection_lost(OSError())
        while self.loop.works:
            self.loop.go_on()

    @property
    def rejected(self) -> dict[str, int]:
        return {reason: number for (_, reason), number in self.counts.sums.items()}

    @property
    def statuses(self) -> list[int]:
        return [reply.status for reply in read_replies(self.line.sent)]


def test_who_says_nothing_is_hung_up_on() -> None:
    caller = Caller()

    caller.wait(19.9)
    assert caller.line.state == "open"
    caller.wait(0.1)

    assert (caller.line.state, caller.line.sent, caller.rejected) == ("closed", b"", {})


def test_a_head_that_trickles_in_has_the_same_deadline() -> None:
    caller = Caller()

    for _ in range(19):
        caller.wait(1)
        caller.send(HALF if not caller.loop.now > 1 else b"a")
    caller.wait(1)

    assert (caller.line.state, caller.statuses, caller.rejected) == ("closed", [408], {"slow_head": 1})


def test_after_an_answer_the_time_begins_again() -> None:
    caller = Caller()

    caller.wait(15)
    caller.send(ASKED)
    caller.wait(19.9)
    assert (caller.line.state, caller.statuses) == ("open", [200])
    caller.wait(0.1)

    assert caller.line.state == "closed"


def test_an_answer_is_waited_for_however_long_it_takes() -> None:
    caller = Caller(is_held=True)

    caller.send(ASKED)
    caller.wait(1000)
    caller.loop.go_on()
    caller.wait(19.9)

    assert (caller.line.state, caller.statuses, caller.rejected) == ("open", [200], {})


def test_the_body_of_an_answered_request_holds_no_connection() -> None:
    caller = Caller()

    caller.send(b"GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
    for _ in range(20):
        caller.wait(1)
        if caller.line.state == "open":
            caller.send(b"a")

    assert (caller.line.state, caller.statuses) == ("closed", [200])


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HALF, *[b"a" * 1000] * 101], id="one header"),
        pytest.param([HALF, *[b"a\r\nx: b\r\nx: "] * 10_000], id="many headers"),
        pytest.param([b"GET /" + b"a" * 1000, *[b"a" * 1000] * 101], id="address"),
    ],
)
def test_a_head_without_an_end_is_not_read_on(pieces: list[bytes]) -> None:
    caller = Caller(ApiSettings(max_head_bytes=100_000))

    for piece in pieces:
        if caller.line.state == "open":
            caller.send(piece)

    assert (caller.line.state, caller.statuses, caller.rejected) == ("closed", [431], {"large_head": 1})


def test_a_head_too_large_behind_a_request_that_is_answered_gets_no_answer_in_its_place() -> None:
    caller = Caller(ApiSettings(max_head_bytes=1000), is_held=True)

    caller.send(ASKED + HALF)
    caller.connection.data_received(b"a" * 1001)
    caller.leave()

    assert (caller.line.state, caller.line.sent, caller.rejected) == ("aborted", b"", {"large_head": 1})


def test_many_small_requests_at_once_are_no_large_head() -> None:
    caller = Caller(ApiSettings(max_head_bytes=1000), is_held=True)

    caller.send(ASKED * 100 + HALF)

    assert (caller.line.state, caller.rejected) == ("open", {})


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"a: b\r\n" * 100] * 2, id="many"),
        pytest.param([b"a: ", *[b"b" * 1000] * 2], id="one without an end"),
    ],
)
def test_trailers_are_not_kept_and_not_read_on(pieces: list[bytes]) -> None:
    caller = Caller(ApiSettings(max_head_bytes=1000))

    caller.send(CHUNKED, *pieces)

    assert caller.connection.headers == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]
    assert (caller.line.state, caller.rejected) == ("aborted", {"large_head": 1})


def test_a_request_with_trailers_is_answered_and_so_is_the_next() -> None:
    caller = Caller()

    caller.send(CHUNKED + b"a: b\r\n\r\n", ASKED)

    assert (caller.line.state, caller.statuses, caller.rejected) == ("open", [200, 200], {})


def test_a_body_is_no_head() -> None:
    caller = Caller(ApiSettings(max_head_bytes=100))

    caller.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n" + b"a" * 1000, ASKED)

    assert (caller.line.state, caller.statuses) == ("open", [200, 200])


def test_for_one_more_than_there_may_be_the_one_that_waited_longest_goes() -> None:
    caller = Caller(ApiSettings(max_connections=3))

    lines = [caller.line]
    for _ in range(3):
        caller.loop.now += 1
        caller.send(ASKED)  # the first one goes on asking
        lines.append(caller.connect()[1])

    assert [line.state for line in lines] == ["open", "aborted", "open", "open"]
    assert caller.rejected == {"too_many": 1}


def test_those_that_come_at_once_take_a_place_each() -> None:
    caller = Caller(ApiSettings(max_connections=2))

    others = [caller.connect()[1] for _ in range(3)]  # asyncio tells of a lost connection only after that

    assert [line.state for line in (caller.line, *others)].count("aborted") == 2


@pytest.mark.parametrize(
    ("sent", "unread_bytes", "is_closed"),
    [
        pytest.param(b"", 0, False, id="nothing sent"),
        pytest.param(HALF, 0, False, id="half a head"),
        pytest.param(POSTED + b"a", 0, False, id="half a body"),
        pytest.param(ASKED, 1, False, id="an answer that is not read"),
        pytest.param(ASKED, 1, True, id="the last answer not read"),
        pytest.param(ASKED, 0, True, id="a close not seen"),
    ],
)
def test_whoever_is_waited_for_makes_room(sent: bytes, unread_bytes: int, *, is_closed: bool) -> None:
    caller = Caller(ApiSettings(max_connections=1), is_held=True)
    caller.send(sent)
    caller.line.unread_bytes = unread_bytes
    if is_closed:
        caller.line.close()

    caller.loop.now += 1
    _, line = caller.connect()
    caller.leave()

    assert (caller.line.state, line.state, caller.rejected) == ("aborted", "open", {"too_many": 1})


@pytest.mark.parametrize("sent", [pytest.param(POSTED + b"ab", id="one"), pytest.param(ASKED + POSTED, id="the first")])
def test_whoever_waits_for_an_answer_keeps_its_place(sent: bytes) -> None:
    caller = Caller(ApiSettings(max_connections=1), is_held=True)
    caller.send(sent)

    caller.loop.now += 1
    _, line = caller.connect()
    caller.leave()

    assert (caller.line.state, line.state, caller.rejected) == ("open", "aborted", {"too_many": 1})


def test_while_all_are_answered_there_is_no_room_for_one_more() -> None:
    caller = Caller(ApiSettings(max_connections=1), is_held=True)

    caller.send(ASKED)
    _, line = caller.connect()
    caller.loop.go_on()

    assert (caller.statuses, line.state, caller.rejected) == ([200], "aborted", {"too_many": 1})


def test_a_place_that_is_left_is_free_again() -> None:
    caller = Caller(ApiSettings(max_connections=1))

    caller.connection.connection_lost(None)

    assert caller.connect()[1].state == "open"


def test_an_answer_that_is_read_slowly_may_take_its_time() -> None:
    caller = Caller()

    caller.send(ASKED)
    caller.line.close()  # as uvicorn does some seconds after an answer
    for unread_bytes in (3000, 2000, 1000):
        caller.line.unread_bytes = unread_bytes
        caller.wait(20)

    assert (caller.line.state, caller.rejected) == ("closed", {})


def test_an_answer_in_pieces_that_is_read_may_fill_up_again() -> None:
    caller = Caller(is_held=True)

    caller.send(ASKED)
    for unread_bytes in (3000, 3000, 4000):
        caller.connection.resume_writing()
        caller.connection.pause_writing()
        caller.line.unread_bytes = unread_bytes
        caller.wait(20)
    caller.leave()

    assert (caller.line.state, caller.rejected) == ("open", {})


@pytest.mark.parametrize("is_held", [pytest.param(False, id="written"), pytest.param(True, id="being made")])
def test_an_answer_that_is_not_read_is_given_up(is_held: bool) -> None:
    caller = Caller(is_held=is_held)

    caller.send(ASKED)
    caller.connection.pause_writing()  # asyncio does
    caller.line.unread_bytes = 3000
    for _ in range(2):
        caller.wait(20)
    caller.leave()

    assert (caller.line.state, caller.rejected, caller.loop.works) == ("aborted", {"slow_answer": 1}, [])
