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
from monitorx.alerting.notification import GIVE_UP_AFTER
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
    give_up_after: timedelta = GIVE_UP_AFTER
    attempt: timedelta = timedelta(minutes=3)
    places: int = 16

    def wait(self, attempts: int, asked: timedelta | None, rng: Random) -> timedelta:
        """How long to wait after *attempts* that failed; never less than the other side asked for."""
        doublings = min(attempts - 1, 16)  # beyond it `longest` holds in any case
        most = min(self.first * (1 << doublings), self.longest)
        own = most * (0.5 + rng.random() / 2)
        return max(own, asked) if asked is not None else own


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a channel said last, and when."""

    words: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.words} (at {self.at:%Y-%m-%dT%H:%M:%SZ})"

    @property
    def cause(self) -> str:
        """What went wrong, in short."""
        return _cause(self.words)


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
        self._failing: dict[str, Trouble] = {}
        self._gone: set[str] = set()
        self._is_stopping = False

    @property
    def failing(self) -> Mapping[str, Trouble]:
        """Channels whose last attempt did not get through; what is older than a message may be says nothing of now."""
        now, give_up_after = self._clock(), self._retry.give_up_after
        return {name: trouble for name, trouble in self._failing.items() if now - trouble.at < give_up_after}

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
            await self._given_up(row, "the configuration has no such channel any more")
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
        self._note(row, outcome)
        wait = self._retry.wait(attempts, outcome.after, self._rng)
        if self._clock() + wait - row.notification.at >= self._retry.give_up_after:
            words = plain(f"given up after {attempts} attempts; the last: {outcome.words}")
            await self._given_up(row, words)
            return None
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
            outcome = Outcome(Delivery.RETRY, f"the channel raised {type(error).__name__}")
            if not self._is_known(row.channel, outcome):
                _log.exception("channel %s: raised instead of answering", row.channel)
            return outcome

    async def _settled(self, row: OutboxRow, outcome: Outcome) -> None:
        if outcome.delivery is Delivery.DELIVERED:
            if self._failing.pop(row.channel, None) is not None:
                _log.info("channel %s: takes messages again", row.channel)
            late = (self._clock() - row.notification.at).total_seconds()
            self._count("monitorx_alerting_delivery_seconds_total", {"channel": row.channel}, max(late, 0.0))
        else:
            self._note(row, outcome)
        if outcome.delivery is Delivery.GONE:
            self._gone.add(row.channel)
        await self._settle(Settled(row, outcome.delivery, outcome.words))

    async def _given_up(self, row: OutboxRow, words: str) -> None:
        _log.warning("channel %s: group %s: %s", row.channel, _group(row), words)
        await self._settle(Settled(row, Delivery.FAILED, words))

    def _note(self, row: OutboxRow, outcome: Outcome) -> None:
        """Remember that a channel did not take a message; said once, until it takes one or the cause is another."""
        level = logging.DEBUG if self._is_known(row.channel, outcome) else logging.WARNING
        self._failing[row.channel] = Trouble(outcome.words, self._clock())
        then = "tried again" if outcome.delivery is Delivery.RETRY else outcome.delivery.value
        _log.log(level, "channel %s: group %s: %s: %s", row.channel, _group(row), then, outcome.words)

    def _is_known(self, channel: str, outcome: Outcome) -> bool:
        """True if the channel failed the last time for the same cause, whatever else its words are."""
        before = self._failing.get(channel)
        return before is not None and before.cause == _cause(outcome.words)

    def _ended(self, task: asyncio.Task[None]) -> None:
        row = self._tasks.pop(task, None)
        if row is not None:
            self._ids.discard(row.notification.id)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("delivery ended by an error of our own; the message stays in the outbox", exc_info=error)


def _cause(words: str) -> str:
    """The words without what differs at each attempt, like the text of an answer: `HTTP 503`."""
    return words.partition(":")[0]


def _group(row: OutboxRow) -> str:
    """The group that a message is about, as a line of a log can have it."""
    return plain(row.notification.group_key)
