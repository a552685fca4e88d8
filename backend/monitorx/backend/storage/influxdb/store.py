"""
The store for those who have an InfluxDB: results are written there and read back from there.

Rows of single calls and data points, the state of the windows and the journal position stay on this machine, in the
embedded store, in one transaction each commit. So a start restores exactly what was, with InfluxDB or without; and
InfluxDB, which knows no transactions, gets each pane whole, as often as it changes, until it has all of them.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.influxdb import question
from monitorx.backend.storage.influxdb.follower import Follower
from monitorx.backend.storage.influxdb.wire import Wire
from monitorx.backend.storage.store import (
    AggregateRow,
    Capabilities,
    Commit,
    DriftRow,
    InferenceRow,
    ModelRow,
    Place,
    PointRow,
    Restored,
    Selection,
    TransitionRow,
)
from monitorx.backend.window.pane import PaneKey

_GRACE_S = 5.0  # a stop waits this long for what is left
_QUESTIONS = 8  # to InfluxDB at once: where it stands, they must not take the threads of those that it does not concern
_TURN_S = 0.2  # a question more waits this long: in good health one of the others has ended by then


class InfluxDBStore:
    """
    A `Store` over an InfluxDB and a local one.

    Args:
        local: Keeps rows and the state of the windows; closed with this.
        name: Of the InfluxDB, without secrets.
        patience_s: How long a question waits for what was written before it; then it is answered from what is there.
    """

    capabilities = Capabilities(transactional=False, rows=True)

    def __init__(self, local: DuckDBStore, wire: Wire, *, name: str, patience_s: float = 5.0) -> None:
        self._local, self._wire, self._name = local, wire, name
        self._patience_s = patience_s
        self._slots = threading.BoundedSemaphore(_QUESTIONS)
        self._follower = Follower(local, wire, name=name)
        self._follower.start()

    @property
    def trouble(self) -> str:
        """Why InfluxDB does not have all that was written, in words; "" while it does or soon will."""
        words = self._follower.trouble
        return f"{words}; what it lacks is kept here and sent when it takes it" if words else ""

    @property
    def refused(self) -> int:
        """Lines that InfluxDB will not have, and results that no line can hold."""
        return self._follower.refused

    def write(self, commit: Commit) -> None:
        """Keep *commit* here; it is on its way to InfluxDB then."""
        self._local.write(commit)
        self._follower.wake()

    def restore(self, since_ns: int) -> Restored:
        """The stored position, all open panes, and the closed ones that start at or after *since_ns*."""
        return self._local.restore(since_ns)

    def keys(self, since_ns: int) -> dict[PaneKey, int]:
        """Whose panes there are that start at or after *since_ns*, and when their newest one starts."""
        return self._local.keys(since_ns)

    def models(self, selection: Selection) -> list[ModelRow]:
        """Model versions in the order of their names."""
        with self._asking():
            return question.models(self._wire.query, selection)

    def inferences(self, selection: Selection, *, limit: int, before: Place | None = None) -> list[InferenceRow]:
        """By their start, newest first, at most *limit*; before *before* where given."""
        return self._local.inferences(selection, limit=limit, before=before)

    def aggregates(self, selection: Selection, *, step_ns: int, by: Sequence[str]) -> list[AggregateRow]:
        """Totals of each group in each step."""
        with self._asking():
            return question.aggregates(self._wire.query, selection, step_ns, by)

    def points(self, selection: Selection, *, limit: int) -> list[PointRow]:
        """Data points of metrics, newest first, at most *limit*."""
        return self._local.points(selection, limit=limit)

    def drift(self, selection: Selection, *, limit: int) -> list[DriftRow]:
        """Findings whose window ends in the selection, newest first, at most *limit*."""
        with self._asking():
            return question.drift(self._wire.query, selection, limit)

    def transitions(self, selection: Selection, *, limit: int) -> list[TransitionRow]:
        """Steps of alerts, newest first, at most *limit*."""
        with self._asking():
            return question.transitions(self._wire.query, selection, limit)

    def trim(self, before_ns: int) -> int:
        """Delete here what is older than *before_ns*. What InfluxDB keeps, and for how long, it is told there."""
        return self._local.trim(before_ns)

    def size_bytes(self) -> int:
        """What the store takes on the disk of this machine."""
        return self._local.size_bytes()

    def close(self) -> None:
        """Bring over what is left, if InfluxDB takes it; release everything. Safe twice."""
        self._follower.stop(_GRACE_S)
        self._wire.close()
        self._local.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One of few questions at once; its answer holds what was written before it, if InfluxDB keeps up."""
        if not self._slots.acquire(timeout=_TURN_S):
            raise StorageError(f"{self._name} is slow: {_QUESTIONS} questions wait for its answer; ask again later")
        try:
            if not self._follower.wait(self._patience_s) and self._follower.trouble:
                raise StorageError(self._follower.trouble)
            yield
        finally:
            self._slots.release()
