"""Paths that take something in: inferences, and what is to be known of a model."""

import asyncio
import os
from concurrent.futures import Future
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool
from pydantic import BeforeValidator

from monitorx.backend.api import otlp
from monitorx.backend.api.body import BoundedRoute
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.api.instant import MOMENT, parse_moment_ns
from monitorx.backend.api.problem import Problem, Unanswerable, invalid
from monitorx.backend.api.written import (
    MAX_NAME,
    ModelEntry,
    ModelThresholds,
    Name,
    NewInferences,
    RegisteredModel,
    Taken,
)
from monitorx.backend.batch import Signal
from monitorx.backend.receiver.admission import Accepted, Encoding, Ingest, Request
from monitorx.backend.receiver.answer import NO_ANSWER, refusal_of, unavailable
from monitorx.backend.rule import threshold
from monitorx.backend.storage import registry as registered
from monitorx.backend.storage.registry import RegistryFull

_Part = TypeVar("_Part")
_ANSWER_WITHIN_S = 30.0
_NOT_FOUND: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    404: {"model": Problem, "description": "The model was not registered."}
}
_UNWRITTEN: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    408: {"model": Problem, "description": "The body came too slowly."},
    413: {"model": Problem, "description": "The body is over the limit."},
    415: {"model": Problem, "description": "The body is not JSON, or it is compressed."},
}
_WAIT: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    429: {"model": Problem, "description": "Too much is waiting; send it again after Retry-After."},
}


def _named(text: str) -> str:
    if not text:
        raise ValueError(
            "the name of a model is expected behind /models/; GET /api/v1/models lists those that were called"
        )
    return text


Model = Annotated[
    Name,
    BeforeValidator(_named),
    Path(max_length=MAX_NAME, description="Name of the model; a / in it is written %2F or /."),
]


def router(deps: Dependencies) -> APIRouter:
    """The paths over *deps*."""
    routes = APIRouter(tags=["writing"], route_class=BoundedRoute)

    @routes.post(
        "/inferences",
        summary="Tell the server of calls of models",
        status_code=HTTPStatus.ACCEPTED,
        responses=_UNWRITTEN | _WAIT,
    )
    async def take(body: NewInferences) -> Taken:
        """Take in calls of models, as OTLP would bring them. They are durable once this is answered."""
        return await _take(_needed(deps.ingest), deps, body)

    @routes.put(
        "/models/{model:path}",
        summary="Register a model and its thresholds",
        responses=_UNWRITTEN | {409: {"model": Problem, "description": "No room."}},
    )
    def register(model: Model, body: ModelEntry) -> RegisteredModel:
        """Say what kind a model is and when to warn; it holds at once, and over restarts. Replaces what was said."""
        limits = body.thresholds.model_dump() if body.thresholds is not None else {}
        entry = registered.RegisteredModel(model, body.kind, threshold.Thresholds(**limits))
        try:
            _needed(deps.registry).put(entry)
        except RegistryFull as error:
            raise Unanswerable(HTTPStatus.CONFLICT, "too-many-models", str(error)) from None
        return _told(entry)

    @routes.get("/models/{model:path}", summary="Show what was registered of a model", responses=_NOT_FOUND)
    def model(model: Model) -> RegisteredModel:
        """What was registered of a model, and the rules that it means."""
        entry = _needed(deps.registry).find(model)
        if entry is None:
            raise _unknown(model)
        return _told(entry)

    @routes.delete(
        "/models/{model:path}",
        summary="Forget what was registered of a model",
        status_code=HTTPStatus.NO_CONTENT,
        responses=_NOT_FOUND,
    )
    def forget(model: Model) -> None:
        """Forget what was registered of a model. Its telemetry stays; its alerts are resolved within minutes."""
        if not _needed(deps.registry).remove(model):
            raise _unknown(model)

    return routes


async def _take(ingest: Ingest, deps: Dependencies, body: NewInferences) -> Taken:
    now_ns = deps.clock()
    # In a thread: a thousand spans take 20 ms to write, and the receiver of OTLP shares this event loop.
    requests = await run_in_threadpool(_requests, deps, body, now_ns)
    futures = [
        ingest.submit(Request(signal, Encoding.PROTOBUF, "", payload, deps.tenant, now_ns))
        for signal, payload in requests
        if payload
    ]
    answers = [await _answer(future) for future in futures]
    rejected = answers[0].rejected if answers else 0
    words = "; ".join(answer.message for answer in answers if answer.message)
    return Taken(accepted=len(body.inferences) - rejected, rejected=rejected, message=words)


def _requests(deps: Dependencies, body: NewInferences, now_ns: int) -> list[tuple[Signal, bytes]]:
    """What is handed to the ingest step; spans first."""
    registry = deps.registry

    def registered_kind(model: str) -> str | None:
        entry = registry.find(model) if registry is not None else None
        return entry.kind if entry is not None else None

    calls = [
        otlp.decided(told, _end_ns(index, told.end, now_ns), registered_kind)
        for index, told in enumerate(body.inferences)
    ]
    return [(Signal.TRACES, otlp.traces(body, calls, os.urandom)), (Signal.METRICS, otlp.metrics(body, calls))]


async def _answer(future: "Future[Accepted]") -> Accepted:
    try:
        # Shielded: the ingest step completes its futures itself, nobody may cancel them under its hands.
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            return await asyncio.shield(asyncio.wrap_future(future))
    except TimeoutError:
        refusal = unavailable(NO_ANSWER)
    except Exception as error:  # noqa: BLE001  the boundary to the sender, as in the receivers
        refusal = refusal_of(error)
    raise Unanswerable(refusal.http_status, refusal.outcome, refusal.message, retry_after_s=refusal.retry_after_s)


def _end_ns(index: int, text: str | None, now_ns: int) -> int:
    if text is None:
        return now_ns
    try:
        end_ns = parse_moment_ns(text, now_ns)
    except (ValueError, OverflowError):
        end_ns = 0
    if end_ns <= 0:
        raise invalid(f"inferences.{index}.end", text, f"{MOMENT}, after 1970, is expected")
    return end_ns


def _needed(part: _Part | None) -> _Part:
    """Whatever this path needs; a server may be put together without it."""
    if part is None:
        detail = "this server does not take anything in over REST"
        raise Unanswerable(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail)
    return part


def _told(entry: registered.RegisteredModel) -> RegisteredModel:
    limits = entry.thresholds
    rules = []
    if limits.latency_s is not None:
        rules.append(threshold.latency([entry.name], limits.latency_s))
    if limits.error_ratio is not None:
        rules.append(threshold.error_ratio([entry.name], limits.error_ratio))
    return RegisteredModel(
        model=entry.name,
        kind=entry.kind,
        thresholds=ModelThresholds(latency_s=limits.latency_s, error_ratio=limits.error_ratio),
        rules=rules,
    )


def _unknown(model: str) -> Unanswerable:
    return Unanswerable(HTTPStatus.NOT_FOUND, "not-found", f"{model} was not registered; PUT it first")
