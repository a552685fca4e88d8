"""
For code that no instrumentor knows: the decorator `monitor_inference()` and the context manager `inference()`.

Both check what they are told where they are written, and raise then. Nothing of theirs raises while the code runs.
"""

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Final, ParamSpec, TypeVar, cast

from monitorx.instrumentation import step, telemetry
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.instrumentation.telemetry import Emitter

P = ParamSpec("P")
R = TypeVar("R")

MODEL_TYPES: Final = {"llm": Kind.LLM, "vision": Kind.VISION, "cv": Kind.VISION, "tabular": Kind.TABULAR}


def monitor_inference(
    model_id: str,
    model_type: str,
    *,
    operation: str = "predict",
    version: str | None = None,
    framework: str | None = None,
    emitter: Emitter | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Make each call of a function an inference. Coroutine functions and both kinds of generators are understood too.

    An inference of a generator lasts from its first item to its end, however it ends.

    Args:
        model_id: Name of the model.
        model_type: "llm", "vision" (or "cv") or "tabular".
        operation: What is asked of the model.
        version: Of the model.
        framework: The library that runs it.
        emitter: Where inferences go; the process's own emitter where not given.

    Raises:
        ValueError: *model_id* is empty, or *model_type* is none of these.
    """
    subject = _subject("monitor_inference", model_id, model_type, operation, version, framework)

    def start(_args: object, _kwargs: object, *, is_current: bool = True) -> Inference | None:
        return (emitter or telemetry.emitter()).start(subject, is_current=is_current)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        wrapper = functools.wraps(function)(step.way_of(function)(function, start))
        return cast("Callable[P, R]", wrapper)  # the wrapper takes and gives what the function does

    return decorate


class inference:
    """
    Make a block of code an inference: `with inference("fraud", "tabular") as call:`, or `async with`.

    The block may set `call.batch_size`. Arguments and errors are those of `monitor_inference`.
    """

    def __init__(
        self,
        model_id: str,
        model_type: str,
        *,
        operation: str = "predict",
        version: str | None = None,
        framework: str | None = None,
        batch_size: int | None = None,
        emitter: Emitter | None = None,
    ) -> None:
        self._subject = _subject("inference", model_id, model_type, operation, version, framework)
        self._emitter = emitter
        self._running: list[Inference | None] = []  # one instance may be entered again, also within itself
        self.batch_size = batch_size

    def __enter__(self) -> "inference":
        self._running.append((self._emitter or telemetry.emitter()).start(self._subject))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = self._running.pop()
        if running is None:
            return
        running.batch_size = self.batch_size if isinstance(self.batch_size, int) else None
        if error is None:
            running.stop()
        else:
            running.fail(error)

    async def __aenter__(self) -> "inference":
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _subject(
    caller: str, model_id: str, model_type: str, operation: str, version: str | None, framework: str | None
) -> Subject:
    kind = MODEL_TYPES.get(model_type) if isinstance(model_type, str) else None
    if kind is None:
        raise ValueError(f"{caller}: model_type is {model_type!r}; it must be one of {', '.join(MODEL_TYPES)}")
    if not isinstance(model_id, str) or not model_id:
        raise ValueError(f"{caller}: model_id is {model_id!r}; it must be a name")
    return Subject(operation, Model(model_id, version), kind, framework=framework)
