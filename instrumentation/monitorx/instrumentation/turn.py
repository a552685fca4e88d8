"""
A turn for the threads of exporters, while they wait for the interpreter.

A loop of short calls into numpy starves them: it lets go of the interpreter for instants too short to take it, and each
of those wakes who waits, so that he never asks for his turn and the loop pays for waking him
(docs/decisions/016-a-turn-for-exporters.md).
"""

import sys
import threading
import time
from collections.abc import Callable
from types import BuiltinFunctionType
from typing import Final

EVERY_S: Final = 0.02  # others may be waiting as well, and each keeps the interpreter for up to 5 ms
TURN_S: Final = 50e-6  # long enough for another core to wake

# Windows sleeps for a millisecond or fifteen, and without a lock of the interpreter nobody waits for it.
IS_NEEDED: Final = sys.platform != "win32" and getattr(sys, "_is_gil_enabled", lambda: True)()


class Turns:
    """Lets go of the interpreter for an instant where somebody waits for it, at most every 20 ms."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_s = 0.0
        self._waits: list[Callable[[], bool]] = []

    def add(self, waits: Callable[[], bool]) -> None:
        """Ask *waits* from now on whether somebody does. It takes a microsecond at most and never raises."""
        self._waits.append(waits)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits."""
        return any(waits() for waits in self._waits)

    def give(self) -> None:
        """
        Give a turn, if somebody waits and it is time for one.

        Does nothing where `time.sleep` is not Python's: gevent's would let other greenlets run within the call.
        """
        if not self.is_wanted:
            return
        now_s = self._clock()
        sleep = time.sleep
        if now_s >= self._next_s and IS_NEEDED and type(sleep) is BuiltinFunctionType and sleep.__self__ is time:
            sleep(TURN_S)
            self._next_s = self._clock() + EVERY_S


def has_spans_waiting(processor: object) -> bool:
    """
    Whether a batch processor of the SDK at or below *processor* has woken its thread, which is not done yet.

    This reads names that the SDK does not promise; where they are others, the answer is no.
    """
    for each in getattr(processor, "_span_processors", None) or (processor,):
        woken = getattr(getattr(each, "_batch_processor", None), "_worker_awaken", None)
        if isinstance(woken, threading.Event) and woken.is_set():
            return True
    return False
