"""
The life of one alert: inactive → pending (`for`) → firing (→ `keep_firing_for`) → resolved.

Pure functions: (what stands, what was observed, now) → (what stands next, why). Now is the server's clock, never the
time of the data, so that data that comes late or from a wrong clock can neither hurry nor hold an alert.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitorx.alerting.alert import Alert, Condition, NoData, Observation, Policy, Severity, State
from monitorx.alerting.template import Facts, render_all

RESOLVED_KEPT = timedelta(minutes=15)  # how long the API still shows what is over
VANISHED_AFTER = timedelta(minutes=5)  # how long a set of labels may go unmentioned while rules are evaluated

NO_DATA_ALERT = "DatasourceNoData"  # Grafana's name for an alert about missing data


class Transition(StrEnum):
    """Why an alert changed, or did not."""

    NOTHING = "nothing"  # nothing holds and nothing held, or it goes on as it was
    WAITING = "waiting"  # pending, and `for` has not passed yet
    HELD_OPEN = "held_open"  # firing only because keep_firing_for has not passed yet
    NO_DATA_KEPT = "no_data_kept"  # no data: as it was
    MERGED = "merged"  # another verdict of the same round on the same labels weighed more, or as much
    ERROR_KEPT = "error_kept"  # the rule could not be judged: as it was

    PENDING = "pending"  # the condition began to hold
    FIRED = "fired"  # it held for as long as `for` says
    WITHDRAWN = "withdrawn"  # it ended before it fired; nobody was told
    CLEARED = "cleared"  # it ended, and keep_firing_for began
    BREACHED_AGAIN = "breached_again"  # it came back before keep_firing_for had passed
    RESOLVED = "resolved"
    VANISHED = "vanished"  # nothing was said of these labels any more: resolved or withdrawn
    EXPIRED = "expired"  # long resolved: no longer shown


QUIET = frozenset(
    {
        Transition.NOTHING,
        Transition.WAITING,
        Transition.HELD_OPEN,
        Transition.NO_DATA_KEPT,
        Transition.MERGED,
        Transition.ERROR_KEPT,
    }
)


@dataclass(frozen=True, slots=True)
class Standing:
    """
    An alert and what its next step depends on.

    Attributes:
        alert: What everybody sees.
        cleared_at: Since when the condition no longer holds while keep_firing_for runs; None otherwise.
    """

    alert: Alert
    cleared_at: datetime | None = None


def identity(policy: Policy, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of the alert that *policy* raises for *labels*; the rule's own win, as in Prometheus."""
    named = {"severity": Severity.WARNING.value, **labels, **policy.labels, "alertname": policy.rule}
    return {name: value for name, value in named.items() if value}


