"""
Columns: what decoding makes of an OTLP request, and what every later step works on.

A `ColumnBatch` is one pyarrow RecordBatch of one of four kinds, each with a published schema. Times are int64
nanoseconds since epoch (UTC), ids are fixed-size binary or null, strings are dictionary-encoded, measures are float64.
`key` identifies an item across resends (stable between processes); `series` is local to the process and never stored.
The journal position of the record that carried the rows is constant within a batch and travels beside it.
"""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

STRING = pa.dictionary(pa.int32(), pa.string())
TIME = pa.int64()
MEASURE = pa.float64()
COUNTS = pa.list_(pa.float64())


class BatchKind(StrEnum):
    """Which of the four schemas a batch has; also the name of its table in a store."""

    INFERENCE = "inference"
    METRIC = "metric"
    SKETCH = "sketch"
    FEEDBACK = "feedback"


# Who sent it. `instance` is service.instance.id, or a hash of the resource where that is missing.
_ORIGIN = [
    pa.field("time_ns", TIME, nullable=False),
    pa.field("tenant", STRING, nullable=False),
    pa.field("service", STRING, nullable=False),
    pa.field("instance", STRING, nullable=False),
    pa.field("model", STRING),
    pa.field("version", STRING),
]
_KEY = pa.field("key", pa.uint64(), nullable=False)

# An ExponentialHistogram as OTLP carries it: bucket i of `positive` counts (base^(offset+i), base^(offset+i+1)].
_EXPONENTIAL = [
    pa.field("scale", pa.int32()),
    pa.field("zero_count", MEASURE),
    pa.field("zero_threshold", MEASURE),
    pa.field("positive_offset", pa.int32()),
    pa.field("positive", COUNTS),
    pa.field("negative_offset", pa.int32()),
    pa.field("negative", COUNTS),
]
_SUMMARY = [pa.field(name, MEASURE) for name in ("count", "sum", "min", "max")]

# One call of a model, from a span. `time_ns` is its start; its event time is its end, time_ns + duration_s.
INFERENCE_SCHEMA = pa.schema(
    [
        *_ORIGIN,
        pa.field("kind", STRING, nullable=False),  # llm | vision | tabular
        pa.field("operation", STRING, nullable=False),  # chat, predict, ...
        pa.field("framework", STRING),  # gen_ai.provider.name or ml.framework.name
        pa.field("duration_s", MEASURE, nullable=False),
        pa.field("error_type", STRING),  # null: the call succeeded
        pa.field("input_tokens", MEASURE),
        pa.field("output_tokens", MEASURE),
        pa.field("cost_usd", MEASURE),
        pa.field("batch_size", MEASURE),
        pa.field("ttft_s", MEASURE),  # time to first token
        pa.field("weight", MEASURE, nullable=False),  # 1 / sampling probability: how many calls the span stands for
        pa.field("trace_id", pa.binary(16)),
        pa.field("span_id", pa.binary(8)),
        pa.field("parent_span_id", pa.binary(8)),
        _KEY,
    ]
)

# One data point of any metric. Which columns are filled follows from `type`; a point with NO_RECORDED_VALUE has none.
METRIC_SCHEMA = pa.schema(
    [
        *_ORIGIN,
        pa.field("start_ns", TIME, nullable=False),  # 0: unknown
        pa.field("kind", STRING),  # llm | vision | tabular, where the metric speaks of a model
        pa.field("operation", STRING),
        pa.field("error_type", STRING),
        pa.field("name", STRING, nullable=False),
        pa.field("unit", STRING, nullable=False),
        pa.field("type", STRING, nullable=False),  # gauge | sum | histogram | exponential_histogram | summary
        pa.field("temporality", STRING, nullable=False),  # delta | cumulative | unspecified
        pa.field("monotonic", pa.bool_(), nullable=False),
        pa.field("value", MEASURE),  # gauge and sum
        *_SUMMARY,  # histogram, exponential_histogram, summary (count and sum)
        pa.field("bounds", COUNTS),  # histogram: explicit upper bounds; summary: quantiles
        pa.field("buckets", COUNTS),  # histogram: len(bounds) + 1 counts; summary: the values at the quantiles
        *_EXPONENTIAL,
        pa.field("attributes", STRING, nullable=False),  # JSON object, keys sorted: all attributes of the point
        pa.field("series", pa.int64(), nullable=False),
        pa.field("series_key", pa.uint64(), nullable=False),  # stable hash of resource, scope, metric and attributes
        _KEY,
    ]
)

# One feature of one model in one interval: a standardised distribution, anchored (u = (x - center) / anchor).
SKETCH_SCHEMA = pa.schema(
    [
        *_ORIGIN,
        pa.field("start_ns", TIME, nullable=False),
        pa.field("feature", STRING, nullable=False),
        pa.field("role", STRING, nullable=False),
        pa.field("center", MEASURE, nullable=False),
        pa.field("anchor", MEASURE, nullable=False),
        *_SUMMARY,
        *_EXPONENTIAL,
        _KEY,
    ]
)

# One delayed word about a prediction: a label, a score, an evaluation.
FEEDBACK_SCHEMA = pa.schema(
    [
        *_ORIGIN,
        pa.field("event", STRING, nullable=False),
        pa.field("prediction_id", STRING),
        pa.field("trace_id", pa.binary(16)),
        pa.field("span_id", pa.binary(8)),
        pa.field("label", STRING),
        pa.field("score", MEASURE),
        pa.field("attributes", STRING, nullable=False),  # JSON object, keys sorted
        _KEY,
    ]
)

SCHEMAS = {
    BatchKind.INFERENCE: INFERENCE_SCHEMA,
    BatchKind.METRIC: METRIC_SCHEMA,
    BatchKind.SKETCH: SKETCH_SCHEMA,
    BatchKind.FEEDBACK: FEEDBACK_SCHEMA,
}


class Signal(StrEnum):
    """What an OTLP request carries."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """
    Rows of one kind, out of one request.

    Attributes:
        kind: Which schema `rows` has.
        rows: The columns, `SCHEMAS[kind]`.
    """

    kind: BatchKind
    rows: pa.RecordBatch

    def __post_init__(self) -> None:
        if self.rows.schema != SCHEMAS[self.kind]:
            raise TypeError(f"a {self.kind} batch has the schema {self.rows.schema}, not {SCHEMAS[self.kind]}")
