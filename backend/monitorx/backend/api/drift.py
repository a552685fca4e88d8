"""The path of drift: what detectors found, window by window."""

from typing import Annotated

from fastapi import APIRouter, Query

from monitorx.backend.api.answer import DriftFinding, DriftFindings
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.api.instant import rfc3339
from monitorx.backend.api.query import DriftQuery
from monitorx.backend.storage.store import DriftRow


def router(deps: Dependencies) -> APIRouter:
    """The path over *deps*."""
    routes = APIRouter(tags=["drift"])

    @routes.get("/drift", summary="List findings of drift")
    def drift(query: Annotated[DriftQuery, Query()]) -> DriftFindings:
        """What was found for each feature in each window, newest window first (default: the last 24 hours)."""
        selection = query.selection(deps.tenant, deps.clock())
        return DriftFindings(drift=[_finding(row) for row in deps.store.drift(selection, limit=query.limit)])

    return routes


def _finding(row: DriftRow) -> DriftFinding:
    return DriftFinding(
        start=rfc3339(row.start_ns),
        end=rfc3339(row.end_ns),
        model=row.model,
        version=row.version,
        feature=row.feature,
        role=row.role,
        method=row.method,
        status=row.status,
        drifted=row.drifted,
        statistic=row.statistic,
        p=row.p,
        score=row.score,
        psi=row.psi,
        events=row.events,
        reference=row.reference,
    )
