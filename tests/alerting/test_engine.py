"""The composition: threads, event loop, store and channels together, on a real clock but without a network."""

import asyncio
import sqlite3
import threading
import time
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from monitorx.alerting.alert import Condition, State
from monitorx.alerting.channel.channel import Delivery, Outcome
from monitorx.alerting.config import AlertingConfig, Integration
from monitorx.alerting.dispatch import Retry
from monitorx.alerting.engine import Alerting, Health
from monitorx.alerting.ledger import Settled
from monitorx.alerting.notification import Notification
from monitorx.alerting.record import microseconds
from monitorx.alerting.store import Commit, SQLiteStore
from tests.alerting.scenario import NOON, observation, route

AT_ONCE = "receiver: ops\ngroup_by: [model]\ngroup_wait: 0s\ngroup_interval: 50ms\n"


class Inbox:
    """A channel that keeps what it is sent."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.got: list[Notification] = []
        self.arrived = asyncio.Event()
        self.outcome = outcome or Outcome(Delivery.DELIVERED)
        self.closed = 0

    async def send(self, notification: Notification) -> Outcome:
        self.got.append(notification)
        self.arrived.set()
        return self.outcome

    async def aclose(self) -> None:
        self.closed += 1

    async def next(self) -> Notification:
        await asyncio.wait_for(self.arrived.wait(), 5)
        self.arrived.clear()
        return self.got[-1]


def config(inbox: Inbox) -> AlertingConfig:
    return AlertingConfig(route(AT_ONCE), {"ops": (Integration("ops/inbox[0]", True, lambda: inbox),)})


def alerting(path: Path, inbox: Inbox) -> tuple[Alerting, SQLiteStore]:
    store, settings = SQLiteStore(path), config(inbox)
    return Alerting(settings, store, settings.channels(), clock=time.time_ns), store


def test_a_breach_seen_in_another_thread_reaches_the_channel_and_so_does_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        inbox = Inbox()
        engine, store = alerting(tmp_path / "a.db", inbox)
        async with engine:
            threading.Thread(target=engine.observe, args=([observation()], 1)).start()
            first = await inbox.next()
            engine.observe([observation(condition=Condition.OK)], 2)
            second = await inbox.next()
        assert (first.status, second.status) == ("firing", "resolved")
        assert first.group_key == second.group_key
        assert inbox.closed == 1
        assert [alert.state for alert in engine.alerts()] == [State.RESOLVED]
        assert store.restore().outbox == ()
        assert (store.restore().position, engine.position) == (2, 2)
        store.close()

    asyncio.run(main())


def test_what_was_on_its_way_at_a_stop_is_sent_after_the_next_start(tmp_path: Path) -> None:
    async def run(inbox: Inbox, push: bool) -> Health:
        engine, store = alerting(tmp_path / "a.db", inbox)
        async with engine:
            if push:
                engine.observe([observation()], 1)
            await inbox.next()
            while not push and store.restore().outbox:
                await asyncio.sleep(0.01)
            health = engine.health()
        store.close()
        return health

    first = Inbox(Outcome(Delivery.RETRY, "HTTP 503"))
    second = Inbox()
    asyncio.run(run(first, push=True))
    healthy = asyncio.run(run(second, push=False))

    assert [n.id for n in second.got] == [first.got[0].id]
    assert healthy == Health(True, (), {"pending": 0, "firing": 1, "resolved": 0}, 0)


class FailingDisk:
    """A store that cannot write until it is told that it can."""

    def __init__(self, store: SQLiteStore) -> None:
        self.store = store
        self.is_full = True
        self.restore = store.restore

    def write(self, commit: Commit) -> None:
        if self.is_full:
            raise sqlite3.OperationalError("disk is full")
        self.store.write(commit)


def test_a_disk_that_fails_delays_messages_and_loses_none(tmp_path: Path) -> None:
    async def main() -> None:
        inbox = Inbox()
        store, settings = SQLiteStore(tmp_path / "a.db"), config(inbox)
        counted: list[str] = []
        disk = FailingDisk(store)
        engine = Alerting(
            settings, disk, settings.channels(), clock=time.time_ns,
            count=lambda name, labels, amount: counted.append(name),
        )  # fmt: skip
        async with engine:
            engine.observe([observation()], 1)
            while "monitorx_alerting_write_errors_total" not in counted:
                await asyncio.sleep(0.01)
            sick = engine.health()
            sent_meanwhile = list(inbox.got)
            disk.is_full = False
            await inbox.next()
        assert (sick.ok, sick.words) == (False, ("state cannot be written: disk is full",))
        assert sent_meanwhile == []
        assert len(inbox.got) == 1
        assert engine.health().ok
        store.close()

    asyncio.run(main())


def test_a_channel_that_is_gone_is_said_in_the_health(tmp_path: Path) -> None:
    async def main() -> None:
        inbox = Inbox(Outcome(Delivery.GONE, "HTTP 410"))
        engine, store = alerting(tmp_path / "a.db", inbox)
        async with engine:
            engine.observe([observation()], 1)
            await inbox.next()
            while engine.health().ok:
                await asyncio.sleep(0.01)
        assert engine.health().words == ("ops/inbox[0]: switched off, the other side wants nothing more",)
        store.close()

    asyncio.run(main())


def test_stop_before_start_and_twice_is_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        engine, store = alerting(tmp_path / "a.db", Inbox())
        await engine.stop()
        await engine.start()
        await engine.start()
        await engine.stop()
        await engine.stop()
        store.close()

    asyncio.run(main())


def test_a_disk_that_stays_full_is_logged_once_and_without_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        store, settings = SQLiteStore(tmp_path / "a.db"), config(Inbox())
        counted: list[str] = []
        disk = FailingDisk(store)
        engine = Alerting(
            settings, disk, settings.channels(), clock=time.time_ns,
            count=lambda name, labels, amount: counted.append(name),
        )  # fmt: skip
        async with engine:
            for turn in range(3):
                engine.observe([observation(labels={"model": str(turn)})], turn)
                while counted.count("monitorx_alerting_write_errors_total") <= turn:
                    await asyncio.sleep(0.01)
            disk.is_full = False
        store.close()

    asyncio.run(main())

    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("the state of alerts cannot be written; tried again: disk is full", None),
        ("messages are sent from memory now; after a crash, those sent meanwhile are told anew", None),
        ("the state of alerts is written again", None),
    ]


def test_a_disk_that_stays_full_keeps_no_message_back_and_none_is_told_twice(tmp_path: Path) -> None:
    store, now = SQLiteStore(tmp_path / "a.db"), [NOON]
    settings, disk = config(Inbox()), FailingDisk(store)
    engine = Alerting(
        settings, disk, {}, clock=lambda: microseconds(now[0]) * 1000, new_id=(f"id-{n}" for n in count(1)).__next__
    )
    engine.observe([observation()], 1)

    waiting = [refused(engine), refused(engine)]
    sent = engine.turn()
    engine._ledger.settle(Settled(sent[0], Delivery.DELIVERED, ""), NOON)
    again = engine.turn()
    engine.observe([observation(condition=Condition.OK)], 2)
    now[0] += timedelta(seconds=1)
    over = engine.turn()
    sick = engine.health()
    disk.is_full = False
    written = engine.turn()
    engine._ledger.settle(Settled(over[0], Delivery.DELIVERED, ""), NOON)
    engine.turn()

    assert waiting == ["disk is full", "disk is full"]
    assert [[row.notification.id for row in rows] for rows in (sent, again, over, written)] == [
        ["id-1"], [], ["id-2"], ["id-2"],
    ]  # fmt: skip
    assert [row.notification.status for row in (*sent, *over)] == ["firing", "resolved"]
    assert sick.words == ("state cannot be written: disk is full; messages are sent from memory",)
    assert engine.health().ok
    left = store.restore()
    assert ([one.alert.state for one in left.alerts.values()], left.members, left.log, left.outbox, left.position) == (
        [State.RESOLVED], {}, {}, (), 2,
    )  # fmt: skip
    assert [row.what for row in reversed(store.audit())] == [
        "fired", "notified", "delivered", "resolved", "notified", "delivered",
    ]  # fmt: skip
    store.close()


def refused(engine: Alerting) -> str:
    with pytest.raises(sqlite3.OperationalError) as raised:
        engine.turn()
    return str(raised.value)


def test_with_a_full_disk_messages_arrive_and_places_are_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        inbox, store = Inbox(), SQLiteStore(tmp_path / "a.db")
        settings, disk = config(inbox), FailingDisk(store)
        retry = Retry(places=1)
        engine = Alerting(settings, disk, settings.channels(), clock=time.time_ns, retry=retry)
        async with engine:
            engine.observe([observation(labels={"model": str(number)}) for number in range(4)], 1)
            while len(inbox.got) < 4:
                await inbox.next()
            disk.is_full = False
            engine.observe([observation(labels={"model": "last"})], 2)
            while len(inbox.got) < 5:
                await inbox.next()
        assert len({notification.id for notification in inbox.got}) == 5
        assert store.restore().outbox == ()
        store.close()

    asyncio.run(main())
