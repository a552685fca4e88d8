"""What a rule says now, for each group of labels: a pure function of rule, windows and time."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from monitorx.backend.count import Count, uncounted
from monitorx.backend.rule.measure import COUNTS, LATENCY
from monitorx.backend.rule.rule import Rule
from monitorx.backend.rule.verdict import ERROR, EVENTS, MIN_EVENTS, WINDOW, Verdict
from monitorx.backend.window import Reading, Totals, Windows

_log = logging.getLogger(__name__)

_FAILURES = "monitorx_rule_failures_total"

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A value (None where there is nothing to measure), how many events it rests on, and why it cannot be judged."""

    value: float | None
    events: float
    error: str = ""


def evaluate(
    rule: Rule,
    windows: Windows,
    now_ns: int,
    *,
    count: Count = uncounted,
) -> list[Verdict]:
    """
    One verdict for each group that has data in the window or had some lately; without `by` there is always one.

    Raises nothing: a group that cannot be judged has the state `error`, and so has the whole rule where it fails;
    either is counted, once for the rule.
    """
    expression = rule.expression
    span = windows.span(expression.window, now_ns)
    try:
        measured = _measure(rule, windows, now_ns)
    except Exception as error:  # noqa: BLE001  a rule that fails must not stop the others
        count(_FAILURES, {"rule": rule.name}, 1.0)
        _log.debug("rule %s failed", rule.name, exc_info=True)  # several times a second; `verdicts` warns once
        evidence = {ERROR: f"{type(error).__name__}: {error}"}
        return [Verdict(rule.name, {}, None, expression.threshold, "error", span, evidence)]
    if any(each.error for each in measured.values()):
        count(_FAILURES, {"rule": rule.name}, 1.0)
    words = _words(span)  # once: there may be thousands of groups
    return [_verdict(rule, group, measured[group], span, words) for group in sorted(measured)]


def absent(rule: Rule, labels: Mapping[str, str], now_ns: int) -> Verdict:
    """The verdict on a group that has no data, and of which windows know nothing any more."""
    span = Windows.span(rule.expression.window, now_ns)
    evidence = {WINDOW: _words(span), EVENTS: "0"}
    return Verdict(rule.name, labels, None, rule.expression.threshold, "no_data", span, evidence)


def _measure(rule: Rule, windows: Windows, now_ns: int) -> dict[Group, Measured]:
    expression = rule.expression
    of, by = expression.of, expression.by
    if of.measure.is_metric:
        read = windows.readings(of.measure.name, of.matchers, by, window=expression.window, now_ns=now_ns)
        measured = {group: _of_metric(rule, reading, now_ns) for group, reading in read.items()}
        known = windows.known_series(of.measure.name, of.matchers, by)
    elif expression.to is not None:
        measured = _ratios(rule, windows, now_ns)
        known = windows.known(expression.to.matchers, by)
    else:
        totals = windows.totals(of.matchers, by, window=expression.window, now_ns=now_ns)
        measured = {group: _of_calls(rule, total, now_ns) for group, total in totals.items()}
        known = windows.known(of.matchers, by)
    absent = known if by else {()}
    return dict.fromkeys(absent, Measured(None, 0.0)) | measured


def _of_calls(rule: Rule, totals: Totals, now_ns: int) -> Measured:
    function, measure = rule.expression.function, rule.expression.of.measure.name
    if measure != LATENCY:
        total = COUNTS[measure](totals)
        return Measured(total / _seconds(rule, now_ns) if function == "rate" else total, totals.requests)
    if not totals.requests:
        return Measured(None, 0.0)
    latency = totals.latency
    if function == "avg":
        value = latency.mean
    elif function == "max":
        value = max(latency.max_s, 0.0)
    else:
        value = latency.quantile(rule.expression.quantile or 0.0)  # the smallest is the quantile 0
    return Measured(None if math.isnan(value) else value, totals.requests)


def _ratios(rule: Rule, windows: Windows, now_ns: int) -> dict[Group, Measured]:
    expression = rule.expression
    assert expression.to is not None  # noqa: S101  a ratio has two sides, the parser saw to it
    above, below = (
        {
            group: COUNTS[side.measure.name](totals)
            for group, totals in windows.totals(
                side.matchers, expression.by, window=expression.window, now_ns=now_ns
            ).items()
        }
        for side in (expression.of, expression.to)
    )
    return {group: Measured(above.get(group, 0.0) / total if total else None, total) for group, total in below.items()}


def _of_metric(rule: Rule, reading: Reading, now_ns: int) -> Measured:
    function = rule.expression.function
    if function == "rate":
        if reading.is_level:
            name = rule.expression.of.measure.name
            return Measured(None, reading.count, f"{name} is a gauge: it has no rate; use avg, max or last")
        return Measured(reading.total / _seconds(rule, now_ns), reading.count)
    value = {
        "avg": reading.sum / reading.count if reading.count else math.nan,
        "min": reading.min,
        "max": reading.max,
        "last": reading.last,
        "sum": reading.total,
    }[function]
    return Measured(None if math.isnan(value) else value, reading.count)


def _verdict(rule: Rule, group: Group, measured: Measured, span: tuple[int, int], words: str) -> Verdict:
    expression = rule.expression
    labels = {name: value for name, value in zip(expression.by, group, strict=True) if value}
    evidence = {WINDOW: words, EVENTS: f"{measured.events:g}"}
    if measured.error:
        evidence[ERROR] = measured.error
        return Verdict(rule.name, labels, None, expression.threshold, "error", span, evidence)
    if measured.value is None or measured.events < rule.min_events:
        if measured.value is not None:
            evidence[MIN_EVENTS] = f"{rule.min_events:g}"
        return Verdict(rule.name, labels, None, expression.threshold, "no_data", span, evidence)
    if expression.is_breached(measured.value):
        return Verdict(rule.name, labels, measured.value, expression.threshold, "breached", span, evidence)
    return Verdict(rule.name, labels, measured.value, expression.threshold, "ok", span, evidence)


def _seconds(rule: Rule, now_ns: int) -> float:
    """How much time has passed in what is read; of the pane that now is in only a part has."""
    begin, _ = Windows.span(rule.expression.window, now_ns)
    return (now_ns - begin) / 1e9


def _words(span: tuple[int, int]) -> str:
    begin, end = (datetime.fromtimestamp(ns // 1_000_000_000, UTC) for ns in span)
    return f"{begin:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"
