"""A whole alerting on a fake clock: push observations at moments, read what was sent by when."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitorx.alerting.alert import Condition, NoData, Observation, Policy
from monitorx.alerting.channel.channel import Delivery
from monitorx.alerting.config import AlertingConfig, Integration
from monitorx.alerting.document import Node, Problems
from monitorx.alerting.document import parse as parse_document
from monitorx.alerting.ledger import Ledger, Settled
from monitorx.alerting.notification import Notification
from monitorx.alerting.notify import Pipeline
from monitorx.alerting.route import Route, read_route
from monitorx.alerting.store import Commit, OutboxRow, SQLiteStore

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ROUTE = """
receiver: ops
group_by: [alertname]
group_wait: 30s
group_interval: 5m
repeat_interval: 4h
"""


def route(text: str = ROUTE, receivers: tuple[str, ...] = ("ops", "night", "log")) -> Route:
    problems = Problems()
    found = read_route(parse_document(text, "rules.yaml"), problems, receivers)
    problems.check()
    return found


def no_channel() -> None:
    raise AssertionError("nothing is connected here")


def config(text: str = ROUTE, *, send_resolved: bool = True) -> AlertingConfig:
    names = ("ops", "night", "log")
    channels = {name: (Integration(f"{name}/fake[0]", send_resolved, no_channel),) for name in names}  # type: ignore[arg-type]  # never called
    return AlertingConfig(route(text), channels)


def node(text: str) -> Node:
    return parse_document(text, "rules.yaml")


def policy(rule: str = "Slow", *, held_for: float = 0, keep: float = 0, **more: object) -> Policy:
    return Policy(rule, timedelta(seconds=held_for), timedelta(seconds=keep), **more)  # type: ignore[arg-type]  # fields


def observation(
    rule: Policy | str = "Slow",
    condition: Condition = Condition.BREACHED,
    value: float | None = 2.0,
    labels: Mapping[str, str] | None = None,
) -> Observation:
    found = rule if isinstance(rule, Policy) else policy(rule)
    return Observation(found, labels or {"model": "fraud"}, condition, value, 1.0)


class Scenario:
    """Ledger and store on one clock; deliveries succeed at once unless told otherwise."""

    def __init__(self, path: Path, settings: AlertingConfig | None = None, pipeline: Pipeline | None = None) -> None:
        self.path = path
        self.settings = settings or config()
        self.pipeline = pipeline
        self.now = self.start = NOON
        self.position = 0
        self.ids = 0
        self.sent: list[tuple[float, Notification]] = []
        self.refused: list[str] = []
        self.refuses: set[str] = set()
        self.waiting: list[OutboxRow] = []
        self.holds = False
        self.delivery = Delivery.DELIVERED
        self.is_full = False
        self.counted: dict[str, float] = {}
        self.open()

    def open(self) -> None:
        """Start, or start again after a crash."""
        self.store = SQLiteStore(self.path)
        restored = self.store.restore()
        self.ledger = Ledger(
            self.settings, restored, self.now, new_id=self.new_id, count=self.count, pipeline=self.pipeline
        )
        self.waiting = list(restored.outbox)

    def crash(self) -> None:
        """Lose everything that is not on disk."""
        self.store.close()
        self.open()

    def new_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids}"

    def count(self, name: str, labels: Mapping[str, str], amount: float) -> None:
        key = name.removeprefix("monitorx_alerting_") + "".join(f"[{value}]" for value in labels.values())
        self.counted[key] = self.counted.get(key, 0) + amount

    def push(self, *observations: Observation, at: float | None = None) -> "Scenario":
        """Observe at *at* seconds after the start."""
        if at is not None:
            self.until(at)
        self.position += 1
        self.ledger.observe(observations, self.position, self.now)
        self.turn()
        return self

    def until(self, at: float) -> "Scenario":
        """Let the time pass, looking at groups when they are due."""
        end = self.start + timedelta(seconds=at)
        while (due := self.ledger.next_due()) is not None and due <= end:
            self.now = max(due, self.now)
            self.turn()
        self.now = max(end, self.now)
        self.turn()
        return self

    def set_back(self, seconds: float) -> "Scenario":
        """Somebody corrects the clock; what is said in seconds after the start goes on as if nobody had."""
        self.now -= timedelta(seconds=seconds)
        self.start -= timedelta(seconds=seconds)
        return self

    def turn(self) -> None:
        commit = self.ledger.turn(self.now)
        if commit is not None:
            self.write(commit)
        if not self.holds:
            self.deliver()

    def write(self, commit: Commit) -> None:
        """On disk, or kept for later where the disk is full; messages go out in both cases."""
        if self.is_full:
            self.ledger.put_back(commit)
        else:
            self.store.write(commit)
        known = {row.notification.id for row in self.waiting}
        self.waiting += [row for row in self.ledger.unsettled(commit) if row.notification.id not in known]

    def deliver(self) -> None:
        """Send what waits, and mark it."""
        while self.waiting:
            row = self.waiting.pop(0)
            self.sent.append(((self.now - self.start).total_seconds(), row.notification))
            delivery = Delivery.FAILED if row.notification.receiver in self.refuses else self.delivery
            if delivery is not Delivery.DELIVERED:
                self.refused.append(row.notification.id)
            self.ledger.settle(Settled(row, delivery, ""), self.now)
            commit = self.ledger.turn(self.now)
            if commit is not None:
                self.write(commit)

    def told(self) -> list[tuple[float, str, str, list[str]]]:
        """When, who, status, and `model` of each alert with `-` before those that are over."""
        return [
            (
                at,
                notification.receiver,
                notification.status,
                [("" if a.ends_at is None else "-") + a.labels.get("model", "") for a in notification.alerts],
            )
            for at, notification in self.sent
        ]


__all__ = ["NOON", "NoData", "Scenario", "config", "node", "observation", "policy", "route"]
