"""Attempts, pauses, Retry-After and the circuit breaker, on a clock that stands still."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.client import BreakerSettings, Circuit, CircuitOpen, ClientError, Refused, Retry, Unavailable
from monitorx.client.breaker import Breaker
from monitorx.client.connection import Connection
from monitorx.client.retry import retry_after_s
from tests.client.fake import FakeServer, Time, problem

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
OK = httpx.Response(200, json={"fine": True})
GONE_AWAY = httpx.ConnectError("connection refused")


class World:
    """One connection to a fake server."""

    def __init__(
        self,
        *answers: Any,
        retry: Retry | None = None,
        breaker: BreakerSettings | None = None,
        base_url: str = "http://monitorx.test",
    ) -> None:
        self.server, self.time = FakeServer(list(answers)), Time()
        self.breaker = Breaker(breaker or BreakerSettings(failures=100), self.time.clock)
        self.retry, self.base_url = retry or Retry(), base_url

    def ask(self, times: int = 1) -> Any:
        """The last answer of *times* questions; errors of the earlier ones are passed over."""
        return asyncio.run(self._ask(times))

    async def _ask(self, times: int) -> Any:
        async with httpx.AsyncClient(base_url=self.base_url, transport=self.server.transport()) as http:
            connection = Connection(
                http, self.retry, self.breaker, sleep=self.time.sleep, random=lambda: 1.0, now=lambda: NOW
            )
            for _ in range(times - 1):
                with pytest.raises(Unavailable):
                    await connection.ask("GET", "/x")
            return await connection.ask("GET", "/x")


def test_an_answer_is_given_as_it_is() -> None:
    world = World(OK)

    assert world.ask() == {"fine": True}
    assert (world.server.asked, world.time.slept) == ([("GET", "/x", None)], [])


def test_an_answer_without_a_body_is_none() -> None:
    assert World(httpx.Response(204)).ask() is None


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(GONE_AWAY, id="refused connection"),
        pytest.param(httpx.ReadTimeout("slow"), id="timeout"),
        *(pytest.param(problem(status, "later"), id=str(status)) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_trouble_that_passes_is_tried_again_with_doubled_pauses(trouble: Any) -> None:
    world = World(trouble, trouble, trouble, OK, retry=Retry(attempts=4, first_s=0.25))

    assert world.ask() == {"fine": True}
    assert world.time.slept == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 501])
def test_a_refusal_is_final_and_keeps_the_servers_words(status: int) -> None:
    world = World(problem(status, "start: 'soon' cannot be used"))

    with pytest.raises(Refused, match=f"{status}: start: 'soon' cannot be used") as caught:
        world.ask()

    assert (caught.value.status, caught.value.kind) == (status, "urn:monitorx:problem:test")
    assert (len(world.server.asked), world.time.slept) == (1, [])


def test_after_the_last_attempt_the_trouble_is_told() -> None:
    world = World(GONE_AWAY, retry=Retry(attempts=3))

    with pytest.raises(Unavailable) as caught:
        world.ask()

    assert str(caught.value) == (
        "GET http://monitorx.test/x: no answer after 3 attempts; ConnectError: connection refused"
    )
    assert (len(world.server.asked), world.time.slept) == (3, [0.25, 0.5])


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Sat, 31 Jan 2026 12:00:09 GMT", 9.0, id="a date"),
        pytest.param("Sat, 31 Jan 2026 11:00:00 GMT", 0.0, id="a date that has passed"),
        pytest.param("86400", 30.0, id="longer than we wait"),
        pytest.param("soon", 0.25, id="neither: our own pause"),
    ],
)
def test_the_server_says_when_to_come_back(header: str, slept: float) -> None:
    world = World(problem(503, "busy", **{"retry-after": header}), OK)

    world.ask()

    assert world.time.slept == [slept]


def test_an_answer_that_is_no_json_points_at_the_address() -> None:
    with pytest.raises(Refused, match="does not answer in JSON; is base_url that of MonitorX's API"):
        World(httpx.Response(200, text="<html>")).ask()


def test_a_refusal_of_something_between_is_told_by_its_status() -> None:
    with pytest.raises(Refused, match="403: Forbidden"):
        World(httpx.Response(403, text="<html>")).ask()


def test_after_failures_in_a_row_the_server_is_left_alone() -> None:
    world = World(GONE_AWAY, retry=Retry(attempts=2), breaker=BreakerSettings(failures=4, first_s=10.0))

    with pytest.raises(CircuitOpen) as caught:
        world.ask(times=3)

    assert str(caught.value) == (
        "http://monitorx.test/x failed several times in a row, last with ConnectError: connection refused; "
        "it is asked again in 10.0 s"
    )
    assert (len(world.server.asked), world.breaker.circuit) == (4, Circuit.OPEN)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        pytest.param(httpx.ReadTimeout(""), "ReadTimeout", id="timeout"),
        pytest.param(problem(503, "starting"), "503: starting", id="status"),
        pytest.param(httpx.Response(502, text="<html>"), "502: Bad Gateway", id="something between"),
        pytest.param(problem(500, "x" * 1_000), f"500: {'x' * 195}…", id="a long story"),
        pytest.param(
            httpx.LocalProtocolError("Illegal header value b'secret\\n'"),
            "LocalProtocolError: the request cannot be written; is one of the headers malformed?",
            id="a header that holds a key",
        ),
    ],
)
def test_an_open_circuit_says_what_opened_it(trouble: Any, words: str) -> None:
    world = World(trouble, retry=Retry(attempts=1), breaker=BreakerSettings(failures=1, first_s=10.0))

    with pytest.raises(CircuitOpen) as caught:
        world.ask(times=2)

    assert str(caught.value) == (
        f"http://monitorx.test/x failed several times in a row, last with {words}; it is asked again in 10.0 s"
    )


@pytest.mark.parametrize(
    ("answer", "retry"),
    [
        pytest.param(GONE_AWAY, Retry(attempts=1), id="no answer"),
        pytest.param(GONE_AWAY, Retry(attempts=2), id="open circuit"),
        pytest.param(httpx.Response(200, text="<html>"), Retry(), id="no JSON"),
    ],
)
def test_no_error_tells_the_credentials_of_the_address(answer: Any, retry: Retry) -> None:
    world = World(answer, retry=retry, breaker=BreakerSettings(failures=1), base_url="http://me:secret@monitorx.test")

    with pytest.raises(ClientError, match=r"http://monitorx\.test/x") as caught:
        world.ask()

    assert "secret" not in str(caught.value)


def test_an_overload_or_a_refusal_does_not_open_the_circuit() -> None:
    world = World(problem(429, "full"), retry=Retry(attempts=20), breaker=BreakerSettings(failures=2))

    with pytest.raises(Unavailable, match="429: full"):
        world.ask()

    assert world.breaker.circuit is Circuit.CLOSED


def test_an_open_circuit_lets_one_request_through_and_closes_when_it_succeeds() -> None:
    time = Time()
    breaker = Breaker(BreakerSettings(failures=2, first_s=10.0), time.clock)
    breaker.failed("away")
    breaker.failed("away")

    waits = [breaker.wait_s()]
    time.now_s = 10.0
    states = [breaker.circuit]
    waits += [breaker.wait_s(), breaker.wait_s()]  # the second is not let through beside the first
    states.append(breaker.circuit)
    breaker.succeeded()
    waits.append(breaker.wait_s())

    assert waits == [10.0, 0.0, 0.05, 0.0]
    assert states == [Circuit.HALF_OPEN, Circuit.OPEN]


def test_a_circuit_that_fails_again_stays_open_twice_as_long_up_to_a_bound() -> None:
    time = Time()
    breaker = Breaker(BreakerSettings(failures=1, first_s=10.0, longest_s=30.0), time.clock)
    waits = []
    for _ in range(4):
        breaker.failed("away")
        waits.append(breaker.wait_s())
        time.now_s += waits[-1]
        assert breaker.wait_s() == 0.0

    assert waits == [10.0, 20.0, 30.0, 30.0]


def test_a_probe_that_is_broken_off_leaves_room_for_the_next() -> None:
    time = Time()
    breaker = Breaker(BreakerSettings(failures=1, first_s=1.0), time.clock)
    breaker.failed("away")
    time.now_s = 1.0
    assert breaker.wait_s() == 0.0

    breaker.given_up()

    assert breaker.wait_s() == 0.0


@given(attempt=st.integers(1, 10_000), random=st.floats(0, 1, exclude_max=True))
def test_pauses_are_bounded_whatever_the_attempt(attempt: int, random: float) -> None:
    retry = Retry(first_s=0.25, longest_s=30.0)

    assert 0.125 <= retry.wait_s(attempt, None, lambda: random) <= 30.0


@given(attempt=st.integers(1, 10_000), random=st.floats(0, 1, exclude_max=True), time_s=st.floats(0.01, 1e6))
def test_pauses_while_closing_leave_time_for_several_attempts(attempt: int, random: float, time_s: float) -> None:
    retry = Retry(first_s=60.0, longest_s=60.0).within(time_s)

    assert 0 < retry.wait_s(attempt, None, lambda: random) <= min(time_s / 4, 60.0)
    assert retry.wait_s(attempt, 3600.0, lambda: random) <= time_s / 4


@given(header=st.text(max_size=40))
def test_any_header_is_read_without_harm(header: str) -> None:
    found = retry_after_s(header, NOW)

    assert found is None or found >= 0
