"""
Panes: ten seconds of one model on one process, as numbers that add up.

Merging is associative and commutative, so any span of time, any set of replicas and any order of arrival give the same
totals. Spans and metrics of the same calls are kept apart by `source` and chosen between when read (the source rule):

- Calls (requests, errors, latency), tokens and samples are chosen each by itself. Where metrics of a tenant, service,
  instance, model, version and operation told of any, its metrics are what counts of them; else its spans.
- Cost is counted from spans always, as no metric tells it.

What was told lately or in the time that is asked about decides. Rules and InfluxDB's answers follow it by
`totals.Meters`, the embedded store by `storage/duckdb/source.py`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from monitorx.backend.window.latency import LatencyHistogram

PANE_NS = 10_000_000_000
SPAN, METRIC = "span", "metric"


class PaneKey(NamedTuple):
    """Whose pane it is. `instance` is one process (service.instance.id)."""

    tenant: str
    service: str
    instance: str
    model: str
    version: str
    kind: str
    operation: str
    source: str  # SPAN or METRIC


@dataclass(slots=True)
class PanePartial:
    """
    What some records add to one pane: [start_ns, start_ns + PANE_NS).

    Counts are floats, since a sampled span stands for several calls.
    """

    key: PaneKey
    start_ns: int
    requests: float
    errors: float
    latency: LatencyHistogram  # seconds, errors included
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    cost_usd: float = 0.0
    samples: float = 0.0

    def merge(self, other: "PanePartial") -> None:
        """Add *other*, which has the same key and start."""
        self.requests += other.requests
        self.errors += other.errors
        self.latency.merge(other.latency)
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost_usd += other.cost_usd
        self.samples += other.samples
