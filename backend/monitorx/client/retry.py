"""When to try again: exponential backoff with jitter, the server's own Retry-After before that."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses of troubles that pass


@dataclass(frozen=True, slots=True)
class Retry:
    """
    How often and how patiently.

    Attributes:
        attempts: Of one request, the first included.
        first_s: The longest wait after the first attempt; it doubles with each further one.
        longest_s: No wait is longer, whatever the server asks for.

    Raises:
        ValueError: Field, value and what would be right.
    """

    attempts: int = 4
    first_s: float = 0.25
    longest_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: {self.attempts} cannot be used; 1 or more are expected")
        if not 0 < self.first_s <= self.longest_s:
            raise ValueError(f"first_s: {self.first_s} cannot be used; above 0, up to longest_s ({self.longest_s})")

    def within(self, time_s: float) -> "Retry":
        """Attempts without end, for *time_s* in which the last ones must be made: no wait is over a quarter of it."""
        longest_s = min(self.longest_s, time_s / 4)
        return Retry(attempts=sys.maxsize, first_s=min(self.first_s, longest_s), longest_s=longest_s)

    def wait_s(self, attempt: int, asked_s: float | None, random: Callable[[], float]) -> float:
        """
        How long to wait after *attempt*, which is 1 for the first.

        Args:
            asked_s: What the server asked for; None where it did not.
            random: Gives numbers in [0, 1), so that many clients do not come back at the same moment.
        """
        if asked_s is not None:
            return min(asked_s, self.longest_s)
        doubled = self.first_s * 2.0 ** min(attempt - 1, 30)
        return min(doubled, self.longest_s) * (0.5 + random() / 2)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, written as a number or as a date; None where it says nothing."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header[:12])
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
