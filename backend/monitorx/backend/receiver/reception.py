"""What the connections of one OTLP/HTTP receiver share: where requests go, and how many there are."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from monitorx.backend.count import Count
from monitorx.backend.receiver.admission import Accepted, Ingest, Request
from monitorx.backend.receiver.bound import Budget, HttpSettings
from monitorx.backend.receiver.deadline import Expiring


class Ending(Expiring, Protocol):
    """A connection: its deadline is on the clock of `Reception.now`, and it can be ended."""

    def drain(self) -> None: ...

    def abort(self) -> None: ...


@dataclass(slots=True)
class Reception:
    """What the connections of one receiver share."""

    ingest: Ingest
    settings: HttpSettings
    clock: Callable[[], int]  # ns since epoch
    now: Callable[[], float]  # seconds, monotonic
    call_soon: Callable[..., object]  # runs a function on the connections' thread, from any thread
    count: Count
    budget: Budget
    connections: set[Ending] = field(default_factory=set)
    is_draining: bool = False

    def submit(self, request: Request) -> "Future[Accepted]":
        """Hand *request* on. What the ingest step must not do, raise, becomes an answer like any other."""
        try:
            return self.ingest.submit(request)
        except Exception as error:  # noqa: BLE001  the request waits in line for its answer already
            failed: Future[Accepted] = Future()
            failed.set_exception(error)
            return failed
