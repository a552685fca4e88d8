"""A server as a function: what it was asked, and the answers it was told to give."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from monitorx.client import BreakerSettings, ClientSettings, MonitorXClient, Retry

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def problem(status: int, detail: str, **headers: str) -> httpx.Response:
    """A refusal in the server's shape."""
    body = {"type": "urn:monitorx:problem:test", "title": "Test", "status": status, "detail": detail}
    return httpx.Response(status, json=body, headers=headers)


@dataclass
class FakeServer:
    """
    Answers in the order of *answers*; the last one stands for all that follow.

    Attributes:
        asked: Method, path with its query, and JSON body of every request.
    """

    answers: list[Answer] = field(default_factory=lambda: [httpx.Response(202, json={"accepted": 0})])
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        """The way to it."""
        return httpx.MockTransport(self._handle)

    @property
    def inferences(self) -> list[list[dict[str, Any]]]:
        """Of every request that brought some."""
        return [body["inferences"] for method, path, body in self.asked if path == "/api/v1/inferences"]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.raw_path.decode(), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


@dataclass
class Time:
    """A clock that only a sleep moves."""

    now_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


NOW_NS = 1_759_996_800_000_000_000
TAKEN = httpx.Response(202, json={"accepted": 1, "rejected": 0, "message": ""})
AWAY = httpx.ConnectError("connection refused")
PATIENT = ClientSettings(flush_every_s=3600.0, retry=Retry(attempts=1), breaker=BreakerSettings(failures=100))


def connected(server: FakeServer, settings: ClientSettings = PATIENT, **given: Any) -> MonitorXClient:
    return MonitorXClient(
        "http://monitorx.test",
        service="shop",
        instance="shop-1",
        settings=settings,
        transport=server.transport(),
        clock=lambda: NOW_NS,
        **given,
    )


def run(server: FakeServer, work: Callable[[MonitorXClient], Awaitable[Any]], **given: Any) -> Any:
    """What *work* gives, inside of the client's `async with`."""

    async def inside() -> Any:
        async with connected(server, **given) as client:
            return await work(client)

    return asyncio.run(inside())
