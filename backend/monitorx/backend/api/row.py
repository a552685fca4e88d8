"""Paths that are answered from rows: inferences, one whole span, data points of metrics."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from monitorx.backend.api.answer import Inference, Inferences, Point, Points, Tree, json_safe
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.api.hexadecimal import SpanId, TraceId
from monitorx.backend.api.instant import rfc3339
from monitorx.backend.api.problem import Problem, Unanswerable
from monitorx.backend.api.query import InferenceQuery, PointQuery, encode_cursor
from monitorx.backend.storage.store import InferenceRow, PointRow, Selection

_LAST_NS = 2**63 - 1


def router(deps: Dependencies) -> APIRouter:
    """The paths over *deps*."""
    routes = APIRouter(tags=["rows"])

    @routes.get("/inferences", summary="List inferences, newest first")
    def inferences(query: Annotated[InferenceQuery, Query()]) -> Inferences:
        """Calls by the time they began, newest first (default: the last hour)."""
        selection = query.selection(deps.tenant, deps.clock())
        # One more than a page: whether there is a next one.
        rows = deps.store.inferences(selection, limit=query.limit + 1, before=query.place())
        page = rows[: query.limit]
        return Inferences(
            inferences=[_inference(row) for row in page],
            next_cursor=encode_cursor(page[-1].place) if len(rows) > len(page) else None,
        )

    @routes.get(
        "/inferences/{trace_id}/{span_id}",
        summary="Show the whole span of one inference",
        responses={
            404: {"model": Problem, "description": "No such inference is stored."},
            410: {"model": Problem, "description": "It is stored, but retention has taken its span."},
        },
    )
    def inference(
        trace_id: Annotated[TraceId, Path(description="32 hex digits.")],
        span_id: Annotated[SpanId, Path(description="16 hex digits.")],
    ) -> Tree:
        """The whole span of one call as it was sent: name, times, all attributes, events, resource and scope."""
        ids = {"trace_id": trace_id.lower(), "span_id": span_id.lower()}
        found = deps.store.inferences(Selection(deps.tenant, 0, _LAST_NS, ids), limit=1)
        if not found:
            raise Unanswerable(HTTPStatus.NOT_FOUND, "not-found", f"no inference {trace_id}/{span_id} is stored")
        span = deps.span(found[0].position, ids["trace_id"], ids["span_id"])
        if span is None:
            detail = f"retention has taken the span {trace_id}/{span_id}; GET /api/v1/inferences still lists the call"
            raise Unanswerable(HTTPStatus.GONE, "gone", detail)
        whole: dict[str, Any] = json_safe(span)  # Any: JSON values
        return whole

    @routes.get("/metrics", summary="List data points of metrics")
    def metrics(query: Annotated[PointQuery, Query()]) -> Points:
        """Data points of metrics, newest first (default: the last hour)."""
        selection = query.selection(deps.tenant, deps.clock())
        return Points(points=[_point(row) for row in deps.store.points(selection, limit=query.limit)])

    return routes


def _inference(row: InferenceRow) -> Inference:
    return Inference.model_validate(
        {
            "start": rfc3339(row.time_ns),
            "duration_s": row.duration_s,
            "trace_id": row.trace_id,
            "span_id": row.span_id,
            "error_type": row.error_type,
            **row.labels,
        }
    )


def _point(row: PointRow) -> Point:
    return Point.model_validate({"time": rfc3339(row.time_ns), **asdict(row)})
