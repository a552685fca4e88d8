"""An ingest step that a test answers by hand, and a connection without a socket."""

import asyncio
import email.parser
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from monitorx.backend.receiver.admission import Accepted, Request
from monitorx.backend.receiver.bound import Budget, HttpSettings
from monitorx.backend.receiver.connection import Connection
from monitorx.backend.receiver.reception import Reception

ARRIVAL_NS = 1_700_000_000_000_000_000


class HandIngest:
    """
    Keeps requests; the test answers them.

    Args:
        at_once: What every request is answered with at once; None leaves that to the test.
    """

    def __init__(self, at_once: Accepted | BaseException | None = None) -> None:
        self.at_once = at_once
        self.requests: list[Request] = []
        self.futures: list[Future[Accepted]] = []

    def submit(self, request: Request) -> "Future[Accepted]":
        self.requests.append(request)
        self.futures.append(Future())
        if self.at_once is not None:
            self.answer(-1, self.at_once)
        return self.futures[-1]

    def answer(self, index: int, answer: Accepted | BaseException) -> None:
        if isinstance(answer, BaseException):
            self.futures[index].set_exception(answer)
        else:
            self.futures[index].set_result(answer)


class Counts:
    """Counters as a dictionary: (name, label values) to their sum."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, ...]] = Counter()

    def __call__(self, name: str, labels: Mapping[str, str], value: float) -> None:
        self.sums[(name.removeprefix("monitorx_receiver_"), *map(str, labels.values()))] += int(value)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, read back."""

    status: int
    headers: dict[str, str]
    body: bytes


class MemoryTransport(asyncio.Transport):
    """What a connection does to its socket, written down."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.reading = True
        self.state = "open"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.state == "open", "written after the end"
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.state = "half closed"

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"

    def pause_reading(self) -> None:
        assert self.reading, "paused twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True


class Peer:
    """A sender at the other end of one connection, on a clock that the test moves."""

    def __init__(self, settings: HttpSettings | None = None, at_once: Accepted | BaseException | None = None) -> None:
        self.ingest = HandIngest(at_once)
        self.counts = Counts()
        self.now = 0.0
        used = settings or HttpSettings()
        self.reception = Reception(
            self.ingest,
            used,
            lambda: ARRIVAL_NS,
            lambda: self.now,
            lambda function, *args: function(*args),
            self.counts,
            Budget(used.max_buffered_bytes),
        )
        self.connection, self.transport = self.connect()

    def connect(self) -> tuple[Connection, MemoryTransport]:
        """One more connection to the same receiver."""
        connection, transport = Connection(self.reception), MemoryTransport()
        connection.connection_made(transport)
        return connection, transport

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)

    def wait(self, seconds: float) -> None:
        """Let time pass, and the deadlines with it."""
        self.now += seconds
        if self.connection.deadline <= self.now:
            self.connection.expire()

    def replies(self) -> list[Reply]:
        """What came back so far; 100 Continue included."""
        return list(read_replies(self.transport.sent))

    def reply(self) -> Reply:
        """The only answer."""
        (only,) = self.replies()
        return only


def read_replies(data: bytes) -> list[Reply]:
    """Every answer in *data*, which must hold nothing else."""
    replies = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, _, rest = head.decode("latin-1").partition("\r\n")
        fields = email.parser.Parser().parsestr(rest)
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        size = int(fields.get("content-length", "0"))
        headers = {name.lower(): value for name, value in fields.items()}
        replies.append(Reply(int(status), headers, data[:size]))
        data = data[size:]
    return replies


def request(
    body: bytes = b"", *, target: str = "/v1/traces", method: str = "POST", length: int | None = None, **headers: str
) -> bytes:
    """An HTTP request; `content_type="…"` stands for Content-Type."""
    fields = {"host": "x", "content-type": "application/x-protobuf"}
    if "transfer_encoding" not in headers:
        fields["content-length"] = str(len(body) if length is None else length)
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body
