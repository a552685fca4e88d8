"""
The OTLP/HTTP receiver: listens, keeps the deadlines of its connections, and stops without losing an answer.

Takes POST /v1/traces, /v1/metrics and /v1/logs in protobuf or JSON, gives each to the ingest step and answers when
that has made it durable. Keeps nothing but the bodies that wait, within `HttpSettings.max_buffered_bytes`.
"""

import asyncio
import contextlib
from collections.abc import Callable

from monitorx.backend.count import Count
from monitorx.backend.receiver.admission import Ingest
from monitorx.backend.receiver.bound import Budget, HttpSettings
from monitorx.backend.receiver.connection import Connection
from monitorx.backend.receiver.deadline import sweep
from monitorx.backend.receiver.reception import Reception

__all__ = ["HttpReceiver", "HttpSettings"]

_BACKLOG = 1024


class HttpReceiver:
    """
    One listening address.

    Args:
        ingest: Where requests go.
        settings: Bounds and deadlines.
        clock: ns since epoch.
        count: Where counters go.
    """

    def __init__(self, ingest: Ingest, settings: HttpSettings, *, clock: Callable[[], int], count: Count) -> None:
        self._ingest = ingest
        self._settings = settings
        self._clock = clock
        self._count = count
        self._server: asyncio.Server | None = None
        self._reception: Reception | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """
        Listen, on the running loop.

        Returns:
            Host and port, the latter as the system chose it where *port* is 0.

        Raises:
            OSError: The address cannot be used.
        """
        loop = asyncio.get_running_loop()
        reception = Reception(
            self._ingest,
            self._settings,
            self._clock,
            loop.time,
            _calls_soon(loop),
            self._count,
            Budget(self._settings.max_buffered_bytes),
        )
        self._server = await loop.create_server(lambda: Connection(reception), host, port, backlog=_BACKLOG)
        self._reception = reception
        self._sweeper = asyncio.create_task(sweep(reception.connections, reception.now))
        bound: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return bound

    async def stop(self, grace_s: float) -> None:
        """Take no new connection, let whole requests be answered for up to *grace_s*, close. Safe twice."""
        server, self._server = self._server, None
        reception, self._reception = self._reception, None
        sweeper, self._sweeper = self._sweeper, None
        if server is None or reception is None or sweeper is None:
            return
        server.close()
        reception.is_draining = True
        for connection in list(reception.connections):
            connection.drain()
        until = reception.now() + grace_s
        while reception.connections and reception.now() < until:  # noqa: ASYNC110  it happens once, at the end
            await asyncio.sleep(0.01)
        for connection in list(reception.connections):
            connection.abort()
        sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeper

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._reception.connections) if self._reception else 0

    @property
    def buffered_bytes(self) -> int:
        """Bodies held by all connections."""
        return self._reception.budget.held_bytes if self._reception else 0


def _calls_soon(loop: asyncio.AbstractEventLoop) -> Callable[..., object]:
    def call_soon(function: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has gone, and with it everybody who waited
            loop.call_soon_threadsafe(function, *args)

    return call_soon
