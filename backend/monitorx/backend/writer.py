"""The store's one writer: takes a commit, writes it until it is written, and says what stands in the way."""

import threading
from collections.abc import Callable

import structlog

from monitorx.backend.count import Count
from monitorx.backend.errors import MonitorXError
from monitorx.backend.storage.store import Commit, Store

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_log = structlog.get_logger(__name__)


class Writer:
    """
    One thread that writes one commit at a time. A commit that fails is tried again: nothing may be left out.

    Attributes:
        trouble: Why the last try failed, in words; "" while all is well.
        position: Of the last commit written.
    """

    def __init__(self, store: Store, *, position: int, on_written: Callable[[Commit], None], count: Count) -> None:
        self._store = store
        self._on_written = on_written
        self._count = count
        self._commit: Commit | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self.trouble = ""
        self.position = position

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def is_free(self) -> bool:
        """Whether the last commit handed over is written."""
        return self._commit is None

    def wait_until_free(self, timeout_s: float) -> bool:
        """Wait for the last commit to be written; False where it takes longer than *timeout_s*."""
        with self._changed:
            return self._changed.wait_for(self.is_free, timeout_s)

    def hand_over(self, commit: Commit) -> None:
        """Give the next commit. Whoever calls has seen that the writer is free, and is the only one to call."""
        with self._changed:
            self._commit = commit
            self._changed.notify_all()

    def stop(self, timeout_s: float) -> bool:
        """Write what was handed over, then end; False where the store did not take it in time. Safe twice."""
        with self._changed:
            is_written = self._changed.wait_for(self.is_free, timeout_s)
            self._stopping.set()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return is_written

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._commit is not None or self._stopping.is_set())
                commit = self._commit
            if commit is None:
                return
            if not self._write(commit):
                return
            self.position = commit.position
            with self._changed:
                self._commit = None
                self._changed.notify_all()

    def _write(self, commit: Commit) -> bool:
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                self._store.write(commit)
            except MonitorXError as error:
                self.trouble = str(error)
                _log.error("the store does not take what was received; trying again", error=str(error), wait_s=wait_s)
            except Exception as error:  # noqa: BLE001  whatever a store raises, the commit is still to be written
                self.trouble = f"{type(error).__name__}: {error}"
                _log.exception("the store failed; trying again", wait_s=wait_s)
            else:
                self.trouble = ""
                self._on_written(commit)
                return True
            self._count("monitorx_store_errors_total", {"operation": "write"}, 1.0)
            if self._stopping.wait(wait_s):
                return False
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
