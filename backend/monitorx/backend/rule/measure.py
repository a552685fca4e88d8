"""What rules can measure, and which functions go with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from monitorx.alerting.matcher import Matcher
from monitorx.backend.window import Totals
from monitorx.semconv.metrics import DRIFT_SCORE

# What `by` and matchers may name where calls are measured.
LABELS = ("model", "version", "kind", "operation", "service", "instance", "tenant")
KIND = "kind"
KINDS = ("llm", "tabular", "vision")

COUNTS: Mapping[str, Callable[[Totals], float]] = {
    "requests": lambda totals: totals.requests,
    "errors": lambda totals: totals.errors,
    "tokens": lambda totals: totals.input_tokens + totals.output_tokens,
    "input_tokens": lambda totals: totals.input_tokens,
    "output_tokens": lambda totals: totals.output_tokens,
    "samples": lambda totals: totals.samples,
    "cost_usd": lambda totals: totals.cost_usd,
}
LATENCY = "latency"
MEASURES = (LATENCY, *COUNTS)

# What the server itself finds is read as a metric; these are its short names.
SHORT_NAMES: Mapping[str, str] = {"drift_score": DRIFT_SCORE}

LATENCY_FUNCTIONS = ("avg", "max", "min")  # and pNN
COUNT_FUNCTIONS = ("rate", "sum", "ratio")
METRIC_FUNCTIONS = ("avg", "max", "min", "last", "sum", "rate")
FUNCTIONS = tuple(dict.fromkeys(("p50", "p90", "p95", "p99", *LATENCY_FUNCTIONS, *COUNT_FUNCTIONS, *METRIC_FUNCTIONS)))

SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Measure:
    """
    What is measured.

    Attributes:
        name: One of MEASURES, or a metric's name.
        is_metric: True for a metric by its name.
    """

    name: str
    is_metric: bool

    def functions(self) -> tuple[str, ...]:
        """What may be asked of it; `pNN` stands for any percentile."""
        if self.is_metric:
            return METRIC_FUNCTIONS
        return ("pNN", *LATENCY_FUNCTIONS) if self.name == LATENCY else COUNT_FUNCTIONS


@dataclass(frozen=True, slots=True)
class Selector:
    """A measure, and the matchers that pick from it."""

    measure: Measure
    matchers: tuple[Matcher, ...] = ()
