"""What can be: the kinds of models that there are, and what is measured. A rule of anything else says nothing."""

import math
from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne

from monitorx.alerting.document import did_you_mean
from monitorx.alerting.matcher import Matcher, Operator
from monitorx.backend.rule.measure import KIND, KINDS, Selector
from monitorx.backend.window import OTHER

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": gt,
    ">=": ge,
    "<": lt,
    "<=": le,
    "==": eq,
    "!=": ne,
}

# What says something of values from 0, in place of what says nothing.
_AT_ZERO: Mapping[str, str] = {">=": ">", "<": "<="}

# Counts that are never more than another one of the same calls.
_WHOLES: Mapping[str, tuple[str, ...]] = {
    "requests": ("requests",),
    "errors": ("errors", "requests"),
    "tokens": ("tokens",),
    "input_tokens": ("input_tokens", "tokens"),
    "output_tokens": ("output_tokens", "tokens"),
    "samples": ("samples",),
}


def unknown_kind(matcher: Matcher) -> str:
    """What is wrong where no call is of the kind that *matcher* wants; empty where some are, or it leaves some out."""
    wants = matcher.operator in (Operator.EQUAL, Operator.REGEX)
    if not wants or any(matcher.matches({KIND: kind}) for kind in (*KINDS, OTHER, "")):
        return ""
    if matcher.operator is Operator.EQUAL:
        return f"no model is of the kind {matcher.value}{did_you_mean(matcher.value, KINDS)}"
    return f"no kind of model is like {matcher.value}; known: {', '.join(KINDS)}"


def unreachable(of: Selector, to: Selector | None, comparison: str, threshold: float, written: str) -> str:
    """
    What is wrong where all that can be measured compares alike with a threshold; empty where some does not.

    Args:
        of, to: What is measured, see `Expression`.
        written: The threshold as it was written.
    """
    if of.measure.is_metric:
        return ""
    whole = to if to is not None and _is_part(of, to) else None
    most = math.inf if whole is None else 1.0
    compare = COMPARISONS[comparison]
    # Where the least, the most and the threshold itself compare alike, so does all that is between them.
    found = {compare(value, threshold) for value in (0.0, threshold, most) if 0.0 <= value <= most}
    if len(found) > 1:
        return ""
    values = "what is measured is never below 0"
    if whole is not None:
        values = f"{of.measure.name} are part of {whole.measure.name}: the ratio is from 0 to 1"
    is_percent = whole is not None and 1.0 <= threshold <= 100.0 and not written.endswith("%")
    meant = f"{threshold:g}%" if is_percent else f"{_AT_ZERO[comparison]} {written}" if threshold == 0.0 else ""
    outcome = "always" if True in found else "never"
    return f"{values}, so {comparison} {written} {outcome} holds" + (f"; did you mean {meant}?" if meant else "")


def _is_part(of: Selector, to: Selector) -> bool:
    """Whether all that *of* counts is counted by *to*, so that their ratio lies between 0 and 1."""
    wholes = _WHOLES.get(of.measure.name, ())
    return to.measure.name in wholes and set(to.matchers) <= set(of.matchers)
