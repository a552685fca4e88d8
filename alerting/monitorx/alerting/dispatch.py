"""
Messages on their way from the outbox to their channels.

Takes rows that are on disk; each gets its own task, which tries until the row is settled: delivered, refused for good,
or too old. Waiting between attempts takes up no place; trying does, and a place is only given back once the outcome is
on disk, so that a crash can repeat at most the messages that were being tried.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from monitorx.alerting.channel.channel import Channel, Delivery, Outcome, plain
from monitorx.alerting.ledger import Count, Settled
from monitorx.alerting.store import OutboxRow

_log = logging.getLogger(__name__)

Settle = Callable[[Settled], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Retry:
    """
    How deliveries are tried again.

    Attributes:
        first: The longest wait before the second attempt; it doubles from then on, and a random part of it is waited.
        longest: The most that is waited of our own accord.
        give_up_after: The age at which a message is given up.
        attempt: The most one attempt may last, whatever the channel's own timeout.
        places: How many attempts may go on at once. They are shared out evenly among the channels, so that one that
            hangs cannot take the places of the others.
    """

    first: timedelta = timedelta(seconds=0.5)
    longest: timedelta = timedelta(minutes=1)
    give_up_after: timedelta = timedelta(hours=24)
    attempt: timedelta = timedelta(minutes=3)
    places: int = 16

    def wait(self, attempts: int, asked: timedelta | None, rng: Random) -> timedelta:
        """How long to wait after *attempts* that failed; never less than the other side asked for."""
        doublings = min(attempts - 1, 16)  # beyond it `longest` holds in any case
        most = min(self.first * (1 << doublings), self.longest)
        own = most * (0.5 + rng.random() / 2)
        return max(own, asked) if asked is not None else own


class Dispatch:
    """
    Delivers rows.

    Args:
        channels: By the id that rows have.
        settle: Called with each outcome that ends a row; returns when it is on disk.
        clock: The server's clock.
        rng: For the random part of waits.
        count: Adds to a counter.
        retry: How deliveries are tried again.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        settle: Settle,
        clock: Callable[[], datetime],
        rng: Random,
        count: Count,
        retry: Retry | None = None,
    ) -> None:
        self._channels = dict(channels)
        self._settle = settle
        self._clock = clock
        self._rng = rng
        self._count = count
        self._retry = retry or Retry()
        self._places = asyncio.Semaphore(self._retry.places)
        share = max(1, self._retry.places // max(1, len(self._channels)))
        self._shares = {channel: asyncio.Semaphore(share) for channel in self._channels}
        self._tasks: dict[asyncio.Task[None], OutboxRow] = {}
        self._ids: set[str] = set()
        self._trying: set[asyncio.Task[None]] = set()
        self._failing: dict[str, str] = {}
        self._gone: set[str] = set()
        self._is_stopping = False

    @property
    def failing(self) -> Mapping[str, str]:
        """Channels whose last attempt did not get through, and the words for it."""
        return dict(self._failing)

    def put(self, rows: Iterable[OutboxRow]) -> None:
        """Take rows over; they are on disk."""
        for row in rows:
            if row.notification.id in self._ids:
                continue
            self._ids.add(row.notification.id)
            task = asyncio.get_running_loop().create_task(self._deliver(row))
            self._tasks[task] = row
            task.add_done_callback(self._ended)

    async def stop(self, drain: timedelta) -> None:
        """Let attempts that go on end, for *drain* at most; what is left stays in the outbox for the next start."""
        self._is_stopping = True
        for task in set(self._tasks) - self._trying:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=drain.total_seconds())
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Close the channels."""
        for channel_id, channel in self._channels.items():
            try:
                await channel.aclose()
            except Exception:  # noqa: BLE001 - a plug-in's failure to close must not keep the others open
                _log.warning("channel %s: could not be closed", channel_id, exc_info=True)

    async def _deliver(self, row: OutboxRow) -> None:
        attempts = 0
        while True:
            attempts += 1
            asked = await self._tried(row, attempts)
            if asked is None or self._is_stopping:
                return
            await asyncio.sleep(asked.total_seconds())

    async def _tried(self, row: OutboxRow, attempts: int) -> timedelta | None:
        """One attempt in its place; how long to wait for the next, None once the row is settled."""
        channel = self._channels.get(row.channel)
        if channel is None:
            await self._settled(row, Outcome(Delivery.FAILED, "the configuration has no such channel any more"))
            return None
        async with self._shares[row.channel], self._places:
            task = asyncio.current_task()
            assert task is not None, "only tasks get here"  # noqa: S101 - states what the type cannot
            self._trying.add(task)
            try:
                return await self._settled_or_wait(row, attempts, await self._attempt(channel, row))
            finally:
                self._trying.discard(task)

    async def _settled_or_wait(self, row: OutboxRow, attempts: int, outcome: Outcome) -> timedelta | None:
        self._count("monitorx_alerting_attempts_total", {"channel": row.channel, "outcome": outcome.delivery.value}, 1)
        if outcome.delivery is not Delivery.RETRY:
            await self._settled(row, outcome)
            return None
        self._failing[row.channel] = outcome.words
        wait = self._retry.wait(attempts, outcome.after, self._rng)
        if self._clock() + wait - row.notification.at >= self._retry.give_up_after:
            words = plain(f"given up after {attempts} attempts; the last: {outcome.words}")
            await self._settled(row, Outcome(Delivery.FAILED, words))
            return None
        _log.info("channel %s: next attempt in %.1fs: %s", row.channel, wait.total_seconds(), outcome.words)
        return wait

    async def _attempt(self, channel: Channel, row: OutboxRow) -> Outcome:
        if row.channel in self._gone:
            return Outcome(Delivery.GONE, "the other side has said that it wants nothing more")
        try:
            async with asyncio.timeout(self._retry.attempt.total_seconds()):
                return await channel.send(row.notification)
        except TimeoutError:
            return Outcome(Delivery.RETRY, "the channel did not end in time")
        except Exception as error:  # noqa: BLE001 - a plug-in's error is an attempt that failed, counted by the caller
            _log.exception("channel %s: raised instead of answering", row.channel)
            return Outcome(Delivery.RETRY, f"the channel raised {type(error).__name__}")

    async def _settled(self, row: OutboxRow, outcome: Outcome) -> None:
        if outcome.delivery is Delivery.DELIVERED:
            self._failing.pop(row.channel, None)
            late = (self._clock() - row.notification.at).total_seconds()
            self._count("monitorx_alerting_delivery_seconds_total", {"channel": row.channel}, max(late, 0.0))
        else:
            self._failing[row.channel] = outcome.words
            _log.error("channel %s: %s %s: %s", row.channel, row.notification.id, outcome.delivery, outcome.words)
        if outcome.delivery is Delivery.GONE:
            self._gone.add(row.channel)
        await self._settle(Settled(row, outcome.delivery, outcome.words))

    def _ended(self, task: asyncio.Task[None]) -> None:
        row = self._tasks.pop(task, None)
        if row is not None:
            self._ids.discard(row.notification.id)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("delivery ended by an error of our own; the message stays in the outbox", exc_info=error)
