"""
What is written to InfluxDB: every measurement, its tags and its fields, in one place.

The lines that are written, the questions that are asked, the dashboards and docs/operate/influxdb.md all come from
here or are compared with it. All numbers are floats, so that no field ever changes its type.
"""

from dataclasses import dataclass

from monitorx.backend.window.pane import PANE_NS

PANE_S = PANE_NS // 1_000_000_000


@dataclass(frozen=True, slots=True)
class Field:
    """
    One field of a measurement.

    Attributes:
        unit: As UCUM writes it (`s`, `1`, `{call}`); "text" where the field is a string.
    """

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    One measurement.

    Attributes:
        time: What the time of a point is.
        tags: In the order in which they are written. A tag without a value is left out.
    """

    name: str
    meaning: str
    time: str
    tags: tuple[str, ...]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """
        The field of this name.

        Raises:
            KeyError: There is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name!r}")


_COUNTS = (
    Field("requests", "{call}", "calls"),
    Field("errors", "{call}", "calls that failed"),
    Field("input_tokens", "{token}", "tokens in"),
    Field("output_tokens", "{token}", "tokens out"),
    Field("cost_usd", "USD", "cost"),
    Field("samples", "{sample}", "rows or images that were predicted"),
    Field("latency_sum_s", "s", "seconds of all calls"),
    Field("latency_max_s", "s", "the longest call"),
)
_QUANTILES = (
    Field("p50_s", "s", "half of the calls were shorter"),
    Field("p95_s", "s", "95 % of the calls were shorter"),
    Field("p99_s", "s", "99 % of the calls were shorter"),
)

INFERENCE = Measurement(
    "ml_inference",
    f"{PANE_S} seconds of one model on one process, as spans or as metrics told it",
    "start of the pane",
    ("tenant", "service", "instance", "model", "version", "kind", "operation", "source"),
    (*_COUNTS, Field("latency", "text", "the histogram of durations, base64; merges exactly")),
)
MODEL = Measurement(
    "ml_model",
    f"{PANE_S} seconds of one model on all processes of a service, each call counted once",
    "start of the pane",
    ("tenant", "service", "model", "version", "kind", "operation"),
    (*_COUNTS, *_QUANTILES),
)
DRIFT = Measurement(
    "ml_drift",
    "what a detector found for one feature over one window",
    "end of the window",
    ("tenant", "model", "version", "feature", "role", "method", "status"),
    (
        Field("drifted", "1", "1: drift, 0: none"),
        Field("score", "1", "distance to the reference, 0 to 1"),
        Field("psi", "1", "population stability index"),
        Field("statistic", "1", "of the test"),
        Field("p", "1", "of the test"),
        Field("events", "{value}", "values in the window"),
        Field("window_s", "s", "length of the window"),
        Field("reference", "text", "what was compared with"),
    ),
)
VERDICT = Measurement(
    "ml_verdict",
    "what a rule said of one set of labels",
    "of the verdict",
    ("tenant", "rule", "model", "version", "service", "feature", "series"),
    (
        Field("state", "text", "ok, breached, no_data or error"),
        Field("breached", "1", "1: breached, 0: not"),
        Field("value", "1", "what was measured, in the unit of the rule"),
        Field("threshold", "1", "what it was compared with"),
        Field("labels", "text", "all labels, JSON"),
    ),
)
ALERT = Measurement(
    "ml_alert",
    "an alert's step from state to state",
    "of the step",
    ("tenant", "rule", "severity", "after", "model", "version", "service", "feature", "fingerprint"),
    (
        Field("before", "text", "the state it left"),
        Field("value", "1", "what was measured, in the unit of the rule"),
        Field("firing", "1", "1: it begins to fire, 0: any other step"),
        Field("title", "text", "rule and state, for annotations"),
        Field("text", "text", "labels and value, for annotations"),
        Field("labels", "text", "all labels, JSON"),
    ),
)

MEASUREMENTS = (INFERENCE, MODEL, DRIFT, VERDICT, ALERT)
