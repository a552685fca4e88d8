"""What is said of a model: its type, when to warn, and what it takes up."""

from dataclasses import dataclass
from typing import Literal

from monitorx.client import value

ModelType = Literal["llm", "vision", "tabular", "cv"]
Json = dict[str, object]

_keep = object.__setattr__  # before anybody has seen it, a frozen object may take the plain form of a number


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    When the server warns, looking at the last minute. What is None is not watched.

    Attributes:
        latency: Milliseconds that the 95th percentile of the model's calls may take.
        error_rate: Share of its calls that may fail, 0 to 1.

    Raises:
        ValueError: Field, value and what would be right.
    """

    latency: float | None = None
    error_rate: float | None = None

    def __post_init__(self) -> None:
        if self.latency is not None:
            _keep(self, "latency", value.latency("latency", self.latency))
            if self.latency == 0:
                raise value.unusable("latency", self.latency, "a number of milliseconds above 0 is expected")
        if self.error_rate is not None:
            _keep(self, "error_rate", value.ratio("error_rate", self.error_rate))
            if self.error_rate == 1:
                raise value.unusable("error_rate", self.error_rate, "a ratio below 1 is expected: no share is above 1")

    def as_json(self) -> Json:
        """In the words of the REST API."""
        latency_s = None if self.latency is None else self.latency / 1000
        return {"latency_s": latency_s, "error_ratio": self.error_rate}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """
    A model as it is registered.

    Attributes:
        id: Its name, as telemetry calls it.
        model_type: llm, vision (or cv, the same) or tabular.
        version: Goes with every call that this client reports for it.
        thresholds: When the server warns.

    Raises:
        ValueError: Field, value and what would be right.
    """

    id: str
    model_type: ModelType = "tabular"
    version: str | None = None
    thresholds: Thresholds = Thresholds()

    def __post_init__(self) -> None:
        value.name("id", self.id)
        value.kind(self.model_type)
        if self.version is not None:
            value.word("version", self.version)
        if not isinstance(self.thresholds, Thresholds):
            raise value.unusable("thresholds", self.thresholds, "Thresholds(latency=…, error_rate=…) is expected")

    @property
    def kind(self) -> str:
        """llm, vision or tabular."""
        return value.kind(self.model_type)

    def as_json(self) -> Json:
        """In the words of the REST API."""
        return {"kind": self.kind, "thresholds": self.thresholds.as_json()}


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """
    What was in use when a call ended. What is None is not known.

    Attributes:
        gpu_memory: Bytes in use on the GPU, as `torch.cuda.memory_allocated()` and NVML give them.
        gpu_utilization: Share of the GPU in use, 0 to 1.
        memory: Bytes that the process holds, as `psutil.Process().memory_info().rss` gives them.
        cpu_utilization: Share of all CPUs that the process uses, 0 to 1.
        gpu: Which GPU, where there are several.

    Raises:
        ValueError: Field, value and what would be right.
    """

    gpu_memory: float | None = None
    gpu_utilization: float | None = None
    memory: float | None = None
    cpu_utilization: float | None = None
    gpu: str = "0"

    def __post_init__(self) -> None:
        value.word("gpu", self.gpu)
        for field in ("gpu_memory", "memory"):
            if getattr(self, field) is not None:
                _keep(self, field, value.memory(field, getattr(self, field)))
        for field in ("gpu_utilization", "cpu_utilization"):
            if getattr(self, field) is not None:
                _keep(self, field, value.ratio(field, getattr(self, field)))

    def as_json(self) -> Json:
        """In the words of the REST API."""
        return {
            "gpu": self.gpu,
            "gpu_memory_bytes": self.gpu_memory,
            "gpu_utilization": self.gpu_utilization,
            "memory_bytes": self.memory,
            "cpu_utilization": self.cpu_utilization,
        }
