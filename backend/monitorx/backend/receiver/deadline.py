"""Deadlines of connections, kept by one task for all of them."""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

_SWEEP_S = 1.0


class Expiring(Protocol):
    """Something with a deadline, on the clock of whoever sweeps."""

    deadline: float

    def expire(self) -> None: ...


async def sweep(connections: Collection[Expiring], now: Callable[[], float]) -> None:
    """Call `expire` of each connection whose deadline has passed, about once a second, until cancelled."""
    # One pass over all connections costs less than a timer armed and disarmed for every request.
    while True:
        await asyncio.sleep(_SWEEP_S)
        at = now()
        for connection in [each for each in connections if each.deadline <= at]:
            connection.expire()
