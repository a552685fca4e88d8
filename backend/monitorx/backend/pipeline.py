"""
The whole path behind the journal, on one screen: new? → windows, drift → rules → alerting, and → store.

One thread does it, record by record, in the order of the journal; so a start that replays the journal from the store's
position comes to the same state. The store is written by a thread of its own, one commit at a time: rows, the panes
that changed and the position they belong to.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from monitorx.alerting.alert import Observation
from monitorx.backend.absence import Absences
from monitorx.backend.backlog import Arrival, Backlog
from monitorx.backend.batch import ColumnBatch
from monitorx.backend.count import Count
from monitorx.backend.dedup import Seen
from monitorx.backend.detector import Drift
from monitorx.backend.rule import Rule, Verdict, evaluate, observation
from monitorx.backend.storage.store import Batch, Commit, DriftRow, TransitionRow, VerdictRow
from monitorx.backend.verdicts import Failing, VerdictLog
from monitorx.backend.window import AHEAD_NS, Windows
from monitorx.backend.writer import Writer

_MOST_KEPT = 10_000  # steps of alerts, and as many findings, while the store takes nothing
_DRIFT_STATE = "drift_state"  # a step that is tried again though nothing arrives
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
        stop: How long a stop takes what waits in memory.
        last_commit: How long a stop waits for the store.
        rest: How long rules rest, at most, after an evaluation that took long.
    """

    evaluate: timedelta = timedelta(milliseconds=200)
    idle: timedelta = timedelta(seconds=1)
    commit: timedelta = timedelta(milliseconds=500)
    commit_rows: int = 200_000
    rows_held: int = 400_000
    after_fault: timedelta = timedelta(seconds=1)
    stop: timedelta = timedelta(seconds=5)
    last_commit: timedelta = timedelta(seconds=10)
    rest: timedelta = timedelta(seconds=5)

    def pause_s(self, evaluation_s: float, *, is_fresh: bool) -> float:
        """
        How long after an evaluation the next one begins; *is_fresh*: something has arrived since.

        One that took long leaves as much time to what arrives. There is an end to it: a machine that stood still for
        an hour in the middle of an evaluation must not be followed by an hour without rules.
        """
        usual = self.evaluate if is_fresh else self.idle
        return max(usual.total_seconds(), min(evaluation_s, self.rest.total_seconds()))


@dataclass(slots=True)
class State:
    """
    What the path has made of everything up to `position`, as the store holds it.

    Attributes:
        seen: What came before.
        windows: The panes.
        position: Of the store.
    """

    seen: Seen
    windows: Windows
    position: int


