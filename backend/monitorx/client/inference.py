"""One call of a model, as the client keeps it until it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from monitorx.client import value
from monitorx.client.model import Json, ResourceUsage

_keep = object.__setattr__  # before anybody has seen it, a frozen object may take the plain form of a number


@dataclass(frozen=True, slots=True)
class Inference:
    """
    One call of a model.

    Attributes:
        model_id: Name of the model.
        latency: Milliseconds.
        end_ns: When it ended, ns since epoch.
        kind: llm, vision or tabular; None: as the server knows it.
        error: What went wrong; None: it succeeded.
        batch_size: Rows, images or prompts.

    Raises:
        ValueError: Field, value and what would be right.
    """

    model_id: str
    latency: float
    end_ns: int
    kind: str | None = None
    version: str | None = None
    operation: str | None = None
    error: str | None = None
    batch_size: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    cost_usd: float | None = None
    ttft: float | None = None
    resources: ResourceUsage | None = None

    def __post_init__(self) -> None:
        value.name("model_id", self.model_id)
        _keep(self, "latency", value.latency("latency", self.latency))
        for field in ("version", "operation", "error"):
            if (text := getattr(self, field)) is not None:
                value.word(field, text)
        for field in ("batch_size", "input_tokens", "output_tokens", "cost_usd"):
            if (number := getattr(self, field)) is not None:
                _keep(self, field, value.amount(field, number))
        if self.ttft is not None:
            _keep(self, "ttft", value.latency("ttft", self.ttft))
        if self.resources is not None and not isinstance(self.resources, ResourceUsage):
            raise value.unusable("resources", self.resources, "ResourceUsage(gpu_memory=…) is expected")

    def as_json(self, new_id: Callable[[int], bytes]) -> Json:
        """In the words of the REST API, under new ids: what is sent again under the same ones is counted once."""
        told: Json = {
            "model": self.model_id,
            "version": self.version,
            "kind": self.kind,
            "operation": self.operation,
            "duration_s": self.latency / 1000,
            "end": _written(self.end_ns),
            "error_type": self.error,
            "batch_size": self.batch_size,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "ttft_s": None if self.ttft is None else self.ttft / 1000,
            "trace_id": new_id(16).hex(),
            "span_id": new_id(8).hex(),
            "resources": None if self.resources is None else self.resources.as_json(),
        }
        return {name: told[name] for name in told if told[name] is not None}


def error_name(error: str | BaseException | bool | None) -> str | None:
    """What the server is told of *error*: the type of an exception, a word as it is; None where there was none."""
    if error is None:
        return None
    if (is_wrong := value.truth(error)) is not None:
        return "error" if is_wrong else None
    if isinstance(error, BaseException):
        return type(error).__qualname__
    return error  # type: ignore[return-value]  # a word; what else it may be, Inference refuses


def _written(moment_ns: int) -> str:
    moment = value.EPOCH + timedelta(microseconds=moment_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
