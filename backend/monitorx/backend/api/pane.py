"""Paths that are answered from panes: models, aggregates, and the summary."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query

from monitorx.alerting.alert import State
from monitorx.backend.api.answer import Aggregate, Aggregates, Model, Models, Summary
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.api.instant import SECOND_NS, rfc3339
from monitorx.backend.api.problem import invalid
from monitorx.backend.api.query import AggregateQuery, PaneQuery, Span
from monitorx.backend.storage.store import AggregateRow, ModelRow, Selection

MAX_ROWS = 50_000


def router(deps: Dependencies) -> APIRouter:
    """The paths over *deps*."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models", summary="List models that were called")
    def models(query: Annotated[PaneQuery, Query()]) -> Models:
        """Models that were called in the selected time (default: the last 24 hours)."""
        selection = query.selection(deps.tenant, deps.clock(), default="24h")
        return Models(models=[_model(row) for row in deps.store.models(selection)])

    @routes.get("/aggregates", summary="Add up calls by group and step")
    def aggregates(query: Annotated[AggregateQuery, Query()]) -> Aggregates:
        """Calls, errors, durations, tokens and cost, by group and step."""
        now_ns = deps.clock()
        selection = query.selection(deps.tenant, now_ns)
        step_ns = query.step_ns(selection)
        rows = deps.store.aggregates(selection, step_ns=step_ns, by=query.groups())
        if len(rows) > MAX_ROWS:
            raise invalid("step", query.step, f"a longer step or fewer groups are expected: {len(rows)} rows")
        return Aggregates(aggregates=[_aggregate(row, selection, step_ns, now_ns) for row in rows])

    @routes.get("/summary", summary="Show everything at a glance")
    def summary(query: Annotated[Span, Query()]) -> Summary:
        """Models, calls, errors and alerts at a glance (default: the last hour)."""
        now_ns = deps.clock()
        start_ns, end_ns = query.range_ns(now_ns)
        found = deps.store.models(Selection(deps.tenant, start_ns, end_ns))
        requests, errors = _sum(row.requests for row in found), _sum(row.errors for row in found)
        states = [alert.state for alert in deps.alerts()]
        return Summary(
            start=rfc3339(start_ns),
            end=rfc3339(min(end_ns, now_ns) if query.end is None else end_ns),
            models=len(found),
            requests=requests,
            errors=errors,
            error_ratio=errors / requests if requests else None,
            alerts_firing=states.count(State.FIRING),
            alerts_pending=states.count(State.PENDING),
        )

    return routes


def _model(row: ModelRow) -> Model:
    return Model(
        model=row.model,
        version=row.version,
        kind=row.kind,
        services=list(row.services),
        operations=list(row.operations),
        requests=row.requests,
        errors=row.errors,
        first_seen=rfc3339(row.first_seen_ns),
        last_seen=rfc3339(row.last_seen_ns),
    )


def _aggregate(row: AggregateRow, selection: Selection, step_ns: int, now_ns: int) -> Aggregate:
    end_ns = row.start_ns + step_ns if step_ns else selection.end_ns
    # What lies in the future, or outside of the selection, has no calls yet and must not thin the rate.
    begin_ns = max(row.start_ns, selection.start_ns)
    covered_ns = min(end_ns, selection.end_ns, max(now_ns, begin_ns + SECOND_NS)) - begin_ns
    return Aggregate(
        start=rfc3339(row.start_ns),
        group={name: value or (None if name == "version" else value) for name, value in row.group.items()},
        requests=row.requests,
        errors=row.errors,
        rate=row.requests * SECOND_NS / covered_ns if covered_ns > 0 else None,
        error_ratio=row.errors / row.requests if row.requests else None,
        p50_s=row.p50_s,
        p95_s=row.p95_s,
        p99_s=row.p99_s,
        mean_s=row.mean_s,
        max_s=row.max_s,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        samples=row.samples,
    )


def _sum(values: Iterable[float]) -> float:
    return sum(values, start=0.0)
