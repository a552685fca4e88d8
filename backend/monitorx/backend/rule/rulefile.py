"""
The file that operators write: rules in Prometheus' words, routes and receivers in Alertmanager's.

Gives all of it, or all that is wrong with it: `FILE:LINE: key: message`, a line each.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from monitorx.alerting import config as alerting
from monitorx.alerting import template
from monitorx.alerting.alert import NoData, Severity
from monitorx.alerting.config import AlertingConfig
from monitorx.alerting.document import Node, Problems, Section, did_you_mean, read
from monitorx.alerting.state import NO_DATA_ALERT
from monitorx.backend.rule.annotation import unfillable
from monitorx.backend.rule.expression import Expression, parse
from monitorx.backend.rule.rule import Rule
from monitorx.backend.rule.threshold import ERROR_RATE_ALERT, LATENCY_ALERT
from monitorx.backend.rule.token import ExpressionError

DOCUMENT_KEYS = ("groups", "route", "receivers")
GROUP_KEYS = ("name", "rules")
RULE_KEYS = ("alert", "expr", "for", "keep_firing_for", "no_data", "min_events", "labels", "annotations")
_NO_KEYS = {
    "clear": "clear is not supported yet; keep_firing_for keeps an alert from flapping",
    "severity": "belongs under `labels:`, as in labels: {severity: critical}",
    "summary": "belongs under `annotations:`",
    "description": "belongs under `annotations:`",
}
_RESERVED_NAMES = {
    LATENCY_ALERT: "alerts of registered models",
    ERROR_RATE_ALERT: "alerts of registered models",
    NO_DATA_ALERT: "alerts about missing data",
}
_RESERVED_LABELS = ("alertname", "rulename")
_CONTEXT = 24  # characters of an expression shown around what is wrong


@dataclass(frozen=True, slots=True)
class RuleFile:
    """
    What a file says.

    Attributes:
        rules: Of all groups, in the order of the file.
        alerting: Its routes and receivers.
    """

    rules: tuple[Rule, ...]
    alerting: AlertingConfig

    @property
    def size(self) -> str:
        """In words: `3 rules, 1 receiver`."""
        counts = {"rule": len(self.rules), "receiver": len(self.alerting.receivers)}
        return ", ".join(f"{count} {what}" if count == 1 else f"{count} {what}s" for what, count in counts.items())


def load(path: Path | str) -> RuleFile:
    """
    The rules, routes and receivers in the file at *path*.

    Raises:
        DocumentError: With all that is wrong, by file, line and key.
    """
    problems = Problems()
    root = read(path)
    Section(root, problems, DOCUMENT_KEYS)
    file = RuleFile(parse_rules(root, problems), alerting.parse(root, problems))
    problems.check()
    return file


def parse_rules(root: Node, problems: Problems) -> tuple[Rule, ...]:
    """The rules under `groups`; other keys of the document are others' to read."""
    listed = root.items().get("groups")
    if listed is not None and not isinstance(listed.value, list):
        problems.add(listed, "must be a list of groups: [{name: …, rules: […]}]")
    groups: dict[str, Node] = {}
    names: dict[str, Node] = {}
    rules: list[Rule] = []
    for node in listed.elements() if listed is not None else ():
        group = Section(node, problems, GROUP_KEYS)
        _note_double(group, "name", "group", groups, problems)
        for element in group.elements("rules"):
            section = _section(element, problems)
            _note_double(section, "alert", "rule", names, problems)
            _note_reserved(section, problems)
            if (rule := _rule(section, problems)) is not None:
                rules.append(rule)
    return tuple(rules)


def _section(node: Node, problems: Problems) -> Section:
    wrong = [key for key in node.items() if key not in RULE_KEYS]
    section = Section(node, problems, (*RULE_KEYS, *wrong))
    for key in wrong:
        problems.add(section.place(key), _NO_KEYS.get(key) or f"unknown key{did_you_mean(key, RULE_KEYS)}")
    return section


