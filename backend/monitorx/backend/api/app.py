"""The application: every path, and problems where there is no answer."""

from typing import Any

from fastapi import Depends, FastAPI

from monitorx.backend.api import alert, drift, pane, problem, row, status, writing
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.api.head import Head
from monitorx.backend.api.query import refuse_repeated

PREFIX = "/api/v1"
_PROBLEMS: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    400: {"model": problem.Problem, "description": "A parameter cannot be used; `detail` says what would be right."},
    503: {"model": problem.Problem, "description": "The store does not answer; try again after Retry-After."},
}


def create_app(deps: Dependencies) -> FastAPI:
    """
    The REST API over *deps*, to be served by uvicorn.

    No CORS headers are sent. Endpoints that ask the store run in the thread pool.
    """
    app = FastAPI(
        title="MonitorX",
        version=deps.version,
        description="Models, inferences, aggregates and alerts, as the server knows them.",
        redoc_url=None,
        dependencies=[Depends(refuse_repeated)],
    )
    for routes in (pane.router(deps), row.router(deps), drift.router(deps)):
        app.include_router(routes, prefix=PREFIX, responses=_PROBLEMS)
    app.include_router(alert.router(deps), prefix=PREFIX, responses={400: _PROBLEMS[400]})
    # Last: names of models may hold slashes, so its paths match what others did not take.
    app.include_router(writing.router(deps), prefix=PREFIX, responses=_PROBLEMS)
    app.include_router(status.health_router(deps), prefix=PREFIX)
    app.include_router(status.probe_router(deps))
    app.add_middleware(Head)
    problem.install(app, deps.telemetry, deps.clock)
    _describe_truly(app)
    return app


def _describe_truly(app: FastAPI) -> None:
    """FastAPI describes a 422 for every path with parameters; ours answer 400 with a problem."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:  # Any: OpenAPI
        schema = describe()  # built once, the same object ever after
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
