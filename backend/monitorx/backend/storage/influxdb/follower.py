"""
The thread that brings to InfluxDB what the store on this machine holds, and remembers how far it has come.

What is written here is safe already, so an InfluxDB that is away holds nothing up: receiving, rules and alerts go on,
and what changed meanwhile is sent, whole, when it is back. The place is noted after the write, so that a crash
between the two sends the same lines again, which changes nothing. Where the database is gone, the place goes back to
the beginning before a new one is made, so that all that is still held here is sent again, whatever happens next.
"""

import threading

import structlog

from monitorx.backend.errors import MonitorXError
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.duckdb.change import Changes
from monitorx.backend.storage.influxdb.delivery import Delivery
from monitorx.backend.storage.influxdb.point import alert_line, drift_line, inference_line, model_line, verdict_line
from monitorx.backend.storage.influxdb.wire import Wire

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_PACE_S = 1.0
_MOST = 5_000  # panes and results read at once
_HARMLESS = "SHOW MEASUREMENTS LIMIT 1"

_log = structlog.get_logger(__name__)


class Follower:
    """
    Follows one local store for one InfluxDB.

    Args:
        name: Of the InfluxDB: each has its own place.

    Attributes:
        trouble: Why the last try failed, in words; "" while all is well.
    """

    def __init__(self, local: DuckDBStore, wire: Wire, *, name: str) -> None:
        self._local, self._wire, self._name = local, wire, name
        self._delivery = Delivery(wire, on_missing=self._begin_again)
        self._is_lost = False  # something that was sent before
        self._has_answered = False  # InfluxDB, since this process has begun
        self._unwritable = 0
        self._changed = threading.Condition()
        self._written, self._sent = 1, 0  # how often there was something new; what an earlier process left counts, too
        self._wanted = True
        self._stopping = self._is_over = False
        self._tries = 0
        self._thread = threading.Thread(target=self._run, name="influxdb", daemon=True)
        self.trouble = ""

    @property
    def refused(self) -> int:
        """Lines that InfluxDB will not have, and results that no line can hold."""
        return self._delivery.refused + self._unwritable

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new."""
        with self._changed:
            self._written += 1
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all that was written before is in InfluxDB, or a try has failed; whether it is there."""
        with self._changed:
            tries, written = self._tries, self._written
            if self._sent >= written:
                return True
            self._wanted = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._sent >= written or (self._tries > tries and self.trouble) or self._stopping, timeout_s
            )
            return self._sent >= written

    def stop(self, timeout_s: float) -> None:
        """Bring over what is left, if that succeeds at the first try and in time; end. Safe twice and before start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
            self._is_over = True
            self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            with self._changed:
                if self.trouble:
                    self._changed.wait_for(lambda: self._wanted or self._stopping, wait_s)
                else:
                    self._changed.wait_for(lambda: self._wanted or self._stopping or self._sent < self._written)
                    # What changes again and again is sent about once a second, unless somebody asks.
                    self._changed.wait_for(lambda: self._wanted or self._stopping, _PACE_S)
                last_round, written = self._stopping, self._written
                self._wanted = False
            trouble = self._try()
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S) if trouble else _FIRST_WAIT_S
            with self._changed:
                self.trouble = trouble
                self._sent = self._sent if trouble else written
                self._tries += 1
                self._changed.notify_all()
            if last_round:
                return

    def _try(self) -> str:
        """Bring over all there is; what stands in the way, in words."""
        try:
            while not self._is_over and self._step():
                pass
            if not self._has_answered and not self._is_over:
                # Nothing to send yet: a wrong password is told now, not when the first data comes.
                for _ in self._wire.query(_HARMLESS):
                    pass
                self._has_answered = True
        except MonitorXError as error:
            _log.error("InfluxDB does not take what is stored here; trying again", error=str(error))
            return str(error)
        except Exception as error:  # noqa: BLE001  whatever went wrong, what is stored here is still to be sent
            _log.exception("what is stored here could not be brought to InfluxDB; trying again")
            return f"{type(error).__name__}: {error}"
        return ""

    def _step(self) -> bool:
        """Bring over some of what is new; whether there was any."""
        after = self._local.followed(self._name)
        changes = self._local.changes(after, most=_MOST)
        if changes is None:
            return False
        lines = self._lines(changes)
        self._is_lost = False
        self._delivery.send(lines)
        self._has_answered = self._has_answered or bool(lines)
        if not self._is_lost:
            self._local.follow(self._name, changes.revision)
        return True

    def _begin_again(self, is_first: bool) -> None:
        """The database is gone: all that was sent is to be sent again. *is_first*: nothing of this step was sent."""
        place = self._local.followed(self._name)
        self._is_lost = self._is_lost or place > 0 or not is_first
        if place:
            self._local.follow(self._name, 0)

    def _lines(self, changes: Changes) -> list[str]:
        found = [
            *map(inference_line, changes.panes),
            *map(model_line, changes.models),
            *map(drift_line, changes.drift),
            *map(verdict_line, changes.verdicts),
            *map(alert_line, changes.transitions),
        ]
        lines = [line for line in found if line is not None]
        self._unwritable += len(found) - len(lines)
        return lines
