"""What goes wrong, told as RFC 9457 problem details: which parameter, which value, what would be right."""

import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from monitorx.backend.errors import StorageError
from monitorx.backend.telemetry import Telemetry

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = "5"
_SHOWN = 200  # characters of a value that cannot be used
_SAID_AGAIN_AFTER_NS = 60 * 1_000_000_000
_NO_STORE = "the store does not answer now; the server's log and /api/v1/health say why"
_ROOT = (
    "there is nothing here; /docs lists every route, /openapi.json does without the internet, "
    "and /api/v1/health says how the server does"
)
_log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    type: str = Field(description="Kind of problem, a URN that stays the same between versions.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="This case in words: the parameter, its value, what would be right.")


class Unanswerable(Exception):
    """A request that gets a problem instead of an answer; with *retry_after_s* where coming back would help."""

    def __init__(self, status: HTTPStatus, kind: str, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.headers = {} if retry_after_s is None else {"Retry-After": str(math.ceil(retry_after_s))}


def invalid(parameter: str, value: object, right: str) -> Unanswerable:
    """The problem with a parameter that cannot be used."""
    return Unanswerable(HTTPStatus.BAD_REQUEST, "invalid-parameter", f"{parameter}: {value!r} cannot be used; {right}")


def install(app: FastAPI, telemetry: Telemetry, clock: Callable[[], int]) -> None:
    """Let *app* answer every failure with a problem. What is for the operator, paths and hosts, goes into the log."""
    complaint = _Complaint(clock)

    @app.exception_handler(Unanswerable)
    async def _unanswerable(_: Request, error: Unanswerable) -> JSONResponse:
        return _answer(error.status, error.kind, str(error), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(HTTPStatus.BAD_REQUEST, "invalid-parameter", _in_words(error.errors()))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        words = _ROOT if request.url.path == "/" else f"{status.description or status.phrase}; see /docs"
        detail = f"{request.method} {request.url.path}: {words}"
        return _answer(status, status.phrase.lower().replace(" ", "-"), detail, error.headers)

    @app.exception_handler(StorageError)
    async def _store(request: Request, error: StorageError) -> JSONResponse:
        complaint.say(request.url.path, str(error))
        telemetry.count("monitorx_store_errors_total", {"operation": "question"})
        headers = {"Retry-After": _RETRY_AFTER_S}
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", _NO_STORE, headers)

    @app.exception_handler(ClientDisconnect)
    async def _abandoned(_: Request, __: ClientDisconnect) -> Response:
        telemetry.count("monitorx_api_requests_abandoned_total", {})
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # to nobody

    @app.exception_handler(Exception)
    async def _fault(request: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed by a fault of ours", path=request.url.path, exc_info=error)
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "a fault of the server; its log says more")


class _Complaint:
    """Says why the store does not answer; the same words again only after a minute."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._said = ("", 0)

    def say(self, path: str, words: str) -> None:
        """Say *words*, unless they were just said."""
        now_ns = self._clock()
        last, at_ns = self._said
        if words != last or now_ns - at_ns >= _SAID_AGAIN_AFTER_NS:
            self._said = (words, now_ns)
            _log.warning("the store does not answer", path=path, error=words)


def _answer(status: HTTPStatus, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    problem = Problem(type=f"urn:monitorx:problem:{kind}", title=status.phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


def _in_words(errors: Sequence[Mapping[str, Any]]) -> str:  # Any: as pydantic tells its errors
    error = errors[0]
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error['ctx']['error']}, at character {error['loc'][-1]}"
    name = ".".join(str(part) for part in error["loc"][1:]) or "the body"
    if error["type"] == "missing":
        return f"{name}: is missing; /docs lists what this path needs"
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such parameter; /docs lists those of this path"
    given = repr(error["input"])
    given = given if len(given) <= _SHOWN else given[:_SHOWN] + "…"
    # What a check of ours says stands in the context; the message has "Value error, " before it.
    words = str(error["ctx"]["error"]) if error["type"] == "value_error" else error["msg"]
    return f"{name}: {given} cannot be used; {words[:1].lower()}{words[1:]}"
