"""What rules read: panes of some time added up, spans and metrics of the same calls counted once."""

from dataclasses import dataclass, field

import numpy as np

from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import METRIC, PaneKey, PanePartial

Identity = tuple[str, ...]  # tenant, service, instance, model, version, operation: whose calls both sources tell


def identity(key: PaneKey) -> Identity:
    """Whose calls a pane counts, whatever told of them."""
    return (key.tenant, key.service, key.instance, key.model, key.version, key.operation)


@dataclass(slots=True)
class Totals:
    """The panes of one group, added up. Latencies are merged only when they are asked for."""

    requests: float = 0.0
    errors: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    cost_usd: float = 0.0
    samples: float = 0.0
    _latencies: list[LatencyHistogram] = field(default_factory=list, repr=False)

    @property
    def latency(self) -> LatencyHistogram:
        """Of all calls, seconds."""
        parts = self._latencies
        if len(parts) != 1:
            self._latencies = [merged(parts)]
        return self._latencies[0]

    def add_calls(self, pane: PanePartial) -> None:
        """Requests, errors and latency."""
        self.requests += pane.requests
        self.errors += pane.errors
        self._latencies.append(pane.latency)

    def add_tokens(self, pane: PanePartial) -> None:
        """Tokens in and out."""
        self.input_tokens += pane.input_tokens
        self.output_tokens += pane.output_tokens


def merged(parts: list[LatencyHistogram]) -> LatencyHistogram:
    """All of *parts* in a histogram of its own."""
    total = LatencyHistogram()
    filled = [part for part in parts if part.counts.size]
    if filled:
        begin = min(part.offset for part in filled)
        counts = np.zeros(max(part.offset + part.counts.size for part in filled) - begin)
        for part in filled:
            counts[part.offset - begin : part.offset - begin + part.counts.size] += part.counts
        total.offset, total.counts = begin, counts
    total.zero = sum(part.zero for part in parts)
    total.sum_s = sum(part.sum_s for part in parts)
    total.max_s = max((part.max_s for part in parts), default=total.max_s)
    return total


class Meters:
    """
    Which calls, tokens and samples metrics have told of, and in which pane last.

    Each of the three is taken from metrics once metrics told of it, else from spans: a client may send metrics of
    durations and none of tokens. Cost is always taken from spans, since no metric tells it.
    """

    def __init__(self) -> None:
        self._calls: dict[Identity, int] = {}
        self._tokens: dict[Identity, int] = {}
        self._samples: dict[Identity, int] = {}

    def see(self, pane: PanePartial) -> None:
        """Note what *pane* tells, if it comes from metrics."""
        if pane.key.source != METRIC:
            return
        whose = identity(pane.key)
        for seen, amount in (
            (self._calls, pane.requests),
            (self._tokens, pane.input_tokens + pane.output_tokens),
            (self._samples, pane.samples),
        ):
            if amount and seen.get(whose, -1) < pane.start_ns:
                seen[whose] = pane.start_ns

    def add(self, totals: Totals, pane: PanePartial) -> None:
        """Add what *pane* counts and no other source does."""
        whose, is_metric = identity(pane.key), pane.key.source == METRIC
        if is_metric or whose not in self._calls:
            totals.add_calls(pane)
        if is_metric or whose not in self._tokens:
            totals.add_tokens(pane)
        if is_metric or whose not in self._samples:
            totals.samples += pane.samples
        totals.cost_usd += pane.cost_usd

    def drop(self, before_ns: int) -> None:
        """Forget who sent no metrics since."""
        for seen in (self._calls, self._tokens, self._samples):
            for whose in [whose for whose, start in seen.items() if start < before_ns]:
                del seen[whose]
