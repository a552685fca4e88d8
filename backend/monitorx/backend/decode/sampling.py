"""How many calls a sampled span stands for."""

import re
from typing import Final

_OTEL_MEMBER: Final = re.compile(r"(?:^|,)[ \t]*ot=([^,]*)")
_THRESHOLD: Final = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)")
MOST: Final = 1e6  # calls that one span may stand for
_DIGITS: Final = 14  # a threshold is 56 bits; trailing zeros are left out


class Weights:
    """Weights as `weight` gives them, but for what no sampler means: such a span stands for itself (`refused`)."""

    def __init__(self) -> None:
        self.refused = 0

    def of(self, trace_state: str) -> float:
        """The weight of a span."""
        found = weight(trace_state)
        if found <= MOST:
            return found
        self.refused += 1
        return 1.0


def weight(trace_state: str) -> float:
    """
    1 / sampling probability from a W3C tracestate; 1.0 where it says nothing.

    >>> weight("ot=th:8")
    2.0

    Source: OpenTelemetry specification, TraceState: Probability Sampling (rejection threshold `th`).
    """
    if "ot=" not in trace_state:
        return 1.0
    member = _OTEL_MEMBER.search(trace_state)
    threshold = _THRESHOLD.search(member[1].rstrip()) if member else None
    if threshold is None:
        return 1.0
    rejected = int(threshold[1].ljust(_DIGITS, "0"), 16)
    whole = 16**_DIGITS
    return whole / (whole - rejected)