def _rule(section: Section, problems: Problems) -> Rule | None:
    expression = _expression(section, problems)
    held_for = section.duration("for", timedelta(0))
    keep_firing_for = section.duration("keep_firing_for", timedelta(0))
    no_data = NoData(section.choice("no_data", [each.value for each in NoData], NoData.KEEP_LAST.value))
    min_events = section.number("min_events", 0.0)
    if min_events < 0:
        problems.add(section.place("min_events"), f"{min_events:g} must be 0 or more")
    labels, annotations = _labels(section, problems), _annotations(section, problems)
    if expression is None:
        return None
    rule = Rule(
        name=section.node.items()["alert"].text if "alert" in section else "",
        expression=expression,
        held_for=held_for,
        keep_firing_for=keep_firing_for,
        no_data=no_data,
        min_events=min_events,
        labels=labels,
        annotations=annotations,
    )
    _note_merged(rule, section, problems)
    _note_unfillable(rule, section, problems)
    return rule


def _expression(section: Section, problems: Problems) -> Expression | None:
    text = section.text("expr")
    if not text:
        if isinstance(section.place("expr").value, str):
            problems.add(section.place("expr"), "must be an expression, as in p95(latency[5m]) > 250ms by (model)")
        return None
    try:
        return parse(text)
    except ExpressionError as error:
        rest = text[error.position : error.position + _CONTEXT]
        near = f"at {rest!r}" if rest.strip() else "at the end"
        problems.add(section.place("expr"), f"column {error.position + 1}, {near}: {error}")
    return None


def _labels(section: Section, problems: Problems) -> dict[str, str]:
    labels = section.string_map("labels")
    node = section.entry("labels")
    severity = labels.get("severity")
    levels = [level.value for level in Severity]
    if node is not None and severity is not None and severity not in levels:
        message = f"unknown severity {severity!r}; one of {', '.join(levels)}"
        near = did_you_mean(severity, levels)
        problems.add(node.items()["severity"], message + (near if "did you mean" in near else ""))
    for name in _RESERVED_LABELS:
        if node is not None and name in labels:
            problems.add(node.items()[name], f"{name} is set from the rule's name; use another label")
    return labels


def _annotations(section: Section, problems: Problems) -> dict[str, str]:
    annotations = section.string_map("annotations")
    node = section.entry("annotations")
    for name, text in annotations.items():
        for words in template.problems(text):
            if node is not None:
                problems.add(node.items()[name], words)
    return annotations


def _note_merged(rule: Rule, section: Section, problems: Problems) -> None:
    """Find labels that are the same for all groups where `by` tells these apart: one alert would stand for all."""
    by = rule.expression.by
    for name in _RESERVED_LABELS:
        if name in by:
            problems.add(section.place("expr"), f"by: {name} is set from the rule's name; use another label")
    node = section.entry("labels")
    for name, place in node.items().items() if node is not None else ():
        if name in by:
            wrong = f"`by` tells alerts apart by {name}, and one value for all makes them one alert"
            problems.add(place, f"{wrong}; leave this label out, or give it another name")


def _note_unfillable(rule: Rule, section: Section, problems: Problems) -> None:
    node = section.entry("annotations")
    for name, found in unfillable(rule).items():
        for words in found:
            problems.add(node.items()[name] if node is not None else section.node, words)


def _note_reserved(section: Section, problems: Problems) -> None:
    node = section.entry("alert")
    if node is not None and (whose := _RESERVED_NAMES.get(node.text)):
        problems.add(node, f"{node.text} is the name of {whose}; rename the rule")


def _note_double(section: Section, key: str, what: str, seen: dict[str, Node], problems: Problems) -> None:
    """Read a name that must be there and be the only one of its kind."""
    name, place = section.text(key), section.place(key)
    if key in section and isinstance(place.value, str) and not name.strip():
        problems.add(place, f"must be the name of a {what}")
    elif name and name in seen:
        problems.add(place, f"two {what}s are named {name!r}; the first is on line {seen[name].line}, rename one")
    seen.setdefault(name, place)
