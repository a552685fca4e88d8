"""How a client behaves; docs/reference/client.md lists the same."""

from dataclasses import dataclass

from monitorx.client import value
from monitorx.client.breaker import BreakerSettings
from monitorx.client.retry import Retry


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """
    How a client behaves.

    Attributes:
        timeout_s: For each step of one attempt: connect, write, read.
        max_connections: Held open to the server, at most.
        max_buffered: Inferences that wait to be sent; beyond it the oldest is dropped, and counted.
        batch_size: Inferences in one request, up to 1000; so many waiting are sent at once.
        flush_every_s: Fewer than that are sent after this time.
        close_within_s: How long leaving `async with` tries to send what waits, while the server does not answer.
        retry, breaker: What happens when the server does not answer.

    Raises:
        ValueError: Field, value and what would be right.
    """

    timeout_s: float = 10.0
    max_connections: int = 10
    max_buffered: int = 10_000
    batch_size: int = 500
    flush_every_s: float = 1.0
    close_within_s: float = 10.0
    retry: Retry = Retry()  # noqa: RUF009  frozen, so it may be shared
    breaker: BreakerSettings = BreakerSettings()  # noqa: RUF009  frozen, so it may be shared

    def __post_init__(self) -> None:
        for field in ("timeout_s", "max_connections", "max_buffered", "flush_every_s", "close_within_s"):
            if not 0 < getattr(self, field) < float("inf"):
                raise value.unusable(field, getattr(self, field), "a number above 0 is expected")
        if not 1 <= self.batch_size <= 1000:
            raise value.unusable("batch_size", self.batch_size, "1 to 1000 are expected")
