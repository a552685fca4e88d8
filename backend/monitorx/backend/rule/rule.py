"""A rule: an expression, and what alerting is told of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from monitorx.alerting.alert import Condition, NoData, Observation, Policy
from monitorx.backend.rule.expression import Expression
from monitorx.backend.rule.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One alerting rule.

    Attributes:
        name: `alert`, unique in a file.
        expression: What is measured and compared.
        held_for, keep_firing_for, no_data, labels, annotations: See `Policy`.
        min_events: Fewer events than this in the window are no data.
    """

    name: str
    expression: Expression
    held_for: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    no_data: NoData = NoData.KEEP_LAST
    min_events: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


def policy(rule: Rule) -> Policy:
    """What alerting must know of *rule*."""
    return Policy(
        rule=rule.name,
        held_for=rule.held_for,
        keep_firing_for=rule.keep_firing_for,
        no_data=rule.no_data,
        labels=rule.labels,
        annotations=rule.annotations,
    )


def observation(rule: Rule, verdict: Verdict) -> Observation:
    """*verdict* in alerting's words."""
    return Observation(
        policy=policy(rule),
        labels=verdict.labels,
        condition=Condition(verdict.state),
        value=verdict.value,
        threshold=verdict.threshold,
        evidence=verdict.evidence,
    )


def longest_window(rules: Iterable[Rule]) -> timedelta:
    """How far back any of *rules* looks; what windows must retain."""
    return max((rule.expression.window for rule in rules), default=timedelta(0))


def watched_metrics(rules: Iterable[Rule]) -> frozenset[str]:
    """Metrics that *rules* name; what windows must watch."""
    return frozenset(rule.expression.of.measure.name for rule in rules if rule.expression.of.measure.is_metric)
