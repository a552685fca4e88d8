"""
From a group that is due to a message in the outbox.

The way of a group, in the order in which it is read below:

    group → inhibit → silence → mute → dedup → outbox

Each of the first stages takes alerts and gives those that may be told; dedup compares them with what this channel was
told last, and says why there is something to say, or that there is nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitorx.alerting.alert import Alert, State

Stage = Callable[[Sequence[Alert], datetime], Sequence[Alert]]


class Reason(StrEnum):
    """Why a channel is told something, or nothing."""

    FIRST = "first"  # it was told nothing of this group that still holds
    NEW_ALERTS = "new_alerts"
    RESOLVED = "resolved"
    REPEAT = "repeat"  # nothing is new, but it was long ago
    NOTHING_NEW = "nothing_new"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """
    What one channel was last told of one group.

    Attributes:
        at: When it was decided.
        firing: Fingerprints of the alerts that it knows to be firing; never empty, else there is no entry.
        notification_id: The message that said so.
    """

    at: datetime
    firing: frozenset[str]
    notification_id: str


@dataclass(frozen=True, slots=True)
class News:
    """What there is to say: why, the alerts for the message (none: the log changes, nobody is told), who fires now."""

    reason: Reason
    alerts: tuple[Alert, ...]
    firing: frozenset[str]


def everything(alerts: Sequence[Alert], now: datetime) -> Sequence[Alert]:
    """The stage that holds nothing back."""
    return alerts


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages between a group and dedup; each is a place for a rule that holds alerts back."""

    inhibit: Stage = everything
    silence: Stage = everything
    mute: Stage = everything

    def audible(self, alerts: Sequence[Alert], now: datetime) -> Sequence[Alert]:
        """The alerts that no stage holds back."""
        for stage in (self.inhibit, self.silence, self.mute):
            alerts = stage(alerts, now)
        return alerts


def news(
    entry: LogEntry | None, alerts: dict[str, Alert], now: datetime, *, repeat: timedelta, send_resolved: bool
) -> News:
    """
    What one channel should hear of a group.

    Args:
        entry: What it was told last, None for nothing that still holds.
        alerts: The group's alerts that are not held back, by fingerprint.
        now: The server's clock.
        repeat: After how long the same is said again.
        send_resolved: False if the channel does not want to hear of what is over.
    """
    firing = frozenset(key for key, alert in alerts.items() if alert.state is State.FIRING)
    known = entry.firing if entry is not None else frozenset()
    # Only what was told as firing is told as over: nobody hears the end of a thing whose beginning nobody heard.
    over = (frozenset(alerts) - firing) & known
    # A channel that does not want to hear of an end still has its log cleared when all is over: see News.alerts.
    reason = decide(entry, firing, over if send_resolved or not firing else frozenset(), now, repeat)
    shown = firing | over if send_resolved else firing
    return News(reason, tuple(sorted((alerts[key] for key in shown), key=_order)), firing)


def decide(
    entry: LogEntry | None, firing: frozenset[str], over: frozenset[str], now: datetime, repeat: timedelta
) -> Reason:
    """Why there is something to say to a channel that was told *entry*."""
    if entry is None:
        return Reason.FIRST if firing else Reason.NOTHING_NEW
    if not firing <= entry.firing:
        return Reason.NEW_ALERTS
    if over:
        return Reason.RESOLVED
    if firing and now - entry.at >= repeat:
        return Reason.REPEAT
    return Reason.NOTHING_NEW


def _order(alert: Alert) -> tuple[bool, datetime, list[tuple[str, str]]]:
    """Firing before resolved, oldest first, then by labels so that the order is always the same."""
    return alert.state is State.RESOLVED, alert.starts_at, sorted(alert.labels.items())
