"""
Logs requests to FEEDBACK columns.

Three events are kept: an evaluation of a generated answer, one of another model's, and a label that came later. Other
log records are counted; the journal has them.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from monitorx.backend.batch import MEASURE, BatchKind, ColumnBatch
from monitorx.backend.decode.alias import Field
from monitorx.backend.decode.attribute import Value, attributes_in, canonical, column_text
from monitorx.backend.decode.column import assemble, constant, texts
from monitorx.backend.decode.identity import hash64
from monitorx.backend.decode.label import Labels, fields_in, labels_of, text_of
from monitorx.backend.decode.origin import Origin, Origins
from monitorx.backend.decode.rejection import Rejections
from monitorx.backend.decode.told import key_in
from monitorx.backend.decode.view import View
from monitorx.semconv import events

EVENT_NAME: Final = "event.name"  # the attribute that held it before log records had a field for it
_EVENTS: Final = frozenset({events.GEN_AI_EVALUATION_RESULT, events.ML_EVALUATION_RESULT, events.ML_FEEDBACK})
_TIME_LIMIT: Final = 2**63


class _Rows:
    """Columns of one request."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.origins: list[Origin] = []
        self.labels: list[Labels] = []
        self.events: list[str] = []
        self.predictions: list[str | None] = []
        self.trace_ids: list[bytes | None] = []
        self.span_ids: list[bytes | None] = []
        self.marks: list[str | None] = []
        self.scores: list[float | None] = []
        self.attributes: list[str] = []
        self.keys: list[int] = []

    def add(
        self, record: View, event: str, attributes: dict[str, Value], origin: Origin, tenant: str, now_ns: int
    ) -> None:
        """A row for *record*, which is an *event* with these *attributes*."""
        found = fields_in(attributes)
        text = canonical(attributes)
        sent_ns = record.time_unix_nano or record.observed_time_unix_nano
        trace_id, span_id = _id(record.trace_id, 16), _id(record.span_id, 8)
        words = f"{tenant}\n{event}\n{sent_ns}".encode()
        self.times.append(sent_ns or now_ns)
        self.origins.append(origin)
        self.labels.append(labels_of(found))
        self.events.append(event)
        self.predictions.append(text_of(found, Field.PREDICTION))
        self.trace_ids.append(trace_id)
        self.span_ids.append(span_id)
        self.marks.append(text_of(found, Field.LABEL))
        self.scores.append(_score(found.get(Field.SCORE, (0, None))[1]))
        self.attributes.append(column_text(attributes, text))
        self.keys.append(hash64(words, origin.text, trace_id or b"", span_id or b"", text))


def decode_logs(
    request: View, tenant: str, arrival_ns: int, origins: Origins, rejections: Rejections
) -> tuple[list[ColumnBatch], int]:
    """The batches of a request, and how many log records it has."""
    rows = _Rows()
    items = 0
    for resource in request.resource_logs:
        origin = origins.of(resource.resource)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                items += 1
                attributes = attributes_in(record.attributes) if _may_matter(record) else {}
                event = record.event_name or attributes.get(EVENT_NAME)
                if not isinstance(event, str) or event not in _EVENTS:
                    continue
                if max(record.time_unix_nano, record.observed_time_unix_nano) >= _TIME_LIMIT:
                    rejections.add("a time is later than the year 2262")
                    continue
                rows.add(record, event, attributes, origin, tenant, arrival_ns)
    return ([_batch(rows, tenant)] if rows.keys else []), items


def _may_matter(record: View) -> bool:
    """Whether its attributes are worth reading: most log records are not events."""
    event = record.event_name
    if event:
        return event in _EVENTS
    return any(EVENT_NAME.encode() in key_in(raw) for raw in record.attributes)


def _batch(rows: _Rows, tenant: str) -> ColumnBatch:
    size = len(rows.keys)
    columns = {
        "time_ns": pa.array(rows.times, pa.int64()),
        "tenant": constant(tenant, size),
        "service": texts(origin.service for origin in rows.origins),
        "instance": texts(origin.instance for origin in rows.origins),
        "model": texts(labels.model for labels in rows.labels),
        "version": texts(labels.version for labels in rows.labels),
        "event": texts(rows.events),
        "prediction_id": texts(rows.predictions),
        "trace_id": pa.array(rows.trace_ids, pa.binary(16)),
        "span_id": pa.array(rows.span_ids, pa.binary(8)),
        "label": texts(rows.marks),
        "score": pa.array(rows.scores, MEASURE),
        "attributes": texts(rows.attributes),
        "key": pa.array(np.array(rows.keys, dtype=np.uint64)),
    }
    return assemble(BatchKind.FEEDBACK, columns, size)


def _id(value: bytes, length: int) -> bytes | None:
    return value if len(value) == length and any(value) else None


def _score(value: Value) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type] # is_number says that it is one
