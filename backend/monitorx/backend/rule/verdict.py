"""What rules say. Rules are stateless; alerting owns what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# Names of the facts in `evidence`; annotations may speak of all but the last, which makes no alert.
WINDOW, EVENTS, MIN_EVENTS, ERROR = "window", "events", "min_events", "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    One rule's word on one set of labels, over one window.

    Attributes:
        rule: The rule's name.
        labels: What `by` selected; empty without `by`.
        value: The measured value, in the measure's unit (seconds, ratio, events per second); None without data.
        threshold: What it was compared with, same unit.
        state: ok, breached, no_data or error.
        window: [start_ns, end_ns), event time.
        evidence: Facts: the window in words, the number of events, what was wanted of it, error text.
    """

    rule: str
    labels: Mapping[str, str]
    value: float | None
    threshold: float
    state: Literal["ok", "breached", "no_data", "error"]
    window: tuple[int, int]
    evidence: Mapping[str, str] = field(default_factory=dict)
