"""
One connection to the API: uvicorn's, with the bounds that it lacks.

It is our turn only while the answer to a whole request is made and nothing waits to be read. Else it is the turn of the
other side: to send a request to its end, to read an answer, to go on. Every such wait has the same deadline, which a
sweeper checks about once a second (that of a body is kept where it is read), and while it lasts, the connection has to
make room for others. So whoever opens connections and lets them lie, at whatever point, takes the place of nobody.
"""

import asyncio
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from monitorx.backend.count import Count


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """
    Bounds of the API's connections.

    Attributes:
        max_connections: Open at once; for one more, the one that has waited longest for its sender is closed.
        max_head_bytes: Of one request, about: what came in one read with its end is not counted. As much may come
            without any progress elsewhere: as trailers, for example.
        timeout_s: From the start of a connection, or the answer before, to the end of a head; and for which no byte of
            an answer is read.
        keep_alive_s: Between an answer and the first byte of the next request.
    """

    max_connections: int = 512
    max_head_bytes: int = 64 << 10
    timeout_s: float = 20.0
    keep_alive_s: int = 5


class Connection(HttpToolsProtocol):
    """See the module. *arguments* are uvicorn's."""

    def __init__(self, settings: ApiSettings, count: Count, **arguments: Any) -> None:  # Any: uvicorn's
        super().__init__(**arguments)
        self._settings = settings
        self._count = count
        self._is_head = False  # some of a head has come, and not all
        self._read_bytes = 0  # at once
        self._silent_bytes: int | None = 0  # that brought nothing on; None: what is read now has
        self._unread_bytes = math.inf  # of answers, when that was looked at last
        self.deadline = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See asyncio."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self._settings.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._read_bytes = len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._silent_bytes = 0 if self._silent_bytes is None else self._silent_bytes + len(data)
        if self._silent_bytes > self._settings.max_head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "large_head")

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._is_head = True
        self._silent_bytes = -self._read_bytes  # not those that came with its beginning: most may be of requests before

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. Trailers are of no use to us, and uvicorn would keep them all."""
        if self._is_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._is_head = False
        self._silent_bytes = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._silent_bytes = None
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._silent_bytes = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        """See asyncio. Of an answer in pieces, what was written before has been read meanwhile."""
        super().pause_writing()
        self._wait()

    def expire(self) -> None:
        """The deadline has passed."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self._expire_answer()
        elif self._is_under_way():
            return  # for its body there is a deadline where it is read
        elif self._is_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "slow_head")
        else:
            self._close()

    def _make_room(self) -> None:
        """Who has waited longest goes, so that a probe is answered also while others hold all places."""
        everybody = cast(set[Connection], self.connections)  # whoever serves makes no others
        waiting = [each for each in everybody if not each._is_our_turn()]
        min(waiting, key=lambda each: each.deadline)._abort("too_many")

    def _is_our_turn(self) -> bool:
        """Whether an answer is made: the request is whole, and nothing that was written waits to be read."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return False
        return self._is_under_way() and (bool(self.pipeline) or not self.cycle.more_body)

    def _is_under_way(self) -> bool:
        """Whether there is a request without its whole answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _expire_answer(self) -> None:
        """A large answer over a slow line takes its time, as long as something of it is read."""
        unread_bytes = self.transport.get_write_buffer_size()
        if 0 < unread_bytes < self._unread_bytes:
            self._wait()
            self._unread_bytes = unread_bytes
            return
        self._abort("slow_answer")

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        if self._is_under_way() or not self._is_head:
            self._abort(reason)  # what we say would be taken for another answer, or for a part of it
            return
        self._reject(reason)
        head = f"HTTP/1.1 {status} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        self.transport.write(head.encode())
        self._close()

    def _abort(self, reason: str) -> None:
        self._reject(reason)
        self.connections.discard(self)  # its place is free at once, also for those that come with the same wake-up
        self.transport.abort()

    def _close(self) -> None:
        self.transport.close()
        self._wait()

    def _wait(self) -> None:
        """It is the other side's turn from now on."""
        self.deadline = self.loop.time() + self._settings.timeout_s
        self._unread_bytes = math.inf

    def _reject(self, reason: str) -> None:
        self._count("monitorx_api_connections_rejected_total", {"reason": reason}, 1.0)
