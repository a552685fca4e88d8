"""
Thresholds of single models, as given over REST, compiled to the same rules that a file may hold.

Models with the same threshold share one rule: what a rule costs does not depend on how many models it matches.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from monitorx.backend.rule.expression import parse
from monitorx.backend.rule.rule import Rule

WINDOW = timedelta(minutes=1)
LATENCY_ALERT = "ModelLatencyHigh"
ERROR_RATE_ALERT = "ModelErrorRateHigh"

_LATENCY_WORDS = {
    "summary": "{{ $labels.model }}: 95 of 100 calls take up to {{ $value | humanizeDuration }}, "
    "more than {{ $threshold | humanizeDuration }}"
}
_ERROR_WORDS = {
    "summary": "{{ $labels.model }}: {{ $value | humanizePercentage }} of calls fail, "
    "more than {{ $threshold | humanizePercentage }}"
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    What is too much for one model, over the last minute, all its versions together; None: not watched.

    Attributes:
        latency_s: For the 95th percentile of the duration.
        error_ratio: For the share of calls that failed, 0 to 1.
    """

    latency_s: float | None = None
    error_ratio: float | None = None


def compiled(of: Mapping[str, Thresholds]) -> tuple[Rule, ...]:
    """The rules that thresholds *of* models, by name, mean."""
    slow, failing = defaultdict(list), defaultdict(list)
    for model, thresholds in sorted(of.items()):
        if thresholds.latency_s is not None:
            slow[thresholds.latency_s].append(model)
        if thresholds.error_ratio is not None:
            failing[thresholds.error_ratio].append(model)
    return (
        *(_rule(LATENCY_ALERT, latency(models, limit_s), _LATENCY_WORDS) for limit_s, models in slow.items()),
        *(_rule(ERROR_RATE_ALERT, error_ratio(models, limit), _ERROR_WORDS) for limit, models in failing.items()),
    )


def latency(models: list[str], limit_s: float) -> str:
    """The expression that warns of slow calls of *models*."""
    return f"p95(latency{{{_matcher(models)}}}[1m]) > {limit_s!r} by (model)"


def error_ratio(models: list[str], limit: float) -> str:
    """The expression that warns of failing calls of *models*."""
    matcher = _matcher(models)
    return f"ratio(errors{{{matcher}}}[1m], requests{{{matcher}}}[1m]) > {limit!r} by (model)"


def _rule(name: str, expression: str, annotations: Mapping[str, str]) -> Rule:
    return Rule(name, parse(expression), annotations=annotations)


def _matcher(models: list[str]) -> str:
    if len(models) == 1:
        return f'model="{_quoted(models[0])}"'
    return f'model=~"{_quoted("|".join(map(re.escape, models)))}"'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
