"""Requests to the server: pooled connections, attempts with pauses, a circuit breaker before them."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from monitorx.client import cause
from monitorx.client.breaker import Breaker
from monitorx.client.errors import CircuitOpen, Refused, Unavailable
from monitorx.client.retry import PASSING, Retry, retry_after_s

Params = Mapping[str, "str | list[str]"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt gave no answer, and when the server wants to be asked again."""

    words: str
    retry_after_s: float | None = None


class Connection:
    """
    One server.

    Args:
        http: The pool; closed by whoever made it.
        retry: How often and how patiently.
        sleep: Waits that many seconds.
        random: Gives numbers in [0, 1).
        now: The wall clock, to read a Retry-After that is a date.

    Attributes:
        cause: Why the last attempt gave no answer; empty where it did.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        retry: Retry,
        breaker: Breaker,
        *,
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.cause = ""
        self._http, self._retry, self._breaker = http, retry, breaker
        self._sleep, self._random, self._now = sleep, random, now

    async def ask(self, method: str, path: str, *, params: Params | None = None, body: bytes | None = None) -> Any:
        """
        The JSON of the answer; None where it has no body. Asking twice does what asking once does, for every path.

        Raises:
            Refused: The server will not have this request.
            Unavailable: There was no good answer after all attempts.
        """
        request = self._http.build_request(
            method,
            path,
            params=dict(params) if params else None,
            content=body,
            headers=None if body is None else {"content-type": "application/json"},
        )
        trouble = Trouble("it was not asked")
        for attempt in range(1, self._retry.attempts + 1):
            wait_s = self._breaker.wait_s()
            if wait_s:
                raise CircuitOpen(
                    f"{cause.shown(request.url)} failed several times in a row, last with {self._breaker.cause}; "
                    f"it is asked again in {wait_s:.1f} s"
                )
            outcome = await self._attempt(request)
            if isinstance(outcome, httpx.Response):
                self.cause = ""
                return _read(outcome)
            trouble = outcome
            self.cause = trouble.words
            if attempt < self._retry.attempts:
                await self._sleep(self._retry.wait_s(attempt, trouble.retry_after_s, self._random))
        raise Unavailable(
            f"{method} {cause.shown(request.url)}: no answer after {self._retry.attempts} attempts; {trouble.words}"
        )

    async def _attempt(self, request: httpx.Request) -> httpx.Response | Trouble:
        try:
            response = await self._http.send(request)
        except httpx.RequestError as error:
            self._breaker.failed(words := cause.of(error))
            return Trouble(words)
        except BaseException:
            self._breaker.given_up()
            raise
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            self._breaker.failed(_trouble(response))
        else:
            self._breaker.succeeded()
        if response.status_code not in PASSING:
            return response
        return Trouble(_trouble(response), retry_after_s(response.headers.get("retry-after"), self._now()))


def _read(response: httpx.Response) -> Any:  # Any: JSON values
    if not response.is_success:
        raise Refused(response.status_code, *_problem(response))
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise Refused(
            response.status_code,
            "",
            f"{cause.shown(response.url)} does not answer in JSON; is base_url that of MonitorX's API?",
        ) from None


def _trouble(response: httpx.Response) -> str:
    return cause.of_answer(response.status_code, _problem(response)[1])


def _problem(response: httpx.Response) -> tuple[str, str]:
    """Kind and words of a problem (RFC 9457), or what there is instead."""
    try:
        problem = response.json()
        return str(problem["type"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "", response.reason_phrase or "no reason was given"
