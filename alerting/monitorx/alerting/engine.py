"""
Alerting as the server runs it.

`observe` is called by the thread that evaluates rules and changes the state at once; `start` and `stop` are called in
the server's event loop. Each change wakes the loop, which lets one worker thread write what is to be written — all
that came up meanwhile in one transaction — and hands the messages that are on disk to their channels.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Self
from uuid import uuid4

from monitorx.alerting.alert import Alert, Observation, State
from monitorx.alerting.board import Change
from monitorx.alerting.channel.channel import Channel
from monitorx.alerting.config import AlertingConfig
from monitorx.alerting.dispatch import Dispatch, Retry
from monitorx.alerting.ledger import Count, Ledger, Settled
from monitorx.alerting.record import moment
from monitorx.alerting.store import Commit, OutboxRow, Store

_log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)  # the longest sleep: positions are written, resolved alerts expire, clocks may jump
DRAIN = timedelta(seconds=5)
FAILED_WRITES = 3  # after so many in a row messages go out from memory: told twice at worst is better than not at all


@dataclass(frozen=True, slots=True)
class Health:
    """
    How alerting is.

    Attributes:
        ok: True if state is written and no channel is failing.
        words: What is wrong, a sentence each.
        alerts: How many stand in each state.
        outbox: How many messages are on their way.
    """

    ok: bool
    words: tuple[str, ...]
    alerts: Mapping[str, int]
    outbox: int


def _uncounted(name: str, labels: Mapping[str, str], amount: float) -> None:
    """Count nothing."""


class Alerting:
    """
    From observations to messages.

    Args:
        config: Who is told what.
        store: Keeps the state; belongs to this object from now on, closing excepted.
        channels: By integration id; `config.channels()` makes them.
        clock: Nanoseconds since the epoch.
        count: Adds to a counter: its name, its labels, how much.
        new_id: Makes the id of a notification; never the same twice.
        rng: For the random part of waits between attempts.
        external_url: Where people reach this server; goes into messages.
        retry: How deliveries are tried again.
    """

    def __init__(
        self,
        config: AlertingConfig,
        store: Store,
        channels: Mapping[str, Channel],
        *,
        clock: Callable[[], int],
        count: Count = _uncounted,
        new_id: Callable[[], str] = lambda: uuid4().hex,
        rng: Random | None = None,
        external_url: str = "",
        retry: Retry | None = None,
    ) -> None:
        self._clock = clock
        self._store = store
        self._channels = channels
        self._count = count
        self._rng = rng or Random()  # noqa: S311 - spreads attempts in time, guards nothing
        self._retry = retry
        self._lock = threading.Lock()
        restored = store.restore()
        self._ledger = Ledger(config, restored, self._now(), new_id=new_id, count=count, external_url=external_url)
        self._waiting: list[asyncio.Future[None]] = []
        self._store_error = ""
        self._failed_writes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._dispatch: Dispatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._worker: ThreadPoolExecutor | None = None

    @property
    def position(self) -> int:
        """The last journal position that was observed; observations before it are skipped. -1 for none."""
        with self._lock:
            return self._ledger.position

    def observe(self, observations: Sequence[Observation], position: int) -> list[Change]:
        """
        Take what rules found; called from any thread.

        What label sets are observed matters too: one that is not mentioned for five minutes, while others are, has
        vanished. An empty sequence says that rules were evaluated and found nothing to say.

        Args:
            observations: What was found.
            position: The journal position up to which data was looked at.

        Returns:
            The alerts that changed state.
        """
        with self._lock:
            changes = self._ledger.observe(observations, position, self._now())
        if changes:
            self._wake()
        return changes

    def alerts(self) -> list[Alert]:
        """The alerts that are pending, firing, or were resolved in the last 15 minutes."""
        with self._lock:
            return self._ledger.alerts()

    def health(self) -> Health:
        """How alerting is."""
        with self._lock:
            states = [alert.state for alert in self._ledger.alerts()]
            outbox, gone = len(self._ledger.on_the_way), self._ledger.gone
        words = [self._unwritten_in_words()] if self._store_error else []
        words += [f"{channel}: switched off, the other side wants nothing more" for channel in sorted(gone)]
        failing = self._dispatch.failing if self._dispatch is not None else {}
        words += [f"{channel}: {trouble}" for channel, trouble in sorted(failing.items()) if channel not in gone]
        return Health(not words, tuple(words), {state.value: states.count(state) for state in State}, outbox)

    def turn(self) -> list[OutboxRow]:
        """
        Write what is to be written; gives the messages that may be sent now.

        One thread at a time. The event loop's worker calls this; tests that have no loop call it themselves. Raises
        what the store raises, but only the first times: a disk that stays full must not keep messages back.
        """
        with self._lock:
            commit = self._ledger.turn(self._now())
        if commit is None:
            return []
        try:
            self._store.write(commit)
        except (sqlite3.Error, OSError) as error:
            return self._unwritten(commit, error)
        if self._failed_writes >= FAILED_WRITES:
            _log.warning("the state of alerts is written again")
        self._store_error, self._failed_writes = "", 0
        with self._lock:
            return self._ledger.unsettled(commit)

    def _unwritten(self, commit: Commit, error: sqlite3.Error | OSError) -> list[OutboxRow]:
        """Keep *commit* for the next try; what may be sent all the same."""
        self._failed_writes += 1
        if str(error) != self._store_error:  # once, not at each try
            _log.error("the state of alerts cannot be written; tried again: %s", error)
        self._store_error = str(error)
        self._count("monitorx_alerting_write_errors_total", {}, 1)
        with self._lock:
            self._ledger.put_back(commit)
            rows = self._ledger.unsettled(commit)
        if self._failed_writes < FAILED_WRITES:
            raise error
        if self._failed_writes == FAILED_WRITES:
            _log.error("messages are sent from memory now; after a crash, those sent meanwhile are told anew")
        return rows

    async def start(self) -> None:
        """Begin to deliver: first what the last run left behind."""
        if self._task is not None:
            return
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="alerting")
        self._dispatch = Dispatch(
            self._channels,
            settle=self._settle,
            clock=self._now,
            rng=self._rng,
            count=self._count,
            retry=self._retry,
        )
        with self._lock:
            left_behind = self._ledger.on_the_way
        self._dispatch.put(left_behind)
        self._task = asyncio.create_task(self._run(self._dispatch, self._worker), name="alerting")

    async def stop(self) -> None:
        """Let attempts that go on end, write everything, close the channels. Safe twice, and before `start`."""
        task, self._task = self._task, None
        if task is None or self._dispatch is None or self._worker is None:
            return
        await self._dispatch.stop(DRAIN)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await self._written(self._worker)
        await self._dispatch.aclose()
        self._worker.shutdown()
        self._loop = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _unwritten_in_words(self) -> str:
        words = f"state cannot be written: {self._store_error}"
        return words if self._failed_writes < FAILED_WRITES else f"{words}; messages are sent from memory"

    async def _run(self, dispatch: Dispatch, worker: ThreadPoolExecutor) -> None:
        while True:
            self._woken.clear()
            rows = await self._written(worker)
            dispatch.put(rows)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._woken.wait()

    async def _written(self, worker: ThreadPoolExecutor) -> list[OutboxRow]:
        """One turn on the worker thread; those who wait for the disk go on after it, or when it is past waiting."""
        waiting, self._waiting = self._waiting, []
        turn = asyncio.get_running_loop().run_in_executor(worker, self.turn)
        try:
            # Shielded: a turn that has begun ends, whether we are cancelled or not, and nothing of it is lost.
            rows = await asyncio.shield(turn)
        except (sqlite3.Error, OSError):
            self._waiting = waiting + self._waiting
            return []
        except asyncio.CancelledError:
            self._waiting = waiting + self._waiting
            raise
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return rows

    async def _settle(self, settled: Settled) -> None:
        with self._lock:
            self._ledger.settle(settled, self._now())
        on_disk = asyncio.get_running_loop().create_future()
        self._waiting.append(on_disk)
        self._woken.set()
        await on_disk

    def _until_due(self) -> float:
        with self._lock:
            due = self._ledger.next_due()
        wait = TICK if due is None or self._store_error else min(max(due - self._now(), timedelta(0)), TICK)
        return wait.total_seconds()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: the next start goes on
                loop.call_soon_threadsafe(self._woken.set)

    def _now(self) -> datetime:
        return moment(self._clock() // 1000)
