"""
Traces requests to INFERENCE columns.

A span is an inference where its attributes name a model or an operation of one, in our words or in others'
(`alias.py`), and the operation is not an agent's or a tool's. Other spans are counted; the journal has them.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitorx.backend.batch import MEASURE, BatchKind, ColumnBatch
from monitorx.backend.decode.call import Calls
from monitorx.backend.decode.column import assemble, chosen, constant, repeated
from monitorx.backend.decode.identity import span_keys
from monitorx.backend.decode.nested import fold_inner
from monitorx.backend.decode.origin import Origins
from monitorx.backend.decode.rejection import Rejections
from monitorx.backend.decode.sampling import Weights
from monitorx.backend.decode.told import Tellings
from monitorx.backend.decode.view import View

_TIME_LIMIT: Final = 2**63  # OTLP's times are uint64, the columns' int64: later than the year 2262 is refused
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


def decode_traces(
    request: View,
    tenant: str,
    arrival_ns: int,
    origins: Origins,
    tellings: Tellings,
    weights: Weights,
    rejections: Rejections,
) -> tuple[list[ColumnBatch], int]:
    """The batches of a request, and how many spans it has."""
    calls = Calls(tellings, weights)
    items = 0
    for resource in request.resource_spans:
        calls.begin(origins.of(resource.resource))
        for scope in resource.scope_spans:
            for span in scope.spans:
                items += 1
                fault = _fault(span)
                if fault:
                    rejections.add(fault)
                else:
                    calls.add(span)
    return ([_batch(calls, tenant, arrival_ns)] if calls.span_ids else []), items


def _fault(span: View) -> str:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        return "the trace_id of a span must be 16 bytes, not all zero"
    if len(span_id) != 8 or span_id == _NO_SPAN:
        return "the span_id of a span must be 8 bytes, not all zero"
    if span.start_time_unix_nano >= _TIME_LIMIT or span.end_time_unix_nano >= _TIME_LIMIT:
        return "a time is later than the year 2262"
    return ""


def _batch(calls: Calls, tenant: str, arrival_ns: int) -> ColumnBatch:
    keep = fold_inner(calls)
    size = len(calls.span_ids)
    counts = np.array([count for _, count in calls.runs()], dtype=np.int64)
    place = np.array(calls.words, dtype=np.intp)
    start, end = np.array(calls.starts, dtype=np.int64), np.array(calls.ends, dtype=np.int64)
    start = np.where(start == 0, np.where(end == 0, arrival_ns, end), start)  # no start: it took no time at its end
    columns = {
        "time_ns": pa.array(start),
        "tenant": constant(tenant, size),
        "service": repeated((origin.service for origin, _ in calls.runs()), counts),
        "instance": repeated((origin.instance for origin, _ in calls.runs()), counts),
        **{
            name: chosen((getattr(words, name) for words in calls.all_words), place)
            for name in ("model", "version", "kind", "operation", "framework", "error_type")
        },
        "duration_s": pa.array(_duration_s(start, end)),
        **{name: pa.array(values, MEASURE) for name, values in calls.measures.items()},
        "weight": pa.array(calls.weights, MEASURE),
        "trace_id": pa.array(calls.trace_ids, pa.binary(16)),
        "span_id": pa.array(calls.span_ids, pa.binary(8)),
        "parent_span_id": pa.array([parent if len(parent) == 8 else None for parent in calls.parents], pa.binary(8)),
        "key": pa.array(span_keys(tenant, calls.trace_ids, calls.span_ids)),
    }
    return assemble(BatchKind.INFERENCE, columns, size, keep)


def _duration_s(start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Seconds, float64, shape (n,). A clock that was set back between start and end gives 0."""
    duration: npt.NDArray[np.float64] = np.maximum(end - start, 0) / 1e9
    return duration
