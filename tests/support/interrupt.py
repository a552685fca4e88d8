"""A signal at every line of ours that a call runs, one call a line."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from monitorx import instrumentation
from monitorx.instrumentation.telemetry import is_inside
from tests.support.watch import Watch

OURS = str(Path(instrumentation.__file__).parent)


class TimeIsUpError(Exception):
    """What a task's soft time limit raises."""


def raise_time_is_up(number: int, frame: object) -> None:
    """A handler of signals."""
    raise TimeIsUpError


class _Interrupting:
    """A trace function that raises SIGUSR1 at the *at*-th line of ours."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.where: str | None = None

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:  # Any: itself
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGUSR1)
        return self


def assert_it_comes_out_of_each_line(watch: Watch, call: Callable[[], object]) -> None:
    """What the handler raises reaches the caller of *call*, and the call after it is an inference as usual."""
    call()
    before, tracing = signal.signal(signal.SIGUSR1, raise_time_is_up), sys.gettrace()
    try:
        line = 1
        while (where := _interrupted(call, line)) is not None:
            assert not is_inside(), f"still inside after {where}"
            seen = len(watch.inferences)
            call()
            assert len(watch.inferences) == seen + 1, f"not counted after {where}"
            line += 1
    finally:
        sys.settrace(tracing)
        signal.signal(signal.SIGUSR1, before)
    assert line > 20
    assert watch.emitter.faults == 0


def _interrupted(call: Callable[[], object], at: int) -> str | None:
    """Where the call was when the signal came; None if it ended before."""
    interrupting = _Interrupting(at)
    sys.settrace(interrupting)
    try:
        call()
    except TimeIsUpError:
        return interrupting.where
    finally:
        sys.settrace(None)
    assert interrupting.where is None, f"nothing came out of {interrupting.where}"
    return None
