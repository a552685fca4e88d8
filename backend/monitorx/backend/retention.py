"""
Retention: now and then what is old is deleted, whole segments of the journal and rows of the store.

What is old is told by the clock, and deleting cannot be undone. So a clock that is suddenly far ahead is not believed
at once: a machine that begins with a wrong time is put right within minutes.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from monitorx.backend.count import Count
from monitorx.backend.journal import Journal
from monitorx.backend.storage.store import Selection, Store

EVERY = timedelta(minutes=10)
LEAP = timedelta(hours=1)  # a clock that is further ahead than this is doubted
DOUBTED_FOR = timedelta(hours=1)
_END_NS = (1 << 63) - 1

_log = structlog.get_logger(__name__)


class SureClock:
    """
    The time as far as it is certain.

    Args:
        clock: Ns since epoch; may be wrong.
        monotonic: Seconds; only ever goes on.
        known_ns: The newest time that is held, see `newest_ns`; None where nothing is, and nothing to lose.
    """

    def __init__(self, clock: Callable[[], int], monotonic: Callable[[], float], *, known_ns: int | None) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._known_ns = clock() if known_ns is None else known_ns
        self._known_s = monotonic()
        self._ahead_ns = 0
        self._doubted_s = 0.0

    def now_ns(self) -> int:
        """The clock's time; what is known and the time since then, while the clock is doubted."""
        now_ns, now_s = self._clock(), self._monotonic()
        expected_ns = self._known_ns + int((now_s - self._known_s) * 1e9)
        ahead_ns = now_ns - expected_ns
        if ahead_ns > _ns(LEAP) and not self._is_confirmed(ahead_ns, now_s):
            return expected_ns
        self._known_ns, self._known_s, self._ahead_ns = now_ns, now_s, 0
        return now_ns

    def _is_confirmed(self, ahead_ns: int, now_s: float) -> bool:
        """Whether the clock has been ahead by as much as now for so long that it will be right."""
        if abs(ahead_ns - self._ahead_ns) > _ns(LEAP):
            self._ahead_ns, self._doubted_s = ahead_ns, now_s
            _log.warning(
                "the clock is far ahead of the newest record; if it stays, things are deleted by it in an hour",
                ahead_s=ahead_ns // 10**9,
            )
        return now_s - self._doubted_s >= DOUBTED_FOR.total_seconds()


def newest_ns(store: Store, arrived_ns: int | None, *, tenant: str) -> int | None:
    """
    The newest time that journal and store hold; None where both are empty.

    The journal may be gone, or end in a record that cannot be read, while the store is full.

    Args:
        arrived_ns: When the newest record of the journal arrived; None where that is not known.
    """
    since_ns = arrived_ns or 0
    points = store.points(Selection(tenant, since_ns, _END_NS), limit=1)
    times = [*store.keys(since_ns).values(), *(point.time_ns for point in points)]
    return max(times, default=arrived_ns)


class Retention:
    """
    Deletes what is older than *keep*.

    Args:
        position: Up to where the store has what the journal has.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        position: Callable[[], int],
        clock: SureClock,
        *,
        keep: timedelta,
        count: Count,
    ) -> None:
        self._store, self._journal, self._position = store, journal, position
        self._clock, self._keep_ns, self._count = clock, _ns(keep), count

    async def run(self) -> None:
        """Delete again and again; blocks nobody."""
        while True:
            await asyncio.to_thread(self.trim)
            await asyncio.sleep(EVERY.total_seconds())

    def trim(self) -> None:
        """Delete once. What fails is tried again; the server goes on without it."""
        before_ns = self._clock.now_ns() - self._keep_ns
        try:
            freed = self._journal.trim(before_ns, self._position())
            rows = self._store.trim(before_ns)
        except Exception as error:  # noqa: BLE001  the boundary of a task that nobody waits for
            self._count("monitorx_store_errors_total", {"operation": "trim"}, 1.0)
            _log.error("retention could not delete what is old", error=str(error))
        else:
            self._count("monitorx_journal_trimmed_bytes_total", {}, float(freed))
            self._count("monitorx_store_trimmed_rows_total", {}, float(rows))


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
