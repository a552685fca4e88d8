"""Serves the API on the server's own event loop, so that one process has one loop and one way to stop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI

from monitorx.backend.api.connection import ApiSettings, Connection
from monitorx.backend.count import Count
from monitorx.backend.receiver.deadline import Expiring, sweep

_POLL_S = 0.01
_UNREAD_BYTES = 64 << 10  # of an answer, held by the system for one connection


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the composition root has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class ApiServer:
    """
    One FastAPI application on one address.

    Args:
        app: What answers.
        settings: Bounds of its connections.
        count: Where counters go.
    """

    def __init__(self, app: FastAPI, settings: ApiSettings, *, count: Count) -> None:
        config = uvicorn.Config(
            app,
            http=partial(Connection, settings, count),  # type: ignore[arg-type]  # it is called, nothing else
            ws="none",  # there is no such path, and uvicorn would let such a connection out of its count
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=settings.keep_alive_s,
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """
        Listen; host and port as bound.

        Raises:
            OSError: The address cannot be used.
        """
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
        # Connections inherit it. The system tells of progress once a third of this has been read, and would let it grow
        # to 4 MiB, which a slow line does not read before a deadline.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
        bound: tuple[str, int] = listener.getsockname()[:2]
        self._task = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110  uvicorn has no event to wait for
            await asyncio.sleep(_POLL_S)
        connections = cast(set[Expiring], self._server.server_state.connections)  # all of them are `Connection`s
        self._sweeper = asyncio.create_task(sweep(connections, asyncio.get_running_loop().time))
        return bound

    async def stop(self) -> None:
        """Finish the answers under way, then close. Safe twice."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
