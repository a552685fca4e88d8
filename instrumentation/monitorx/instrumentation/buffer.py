"""
Finished inferences on their way to a sink: bounded, and folded some hundred at a time.

A sink that takes little time for it is given them by the caller of every 512th, because a thread that has to wait for
the interpreter costs that caller more (docs/decisions/015-folding-on-the-callers-thread.md). Another one is given them
by a thread of the buffer's own. What is over the maximum is dropped and counted. A fork leaves the parent's records to
the parent: the child starts empty.
"""

import itertools
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from opentelemetry.instrumentation.utils import suppress_instrumentation

from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.features import Intake
from monitorx.instrumentation.inference import Inference
from monitorx.instrumentation.lifecycle import after_fork, at_exit, at_exit_of_child
from monitorx.instrumentation.turn import Turns

logger = logging.getLogger(__name__)

CAPACITY = 65_536
FOLD_AT = 512  # a caller folds this many
TURN_AT = 32  # each time that so many have come, who waits for the interpreter may have it
WAKE_AT = 4_096  # the thread is woken early at this many
FOLD_EVERY_S = 1.0
LOST_S = 5.0  # nobody holds the lock for so long without folding

T = TypeVar("T")


class Sink(Protocol):
    """
    Where finished inferences go.

    Attributes:
        is_quick: Whether a caller may fold: it takes about a microsecond an inference, and waits for nothing.
    """

    is_quick: bool

    def fold(self, inferences: Sequence[Inference]) -> None:
        """Take in *inferences*. Called by one thread at a time."""


class Buffer:
    """
    A bounded queue in front of a sink.

    Attributes:
        intake: Takes copies of inputs and outputs; None where the sink does not want them.
        turns: Gives the interpreter to who waits for it.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        capacity: int = CAPACITY,
        fold_every_s: float = FOLD_EVERY_S,
        turns: Turns | None = None,
    ) -> None:
        self.sink = sink
        self.turns = Turns() if turns is None else turns
        self.turns.add(lambda: self._wake.is_set() or self._is_folding)
        self._capacity = capacity
        self._fold_every_s = fold_every_s
        self.intake: Intake | None = None
        self._start_anew()
        after_fork(self._start_anew)
        at_exit(self.flush)
        at_exit_of_child(self.flush)

    def _start_anew(self) -> None:
        self._records: deque[Inference] = deque()
        self._drops = itertools.count()  # next() is atomic, += is not
        self._dropped = 0
        self._failed = 0
        self._lock = threading.Lock()  # of folding
        self._is_folding = False
        self._starting = threading.Lock()  # of the thread: never waited for, the holder of the other one may come here
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        if self.intake is not None:
            self.intake.start_anew()
            self.intake.wake = self._wake_thread

    def observe(self, intake: Intake) -> None:
        """Let *intake* take copies of inputs and outputs from now on."""
        intake.wake = self._wake_thread
        self.intake = intake

    def append(self, inference: Inference) -> None:
        """Take *inference* in, or drop and count it when full. Never blocks."""
        records = self._records
        length = len(records)
        if length >= self._capacity:
            self._dropped = next(self._drops) + 1
            return
        records.append(inference)
        if not length % TURN_AT and length:
            self.turns.give()
        if self.sink.is_quick:
            if length >= FOLD_AT - 1:
                self._fold_or_wake()
        elif self._thread is None:
            self._start_thread()
        elif not length % WAKE_AT and length:
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
        """Fold what is there. What a sink fails on is lost: counted, with a log line."""
        self.drain(lambda: None)

    def drain(self, take: Callable[[], T]) -> T:
        """What *take* gives after all that is there was folded, and before anything else is."""
        while not (lock := self._lock).acquire(timeout=LOST_S):
            if not self._is_folding:
                self._lock = threading.Lock()  # what a handler of signals raised left the other one held for ever
        try:
            self._fold()
            return take()
        finally:
            lock.release()

    def _fold_or_wake(self) -> None:
        """On the caller's thread, if that takes little time. Who comes while somebody folds goes on."""
        if self.intake is not None and not self.intake.is_light:
            if not self._wake.is_set():
                self._wake_thread()
            return
        lock = self._lock
        if lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                lock.release()

    def _fold(self) -> None:
        with suppress_instrumentation():
            records = self._records
            taken = [records.popleft() for _ in range(len(records))]
            if self.intake is not None:
                self.intake.emptied()
            if not taken:
                return
            try:
                self._is_folding = True
                self.sink.fold(taken)
            except BaseException as error:
                self._failed += len(taken)
                if not is_ours(error):
                    raise
                logger.exception("%d inferences could not be folded and are lost", len(taken))
            finally:
                self._is_folding = False

    def _wake_thread(self) -> None:
        if self._thread is None:
            self._start_thread()
        self._wake.set()

    def _start_thread(self) -> None:
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                self._thread = self._make_thread()
        finally:
            self._starting.release()

    def _make_thread(self) -> threading.Thread:
        wake = self._wake
        reference = weakref.ref(self, lambda _: wake.set())  # an abandoned buffer ends its thread
        thread = threading.Thread(target=_fold_forever, args=(reference, wake), name="monitorx-fold", daemon=True)
        thread.start()
        return thread

    def _wait_s(self) -> float | None:
        """How long the thread may sleep: where callers fold, until it is woken."""
        return None if self.sink.is_quick else self._fold_every_s


def _fold_forever(reference: "weakref.ref[Buffer]", wake: threading.Event) -> None:
    while (buffer := reference()) is not None:
        wait_s = buffer._wait_s()
        del buffer  # so that it can be abandoned meanwhile
        wake.wait(wait_s)
        wake.clear()
        buffer = reference()
        if buffer is not None:
            buffer.flush()
