"""
Finished inferences on their way from the caller's thread to a sink: bounded, and folded on a thread of its own.

The caller pays for one append. What is over the maximum is dropped and counted. A fork leaves the parent's records to
the parent: the child starts empty, with a new thread as soon as it has something to fold.
"""

import itertools
import logging
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.instrumentation.utils import suppress_instrumentation

from monitorx.instrumentation.features import Intake
from monitorx.instrumentation.inference import Inference
from monitorx.instrumentation.lifecycle import after_fork, at_exit

logger = logging.getLogger(__name__)

CAPACITY = 65_536
FOLD_AT = 4_096  # wake the thread early at this many
FOLD_EVERY_S = 1.0


class Sink(Protocol):
    """Where finished inferences go."""

    def fold(self, inferences: Sequence[Inference]) -> None:
        """Take in *inferences*. Called by one thread at a time, never by the caller of a model."""


class Buffer:
    """
    A bounded queue in front of a sink.

    Attributes:
        intake: Takes copies of inputs and outputs; None where the sink does not want them.
    """

    def __init__(self, sink: Sink, *, capacity: int = CAPACITY, fold_every_s: float = FOLD_EVERY_S) -> None:
        self.sink = sink
        self._capacity = capacity
        self._fold_every_s = fold_every_s
        self.intake: Intake | None = None
        self._start_anew()
        after_fork(self._start_anew)
        at_exit(self.flush)

    def _start_anew(self) -> None:
        self._records: deque[Inference] = deque()
        self._drops = itertools.count()  # next() is atomic, += is not
        self._dropped = 0
        self._failed = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        if self.intake is not None:
            self.intake.start_anew()
            self.intake.wake = self._wake.set

    def observe(self, intake: Intake) -> None:
        """Let *intake* take copies of inputs and outputs from now on."""
        intake.wake = self._wake.set
        self.intake = intake

    def append(self, inference: Inference) -> None:
        """Take *inference* in, or drop and count it when full. Never blocks."""
        records = self._records
        length = len(records)
        if length >= self._capacity:
            self._dropped = next(self._drops) + 1
            return
        records.append(inference)
        if self._thread is None:
            self._start_thread()
        elif not length % FOLD_AT and length:
            self._wake.set()

    @property
    def dropped(self) -> int:
        """How many were dropped because the buffer was full, since the process began."""
        return self._dropped

    @property
    def failed(self) -> int:
        """How many a sink failed on, since the process began."""
        return self._failed

    def flush(self) -> None:
        """Fold what is there, on the calling thread. What a sink fails on is lost: counted, with a log line."""
        with self._lock, suppress_instrumentation():
            records = self._records
            taken = [records.popleft() for _ in range(len(records))]
            if self.intake is not None:
                self.intake.emptied()
            if not taken:
                return
            try:
                self.sink.fold(taken)
            except Exception:
                self._failed += len(taken)
                logger.exception("%d inferences could not be folded and are lost", len(taken))

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = self._make_thread()

    def _make_thread(self) -> threading.Thread:
        thread = threading.Thread(target=_fold_forever, args=(weakref.ref(self), self._wake, self._fold_every_s))
        thread.name, thread.daemon = "monitorx-fold", True
        thread.start()
        return thread


def _fold_forever(reference: "weakref.ref[Buffer]", wake: threading.Event, every_s: float) -> None:
    while True:
        wake.wait(every_s)
        wake.clear()
        buffer = reference()
        if buffer is None:
            return
        buffer.flush()
        del buffer  # so that an abandoned buffer ends its thread
