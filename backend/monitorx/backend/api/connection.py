"""
One connection to the API: uvicorn's, with the bounds that it lacks.

While no answer is made, it is the other side's turn: to send the head of a request, to read an answer, to go on. Every
such wait has the same deadline, which a sweeper checks about once a second. So whoever opens connections and lets them
lie takes the place of nobody.
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
        max_head_bytes: Of one request, about: what came in one read with its end is not counted.
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
        self._head_bytes: int | None = None  # of a head that is not whole
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
        super().data_received(data)
        if self._head_bytes is None or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > self._settings.max_head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "large_head")

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._head_bytes = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        """See asyncio."""
        super().pause_writing()
        self._wait()

    def expire(self) -> None:
        """The deadline has passed."""
        if self.transport.is_closing() or self.flow.write_paused:
            self._expire_answer()
        elif self._is_answering():
            return
        elif self._head_bytes is not None:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "slow_head")
        else:
            self._close()

    def _make_room(self) -> None:
        """Who has waited longest goes, so that a probe is answered also while others hold all places."""
        everybody = cast(set[Connection], self.connections)  # whoever serves makes no others
        waiting = [each for each in everybody if not each.transport.is_closing() and not each._is_answering()]
        longest = min(waiting, key=lambda each: each.deadline)
        longest._reject("too_many")
        longest.transport.abort()

    def _is_answering(self) -> bool:
        """Whether it is our turn."""
        return self.cycle is not None and not self.cycle.response_complete

    def _expire_answer(self) -> None:
        """A large answer over a slow line takes its time, as long as something of it is read."""
        unread_bytes = self.transport.get_write_buffer_size()
        if 0 < unread_bytes < self._unread_bytes:
            self._wait()
            self._unread_bytes = unread_bytes
            return
        self._reject("slow_answer")
        self.transport.abort()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._reject(reason)
        head = f"HTTP/1.1 {status} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        self.transport.write(head.encode())
        self._close()

    def _close(self) -> None:
        self.transport.close()
        self._wait()

    def _wait(self) -> None:
        """It is the other side's turn from now on."""
        self.deadline = self.loop.time() + self._settings.timeout_s
        self._unread_bytes = math.inf

    def _reject(self, reason: str) -> None:
        self._count("monitorx_api_connections_rejected_total", {"reason": reason}, 1.0)
