"""
Whose an exception is that ends a piece of our own work.

Our faults must not reach the application. What it raises from a handler of signals must, a task's soft time limit for
one: Python runs handlers between any two steps, ours as well.
"""

import signal
from types import CodeType


def is_ours(error: BaseException) -> bool:
    """Whether it is a fault of ours: no interrupt, no exit, and not raised by a handler of signals."""
    if not isinstance(error, Exception):
        return False
    handlers = {_code_of(signal.getsignal(number)) for number in signal.valid_signals()}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return False
        trace = trace.tb_next
    return True


def _code_of(handler: object) -> CodeType | None:
    """Of a function, a method, or an object that can be called; None for what Python itself does."""
    function = getattr(handler, "func", handler)  # of a partial
    if not hasattr(function, "__code__"):
        function = vars(type(function)).get("__call__")
    return getattr(function, "__code__", None)
