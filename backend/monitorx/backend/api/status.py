"""
Paths for those who run the server: health, liveness, readiness, and its own metrics.

They read counters and never wait, so they run on the event loop: where the store stands, its questions may hold every
thread of the pool, and just then these are asked.
"""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from monitorx.backend.api.answer import HealthAnswer, HealthPart
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.telemetry import CONTENT_TYPE


def health_router(deps: Dependencies) -> APIRouter:
    """The path that tells how every part does."""
    routes = APIRouter(tags=["server"])

    @routes.get("/health", summary="Show how each part of the server does")
    async def health() -> HealthAnswer:
        """How each part of the server does, in words. The status is 200 also where a part is degraded."""
        found = deps.health()
        parts = {
            name: HealthPart(status="ok" if part.is_ok else "degraded", message=part.words)
            for name, part in found.parts.items()
        }
        return HealthAnswer(
            status="ok" if all(part.is_ok for part in found.parts.values()) else "degraded",
            parts=parts,
            versions=dict(found.versions),
            dedup_horizon_s=found.dedup_horizon_s,
        )

    return routes


def probe_router(deps: Dependencies) -> APIRouter:
    """The paths that orchestrators and Prometheus ask; plain text, outside of /api/v1."""
    routes = APIRouter(tags=["server"], default_response_class=PlainTextResponse)

    @routes.get("/livez", summary="Tell whether the process answers")
    async def livez() -> Response:
        """200 as long as the process answers."""
        return PlainTextResponse("ok")

    @routes.get(
        "/readyz",
        summary="Tell whether requests are taken",
        responses={503: {"description": "The journal is still being replayed, or we are stopping."}},
    )
    async def readyz() -> Response:
        """200 once requests are taken."""
        return PlainTextResponse("ok") if deps.ready() else PlainTextResponse("not ready", 503)

    @routes.get("/metrics", summary="Scrape the server's own metrics")
    async def metrics() -> Response:
        """The server's own metrics, in Prometheus' text format."""
        return Response(deps.telemetry.exposition(), media_type=CONTENT_TYPE)

    return routes
