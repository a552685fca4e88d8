"""The client: tells the server of inferences and models, and asks what it knows."""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, Unpack
from urllib.parse import quote
from uuid import uuid4

import httpx

from monitorx.client import answer, query, value
from monitorx.client.breaker import Breaker, BreakerSettings, Circuit
from monitorx.client.buffer import Buffer
from monitorx.client.connection import Connection
from monitorx.client.errors import NotOpen
from monitorx.client.inference import Inference, error_name
from monitorx.client.model import ModelConfig, ModelType, ResourceUsage
from monitorx.client.query import parameters
from monitorx.client.sender import Sender
from monitorx.client.settings import ClientSettings

PREFIX = "/api/v1"
_MICROSECOND = timedelta(microseconds=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stats:
    """
    What became of the inferences that were collected.

    Attributes:
        collected: All that were usable.
        sent: Durable at the server.
        waiting: Not sent yet.
        dropped: The oldest, because the buffer was full.
        refused: The server would not have them; the log says why.
        invalid: Never collected, because a value cannot be used; the log says which.
        circuit: Whether requests go out: closed (yes), open (no), half_open (one).
    """

    collected: int
    sent: int
    waiting: int
    dropped: int
    refused: int
    invalid: int
    circuit: Circuit


class Collected:
    """What `collect_inference_metric` gives: it is done already, and may be awaited or not."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


_COLLECTED = Collected()


class MonitorXClient:
    """
    One MonitorX server, over its REST API. Used as `async with MonitorXClient() as client:`.

    Args:
        base_url: Where the API is served.
        service: Name of the service that calls models (service.name). Default: OTEL_SERVICE_NAME.
        instance: This process among those of the service. Default: a new name.
        settings: How it behaves.
        headers: Sent with every request, for a proxy that asks for them.
        transport: Another way to the server than the network: for tests.
        clock: Ns since epoch.

    Raises:
        ValueError: Field, value and what would be right.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        service: str | None = None,
        instance: str | None = None,
        settings: ClientSettings | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._base_url = _checked_url(base_url)
        service = service or os.environ.get("OTEL_SERVICE_NAME") or "unknown_service"
        self._head = {
            "service": value.name("service", service),
            "instance": value.word("instance", instance if instance is not None else uuid4().hex),
        }
        self._settings = settings or ClientSettings()
        self._headers, self._transport, self._clock = headers, transport, clock
        self._buffer = Buffer(self._settings.max_buffered)
        self._sender = Sender(
            self._buffer, self._post, head=self._head, batch_size=self._settings.batch_size, new_id=os.urandom
        )
        self._breaker = Breaker(self._settings.breaker, time.monotonic)
        self._models: dict[str, ModelConfig] = {}
        self._invalid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: httpx.AsyncClient | None = None
        self._connection: Connection | None = None
        self._leaving: Connection | None = None  # in its place for what waits, while closing
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._task is not None:
            return self
        settings = self._settings
        self._http = httpx.AsyncClient(
            base_url=self._base_url,
            headers=self._headers,
            timeout=settings.timeout_s,
            limits=httpx.Limits(max_connections=settings.max_connections),
            transport=self._transport,
        )
        self._connection = Connection(self._http, settings.retry, self._breaker, sleep=asyncio.sleep)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._sender.run(settings.flush_every_s), name="monitorx-client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Try to send what waits for as long as `close_within_s`, then let go of the connections. Safe twice."""
        task, self._task = self._task, None
        if task is None or self._http is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        within_s = self._settings.close_within_s
        # This is the last time to ask, so the circuit stays closed; the pauses spare the server.
        breaker = Breaker(BreakerSettings(failures=sys.maxsize), time.monotonic)
        self._leaving = Connection(self._http, self._settings.retry.within(within_s), breaker, sleep=asyncio.sleep)
        try:
            async with asyncio.timeout(within_s):
                await self._sender.drain()
        except TimeoutError:
            why = self._leaving.cause or "no answer"
            _log.error("%d inferences could not be sent within %g s: %s", self._sender.waiting, within_s, why)
        finally:
            self._loop = self._connection = self._leaving = None
            await self._http.aclose()

    def collect_inference_metric(
        self,
        model_id: str,
        latency: float,
        *,
        error: str | BaseException | bool | None = None,
        model_type: ModelType | None = None,
        version: str | None = None,
        operation: str | None = None,
        batch_size: float | None = None,
        input_tokens: float | None = None,
        output_tokens: float | None = None,
        cost_usd: float | None = None,
        ttft: float | None = None,
        resources: ResourceUsage | None = None,
        timestamp: datetime | None = None,
    ) -> Collected:
        """
        Note one call of a model, to be sent soon. Never blocks, never raises; any thread may call it.

        A value that cannot be used is logged and counted (`stats.invalid`), and the call is not noted.

        Args:
            model_id: Name of the model.
            latency: How long the call took, milliseconds.
            error: What went wrong: an exception, a word, or True; None or False where it succeeded.
            model_type: llm, vision (or cv) or tabular. Default: as it was registered.
            version: Of the model. Default: as this client registered it.
            operation: What was asked for. Default: chat for an llm, else predict.
            batch_size: Rows, images or prompts in the call.
            input_tokens: Tokens that went in.
            output_tokens: Tokens that came out.
            cost_usd: What it cost, US dollars.
            ttft: Time to the first token, milliseconds.
            resources: What was in use when it ended.
            timestamp: When it ended, with a time zone. Default: now.
        """
        try:
            known = self._models.get(model_id)
            inference = Inference(
                model_id=model_id,
                latency=latency,
                end_ns=self._clock() if timestamp is None else _ns(timestamp),
                kind=value.kind(model_type) if model_type is not None else (known.kind if known else None),
                version=version if version is not None else (known.version if known else None),
                operation=operation,
                error=error_name(error),
                batch_size=batch_size,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost_usd=cost_usd,
                ttft=ttft,
                resources=resources,
            )
        except Exception as failure:  # noqa: BLE001  the application goes on whatever it was that we were given
            self._spoiled(failure)
            return _COLLECTED
        if self._buffer.put(inference) == self._settings.batch_size:
            self._wake()
        return _COLLECTED

    async def flush(self) -> None:
        """
        Send what waits now; it is durable when this returns.

        Raises:
            Unavailable: The server does not answer; what was not sent is kept, and tried again.
            NotOpen: Outside of `async with`.
        """
        self._open()
        await self._sender.drain()

    async def register_model(self, config: ModelConfig) -> answer.RegisteredModel:
        """
        Say what kind a model is and when to warn. It holds at once, over restarts, and replaces what was said before.

        Raises:
            Refused, Unavailable, NotOpen: See monitorx.client.errors.
        """
        body = json.dumps(config.as_json()).encode()
        told: answer.RegisteredModel = await self._open().ask("PUT", _path_of(config.id), body=body)
        self._models[config.id] = config
        return told

    async def registered_model(self, model_id: str) -> answer.RegisteredModel:
        """What was registered of a model. Raises `Refused` with status 404 where nothing was."""
        told: answer.RegisteredModel = await self._open().ask("GET", _path_of(model_id))
        return told

    async def unregister_model(self, model_id: str) -> None:
        """Forget what was registered of a model. Raises `Refused` with status 404 where nothing was."""
        await self._open().ask("DELETE", _path_of(model_id))
        self._models.pop(model_id, None)

    async def models(self, **selected: Unpack[query.ModelQuery]) -> list[answer.Model]:
        """Models that were called (default: in the last 24 hours)."""
        return await self._list("models", selected)

    async def aggregates(self, **selected: Unpack[query.AggregateQuery]) -> list[answer.Aggregate]:
        """Calls, errors, durations, tokens and cost, by group and step (default: the last hour, all in one)."""
        return await self._list("aggregates", selected)

    async def drift(self, **selected: Unpack[query.DriftQuery]) -> list[answer.DriftFinding]:
        """What was found about drift, feature by feature and window by window, newest first."""
        return await self._list("drift", selected)

    async def alerts(self, **selected: Unpack[query.AlertQuery]) -> list[answer.AlertItem]:
        """Alerts, those that began last first."""
        return await self._list("alerts", selected)

    async def summary(self, **selected: Unpack[query.Span]) -> answer.Summary:
        """Everything at a glance (default: the last hour)."""
        told: answer.Summary = await self._open().ask("GET", f"{PREFIX}/summary", params=parameters(selected))
        return told

    async def health(self) -> answer.HealthAnswer:
        """How each part of the server does."""
        told: answer.HealthAnswer = await self._open().ask("GET", f"{PREFIX}/health")
        return told

    @property
    def stats(self) -> Stats:
        """What became of what was collected."""
        return Stats(
            collected=self._buffer.collected,
            sent=self._sender.sent,
            waiting=self._sender.waiting,
            dropped=self._buffer.dropped,
            refused=self._sender.refused,
            invalid=self._invalid,
            circuit=self._breaker.circuit,
        )

    async def _list(self, name: str, selected: object) -> list[Any]:  # Any: of the type that the caller declares
        told = await self._open().ask("GET", f"{PREFIX}/{name}", params=parameters(selected))
        listed: list[Any] = told[name]
        return listed

    async def _post(self, body: bytes) -> None:
        await (self._leaving or self._open()).ask("POST", f"{PREFIX}/inferences", body=body)

    def _open(self) -> Connection:
        if self._connection is None:
            raise NotOpen("the client is not open; use it as `async with MonitorXClient() as client:`")
        return self._connection

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(self._sender.wake)

    def _spoiled(self, failure: Exception) -> None:
        self._invalid += 1
        if self._invalid & (self._invalid - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a mistake in a loop fills no disk
            _log.warning("collect_inference_metric: %s (%d so far are not collected)", failure, self._invalid)


def _checked_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise value.unusable("base_url", base_url, "an address like http://127.0.0.1:8000 is expected")
    return base_url


def _path_of(model_id: str) -> str:
    written = quote(value.name("id", model_id), safe="")
    if written in (".", ".."):  # which a path has another meaning for
        written = written.replace(".", "%2E")
    return f"{PREFIX}/models/{written}"


def _ns(moment: datetime) -> int:
    since = value.moment("timestamp", moment) - value.EPOCH
    return since // _MICROSECOND * 1000
