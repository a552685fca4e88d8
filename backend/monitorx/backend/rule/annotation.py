"""What the annotations of a rule may speak of: the labels and the evidence that its alerts have."""

from collections.abc import Collection

from monitorx.alerting import template
from monitorx.alerting.alert import NoData
from monitorx.alerting.document import did_you_mean
from monitorx.backend.rule.rule import Rule
from monitorx.backend.rule.verdict import EVENTS, MIN_EVENTS, WINDOW

OWN_LABELS = ("alertname", "severity")  # of every alert


def unfillable(rule: Rule) -> dict[str, list[str]]:
    """What no alert of *rule* can fill in, by annotation; those that are fine have an empty list."""
    known = {"labels": _labels(rule), "evidence": _evidence(rule)}
    return {name: _unknown(text, known) for name, text in rule.annotations.items()}


def _unknown(text: str, known: dict[str, Collection[str]]) -> list[str]:
    return [
        f"no alert of this rule has ${kind}.{name}{did_you_mean(name, known[kind])}"
        for kind, name in template.names(text)
        if name not in known[kind]
    ]


def _labels(rule: Rule) -> Collection[str]:
    about_data = ("rulename",) if rule.no_data is NoData.NO_DATA else ()
    return {*OWN_LABELS, *about_data, *rule.expression.by, *rule.labels}


def _evidence(rule: Rule) -> Collection[str]:
    is_told_of_few = rule.min_events > 0 and rule.no_data in (NoData.ALERTING, NoData.NO_DATA)
    return (WINDOW, EVENTS, MIN_EVENTS) if is_told_of_few else (WINDOW, EVENTS)
