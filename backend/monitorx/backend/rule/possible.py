"""What can be: the kinds of models that there are, and the values of a share. A rule of anything else says nothing."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne

from monitorx.alerting.document import did_you_mean
from monitorx.alerting.matcher import Matcher
from monitorx.backend.rule.measure import KINDS, Selector
from monitorx.backend.window import OTHER

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": gt,
    ">=": ge,
    "<": lt,
    "<=": le,
    "==": eq,
    "!=": ne,
}

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
    """What is wrong where no call is of the kind that *matcher* names; empty where some are."""
    seen = (*KINDS, OTHER, "")
    if matcher.pattern is None and matcher.value not in seen:
        return f"no model is of the kind {matcher.value}{did_you_mean(matcher.value, KINDS)}"
    if matcher.pattern is not None and not any(map(matcher.pattern.fullmatch, seen)):
        return f"no kind of model is like {matcher.value}; known: {', '.join(KINDS)}"
    return ""


def is_share(of: Selector, to: Selector) -> bool:
    """Whether all that *of* counts is counted by *to*, so that their ratio lies between 0 and 1."""
    wholes = _WHOLES.get(of.measure.name, ())
    return to.measure.name in wholes and set(to.matchers) <= set(of.matchers)


def unreachable(comparison: str, threshold: float) -> str:
    """What is wrong with comparing a share with *threshold*; empty where it may turn out either way."""
    compare = COMPARISONS[comparison]
    holds = any(compare(share, threshold) for share in (0.0, threshold, 1.0) if 0.0 <= share <= 1.0)
    if holds and threshold <= 1.0:
        return ""
    percent = f"; did you mean {threshold:g}%?" if 1.0 <= threshold <= 100.0 else ""
    return f"the ratio is from 0 to 1, so {comparison} {threshold:g} {'always' if holds else 'never'} holds{percent}"
