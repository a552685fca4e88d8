"""
Spans inside spans that speak of one call: only the outer one counts.

A client library that traces itself, called by an instrumentor, gives two spans for one model call. Within one request
an LLM span whose parent is an LLM span of the same trace with the same model and operation is the inner one. It is not
kept; what it alone knows (tokens, cost, time to first token) goes to the outer one. Spans of one call that arrive in
different requests both count: a request is decoded without memory of others.
"""

import numpy as np
import numpy.typing as npt

from monitorx.backend.decode.call import Calls
from monitorx.backend.decode.label import LLM


def fold_inner(calls: Calls) -> npt.NDArray[np.bool_] | None:
    """Mark the rows to keep, None for all, after the outer spans have what only their inner ones told."""
    if set(calls.span_ids).isdisjoint(calls.parents):
        return None
    row_of = {(trace, span): row for row, (trace, span) in enumerate(zip(calls.trace_ids, calls.span_ids, strict=True))}
    outermost: dict[int, int] = {}
    for row in range(len(calls.span_ids)):
        _climb(calls, row_of, outermost, row)
    keep = np.ones(len(calls.span_ids), dtype=bool)
    for row, outer in outermost.items():
        if outer != row:
            keep[row] = False
            _fill(calls, outer, row)
    return None if keep.all() else keep


def _climb(calls: Calls, row_of: dict[tuple[bytes, bytes], int], outermost: dict[int, int], row: int) -> None:
    """Find the outermost span of this row and of all rows on the way. Each row is climbed once."""
    way: dict[int, None] = {}
    while row not in outermost:
        way[row] = None
        outer = row_of.get((calls.trace_ids[row], calls.parents[row]))
        if outer is None or not _is_same_call(calls, outer, row):
            outermost[row] = row
        elif outer in way:  # spans that are each other's parents: no inner one, so all are kept
            outermost.update({each: each for each in way})
        else:
            row = outer
    top = outermost[row]
    for each in way:
        outermost.setdefault(each, top)


def _is_same_call(calls: Calls, outer: int, inner: int) -> bool:
    one, other = calls.all_words[calls.words[outer]], calls.all_words[calls.words[inner]]
    return one.kind == other.kind == LLM and (one.model, one.operation) == (other.model, other.operation)


def _fill(calls: Calls, outer: int, inner: int) -> None:
    for values in calls.measures.values():
        if values[outer] is None:
            values[outer] = values[inner]
