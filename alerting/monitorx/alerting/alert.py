"""What alerting is told, and what it makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is, mildest first. An alert without the label has `warning`."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Condition(StrEnum):
    """What a rule found for one set of labels."""

    OK = "ok"
    BREACHED = "breached"
    NO_DATA = "no_data"
    ERROR = "error"


class State(StrEnum):
    """Where an alert stands. An inactive alert is one that is not there."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class NoData(StrEnum):
    """What a rule does when there is nothing to judge."""

    KEEP_LAST = "keep_last"  # as if nothing had been said
    OK = "ok"
    ALERTING = "alerting"
    NO_DATA = "no_data"  # an alert of its own, named DatasourceNoData


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What alerting must know of a rule to carry its state.

    Attributes:
        rule: The rule's name, unique in a file; becomes the label `alertname`.
        held_for: How long the condition must hold before it fires (`for`).
        keep_firing_for: How long it keeps firing after the condition has ended.
        no_data: What absence of data means.
        labels: Added to every alert of the rule; `severity` among them.
        annotations: Templates, rendered with `$labels` and `$value` when the alert changes state.
    """

    rule: str
    held_for: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    no_data: NoData = NoData.KEEP_LAST
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """
    One word of one rule about one set of labels, at one moment.

    Attributes:
        policy: The rule it comes from.
        labels: What `by` selected (model, version, ...); without the policy's labels.
        condition: ok, breached, no_data or error.
        value: The measured value; None where there is none.
        threshold: What it was compared with.
        evidence: Facts for the reader of the alert: window, number of events, trace ids.
    """

    policy: Policy
    labels: Mapping[str, str]
    condition: Condition
    value: float | None
    threshold: float | None
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """
    A condition with an identity and a state.

    Attributes:
        labels: Identity, `alertname` and `severity` included. Their fingerprint is the alert's key.
        annotations: Words, rendered.
        state: pending, firing or resolved.
        active_at: When the condition was first seen to hold.
        starts_at: When it began to fire; equal to active_at while pending.
        ends_at: When it was resolved; None until then.
        severity: Of the four levels.
        value: The measured value at the last change of state, None where there is none.
        evidence: Facts for the reader.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: State
    active_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    severity: Severity
    value: float | None
    evidence: Mapping[str, str] = field(default_factory=dict)
