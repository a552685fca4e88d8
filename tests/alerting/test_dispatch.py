import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random

import pytest

from monitorx.alerting.channel.channel import Delivery, Outcome
from monitorx.alerting.dispatch import Dispatch, Retry
from monitorx.alerting.ledger import Settled
from monitorx.alerting.notification import Notification
from monitorx.alerting.store import OutboxRow
from tests.alerting.scenario import NOON

AT_ONCE = Retry(first=timedelta(microseconds=1), longest=timedelta(microseconds=1))
DELIVERED, RETRY = Outcome(Delivery.DELIVERED), Outcome(Delivery.RETRY, "HTTP 503")


def row(number: int, channel: str = "ops") -> OutboxRow:
    return OutboxRow(channel, Notification(f"n{number}", "ops", f"g{number}", {}, (), NOON), frozenset())


Clock = Callable[[], datetime]


class Answers:
    """A channel that answers what it is told, the last answer for ever."""

    def __init__(self, *answers: Outcome | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[str] = []

    async def send(self, notification: Notification) -> Outcome:
        self.seen.append(notification.id)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.answers = [Outcome(Delivery.FAILED, "closed")]


class Hangs:
    """A channel that never answers."""

    def __init__(self) -> None:
        self.trying = 0

    async def send(self, notification: Notification) -> Outcome:
        self.trying += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None:
        """Nothing to close."""


class Desk:
    """Runs a dispatch and collects what it settles."""

    def __init__(
        self, channels: Mapping[str, object], retry: Retry = AT_ONCE, clock: Callable[[], datetime] = lambda: NOON
    ):
        self.settled: list[tuple[str, str, str]] = []
        self.counted: Counter[str] = Counter()
        self.all_done = asyncio.Event()
        self.expected = 0
        self.dispatch = Dispatch(
            channels,  # type: ignore[arg-type]  # fakes
            settle=self.settle,
            clock=clock,
            rng=Random(1),
            count=lambda name, labels, amount: self.counted.update({labels.get("outcome", name): int(amount)}),
            retry=retry,
        )

    async def settle(self, settled: Settled) -> None:
        self.settled.append((settled.row.notification.id, settled.delivery.value, settled.words))
        if len(self.settled) >= self.expected:
            self.all_done.set()

    async def run(self, *rows: OutboxRow, expected: int | None = None) -> list[tuple[str, str, str]]:
        self.expected = len(rows) if expected is None else expected
        self.dispatch.put(rows)
        await asyncio.wait_for(self.all_done.wait(), 5)
        await self.dispatch.stop(timedelta(0))
        return self.settled


@pytest.mark.parametrize(
    ("answers", "settled", "attempts"),
    [
        pytest.param([DELIVERED], ("n1", "delivered", ""), 1, id="delivered at once"),
        pytest.param([RETRY, RETRY, DELIVERED], ("n1", "delivered", ""), 3, id="tried until it works"),
        pytest.param(
            [RuntimeError("x"), DELIVERED], ("n1", "delivered", ""), 2, id="a channel that raises is tried again"
        ),
        pytest.param([Outcome(Delivery.FAILED, "HTTP 400")], ("n1", "failed", "HTTP 400"), 1, id="refused for good"),
        pytest.param([Outcome(Delivery.GONE, "HTTP 410")], ("n1", "gone", "HTTP 410"), 1, id="gone"),
    ],
)
def test_a_row_is_tried_until_it_is_settled(
    answers: list[Outcome | Exception], settled: tuple[str, str, str], attempts: int
) -> None:
    channel = Answers(*answers)

    async def main() -> list[tuple[str, str, str]]:
        return await Desk({"ops": channel}).run(row(1))

    assert asyncio.run(main()) == [settled]
    assert channel.seen == ["n1"] * attempts


def test_after_gone_the_channel_is_not_called_any_more() -> None:
    channel = Answers(Outcome(Delivery.GONE, "HTTP 410"))

    async def main() -> list[str]:
        desk = Desk({"ops": channel}, Retry(places=1))
        return [delivery for _, delivery, _ in await desk.run(row(1), row(2))]

    assert asyncio.run(main()) == ["gone", "gone"]
    assert channel.seen == ["n1"]


def test_a_message_is_given_up_when_it_is_too_old() -> None:
    channel = Answers(RETRY)
    late = NOON + timedelta(hours=24)

    async def main() -> list[tuple[str, str, str]]:
        return await Desk({"ops": channel}, clock=lambda: late).run(row(1))

    assert asyncio.run(main()) == [("n1", "failed", "given up after 1 attempts; the last: HTTP 503")]


def test_a_row_for_a_channel_that_is_no_longer_configured_is_said_so() -> None:
    async def main() -> list[tuple[str, str, str]]:
        return await Desk({}).run(row(1))

    assert asyncio.run(main()) == [("n1", "failed", "the configuration has no such channel any more")]


def test_a_channel_that_hangs_delays_nobody_else() -> None:
    hanging, quick = Hangs(), Answers(DELIVERED)

    async def main() -> list[tuple[str, str, str]]:
        desk = Desk({"slow": hanging, "ops": quick})
        return await desk.run(*(row(n, "slow") for n in range(100)), row(100), expected=1)

    assert asyncio.run(main()) == [("n100", "delivered", "")]
    assert hanging.trying == 8


def test_no_more_than_the_places_are_tried_at_once() -> None:
    hanging = [Hangs() for _ in range(40)]

    async def main() -> int:
        desk = Desk({f"c{n}": channel for n, channel in enumerate(hanging)})
        desk.dispatch.put(row(n, f"c{n}") for n in range(40))
        for _ in range(50):
            await asyncio.sleep(0)
        trying = sum(channel.trying for channel in hanging)
        await desk.dispatch.stop(timedelta(0))
        return trying

    assert asyncio.run(main()) == 16


def test_the_same_row_twice_is_delivered_once() -> None:
    channel = Answers(DELIVERED)

    async def main() -> None:
        await Desk({"ops": channel}).run(row(1), row(1), expected=1)

    asyncio.run(main())
    assert channel.seen == ["n1"]


@pytest.mark.parametrize(
    ("attempts", "asked", "least_s", "most_s"),
    [
        pytest.param(1, None, 0.25, 0.5, id="first"),
        pytest.param(4, None, 2, 4, id="doubles"),
        pytest.param(1000, None, 30, 60, id="never over the longest"),
        pytest.param(1, 7, 7, 7, id="Retry-After holds"),
        pytest.param(1000, 7, 30, 60, id="Retry-After is a least, not a most"),
    ],
)
def test_waits_grow_and_are_spread(attempts: int, asked: float | None, least_s: float, most_s: float) -> None:
    rng = Random(4)
    after = None if asked is None else timedelta(seconds=asked)

    waits = {Retry().wait(attempts, after, rng).total_seconds() for _ in range(200)}

    assert least_s <= min(waits) <= max(waits) <= most_s
    assert len(waits) > 100 or (least_s == most_s)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{one.levelname} {one.getMessage()}" for one in caplog.records if one.levelno >= logging.INFO]


def test_trouble_is_said_once_by_channel_and_group_until_it_ends_or_is_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    down, full = Outcome(Delivery.RETRY, "HTTP 503: request 17"), Outcome(Delivery.RETRY, "ConnectError: refused")
    also_down = Outcome(Delivery.RETRY, "HTTP 503: request 18")
    channel = Answers(down, also_down, down, full, full, DELIVERED)

    async def main() -> None:
        await Desk({"ops": channel}).run(row(1))

    asyncio.run(main())

    assert said(caplog) == [
        "WARNING channel ops: group g1: tried again: HTTP 503: request 17",
        "WARNING channel ops: group g1: tried again: ConnectError: refused",
        "INFO channel ops: takes messages again",
    ]


def test_messages_that_are_refused_one_after_the_other_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        await Desk({"ops": Answers(Outcome(Delivery.FAILED, "HTTP 401: no"))}).run(*(row(n) for n in range(8)))

    asyncio.run(main())

    assert said(caplog) == ["WARNING channel ops: group g0: failed: HTTP 401: no"]


def test_a_channel_that_raises_is_said_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        await Desk({"ops": Answers(RuntimeError("x"), RuntimeError("x"), DELIVERED)}).run(row(1))

    asyncio.run(main())

    assert [one.getMessage() for one in caplog.records if one.exc_info] == ["channel ops: raised instead of answering"]


def test_trouble_has_a_time_and_is_outdated_after_a_day() -> None:
    now = [NOON]

    async def main() -> list[dict[str, str]]:
        desk = Desk({"ops": Answers(Outcome(Delivery.FAILED, "HTTP 401"), DELIVERED)}, clock=lambda: now[0])
        await desk.run(row(1))
        seen = []
        for hours in (0, 23, 24):
            now[0] = NOON + timedelta(hours=hours)
            seen.append({name: str(trouble) for name, trouble in desk.dispatch.failing.items()})
        return seen

    there = {"ops": "HTTP 401 (at 2026-05-04T12:00:00Z)"}
    assert asyncio.run(main()) == [there, there, {}]
