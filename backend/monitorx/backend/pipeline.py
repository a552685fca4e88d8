"""
The whole path behind the journal, on one screen: new? → windows, drift → rules → alerting, and → store.

One thread does it, record by record, in the order of the journal; so a start that replays the journal from the store's
position comes to the same state. The store is written by a thread of its own, one commit at a time: rows, the panes
that changed and the position they belong to.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from monitorx.alerting.alert import Observation
from monitorx.backend.backlog import Arrival, Backlog
from monitorx.backend.batch import ColumnBatch
from monitorx.backend.count import Count
from monitorx.backend.dedup import Seen
from monitorx.backend.detector import Drift
from monitorx.backend.rule import Rule, evaluate, observation
from monitorx.backend.storage.store import Batch, Commit, DriftRow, TransitionRow, VerdictRow
from monitorx.backend.verdicts import VerdictLog
from monitorx.backend.window import Windows
from monitorx.backend.writer import Writer

_MOST_TRANSITIONS = 10_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How often things are done.

    Attributes:
        evaluate: Rules, at most this often while data arrives.
        idle: Rules, at least this often (absence is data, too).
        commit: The store, at least this often while data arrives.
        commit_rows: And at once when this many rows wait.
        rows_held: So many rows wait for the store in memory, at most and by a batch.
        after_fault: Before the path is tried again.
        last_commit: How long a stop waits for the store.
    """

    evaluate: timedelta = timedelta(milliseconds=200)
    idle: timedelta = timedelta(seconds=1)
    commit: timedelta = timedelta(milliseconds=500)
    commit_rows: int = 200_000
    rows_held: int = 400_000
    after_fault: timedelta = timedelta(seconds=1)
    last_commit: timedelta = timedelta(seconds=10)


@dataclass(slots=True)
class State:
    """
    What the path has made of everything up to `position`, as the store holds it.

    Attributes:
        seen: What came before.
        windows: The panes.
        drift: Compares features with their references; None: nobody does.
        position: Of the store.
    """

    seen: Seen
    windows: Windows
    drift: Drift | None
    position: int


