"""
The expression of a rule: `agg(measure{matchers}[window]) op value [by (labels)]`, read and checked.

    p95(latency{model="fraud"}[5m]) > 250ms by (model, version)
    ratio(errors[5m], requests[5m]) >= 5% by (model)
    avg(hw.gpu.utilization[1m]) > 0.9 by (instance)
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta

from monitorx.alerting.document import did_you_mean, parse_duration
from monitorx.alerting.matcher import Matcher, Operator, compiled
from monitorx.backend.rule.measure import (
    COUNTS,
    FUNCTIONS,
    KIND,
    LABELS,
    LATENCY,
    MEASURES,
    SECONDS,
    SHORT_NAMES,
    Measure,
    Selector,
)
from monitorx.backend.rule.possible import COMPARISONS, unknown_kind, unreachable
from monitorx.backend.rule.token import ExpressionError, Kind, Token, tokens
from monitorx.backend.window import PANE_NS

DEFAULT_WINDOW = timedelta(minutes=5)
MAX_WINDOW = timedelta(hours=24)
PANE = timedelta(seconds=PANE_NS // 1_000_000_000)

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_QUANTITY = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([^\d.]*)")


@dataclass(frozen=True, slots=True)
class Expression:
    """
    A checked expression.

    Attributes:
        function: `pNN`, avg, max, min, rate, sum, ratio or last.
        quantile: 0 to 1, of a percentile; None for other functions.
        of: What is measured; of a ratio the numerator.
        to: The denominator of a ratio; None for other functions.
        window: How far back it looks.
        comparison: One of COMPARISONS.
        threshold: In seconds, ratio, events per second, or the metric's own unit.
        by: Labels that tell the results apart.
        text: As it was written.
    """

    function: str
    quantile: float | None
    of: Selector
    to: Selector | None
    window: timedelta
    comparison: str
    threshold: float
    by: tuple[str, ...]
    text: str

    def is_breached(self, value: float) -> bool:
        """Whether *value* is what the rule warns of."""
        return COMPARISONS[self.comparison](value, self.threshold)


def parse(text: str) -> Expression:
    """
    The expression that *text* says.

    Raises:
        ExpressionError: With the place, and what would be right.
    """
    return _Parser(text).expression()


class _Parser:
    """Reads tokens from left to right; one method for each part of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._next = 0

    def expression(self) -> Expression:
        function = self._take(Kind.WORD, "a function, as in p95(latency[5m]) > 250ms")
        quantile = _quantile(function)
        self._sign("(")
        of, window = self._selector(function, quantile)
        to = None
        if function.text == "ratio":
            self._sign(",", "ratio needs two measures, as in ratio(errors[5m], requests[5m])")
            to, other = self._selector(function, quantile)
            window = self._same_window(window, other)
        self._sign(")")
        comparison = self._comparison()
        limit = self._peek()
        threshold = self._threshold(function.text, of.measure)
        if words := unreachable(of, to, comparison, threshold, limit.text):
            raise ExpressionError(limit.position, words)
        by = self._by(of.measure)
        end = self._peek()
        if end.kind is not Kind.END:
            raise ExpressionError(end.position, f"the rule is complete before {end}")
        return Expression(
            function.text, quantile, of, to, window or DEFAULT_WINDOW, comparison, threshold, by, self._text
        )

    def _selector(self, function: Token, quantile: float | None) -> tuple[Selector, timedelta | None]:
        measure = self._measure()
        _check_function(function, quantile, measure)
        matchers = self._matchers(measure) if self._at("{") else ()
        window = self._window() if self._at("[") else None
        return Selector(measure, matchers), window

    def _measure(self) -> Measure:
        token = self._peek()
        if token.kind is Kind.STRING and token.text:
            self._next += 1
            return Measure(token.text, is_metric=True)
        token = self._take(Kind.WORD, f"a measure: {', '.join(MEASURES)}, or a metric by its name")
        if token.text in MEASURES:
            return Measure(token.text, is_metric=False)
        if token.text in SHORT_NAMES:
            return Measure(SHORT_NAMES[token.text], is_metric=True)
        if "." in token.text:
            return Measure(token.text, is_metric=True)
        raise ExpressionError(
            token.position,
            f"unknown measure {token.text}{did_you_mean(token.text, (*MEASURES, *SHORT_NAMES))}; "
            f'a metric without a dot in its name is quoted: "{token.text}"',
        )

    def _matchers(self, measure: Measure) -> tuple[Matcher, ...]:
        matchers: list[Matcher] = []
        self._sign("{")
        while not self._at("}"):
            matchers.append(self._matcher(measure))
            if not self._at("}"):
                self._sign(",", 'matchers are separated by commas: {model="a", version="2"}')
        self._sign("}")
        return tuple(matchers)

    def _matcher(self, measure: Measure) -> Matcher:
        name = self._label(measure)
        sign = self._peek()
        if sign.text not in ("=", "!=", "=~", "!~"):
            raise ExpressionError(sign.position, f"a label is compared with =, !=, =~ or !~, not {sign}")
        self._next += 1
        value = self._take(Kind.STRING, f'a quoted value: {name}{sign.text}"…"')
        matcher = _matcher(name, Operator(sign.text), value)
        if not measure.is_metric and name == KIND and (words := unknown_kind(matcher)):
            raise ExpressionError(value.position, words)
        return matcher

    def _label(self, measure: Measure) -> str:
        token = self._peek()
        if token.kind not in (Kind.WORD, Kind.STRING):
            raise ExpressionError(token.position, f"a label is needed here, not {token}")
        self._next += 1
        if not measure.is_metric and token.text not in LABELS:
            raise ExpressionError(token.position, f"unknown label {token.text}{did_you_mean(token.text, LABELS)}")
        return token.text

    def _window(self) -> timedelta:
        self._sign("[")
        token = self._take(Kind.QUANTITY, "a window, as in [5m]")
        try:
            window = parse_duration(token.text)
        except ValueError as error:
            raise ExpressionError(token.position, f"bad window: {error}") from None
        _check_window(window, token)
        self._sign("]")
        return window

    def _same_window(self, one: timedelta | None, other: timedelta | None) -> timedelta | None:
        if one and other and one != other:
            place = self._tokens[self._next - 2].position
            raise ExpressionError(place, f"both sides of a ratio have one window; the first is {_duration(one)}")
        return one or other

    def _comparison(self) -> str:
        token = self._peek()
        if token.text not in COMPARISONS:
            hint = "; == compares" if token.text == "=" else ""
            raise ExpressionError(token.position, f"one of {' '.join(COMPARISONS)} is needed here, not {token}{hint}")
        self._next += 1
        return token.text

    def _threshold(self, function: str, measure: Measure) -> float:
        token = self._take(Kind.QUANTITY, "a value to compare with: 250ms, 5%, 1.5")
        found = _QUANTITY.fullmatch(token.text)
        if found is None:
            raise ExpressionError(token.position, f"{token} is not a value; write 250ms, 2s, 5% or 1.5")
        number, unit = float(found[1]), found[2]
        units = {"": 1.0}
        if measure.is_metric or function == "ratio":
            units["%"] = 0.01
        if measure.is_metric or measure.name == LATENCY:
            units |= SECONDS
        if unit not in units:
            allowed = ", ".join(each for each in units if each) or "none"
            what = "a ratio" if function == "ratio" else f"{function}({measure.name})"
            raise ExpressionError(token.position, f"{token}: {what} has no unit {unit}; units here: {allowed}")
        threshold = number * units[unit]
        if not math.isfinite(threshold):
            raise ExpressionError(token.position, f"{token} is too large a number")
        return threshold

    def _by(self, measure: Measure) -> tuple[str, ...]:
        if self._peek().text != "by" or self._peek().kind is not Kind.WORD:
            return ()
        self._next += 1
        self._sign("(", "labels stand in parentheses: by (model, version)")
        labels: list[str] = []
        while True:
            place = self._peek()
            label = self._label(measure)
            if label in labels:
                raise ExpressionError(place.position, f"{label} stands twice")
            labels.append(label)
            if not self._at(","):
                break
            self._sign(",")
        self._sign(")")
        return tuple(labels)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _at(self, sign: str) -> bool:
        token = self._peek()
        return token.kind is Kind.SIGN and token.text == sign

    def _take(self, kind: Kind, wanted: str) -> Token:
        token = self._peek()
        if token.kind is not kind:
            raise ExpressionError(token.position, f"{wanted} is needed here, not {token}")
        self._next += 1
        return token

    def _sign(self, sign: str, hint: str = "") -> None:
        token = self._peek()
        if not self._at(sign):
            raise ExpressionError(token.position, hint or f"{sign} is needed here, not {token}")
        self._next += 1


