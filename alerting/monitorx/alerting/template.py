"""
The words of an alert: `{{ $labels.model }}`, `{{ $value }}`, `{{ $threshold }}`, `{{ $evidence.window }}`.

Takes a template that an operator wrote and values that came from anywhere; gives text. One pass, no loops, no calls:
what a label holds is never read as a template, and nothing here raises. What cannot be filled in is said in the text.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MAX_TEXT = 4096  # characters of one rendered annotation

_FIELD = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_PART = re.compile(r"\$(labels|evidence)\.([A-Za-z_][\w.]*)|\$(value|threshold)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a template may speak of."""

    labels: Mapping[str, str]
    value: float | None = None
    threshold: float | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)


def render(template: str, facts: Facts) -> str:
    """*template* with its fields filled in."""
    text = _FIELD.sub(lambda found: _filled(found[1], facts), template)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def render_all(templates: Mapping[str, str], facts: Facts) -> dict[str, str]:
    """Every annotation of a rule, rendered."""
    return {name: render(template, facts) for name, template in templates.items()}


def problems(template: str) -> list[str]:
    """What a template says that cannot be filled in whatever the alert; empty when it is good."""
    return [words for words in (_problem(found[1]) for found in _FIELD.finditer(template)) if words]


def names(template: str) -> list[tuple[str, str]]:
    """
    What a good template takes from labels and evidence.

    >>> names("{{ $labels.model }}: {{ $value }} since {{ $evidence.window }}")
    [('labels', 'model'), ('evidence', 'window')]
    """
    parts = (_PART.fullmatch(found[1]) for found in _FIELD.finditer(template))
    return [(part[1], part[2]) for part in parts if part is not None and part[1]]


def number(value: float) -> str:
    """
    Few digits, as people write numbers.

    >>> number(0.30000000000000004), number(1234567.0), number(12.0)
    ('0.3', '1.235e+06', '12')
    """
    return f"{value:.4g}"


def humanize_duration(value: float) -> str:
    """
    Seconds in the unit in which they are read.

    >>> humanize_duration(0.25), humanize_duration(95), humanize_duration(7260)
    ('250ms', '1m 35s', '2h 1m 0s')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1:
        return f"{value * 1000:.4g}ms"
    if abs(value) < 60:
        return f"{value:.4g}s"
    sign, whole = "-" if value < 0 else "", int(abs(value))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (whole % 60, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    return sign + " ".join(f"{amount}{unit}" for amount, unit in parts[first:])


def humanize_percentage(value: float) -> str:
    """
    A ratio as a percentage.

    >>> humanize_percentage(0.0512)
    '5.12%'
    """
    return f"{value * 100:.4g}%"


_FILTERS: Mapping[str, Callable[[float], str]] = {
    "humanize": number,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
}


def _filled(inside: str, facts: Facts) -> str:
    if words := _problem(inside):
        return f"<{words}>"
    name, _, filter_name = (part.strip() for part in inside.partition("|"))
    found = _PART.fullmatch(name)
    assert found is not None, "_problem refuses anything else"  # noqa: S101 - tells mypy what _problem made sure of
    kind, key, measure = found.groups()
    if kind:
        known = facts.labels if kind == "labels" else facts.evidence
        return known.get(key, f"<no {'label' if kind == 'labels' else 'evidence'} {key}>")
    value = facts.value if measure == "value" else facts.threshold
    if value is None:
        return f"<no {measure}>"
    return _FILTERS[filter_name or "humanize"](value)


def _problem(inside: str) -> str:
    name, bar, filter_name = (part.strip() for part in inside.partition("|"))
    found = _PART.fullmatch(name)
    if found is None:
        return f"cannot fill in {name[:60]!r}: write $labels.NAME, $evidence.NAME, $value or $threshold"
    if bar and found[1]:
        return f"{filter_name[:60]!r} works on $value and $threshold only"
    if bar and filter_name not in _FILTERS:
        return f"unknown function {filter_name[:60]!r}: write {', '.join(_FILTERS)}"
    return ""
