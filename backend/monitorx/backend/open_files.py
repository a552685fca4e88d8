"""Open files, and every connection is one: how many there may be, and a word when none is left."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable

import structlog

from monitorx.backend.count import Count

_LOOK_EVERY_S = 1.0
_UNLIMITED = 1 << 20
_log = structlog.get_logger(__name__)


def allow_all() -> int:
    """Let the process open as many as the system lets it, and not the usual 1024, which are few; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if allowed == resource.RLIM_INFINITY else allowed


def is_one_left() -> bool:
    """Whether one more connection could be opened."""
    try:
        socket.socket().close()
    except OSError:
        return False
    return True


class Watch:
    """
    Says when no file is left, and when there is one again.

    uvloop closes connections that it has no file for as soon as they come, and tells nobody.

    Args:
        limit: How many there may be, for the log.
        count: Where counters go.
        is_left: Whether there is one.
    """

    def __init__(self, limit: int, count: Count, is_left: Callable[[], bool] = is_one_left) -> None:
        self._limit = limit
        self._count = count
        self._is_left = is_left
        self._was_left = True

    async def run(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Look once."""
        is_left = self._is_left()
        if not is_left:
            self._count("monitorx_files_exhausted_total", {}, 1.0)
        if is_left != self._was_left:
            self._say(is_left)
        self._was_left = is_left

    def _say(self, is_left: bool) -> None:
        if is_left:
            _log.warning("there are open files to be had again")
            return
        _log.error(
            "no open file is left: new connections are closed, and writes may fail; allow the process more of them",
            limit=self._limit,
        )