def _matcher(name: str, operator: Operator, value: Token) -> Matcher:
    if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        return Matcher(name, operator, value.text)
    try:
        return Matcher(name, operator, value.text, compiled(value.text))
    except ValueError as error:
        raise ExpressionError(value.position, str(error)) from None


def _quantile(function: Token) -> float | None:
    """The quantile of a percentile's name; None for other functions."""
    found = _PERCENTILE.fullmatch(function.text)
    if found:
        return float(found[1]) / 100.0
    if function.text not in FUNCTIONS:
        message = f"unknown function {function.text}{did_you_mean(function.text, FUNCTIONS)}"
        raise ExpressionError(function.position, message)
    return None


def _check_function(function: Token, quantile: float | None, measure: Measure) -> None:
    functions = measure.functions()
    name = "pNN" if quantile is not None else function.text
    if name in functions:
        return
    if measure.is_metric and name in ("pNN", "ratio"):
        known = ", ".join(COUNTS) if name == "ratio" else LATENCY
        raise ExpressionError(function.position, f"{function.text} measures {known}, not a metric by its name")
    listed = ", ".join(functions).replace("pNN", "p50, p95, p99")
    raise ExpressionError(function.position, f"{function.text} cannot measure {measure.name}; use {listed}")


def _check_window(window: timedelta, token: Token) -> None:
    if timedelta(0) < window <= MAX_WINDOW and not window % PANE:
        return
    if window > MAX_WINDOW:
        raise ExpressionError(token.position, f"the window {token.text} is longer than 24h; try 24h")
    below = window // PANE * PANE
    tries = [_duration(each) for each in (below, below + PANE) if each]
    message = f"the window {token.text} is not a multiple of {_duration(PANE)}; try {' or '.join(tries)}"
    raise ExpressionError(token.position, message)


def _duration(span: timedelta) -> str:
    """As an operator would write it: the largest unit that leaves nothing over."""
    seconds = int(span.total_seconds())
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
