"""
All that alerting knows, in memory, and every change to it noted for one commit.

Takes observations, the outcomes of deliveries and the clock; gives `Commit`s: what must be on disk before anybody acts
on it. No threads, no files, no waiting: the same calls with the same clock always give the same commits.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitorx.alerting.alert import Alert, Observation, State
from monitorx.alerting.board import Board, Change
from monitorx.alerting.channel.channel import Delivery
from monitorx.alerting.config import AlertingConfig, Integration
from monitorx.alerting.group import Group, Groups
from monitorx.alerting.notification import GIVE_UP_AFTER, Notification
from monitorx.alerting.notify import LogEntry, News, Pipeline, Reason, news
from monitorx.alerting.state import earlier
from monitorx.alerting.store import AuditRow, Commit, LogKey, OutboxRow, Restored

POSITION_EVERY = timedelta(seconds=1)  # how often a position alone is worth a write
MAX_AUDIT_WAITING = 10_000
CLOCK_JUMP = timedelta(seconds=5)  # a clock that goes back by less only makes what is due that much later

_log = logging.getLogger(__name__)

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
        self._now = max([now, *_moments(restored)])
        self._board = Board(restored.alerts, self._now)
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
        self._position_written_at = self._now
        self._merging_said: set[str] = set()
        self._restore(restored)
        self._follow(now)

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
        self._follow(now)
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
        self._follow(now)
        self._commit.settled.append(row.notification.id)
        self._audit(now, settled.delivery.value, f"{row.channel} {row.notification.id}", settled.words)
        if settled.delivery is Delivery.GONE:
            self._gone.add(row.channel)
        group = self._groups.at(row.notification.group_key, row.notification.receiver)
        if settled.delivery is not Delivery.DELIVERED:
            self._untell(row, group, now)
        if group is None:
            return
        if row.channel in group.blocked:
            group.blocked.discard(row.channel)
            self._flush(group, [it for it in self._integrations(group) if it.id == row.channel], now)
        self._forget(group)

    def turn(self, now: datetime) -> Commit | None:
        """What is to be written now, None if it can wait. Flushes the groups that are due."""
        self._follow(now)
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
        # What was sent from memory meanwhile and is through needs no trace in the outbox.
        through = {*commit.settled, *newer.settled}
        decided = [*commit.sent, *newer.sent]
        commit.sent = [row for row in decided if row.notification.id not in through]
        commit.settled = sorted(through - {row.notification.id for row in decided})
        commit.audit += newer.audit
        self._commit = commit
        self._written_position = None

    def unsettled(self, commit: Commit) -> list[OutboxRow]:
        """The messages of *commit* that are still on their way; others went out while nothing could be written."""
        on_the_way = {row.notification.id for row in self._on_the_way.values()}
        return [row for row in commit.sent if row.notification.id in on_the_way]

    def next_due(self) -> datetime | None:
        """When a group is next to be looked at."""
        return self._groups.next_due()

    def _restore(self, restored: Restored) -> None:
        for key, alert in sorted(restored.members.items(), key=lambda member: member[1].starts_at):
            if not self._groups.restore(key, alert, self._now, self._last_told):
                self._commit.members[key] = None
        groups = {(group.key, it.id) for group in self._groups for it in self._integrations(group)}
        for log_key in [key for key in self._log if key not in groups]:
            self._tell(log_key, None)

    def _follow(self, now: datetime) -> None:
        """Let what is later than *now* go back with a clock that went back, so that what runs goes on from there."""
        back, self._now = self._now - now, now
        if back < CLOCK_JUMP:
            return
        _log.warning("the clock went back by %.0f s: so do the times of alerts that are later", back.total_seconds())
        self._audit(now, "clock_went_back", "", f"{back.total_seconds():.0f} s")
        self._board.move(back, now)
        self._groups.move(back, now)
        self._position_written_at = earlier(self._position_written_at, back, now)
        self._commit.alerts.update(self._board.standing)
        self._commit.members.update((key, alert) for group in self._groups for key, alert in group.alerts.items())
        for key, entry in list(self._log.items()):
            self._tell(key, replace(entry, at=earlier(entry.at, back, now)))

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
        """Tell *integrations* what is new, and forget what is over and has been heard."""
        audible = self._pipeline.audible(list(group.alerts.values()), now)
        kept = {id(alert) for alert in audible}
        alerts = {key: alert for key, alert in group.alerts.items() if id(alert) in kept}
        late = _late(group, now)
        for integration in integrations:
            key = (group.key, integration.id)
            is_free = key not in self._on_the_way
            if alerts and integration.id not in self._gone:
                self._dedup(group, integration, alerts, now)
            if is_free:
                self._give_up(key, late)
        self._forget(group)

    def _give_up(self, key: LogKey, late: frozenset[str]) -> None:
        """Say no more of what has been over for too long; there was a chance to say it just now."""
        entry = self._log.get(key)
        if entry is not None and entry.firing & late:
            firing = entry.firing - late
            self._tell(key, replace(entry, firing=firing) if firing else None)

    def _forget(self, group: Group) -> None:
        """Take out what is over, once nobody is to hear of it any more."""
        over = [key for key, alert in group.alerts.items() if alert.state is State.RESOLVED]
        if not over:
            return
        unheard = self._unheard(group)
        for fingerprint in self._groups.forget(group, [key for key in over if key not in unheard]):
            self._commit.members[fingerprint] = None

    def _unheard(self, group: Group) -> frozenset[str]:
        """The alerts whose end a channel must be told yet, or again if the message that tells it is refused."""
        unheard: frozenset[str] = frozenset()
        for integration in self._integrations(group):
            if integration.id in self._gone:
                continue
            key = (group.key, integration.id)
            if (entry := self._log.get(key)) is not None:
                unheard |= entry.firing
            if (row := self._on_the_way.get(key)) is not None:
                unheard |= row.known
        return unheard

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
        # What has been over for too long is told now or never: it does not come back if the message is refused.
        known = entry.firing - _late(group, now) if entry is not None else frozenset()
        row = OutboxRow(integration.id, notification, known)
        self._on_the_way[row.key] = row
        self._commit.sent.append(row)
        self._audit(now, "notified", f"{integration.id} {notification_id}", found.reason.value)
        self._count("monitorx_alerting_notifications_total", {"reason": found.reason.value}, 1)

    def _untell(self, row: OutboxRow, group: Group | None, now: datetime) -> None:
        """The channel never heard the message: it knows what it knew before, and is told at the group's next turn."""
        firing = row.known & frozenset(group.alerts) if group is not None else frozenset()
        if group is None or not firing:
            self._tell(row.key, None)
            return
        long_ago = now - group.route.repeat_interval  # whatever the message was to say, there is something to say again
        self._tell(row.key, LogEntry(long_ago, firing, row.notification.id))

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
        for rule in self._board.merging.keys() - self._merging_said:
            self._merging_said.add(rule)
            _log.warning(
                "rule %s: a label of the rule takes the place of one that `by` selects, so several of its label sets "
                "are one alert, which fires while one of them is in breach; rename the label: %s",
                rule,
                dict(self._board.merging[rule]),
            )
        self._board.merging.clear()
        if self._board.refused:
            self._count("monitorx_alerting_alerts_refused_total", {}, self._board.refused)
            self._board.refused = 0


def _late(group: Group, now: datetime) -> frozenset[str]:
    """The alerts that were over so long ago that their end is given up."""
    return frozenset(
        key for key, alert in group.alerts.items() if alert.ends_at and now - alert.ends_at >= GIVE_UP_AFTER
    )


def _moments(restored: Restored) -> Iterator[datetime]:
    """The moments that the last run has seen; those of messages stay as they were told, whatever the clock did."""
    for alert in (*(standing.alert for standing in restored.alerts.values()), *restored.members.values()):
        yield alert.ends_at or max(alert.starts_at, alert.active_at)
    yield from (standing.cleared_at for standing in restored.alerts.values() if standing.cleared_at is not None)
    yield from (entry.at for entry in restored.log.values())
