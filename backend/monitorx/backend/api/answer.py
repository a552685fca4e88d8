"""The shapes of answers. Moments are RFC 3339, UTC, to the microsecond; a number that is none becomes null."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field


def json_safe(value: Any) -> Any:  # Any: JSON values, and what senders smuggle into them
    """*value* as JSON can carry it: no NaN, no infinities, no lone surrogates."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {str(json_safe(key)): json_safe(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(each) for each in value]
    return value


Number = Annotated[float | None, BeforeValidator(json_safe)]
Text = Annotated[str, BeforeValidator(json_safe)]
Version = Annotated[Text | None, BeforeValidator(lambda value: value or None)]
Words = Annotated[dict[str, str], BeforeValidator(json_safe)]
Tree = Annotated[dict[str, Any], BeforeValidator(json_safe)]  # Any: JSON values


class Model(BaseModel):
    """One version of a model."""

    model: Text = Field(description="Name of the model.")
    version: Version = Field(description="Its version; null where it is not known.")
    kind: Text = Field(description="llm, vision or tabular.")
    services: list[Text] = Field(description="Services that call it.")
    operations: list[Text] = Field(description="What it is asked for.")
    requests: Number = Field(description="Calls in the selected time.")
    errors: Number = Field(description="Calls that failed.")
    first_seen: str = Field(description="Start of the first ten seconds with a call.")
    last_seen: str = Field(description="Start of the last ten seconds with a call.")


class Models(BaseModel):
    """Models that were called in the selected time."""

    models: list[Model]


class Inference(BaseModel):
    """One call of a model."""

    start: str = Field(description="When the call began.")
    duration_s: Number = Field(description="How long it took, seconds.")
    trace_id: str = Field(description="32 hex digits.")
    span_id: str = Field(description="16 hex digits.")
    parent_span_id: str | None = Field(description="16 hex digits; null for a root.")
    error_type: Text | None = Field(description="null: the call succeeded.")
    service: Text
    instance: Text
    model: Text | None
    version: Version = Field(description="null: it is not known.")
    kind: Text
    operation: Text
    framework: Text | None = Field(description="Library or provider.")
    input_tokens: Number
    output_tokens: Number
    cost_usd: Number
    batch_size: Number
    ttft_s: Number = Field(description="Time to the first token, seconds.")
    weight: Number = Field(description="How many calls the span stands for, where spans are sampled.")


class Inferences(BaseModel):
    """A page of calls, newest first."""

    inferences: list[Inference]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class Aggregate(BaseModel):
    """Totals of one group in one step."""

    start: str = Field(description="Start of the step.")
    group: dict[str, Text | None] = Field(
        description="The values that were grouped by; null for a version that is not known."
    )
    requests: Number
    errors: Number
    rate: Number = Field(description="Requests a second over the part of the step that lies in the selected time.")
    error_ratio: Number = Field(description="Errors / requests, 0 to 1; null without requests.")
    p50_s: Number = Field(description="Median of the duration, seconds, at most 2.2 % off; null without calls.")
    p95_s: Number = Field(description="95th percentile, seconds.")
    p99_s: Number = Field(description="99th percentile, seconds.")
    mean_s: Number
    max_s: Number
    input_tokens: Number
    output_tokens: Number
    cost_usd: Number
    samples: Number = Field(description="Rows, images or prompts in the calls.")


class Aggregates(BaseModel):
    """Totals, oldest step first."""

    aggregates: list[Aggregate]


class Point(BaseModel):
    """One data point of a metric."""

    time: str
    name: Text
    unit: Text
    type: Text = Field(description="gauge, sum, histogram, exponential_histogram or summary.")
    service: Text
    instance: Text
    attributes: Tree
    value: Number = Field(description="Of a gauge or a sum.")
    count: Number = Field(description="Of a histogram or a summary, as are sum, min and max.")
    sum: Number
    min: Number
    max: Number


class Points(BaseModel):
    """Data points, newest first."""

    points: list[Point]


class DriftFinding(BaseModel):
    """What a detector found for one feature in one window."""

    start: str = Field(description="Start of the window.")
    end: str = Field(description="Its end.")
    model: Text
    version: Version = Field(description="null: it is not known.")
    feature: Text
    role: Text = Field(description="input, output, score, ...")
    method: Text = Field(description="The detector; `:iid` behind it: windows are taken to be alike.")
    status: Text = Field(description="ok, small, low_resolution or no_reference; the figures are null unless it is ok.")
    drifted: bool = Field(description="Sure, among all features of the model, and large enough to matter.")
    statistic: Number = Field(description="The detector's own; for rank_location above 0 where values have risen.")
    p: Number = Field(description="How often chance alone shows as much.")
    score: Number = Field(description="Kolmogorov-Smirnov distance from the reference, 0 to 1.")
    psi: Number = Field(description="Population stability index, freed of what chance makes of it.")
    events: Number = Field(description="Values in the window.")
    reference: Text = Field(description="What it was compared with; empty without a reference.")


class DriftFindings(BaseModel):
    """Findings, newest window first."""

    drift: list[DriftFinding]


class AlertItem(BaseModel):
    """One alert."""

    fingerprint: str = Field(description="Key of the alert: a digest of its labels.")
    state: str = Field(description="pending, firing or resolved.")
    severity: str = Field(description="info, warning, error or critical.")
    labels: Words
    annotations: Words
    active_at: str = Field(description="When the condition was first seen to hold.")
    starts_at: str = Field(description="When it began to fire; active_at while it is pending.")
    ends_at: str | None = Field(description="When it was resolved; null until then.")
    value: Number = Field(description="The measured value when the state last changed.")
    evidence: Words = Field(description="Facts for the reader: window, number of calls, trace ids.")


class Alerts(BaseModel):
    """Alerts, those that began last first."""

    alerts: list[AlertItem]


class Summary(BaseModel):
    """Everything at a glance."""

    start: str
    end: str
    models: int = Field(description="Models that were called; versions count apart.")
    requests: Number
    errors: Number
    error_ratio: Number = Field(description="Errors / requests, 0 to 1; null without requests.")
    alerts_firing: int
    alerts_pending: int


class HealthPart(BaseModel):
    """How one part does."""

    status: str = Field(description="ok or degraded.")
    message: Text = Field(description="In words.")


class HealthAnswer(BaseModel):
    """How the server does."""

    status: str = Field(description="ok where every part is; else degraded.")
    parts: dict[str, HealthPart]
    versions: dict[str, str] = Field(description="Of the server and of what it stands on.")
    dedup_horizon_s: float = Field(description="How long what is sent again is recognised, seconds.")
