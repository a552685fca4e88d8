"""
The whole path behind the journal, on one screen: new? → windows → rules → alerting, and → store.

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
from monitorx.backend.backlog import Arrival, Backlog
from monitorx.backend.batch import ColumnBatch
from monitorx.backend.dedup import Seen
from monitorx.backend.rule import Rule, evaluate, observation
from monitorx.backend.storage.store import Batch, Commit
from monitorx.backend.window import Windows
from monitorx.backend.writer import Writer

Count = Callable[[str, Mapping[str, str], float], None]

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
    """

    evaluate: timedelta = timedelta(milliseconds=200)
    idle: timedelta = timedelta(seconds=1)
    commit: timedelta = timedelta(milliseconds=500)
    commit_rows: int = 200_000


class Pipeline:
    """
    Reads the backlog until it is stopped.

    Args:
        observe: Takes what the rules say and the position they have seen: alerting's `observe`.
        clock: Ns since epoch.
    """

    def __init__(
        self,
        backlog: Backlog,
        seen: Seen,
        windows: Windows,
        rules: Sequence[Rule],
        observe: Callable[[Sequence[Observation], int], None],
        writer: Writer,
        *,
        clock: Callable[[], int],
        count: Count,
        pace: Pace | None = None,
    ) -> None:
        self._backlog, self._seen, self._windows, self._writer = backlog, seen, windows, writer
        self._rules = rules
        self._observe = observe
        self._clock, self._count = clock, count
        self._pace = pace or Pace()
        self._rows: list[Batch] = []
        self._row_count = 0
        self._position = self._committed = writer.position
        self._evaluated_s = self._committed_s = -1e9
        self._fresh = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take in everything that is durable, commit it, end. Safe twice and before start."""
        self._stopping.set()
        self._backlog.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            last_round = self._stopping.is_set()
            self._step()
            if last_round and not self._backlog.lag():
                break
        self._commit()

    def _step(self) -> None:
        for arrival in self._backlog.take(self._pace.evaluate.total_seconds()):
            self._guarded("windows", partial(self._take, arrival))
            self._position = arrival.position
            if self._is_time():
                break
        self._guarded("rules", self._judge)
        if self._wants_commit():
            self._commit()

    def _take(self, arrival: Arrival) -> None:
        for batch in self._new(arrival):
            self._rows.append(Batch(arrival.position, batch))
            self._row_count += batch.rows.num_rows
            self._windows.add(batch, arrival_ns=arrival.arrival_ns)
            self._fresh = True

    def _new(self, arrival: Arrival) -> Iterable[ColumnBatch]:
        """The rows that did not come before: clients and collectors send again what they got no answer for."""
        for batch in arrival.batches:
            is_new = self._seen.add(_keys(batch.rows), arrival.arrival_ns)
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
        self._windows.close(now_ns)
        observations = [
            observation(rule, verdict)
            for rule in self._rules
            for verdict in evaluate(rule, self._windows, now_ns, count=self._count)
        ]
        self._count("monitorx_rule_evaluations_total", {}, float(len(self._rules)))
        self._observe(observations, self._position)

    def _is_time(self) -> bool:
        since_s = time.monotonic() - min(self._evaluated_s, self._committed_s)
        return since_s >= self._pace.commit.total_seconds() or self._row_count >= self._pace.commit_rows

    def _wants_commit(self) -> bool:
        if self._row_count >= self._pace.commit_rows:
            return True  # waits for the writer: the backlog fills, and what it cannot hold stays in the journal
        is_due = time.monotonic() - self._committed_s >= self._pace.commit.total_seconds()
        return is_due and self._position > self._committed and self._writer.is_free()

    def _commit(self) -> None:
        changes = self._windows.take()
        self._writer.hand_over(Commit(self._position, tuple(self._rows), *changes))
        self._committed, self._committed_s = self._position, time.monotonic()
        self._rows, self._row_count = [], 0

    def _guarded(self, step: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  one bad record must not end the path for all that come after it
            self._count("monitorx_pipeline_errors_total", {"step": step}, 1.0)
            _log.exception("a step failed and was passed over", step=step, position=self._position)


def _keys(rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    keys: npt.NDArray[np.uint64] = rows.column("key").to_numpy()
    return keys