class Pipeline:
    """
    Reads the backlog until it is stopped.

    Where the store takes nothing for long, memory cannot hold what waits: the pipeline then lets go of it and goes on
    judging what comes. Once the store answers again, it does what a start does: it begins at the store's state and
    reads the rest from the journal. So nothing is lost or counted twice, and rules are judged all the while.

    Args:
        backlog: What arrives; stands at the position of what *restore* gives.
        restore: Reads the state that the store holds.
        rules: The rules that hold now; may be others at every call.
        observe: Takes what the rules say and the position they have seen; gives the alerts that changed state.
        tenant: Whose data it is.
        clock: Ns since epoch.
    """

    def __init__(
        self,
        backlog: Backlog,
        restore: Callable[[], State],
        rules: Callable[[], Sequence[Rule]],
        observe: Callable[[Sequence[Observation], int], Iterable[TransitionRow]],
        writer: Writer,
        *,
        tenant: str,
        clock: Callable[[], int],
        count: Count,
        pace: Pace | None = None,
    ) -> None:
        self._backlog, self._writer = backlog, writer
        self._restore, self._state = restore, restore()
        self._rules = rules
        self._judged: Sequence[Rule] = ()
        self._observe = observe
        self._clock, self._count = clock, count
        self._pace = pace or Pace()
        self._rows: list[Batch] = []
        self._row_count = 0
        self._log = VerdictLog(tenant)
        self._verdicts: list[VerdictRow] = []
        self._transitions: list[TransitionRow] = []
        self._findings: list[DriftRow] = []
        self._position = self._committed = self._state.position
        self._evaluated_s = self._committed_s = -1e9
        self._fresh = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)
        self.is_detached = False
        self.trouble = ""

    @property
    def state(self) -> State:
        """What the path has made of what it took; replaced as a whole after the store was away."""
        return self._state

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take what waits in memory, commit, end; what only the journal has is for the next start. Safe twice."""
        self._stopping.set()
        self._backlog.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            is_last = self._stopping.is_set()
            try:
                self._step()
                self.trouble = ""
            except Exception as error:  # noqa: BLE001  a path that has ended acknowledges on and tells nobody
                self.trouble = f"{type(error).__name__}: {error}"
                self._count("monitorx_pipeline_errors_total", {"step": "path"}, 1.0)
                _log.exception("the path behind the journal failed; beginning again at the store's state")
                self._detach()
                self._stopping.wait(self._pace.after_fault.total_seconds())
            if is_last and (self.trouble or self._backlog.is_behind or not self._backlog.lag()):
                break
        if not self.is_detached and self._writer.wait_until_free(self._pace.last_commit.total_seconds()):
            self._guarded("commit", self._commit)

    def _step(self) -> None:
        if self.is_detached and self._writer.is_free():
            self._reattach()
        for arrival in self._backlog.take(self._pace.evaluate.total_seconds()):
            self._guarded("windows", partial(self._take, arrival))
            self._position = arrival.position
            if self._is_time():
                break
        self._guarded("rules", self._judge)
        if self.is_detached:
            self._let_go()
        elif self._row_count >= self._pace.rows_held and not self._writer.is_free():
            self._detach()
        elif self._wants_commit():
            self._commit()

    def _detach(self) -> None:
        """Let go of what the store does not take; the journal has it."""
        _log.error("the store is not kept up with: what comes is judged, and read from the journal later")
        self.is_detached = True
        self._let_go()

    def _let_go(self) -> None:
        """Keep only what the journal cannot tell again: the last steps of alerts."""
        self._state.windows.take()
        self._rows, self._row_count = [], 0
        self._verdicts, self._findings = [], []
        del self._transitions[:-_MOST_TRANSITIONS]

    def _reattach(self) -> None:
        """Begin where a start would."""
        self._state = self._restore()
        self._position = self._committed = self._state.position
        self._rows, self._row_count = [], 0
        self._backlog.rewind(self._position)
        self.is_detached = False
        _log.info("the store answers again; reading from the journal what it has not", position=self._position)

    def _take(self, arrival: Arrival) -> None:
        for batch in self._new(arrival):
            if not self.is_detached:
                self._rows.append(Batch(arrival.position, batch))
                self._row_count += batch.rows.num_rows
            self._state.windows.add(batch, arrival_ns=arrival.arrival_ns)
            if self._state.drift is not None:
                self._state.drift.add(batch, position=arrival.position, arrival_ns=arrival.arrival_ns)
            self._fresh = True

    def _new(self, arrival: Arrival) -> Iterable[ColumnBatch]:
        """The rows that did not come before: clients and collectors send again what they got no answer for."""
        for batch in arrival.batches:
            is_new = self._state.seen.add(_keys(batch.rows), arrival.arrival_ns)
            if is_new.all():
                yield batch
                continue
            self._count("monitorx_dedup_dropped_total", {"kind": batch.kind}, float((~is_new).sum()))
            if is_new.any():
                yield ColumnBatch(batch.kind, batch.rows.filter(pa.array(is_new)))

    def _judge(self) -> None:
        now_s = time.monotonic()
        pause = self._pace.evaluate if self._fresh else self._pace.idle
        # While catching up the windows are not whole: a verdict on half of them would resolve what still burns.
        if self._backlog.is_behind or now_s - self._evaluated_s < pause.total_seconds():
            return
        self._evaluated_s, self._fresh = now_s, False
        now_ns = self._clock()
        self._state.windows.close(now_ns)
        self._guarded("drift", partial(self._compare, now_ns))
        rules = self._rules()
        if rules is not self._judged:
            self._judged = rules
            self._state.windows.regroup()
        said = [
            (rule, verdict)
            for rule in rules
            for verdict in evaluate(rule, self._state.windows, now_ns, count=self._count)
        ]
        self._count("monitorx_rule_evaluations_total", {}, float(len(rules)))
        self._verdicts += self._log.news((verdict for _, verdict in said), now_ns)
        observations = [observation(rule, verdict) for rule, verdict in said]
        self._transitions += self._observe(observations, self._position)

    def _compare(self, now_ns: int) -> None:
        drift = self._state.drift
        if drift is None:
            return
        drift.evaluate(now_ns)
        self._findings += drift.take()
        self._state.windows.add_readings(drift.scores(now_ns))

    def _is_time(self) -> bool:
        since_s = time.monotonic() - min(self._evaluated_s, self._committed_s)
        return since_s >= self._pace.commit.total_seconds() or self._row_count >= self._pace.commit_rows

    def _wants_commit(self) -> bool:
        is_due = time.monotonic() - self._committed_s >= self._pace.commit.total_seconds()
        has_news = self._position > self._committed or bool(self._verdicts or self._transitions or self._findings)
        return (is_due or self._row_count >= self._pace.commit_rows) and has_news and self._writer.is_free()

    def _commit(self) -> None:
        changes = self._state.windows.take()
        self._committed, self._committed_s = self._position, time.monotonic()
        if self._state.drift is not None:
            # Drift's own state is on disk before the store has the position that it belongs to.
            self._state.drift.save(self._position, stored=self._writer.position)
        self._writer.hand_over(
            Commit(
                self._position,
                tuple(self._rows),
                *changes,
                drift=tuple(self._findings),
                verdicts=tuple(self._verdicts),
                transitions=tuple(self._transitions),
            )
        )
        self._rows, self._row_count = [], 0
        self._verdicts, self._transitions, self._findings = [], [], []

    def _guarded(self, step: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  one bad record must not end the path for all that come after it
            self._count("monitorx_pipeline_errors_total", {"step": step}, 1.0)
            _log.exception("a step failed and was passed over", step=step, position=self._position)


def _keys(rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    keys: npt.NDArray[np.uint64] = rows.column("key").to_numpy()
    return keys
