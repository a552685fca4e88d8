"""What the server answers, field by field; docs/reference/rest.md says what each means. Durations are in seconds."""

from typing import TypedDict


class Model(TypedDict):
    """One version of a model that was called."""

    model: str
    version: str | None
    kind: str
    services: list[str]
    operations: list[str]
    requests: float
    errors: float
    first_seen: str
    last_seen: str


class Aggregate(TypedDict):
    """Totals of one group in one step."""

    start: str
    group: dict[str, str | None]
    requests: float
    errors: float
    rate: float | None
    error_ratio: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    mean_s: float | None
    max_s: float | None
    input_tokens: float
    output_tokens: float
    cost_usd: float
    samples: float


class DriftFinding(TypedDict):
    """What a detector found for one feature in one window; the figures are None unless the status is ok."""

    start: str
    end: str
    model: str
    version: str | None
    feature: str
    role: str
    method: str
    status: str
    drifted: bool
    statistic: float | None
    p: float | None
    score: float | None
    psi: float | None
    events: float
    reference: str


class AlertItem(TypedDict):
    """One alert."""

    fingerprint: str
    state: str
    severity: str
    labels: dict[str, str]
    annotations: dict[str, str]
    active_at: str
    starts_at: str
    ends_at: str | None
    value: float | None
    evidence: dict[str, str]


class Summary(TypedDict):
    """Everything at a glance."""

    start: str
    end: str
    models: int
    requests: float
    errors: float
    error_ratio: float | None
    alerts_firing: int
    alerts_pending: int


class ModelThresholds(TypedDict):
    """What is too much for a model."""

    latency_s: float | None
    error_ratio: float | None


class RegisteredModel(TypedDict):
    """A model as it is registered."""

    model: str
    kind: str | None
    thresholds: ModelThresholds
    rules: list[str]


class HealthPart(TypedDict):
    """How one part of the server does."""

    status: str
    message: str


class HealthAnswer(TypedDict):
    """How the server does."""

    status: str
    parts: dict[str, HealthPart]
    versions: dict[str, str]
    dedup_horizon_s: float
