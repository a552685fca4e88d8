"""
A turn for threads that wait for the interpreter.

A loop of short calls into numpy starves them: it lets go of the interpreter for instants too short to take it, and each
of those wakes who waits, so that he never asks for his turn and the loop pays for waking him. The threads of exporters,
ours and the SDK's, are among them (docs/decisions/016-a-turn-for-those-who-wait.md).
"""

import time
from types import BuiltinFunctionType
from typing import Final

TURN_S: Final = 50e-6  # long enough for another core to wake; whoever got the interpreter keeps it for what he needs


def give_turn() -> None:
    """
    Let go of the interpreter for some 60 µs.

    Does nothing where `time.sleep` is not Python's: gevent's would let other greenlets run within the call.
    """
    sleep = time.sleep
    if type(sleep) is BuiltinFunctionType and sleep.__self__ is time:
        sleep(TURN_S)