def no_data_identity(policy: Policy, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of the alert that says that *policy* found nothing to judge."""
    return {**identity(policy, labels), "alertname": NO_DATA_ALERT, "rulename": policy.rule}


def step(
    standing: Standing | None, observation: Observation, labels: Mapping[str, str], now: datetime
) -> tuple[Standing | None, Transition]:
    """
    What becomes of the alert named *labels* after *observation*.

    Args:
        standing: What stands, None while inactive.
        observation: What the rule found.
        labels: `identity` of the observation; an argument because callers remember it.
        now: The server's clock.
    """
    condition = _judged(observation)
    if condition is Condition.ERROR:
        return standing, Transition.ERROR_KEPT
    if condition is Condition.NO_DATA:
        return standing, Transition.NO_DATA_KEPT
    if condition is Condition.BREACHED:
        return _breached(standing, observation, labels, now)
    return _ended(standing, observation, now)


def step_no_data(
    standing: Standing | None, observation: Observation, labels: Mapping[str, str], now: datetime
) -> tuple[Standing | None, Transition]:
    """What becomes of the alert about missing data, for rules that want one; *labels* are `no_data_identity`."""
    if observation.condition is Condition.ERROR:
        return standing, Transition.ERROR_KEPT
    if observation.condition is Condition.NO_DATA:
        return _breached(standing, observation, labels, now)
    return _ended(standing, observation, now)


def vanish(standing: Standing, now: datetime) -> tuple[Standing | None, Transition]:
    """What becomes of an alert whose labels are no longer mentioned."""
    if standing.alert.state is State.RESOLVED:
        return standing, Transition.NOTHING
    if standing.alert.state is State.PENDING:
        return None, Transition.VANISHED
    evidence = {**standing.alert.evidence, "ended": "nothing was said of it any more; it may not be over"}
    return Standing(replace(standing.alert, state=State.RESOLVED, ends_at=now, evidence=evidence)), Transition.VANISHED


def is_expired(standing: Standing, now: datetime) -> bool:
    """True once a resolved alert need not be shown any more."""
    ends_at = standing.alert.ends_at
    return ends_at is not None and now - ends_at >= RESOLVED_KEPT


def weight(observation: Observation, *, about_data: bool) -> int:
    """Which of two observations of one round about the same labels is taken: a breach before an end, before no word."""
    if about_data:
        condition = observation.condition
        return {Condition.NO_DATA: 2, Condition.ERROR: 0}.get(condition, 1)
    return {Condition.BREACHED: 2, Condition.OK: 1}.get(_judged(observation), 0)


def moved(alert: Alert, back: timedelta, now: datetime) -> Alert:
    """*alert* after the clock went back to *now*; its times stay in their order."""
    active_at = earlier(alert.active_at, back, now)
    starts_at = max(earlier(alert.starts_at, back, now), active_at)
    ends_at = None if alert.ends_at is None else max(earlier(alert.ends_at, back, now), starts_at)
    return replace(alert, active_at=active_at, starts_at=starts_at, ends_at=ends_at)


def earlier(at: datetime, back: timedelta, now: datetime) -> datetime:
    """*at* by a clock that went back to *now*; a time that is not later is from before it was ahead, and stays."""
    return at - back if at > now else at


def _judged(observation: Observation) -> Condition:
    """The condition after the rule's word on missing data."""
    if observation.condition is not Condition.NO_DATA:
        return observation.condition
    if observation.policy.no_data is NoData.OK:
        return Condition.OK
    if observation.policy.no_data is NoData.ALERTING:
        return Condition.BREACHED
    return Condition.NO_DATA


def _breached(
    standing: Standing | None, observation: Observation, labels: Mapping[str, str], now: datetime
) -> tuple[Standing, Transition]:
    held_for = observation.policy.held_for
    if standing is None or standing.alert.state is State.RESOLVED:
        began = _began(observation, labels, now)
        return (Standing(began), Transition.PENDING) if held_for > timedelta(0) else (_fired(began, now))
    if standing.alert.state is State.FIRING:
        if standing.cleared_at is None:
            return standing, Transition.NOTHING
        return Standing(standing.alert), Transition.BREACHED_AGAIN
    if now - standing.alert.active_at < held_for:
        return standing, Transition.WAITING
    return _fired(_told(standing.alert, observation), now)


def _ended(standing: Standing | None, observation: Observation, now: datetime) -> tuple[Standing | None, Transition]:
    if standing is None or standing.alert.state is State.RESOLVED:
        return standing, Transition.NOTHING
    if standing.alert.state is State.PENDING:
        return None, Transition.WITHDRAWN
    cleared_at = standing.cleared_at or now
    if now - cleared_at >= observation.policy.keep_firing_for:
        resolved = replace(_told(standing.alert, observation), state=State.RESOLVED, ends_at=now)
        return Standing(resolved), Transition.RESOLVED
    if standing.cleared_at is None:
        return Standing(standing.alert, cleared_at=now), Transition.CLEARED
    return standing, Transition.HELD_OPEN


def _began(observation: Observation, labels: Mapping[str, str], now: datetime) -> Alert:
    alert = Alert(
        labels=labels,
        annotations={},
        state=State.PENDING,
        active_at=now,
        starts_at=now,
        ends_at=None,
        severity=_severity(labels),
        value=observation.value,
        evidence=observation.evidence,
    )
    return replace(alert, annotations=_annotations(alert.labels, observation))


def _fired(alert: Alert, now: datetime) -> tuple[Standing, Transition]:
    return Standing(replace(alert, state=State.FIRING, starts_at=now)), Transition.FIRED


def _told(alert: Alert, observation: Observation) -> Alert:
    """The alert with what is known now; the words stay where there is no number to say."""
    if observation.value is None:
        return replace(alert, value=None)
    annotations = _annotations(alert.labels, observation)
    return replace(alert, annotations=annotations, value=observation.value, evidence=observation.evidence)


def _annotations(labels: Mapping[str, str], observation: Observation) -> dict[str, str]:
    facts = Facts(labels, observation.value, observation.threshold, observation.evidence)
    return render_all(observation.policy.annotations, facts)


def _severity(labels: Mapping[str, str]) -> Severity:
    """The level in the labels; what is not one of the four counts as a warning."""
    try:
        return Severity(labels.get("severity", ""))
    except ValueError:
        return Severity.WARNING
