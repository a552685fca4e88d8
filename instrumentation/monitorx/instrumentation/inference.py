"""
One call of a model, from its start to its end.

`Inference` is what crosses from an instrumentor to the emitter: a record that is cheap to make on the caller's thread
and frozen when it stops. Stopping twice changes nothing. What is the same for every call of a model, its `Subject`, is
made once and shared.
"""

from contextvars import Token
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext

from monitorx.semconv import attributes


class Kind(StrEnum):
    """The three families of models."""

    LLM = "llm"
    VISION = "vision"
    TABULAR = "tabular"


@dataclass(frozen=True, slots=True)
class Model:
    """Which model. `class_name` is the Python class that serves it, where there is one."""

    name: str
    version: str | None = None
    class_name: str | None = None


@dataclass(frozen=True)
class Subject:
    """What is called and how: the part of an inference that is the same for each call."""

    operation: str
    model: Model
    kind: Kind
    framework: str | None = None
    framework_version: str | None = None
    device: str | None = None
    task: str | None = None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:  # kept: each record is grouped by its subject
        versions = self.framework_version, self.device, self.task
        return hash((self.operation, self.model, self.kind, self.framework, versions))

    @cached_property
    def span_name(self) -> str:
        """`{operation} {model}`."""
        return f"{self.operation} {self.model.name}"

    @cached_property
    def span_attributes(self) -> dict[str, str]:
        """Everything that is known before the call."""
        known = {
            **self.point_attributes,
            attributes.ML_FRAMEWORK_VERSION: self.framework_version,
            attributes.ML_MODEL_CLASS: self.model.class_name,
            attributes.ML_DEVICE_TYPE: self.device,
            attributes.ML_TASK_TYPE: self.task,
        }
        return {key: str(value) for key, value in known.items() if value is not None}

    @cached_property
    def point_attributes(self) -> dict[str, str]:
        """What data points carry: few values, so that the series stay few."""
        known = {
            attributes.ML_OPERATION_NAME: self.operation,
            attributes.ML_MODEL_NAME: self.model.name,
            attributes.ML_MODEL_VERSION: self.model.version,
            attributes.ML_MODEL_KIND: str(self.kind),
            attributes.ML_FRAMEWORK_NAME: self.framework,
        }
        return {key: str(value) for key, value in known.items() if value is not None}


class Inference:
    """
    A running or finished call.

    Attributes:
        subject: Operation, framework, model and kind.
        start_ns: Since epoch, UTC.
        duration_s: 0.0 until it stops.
        batch_size: How many samples were asked about; None where nobody can tell.
        input_shape: Of the first input; goes on the span only.
        error_type: Class of the exception that ended the call, or None.
        span_context: Of its span, or None where none was recorded.
        rows: A copy of the input, where somebody asked for it (monitorx.instrumentation.features).
        names: Of its columns, where the model knows them.
        output: A copy of the scores or predictions, likewise.
    """

    # `finisher`, `mark`, `span`, `token`, `started_ns` and `known_batch_size` are the emitter's, while it runs.
    __slots__ = (
        "batch_size",
        "duration_s",
        "error_type",
        "finisher",
        "input_shape",
        "known_batch_size",
        "mark",
        "names",
        "output",
        "rows",
        "span",
        "span_context",
        "start_ns",
        "started_ns",
        "subject",
        "token",
    )

    started_ns: int

    def __init__(
        self, subject: Subject, start_ns: int, batch_size: int | None = None, finisher: "Finisher | None" = None
    ) -> None:
        self.subject = subject
        self.start_ns = start_ns
        self.duration_s = 0.0
        self.batch_size = self.known_batch_size = batch_size
        self.input_shape: tuple[int, ...] | None = None
        self.error_type: str | None = None
        self.span_context: SpanContext | None = None
        self.rows: object = None
        self.names: object = None
        self.output: object = None
        self.finisher = finisher
        self.mark = [True]
        self.span: Span | None = None
        self.token: Token[Context] | None = None

    @property
    def operation(self) -> str:
        """What was asked of the model."""
        return self.subject.operation

    @property
    def framework(self) -> str | None:
        """The library that ran it."""
        return self.subject.framework

    @property
    def model(self) -> Model:
        """Name, version and class."""
        return self.subject.model

    @property
    def kind(self) -> Kind:
        """Which family the model is of."""
        return self.subject.kind

    def stop(self) -> None:
        """The call has returned. Only the first of `stop` and `fail` counts."""
        if self.finisher is not None:
            self.finisher.finish(self)

    def fail(self, error: BaseException) -> None:
        """The call has raised *error*. Only the first of `stop` and `fail` counts."""
        if self.finisher is not None:
            self.error_type = error_type(error)
            self.stop()


class Finisher(Protocol):
    """Who started an inference."""

    def finish(self, inference: Inference) -> None:
        """Close and hand on *inference*; never raises."""


def error_type(error: BaseException) -> str:
    """Class of *error*, with its module unless it is built in."""
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
