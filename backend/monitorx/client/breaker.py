"""A circuit breaker: a server that fails again and again is left alone for a while, then asked once."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Circuit(StrEnum):
    """What the breaker lets through."""

    CLOSED = "closed"  # everything
    OPEN = "open"  # nothing
    HALF_OPEN = "half_open"  # one request, to see


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """
    When the circuit opens, and for how long.

    Attributes:
        failures: In a row, before it opens.
        first_s: How long it stays open; doubled each time the one request after it fails, too.
        longest_s: And no longer than this.
    """

    failures: int = 5
    first_s: float = 1.0
    longest_s: float = 30.0


class Breaker:
    """
    Counts failures in a row.

    Args:
        clock: Seconds, monotonic.

    Attributes:
        cause: Of the last failure, in words; empty after a success.
    """

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float]) -> None:
        self.cause = ""
        self._settings, self._clock = settings, clock
        self._failures = 0
        self._open_s = settings.first_s
        self._until: float | None = None
        self._is_probing = False

    @property
    def circuit(self) -> Circuit:
        """What is let through now."""
        if self._until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._clock() < self._until or self._is_probing else Circuit.HALF_OPEN

    def wait_s(self) -> float:
        """0 where a request may go out; else how long to wait. A request that may must be told of afterwards."""
        match self.circuit:
            case Circuit.CLOSED:
                return 0.0
            case Circuit.HALF_OPEN:
                self._is_probing = True
                return 0.0
            case Circuit.OPEN:
                assert self._until is not None  # noqa: S101  for mypy: only a closed circuit has no end
                return max(self._until - self._clock(), 0.05)  # while another request probes, a moment

    def succeeded(self) -> None:
        """There was an answer, be it a refusal: the server is there."""
        self.cause = ""
        self._failures, self._until, self._is_probing = 0, None, False
        self._open_s = self._settings.first_s

    def failed(self, cause: str) -> None:
        """There was none, or the server has trouble."""
        self.cause = cause
        self._failures += 1
        if self._is_probing:
            self._open_s = min(self._open_s * 2, self._settings.longest_s)
        elif self._failures < self._settings.failures or self._until is not None:
            return
        self._is_probing = False
        self._until = self._clock() + self._open_s

    def given_up(self) -> None:
        """The request was broken off: nothing is known, the next one may probe."""
        self._is_probing = False