class Pipeline:
    """
    Reads the backlog until it is stopped.

    Where the store takes nothing for long, memory cannot hold what waits: the pipeline then lets go of it and goes on
    judging what comes. Once the store answers again, it does what a start does: it begins at the store's state and
    reads the rest from the journal. So nothing is lost or counted twice, and rules are judged all the while. Drift has
    a file of its own and does not begin again: it passes over what it has taken already.

    Args:
        backlog: What arrives; stands at the position of what *restore* gives.
        restore: Reads the state that the store holds.
        rules: The rules that hold now; may be others at every call.
        observe: Takes what the rules say and the position they have seen; gives the alerts that changed state.
        tenant: Whose data it is.
        clock: Ns since epoch.
        drift: Compares features with their references; None: nobody does.
        absences: Groups whose alerts say that data is missing.

    Attributes:
        is_detached: Whether it has let go of what the store does not take.
        trouble: Why the whole path failed when it was last tried; empty when it works.
        failing: The rules that cannot be judged.
        failing_steps: Steps that failed when they were last tried, and why; replaced as a whole.
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
        drift: Drift | None = None,
        absences: Absences | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._backlog, self._writer = backlog, writer
        self._restore, self._state = restore, restore()
        self._rules = rules
        self._judged: Sequence[Rule] = ()
        self._observe = observe
        self._clock, self._count = clock, count
        self._drift, self._absences = drift, absences or Absences(time.monotonic)
        self._pace = pace or Pace()
        self._rows: list[Batch] = []
        self._row_count = 0
        self._log = VerdictLog(tenant)
        self._verdicts: list[VerdictRow] = []
        self._transitions: list[TransitionRow] = []
        self._findings: list[DriftRow] = []
        self._position = self._committed = self._state.position
        self._evaluated_s = self._committed_s = -1e9
        self._evaluation_s = 0.0
        self._fresh = False
        self._fault = ""  # what the path failed of, until it comes to a commit again
        self._stopping = threading.Event()
        self._stop_by_s = 0.0
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)
        self.is_detached = False
        self.trouble = ""
        self.failing = Failing()
        self.failing_steps: Mapping[str, str] = {}

    @property
    def rule_count(self) -> int:
        """How many rules there are."""
        return len(self._rules())

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
        """
        Take what waits in memory, for as long as `Pace` allows, commit, end. Safe twice.

        What only the journal has, and what has not been taken by then, is for the next start.
        """
        if not self._stopping.is_set():
            self._stop_by_s = time.monotonic() + self._pace.stop.total_seconds()
            self._stopping.set()
        self._backlog.wake()
        if self._thread.is_alive():
            self._thread.join((self._pace.stop + self._pace.last_commit).total_seconds())
        if self._thread.is_alive():
            _log.error("judging does not end: left behind; the next start reads from the journal what is not committed")

    def _run(self) -> None:
        while True:
            is_last = self._stopping.is_set()
            try:
                self._step()
                self.trouble = ""
            except Exception as error:  # noqa: BLE001  a path that has ended acknowledges on and tells nobody
                self._begin_again(f"{type(error).__name__}: {error}")
            if is_last and self._is_done():
                break
        if not self.is_detached and self._writer.wait_until_free(self._pace.last_commit.total_seconds()):
            self._guarded("commit", self._commit)

    def _begin_again(self, words: str) -> None:
        """The path has failed: let go of all, and try again at the store's state."""
        self._count("monitorx_pipeline_errors_total", {"step": "path"}, 1.0)
        if words != self._fault:  # once, not at every try
            _log.exception("the path behind the journal failed; beginning again at the store's state")
        self.trouble = self._fault = words
        self.is_detached = True
        self._let_go()
        self._stopping.wait(self._pace.after_fault.total_seconds())

    def _is_done(self) -> bool:
        """Whether a stop has no more to take, or no more time to."""
        lag = self._backlog.lag()
        if lag and not self.trouble and not self._backlog.is_behind and time.monotonic() < self._stop_by_s:
            return False
        if lag:
            _log.warning("stopping with records left; the next start reads them from the journal", records=lag)
        return True

    def _step(self) -> None:
        if self.is_detached and self._writer.is_free():
            self._reattach()
        until_s = time.monotonic() + self._pace.commit.total_seconds()
        for arrival in self._backlog.take(self._pace.evaluate.total_seconds()):
            self._guarded("windows", partial(self._take, arrival))
            self._position = arrival.position
            if time.monotonic() >= until_s or self._is_full():
                break
        self._position = self._backlog.position  # past what cannot be read, or was taken away
        if self._is_due():
            began_s = time.monotonic()
            self._guarded("rules", self._judge)
            self._evaluated_s = time.monotonic()
            self._evaluation_s = self._evaluated_s - began_s
        if self.is_detached:
            self._let_go()
        elif self._waiting >= self._pace.rows_held and not self._writer.is_free():
            self._detach()
        elif self._wants_commit():
            self._commit()

    def _detach(self) -> None:
        """Let go of what the store does not take; the journal has it."""
        _log.error("the store is not kept up with: what comes is judged, and read from the journal later")
        self.is_detached = True
        self._let_go()

    def _let_go(self) -> None:
        """Keep only what the journal cannot tell again: the last steps of alerts, the last findings."""
        self._state.windows.take()
        self._rows, self._row_count, self._verdicts = [], 0, []
        del self._transitions[:-_MOST_KEPT], self._findings[:-_MOST_KEPT]

    def _reattach(self) -> None:
        """Begin where a start would."""
        self._state = self._restore()
        if self._drift is not None:
            self._drift.resume(self._position)
        self._position = self._committed = self._state.position
        self._rows, self._row_count = [], 0
        self._backlog.rewind(self._position)
        self.is_detached = False
        if not self._fault:
            _log.info("the store answers again; reading from the journal what it has not", position=self._position)

    def _take(self, arrival: Arrival) -> None:
        for batch in self._new(arrival):
            if not self.is_detached:
                self._rows.append(Batch(arrival.position, _dated(batch, arrival.arrival_ns)))
                self._row_count += batch.rows.num_rows
            self._state.windows.add(batch, arrival_ns=arrival.arrival_ns)
            if self._drift is not None:
                self._drift.add(batch, position=arrival.position, arrival_ns=arrival.arrival_ns)
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

    def _is_due(self) -> bool:
        pause_s = self._pace.pause_s(self._evaluation_s, is_fresh=self._fresh)
        # While catching up the windows are not whole: a verdict on half of them would resolve what still burns.
        return not self._backlog.is_behind and time.monotonic() - self._evaluated_s >= pause_s

    def _judge(self) -> None:
        self._fresh = False
        now_ns = self._clock()
        self._state.windows.close(now_ns)
        self._guarded("drift", partial(self._compare, now_ns))
        rules = self._rules()
        if rules is not self._judged:
            self._judged = rules
            self._state.windows.regroup()
        said = [(rule, verdict) for rule in rules for verdict in self._said(rule, now_ns)]
        self._count("monitorx_rule_evaluations_total", {}, float(len(rules)))
        self.failing.note({rule.name for rule in rules}, [verdict for _, verdict in said])
        self._verdicts += self._log.news((verdict for _, verdict in said), now_ns)
        observations = [observation(rule, verdict) for rule, verdict in said]
        self._transitions += self._observe(observations, self._position)

    def _said(self, rule: Rule, now_ns: int) -> list[Verdict]:
        verdicts = evaluate(rule, self._state.windows, now_ns, count=self._count)
        return self._absences.complete(rule, verdicts, now_ns)

    def _compare(self, now_ns: int) -> None:
        if self._drift is None:
            return
        self._drift.evaluate(now_ns)
        self._findings += self._drift.take()
        self._state.windows.add_readings(self._drift.scores(now_ns))

    @property
    def _waiting(self) -> int:
        """Rows that wait for the store: what came, and what was made of it."""
        return self._row_count + len(self._verdicts) + len(self._transitions) + len(self._findings)

    def _is_full(self) -> bool:
        """Whether so many rows wait that they must be committed, or let go of, before more are taken."""
        most = self._pace.commit_rows if self._writer.is_free() else self._pace.rows_held
        return self._waiting >= most

    def _wants_commit(self) -> bool:
        is_due = time.monotonic() - self._committed_s >= self._pace.commit.total_seconds()
        results = self._verdicts or self._transitions or self._findings
        has_news = self._position > self._committed or bool(results) or _DRIFT_STATE in self.failing_steps
        return (is_due or self._waiting >= self._pace.commit_rows) and has_news and self._writer.is_free()

    def _commit(self) -> None:
        if self._drift is not None:
            # On disk before the store has the position that it belongs to. Where that fails drift has it in memory:
            # what a crash may then cost it is no reason to store nothing of all the rest.
            self._guarded(_DRIFT_STATE, partial(self._drift.save, self._position, stored=self._writer.position))
        changes = self._state.windows.take()
        self._committed, self._committed_s = self._position, time.monotonic()
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
        if self._fault:
            self._fault = ""
            _log.info("the path behind the journal works again", position=self._position)

    def _guarded(self, step: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  one bad record must not end the path for all that come after it
            self._count("monitorx_pipeline_errors_total", {"step": step}, 1.0)
            words = f"{type(error).__name__}: {error}"
            if self.failing_steps.get(step) != words:  # once, not five times a second
                _log.exception("a step failed and was passed over", step=step, position=self._position)
            self.failing_steps = {**self.failing_steps, step: words}
        else:
            if step in self.failing_steps:
                self.failing_steps = {name: words for name, words in self.failing_steps.items() if name != step}


def _dated(batch: ColumnBatch, arrival_ns: int) -> ColumnBatch:
    """*batch* with no row that is later than panes may be: retention would never come to it."""
    times = batch.rows.column("time_ns").to_numpy()
    latest_ns = arrival_ns + AHEAD_NS
    if not (times > latest_ns).any():
        return batch
    schema, column = batch.rows.schema, pa.array(np.minimum(times, latest_ns))
    rows = batch.rows.set_column(schema.get_field_index("time_ns"), schema.field("time_ns"), column)
    return ColumnBatch(batch.kind, rows)


def _keys(rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    keys: npt.NDArray[np.uint64] = rows.column("key").to_numpy()
    return keys
