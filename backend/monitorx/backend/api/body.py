"""Bodies of requests that write: JSON only, bounded in size and in time."""

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from monitorx.backend.api.problem import Unanswerable

MAX_BODY_BYTES = 1 << 20
_TIMEOUT_S = 30.0

Handler = Callable[[Request], Coroutine[Any, Any, Response]]  # Any: as FastAPI declares it


class BoundedRoute(APIRoute):
    """A path whose requests have a small body of JSON. Others are refused before they are read."""

    def get_route_handler(self) -> Handler:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(await _bounded(request))

        return bounded


async def _bounded(request: Request) -> Request:
    """*request*, its body read."""
    if request.method in ("GET", "DELETE"):
        return request
    # A page of another origin may send other media types without asking first.
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise _unsupported("content-type", media_type, "application/json")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise _unsupported("content-encoding", encoding, "a body that is not compressed")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            body = await _read(request)
    except TimeoutError:
        detail = f"the body did not arrive within {_TIMEOUT_S:g} s"
        raise Unanswerable(HTTPStatus.REQUEST_TIMEOUT, "request-timeout", detail) from None

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, replay)


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _unsupported(header: str, value: str, right: str) -> Unanswerable:
    detail = f"{header}: {value!r} cannot be used; {right} is expected"
    return Unanswerable(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)


def _too_large() -> Unanswerable:
    detail = f"the body is larger than {MAX_BODY_BYTES} bytes; send fewer items at once"
    return Unanswerable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
