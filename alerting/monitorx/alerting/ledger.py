"""
All that alerting knows, in memory, and every change to it noted for one commit.

Takes observations, the outcomes of deliveries and the clock; gives `Commit`s: what must be on disk before anybody acts
on it. No threads, no files, no waiting: the same calls with the same clock always give the same commits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitorx.alerting.alert import Alert, Observation
from monitorx.alerting.board import Board, Change
from monitorx.alerting.channel.channel import Delivery
from monitorx.alerting.config import AlertingConfig, Integration
from monitorx.alerting.group import Group, Groups
from monitorx.alerting.notification import Notification
from monitorx.alerting.notify import LogEntry, News, Pipeline, Reason, news
from monitorx.alerting.store import AuditRow, Commit, LogKey, OutboxRow, Restored

POSITION_EVERY = timedelta(seconds=1)  # how often a position alone is worth a write
MAX_AUDIT_WAITING = 10_000

Count = Callable[[str, Mapping[str, str], float], None]


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that needs no further attempt, and why."""

    row: OutboxRow
    delivery: Delivery
    words: str


class Ledger:
    """
    The state of alerting.

    Args:
        config: Who is told what.
        restored: What the store holds.
        now: The server's clock at the start.
        new_id: Makes the id of a notification.
        count: Adds to a counter.
        pipeline: What holds alerts back.
        external_url: Where people reach this server.
    """

    def __init__(
        self,
        config: AlertingConfig,
        restored: Restored,
        now: datetime,
        *,
        new_id: Callable[[], str],
        count: Count,
        pipeline: Pipeline | None = None,
        external_url: str = "",
    ) -> None:
        self._receivers = config.receivers
        self._board = Board(restored.alerts, now)
        self._groups = Groups(config.route)
        self._log = dict(restored.log)
        self._on_the_way = {row.key: row for row in restored.outbox}
        self._gone: set[str] = set()
        self._pipeline = pipeline or Pipeline()
        self._new_id = new_id
        self._count = count
        self._external_url = external_url
        self._commit = Commit()
        self._position = restored.position
        self._written_position: int | None = restored.position
        self._position_written_at = now
        self._restore(restored, now)

    @property
    def position(self) -> int:
        """The last journal position that was observed."""
        return self._position

    @property
    def on_the_way(self) -> list[OutboxRow]:
        """The messages that are not through yet."""
        return list(self._on_the_way.values())

    @property
    def gone(self) -> frozenset[str]:
        """Channels whose other side wants nothing more."""
        return frozenset(self._gone)

    def alerts(self) -> list[Alert]:
        """All alerts that stand: pending, firing and lately resolved."""
        return self._board.alerts()

    def observe(self, observations: Sequence[Observation], position: int, now: datetime) -> list[Change]:
        """
        Take what rules found at *position*; the alerts that changed state by it.

        Positions before the last one are a replay of what was taken already: they change nothing.
        """
        if position < self._position:
            self._count("monitorx_alerting_replayed_total", {}, len(observations))
            return []
        self._position = position
        changes = self._board.observe(observations, now)
        self._count_steps()
        for change in changes:
            self._note(change, now)
        return changes

    def settle(self, settled: Settled, now: datetime) -> None:
        """Take note that a message is through, and tell what had to wait for it."""
        row = settled.row
        if self._on_the_way.pop(row.key, None) is None:
            return
        self._commit.settled.append(row.notification.id)
        self._audit(now, settled.delivery.value, f"{row.channel} {row.notification.id}", settled.words)
        if settled.delivery is Delivery.GONE:
            self._gone.add(row.channel)
        group = self._groups.at(row.notification.group_key, row.notification.receiver)
        if settled.delivery is not Delivery.DELIVERED:
            self._untell(row, group, now)
        if group is not None and row.channel in group.blocked:
            group.blocked.discard(row.channel)
            self._flush(group, [it for it in self._integrations(group) if it.id == row.channel], now)

    def turn(self, now: datetime) -> Commit | None:
        """What is to be written now, None if it can wait. Flushes the groups that are due."""
        for change in self._board.expire(now):
            self._note(change, now)
        for group in self._groups.due(now):
            self._groups.rest(group, now)
            self._flush(group, self._integrations(group), now)
        if not self._commit.is_urgent and not self._is_position_due(now):
            return None
        commit, self._commit = self._commit, Commit()
        commit.position = self._written_position = self._position
        self._position_written_at = now
        return commit

    def put_back(self, commit: Commit) -> None:
        """Note a commit again that could not be written; what was noted since wins."""
        newer = self._commit
        commit.alerts.update(newer.alerts)
        commit.members.update(newer.members)
        commit.log.update(newer.log)
        commit.sent += newer.sent
        commit.settled += newer.settled
        commit.audit += newer.audit
        self._commit = commit
        self._written_position = None

    def next_due(self) -> datetime | None:
        """When a group is next to be looked at."""
        return self._groups.next_due()

    def _restore(self, restored: Restored, now: datetime) -> None:
        for key, alert in sorted(restored.members.items(), key=lambda member: member[1].starts_at):
            if not self._groups.restore(key, alert, now, self._last_told):
                self._commit.members[key] = None
        groups = {(group.key, it.id) for group in self._groups for it in self._integrations(group)}
        for log_key in [key for key in self._log if key not in groups]:
            self._tell(log_key, None)

    def _last_told(self, group: Group) -> datetime | None:
        told = (self._log.get((group.key, it.id)) for it in self._integrations(group))
        return max((entry.at for entry in told if entry is not None), default=None)

    def _integrations(self, group: Group) -> Sequence[Integration]:
        return self._receivers.get(group.route.receiver, ())

    def _note(self, change: Change, now: datetime) -> None:
        self._commit.alerts[change.fingerprint] = change.after
        name = change.alert.labels.get("alertname", "")
        self._audit(now, change.transition.value, change.fingerprint, name)
        if change.is_told and self._groups.put(change.fingerprint, change.alert, now):
            self._commit.members[change.fingerprint] = change.alert

    def _flush(self, group: Group, integrations: Sequence[Integration], now: datetime) -> None:
        """Tell *integrations* what is new, and forget what is over once everybody knows."""
        audible = self._pipeline.audible(list(group.alerts.values()), now)
        kept = {id(alert) for alert in audible}
        alerts = {key: alert for key, alert in group.alerts.items() if id(alert) in kept}
        for integration in integrations:
            if alerts and integration.id not in self._gone:
                self._dedup(group, integration, alerts, now)
        if not group.blocked:
            for fingerprint in self._groups.forget_resolved(group):
                self._commit.members[fingerprint] = None

    def _dedup(self, group: Group, integration: Integration, alerts: dict[str, Alert], now: datetime) -> None:
        key = (group.key, integration.id)
        entry = self._log.get(key)
        repeat = group.route.repeat_interval
        found = news(entry, alerts, now, repeat=repeat, send_resolved=integration.send_resolved)
        if found.reason is Reason.NOTHING_NEW:
            return
        if key in self._on_the_way:
            group.blocked.add(integration.id)  # told when the earlier message is through
            return
        notification_id = self._new_id()
        if found.alerts:
            self._send(group, integration, found, notification_id, now)
        self._tell(key, LogEntry(now, found.firing, notification_id) if found.firing else None)

    def _send(self, group: Group, integration: Integration, found: News, notification_id: str, now: datetime) -> None:
        notification = Notification(
            id=notification_id,
            receiver=group.route.receiver,
            group_key=group.key,
            group_labels=group.labels,
            alerts=found.alerts,
            at=now,
            external_url=self._external_url,
        )
        entry = self._log.get((group.key, integration.id))
        row = OutboxRow(integration.id, notification, entry.firing if entry is not None else frozenset())
        self._on_the_way[row.key] = row
        self._commit.sent.append(row)
        self._audit(now, "notified", f"{integration.id} {notification_id}", found.reason.value)
        self._count("monitorx_alerting_notifications_total", {"reason": found.reason.value}, 1)

    def _untell(self, row: OutboxRow, group: Group | None, now: datetime) -> None:
        """The channel never heard the message: it knows what it knew before, as far as that still matters."""
        entry = self._log.get(row.key)
        at = row.notification.at if entry is None else entry.at
        firing = row.known & frozenset(group.alerts) if group is not None else frozenset()
        self._tell(row.key, LogEntry(at, firing, row.notification.id) if firing else None)

    def _tell(self, key: LogKey, entry: LogEntry | None) -> None:
        if entry is None:
            self._log.pop(key, None)
        else:
            self._log[key] = entry
        self._commit.log[key] = entry

    def _is_position_due(self, now: datetime) -> bool:
        is_ahead = self._position != self._written_position
        return is_ahead and now - self._position_written_at >= POSITION_EVERY

    def _audit(self, now: datetime, what: str, subject: str, words: str) -> None:
        if len(self._commit.audit) >= MAX_AUDIT_WAITING:  # only while the store cannot write
            self._count("monitorx_alerting_audit_dropped_total", {}, 1)
            return
        self._commit.audit.append(AuditRow(now, what, subject, words))

    def _count_steps(self) -> None:
        for transition, times in self._board.counted.items():
            self._count("monitorx_alerting_steps_total", {"step": transition.value}, times)
        self._board.counted.clear()
        if self._board.refused:
            self._count("monitorx_alerting_alerts_refused_total", {}, self._board.refused)
            self._board.refused = 0
