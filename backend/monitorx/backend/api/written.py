"""The shapes of bodies: what may be told to the server. An unknown field is refused."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from monitorx.backend.api.hexadecimal import NewSpanId, NewTraceId
from monitorx.backend.api.instant import MOMENT
from monitorx.backend.rule.threshold import WINDOW
from monitorx.backend.storage.registry import Kind

MAX_INFERENCES = 1000
MAX_NAME = 256  # characters
_LONGEST_S = 86_400.0


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters are expected")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME), AfterValidator(_plain)]
Word = Annotated[str, StringConstraints(max_length=MAX_NAME), AfterValidator(_plain)]
Amount = Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_S, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Body(BaseModel):
    # Without `strict`, "12" and true would pass for numbers.
    model_config = ConfigDict(extra="forbid", strict=True)


class Resources(_Body):
    """What a call, or the process that made it, took up when it ended."""

    gpu: Word = Field("0", description="Which GPU (hw.id).")
    gpu_memory_bytes: Amount | None = Field(None, description="Memory in use on the GPU, bytes (hw.gpu.memory.usage).")
    gpu_utilization: Ratio | None = Field(None, description="Share of the GPU in use, 0 to 1 (hw.gpu.utilization).")
    memory_bytes: Amount | None = Field(None, description="Of the process, bytes (process.memory.usage).")
    cpu_utilization: Ratio | None = Field(
        None, description="Share of all CPUs that the process uses, 0 to 1 (process.cpu.utilization)."
    )


class NewInference(_Body):
    """One call of a model."""

    model: Name = Field(description="Name of the model.")
    version: Word | None = Field(None, description="Its version.")
    kind: Kind | None = Field(
        None, description="llm, vision or tabular. Default: as the model was registered, else tabular."
    )
    operation: Word | None = Field(None, description="What it was asked for. Default: chat for an llm, else predict.")
    framework: Word | None = Field(None, description="Library or provider.")
    duration_s: Seconds = Field(description="How long it took, seconds.")
    end: str | None = Field(None, max_length=40, description=f"When it ended: {MOMENT}. Default: now.")
    error_type: Word | None = Field(None, description="What went wrong; null: the call succeeded.")
    batch_size: Amount | None = Field(None, description="Rows, images or prompts in the call.")
    input_tokens: Amount | None = Field(None, description="Tokens that went in.")
    output_tokens: Amount | None = Field(None, description="Tokens that came out.")
    cost_usd: Amount | None = Field(None, description="What it cost, US dollars.")
    ttft_s: Seconds | None = Field(None, description="Time to the first token, seconds.")
    trace_id: NewTraceId | None = Field(None, description="32 hex digits, lower case. Default: a new one.")
    span_id: NewSpanId | None = Field(
        None,
        description="16 hex digits, lower case. The same ids again, within 15 minutes, are counted once. "
        "Default: a new one.",
    )
    resources: Resources | None = Field(None, description="What was in use when it ended.")


class NewInferences(_Body):
    """Calls of one process."""

    service: Name = Field("unknown_service", description="Service that makes them (service.name).")
    instance: Word = Field("", description="The process, one of several of the service (service.instance.id).")
    inferences: list[NewInference] = Field(max_length=MAX_INFERENCES, description="The calls.")


class Taken(BaseModel):
    """What became of a request; it is durable."""

    accepted: int = Field(description="Inferences that were taken.")
    rejected: int = Field(description="Inferences that were refused.")
    message: str = Field(description="Why; empty where none was.")


class ModelThresholds(_Body):
    """What is too much for a model. A limit that is null, or not given, is not watched."""

    latency_s: Seconds | None = Field(
        None, gt=0, description=f"For the 95th percentile of the duration over {WINDOW.seconds} s, seconds."
    )
    error_ratio: Ratio | None = Field(
        None, lt=1, description=f"For the share of failed calls over {WINDOW.seconds} s, 0 to 1."
    )


class ModelEntry(_Body):
    """What is to be known of a model."""

    kind: Kind | None = Field(None, description="llm, vision or tabular, for calls that do not say it.")
    thresholds: ModelThresholds | None = Field(None, description="When to warn; null: never.")


class RegisteredModel(BaseModel):
    """A model as it is registered."""

    model: str = Field(description="Name of the model.")
    kind: Kind | None = Field(description="llm, vision or tabular; null where that was not said.")
    thresholds: ModelThresholds
    rules: list[str] = Field(description="The rules that the thresholds mean, as a rule file would say them.")
