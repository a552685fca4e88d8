"""
Intervals that are not delivered yet.

An interval that failed is sent again as it was. An export may have arrived although it was reported as failed (a
timeout), and a receiver knows the repeated point by its series, start and end; else it would count twice. Only when
many wait are the oldest two merged, which keeps the memory bounded at the price of that protection.
"""

from collections import deque
from collections.abc import Callable

from monitorx.processor.aggregate import Interval

INTERVALS_KEPT = 12
AGE_KEPT_NS = 15 * 60 * 10**9  # what is older tells nobody anything and is dropped, counted
FAILURES_A_ROUND = 2  # one bad interval does not hold up the rest; a second failure means that nobody listens


class Outbox:
    """A bounded queue of intervals, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[Interval] = deque()
        self._dropped = 0
        self._values_dropped = 0

    def put(self, interval: Interval, now_ns: int) -> None:
        """Queue *interval*."""
        self._waiting.append(interval)
        while self._waiting and now_ns - self._waiting[0].start_ns > AGE_KEPT_NS:
            old = self._waiting.popleft()
            self._dropped += old.calls + sum(old.dropped.values())
            self._values_dropped += old.values + sum(old.values_dropped.values())
        if len(self._waiting) > INTERVALS_KEPT:
            oldest = self._waiting.popleft()
            oldest.merge(self._waiting.popleft())
            self._waiting.appendleft(oldest)

    def send(self, send: Callable[[Interval], bool]) -> int:
        """Deliver what waits, oldest first, by *send*, which says whether it did. Returns how many still wait."""
        failed: list[Interval] = []
        while self._waiting and len(failed) < FAILURES_A_ROUND:
            interval = self._waiting.popleft()
            if not send(interval):
                failed.append(interval)
        self._waiting.extendleft(reversed(failed))
        return len(self._waiting)

    def take_dropped(self) -> tuple[int, int]:
        """How many inferences, and values of features, were given up since the last time."""
        dropped = self._dropped, self._values_dropped
        self._dropped = self._values_dropped = 0
        return dropped

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._dropped = self._values_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)
