"""
Alerts that are told together, and when.

Takes alerts that fire or are over and routes them; gives the groups that are due. The first message of a group waits
`group_wait` for company, the next ones `group_interval`. Nothing sleeps here: callers ask with their own clock.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitorx.alerting.alert import Alert, State
from monitorx.alerting.route import Route
from monitorx.alerting.state import moved

LastTold = Callable[["Group"], datetime | None]


@dataclass(slots=True)
class Group:
    """
    Alerts of one route with the same group labels.

    Attributes:
        key: Its identity, the same after a restart.
        route: Whose timers it follows.
        labels: What its alerts have in common.
        due: When it is next looked at.
        alerts: By fingerprint; firing, or over and not heard everywhere yet.
        blocked: Channels that still carry an earlier message of this group; they hear the news when that is through.
    """

    key: str
    route: Route
    labels: dict[str, str]
    due: datetime
    alerts: dict[str, Alert] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)


class Groups:
    """All groups there are."""

    def __init__(self, top: Route | None) -> None:
        self._top = top
        self._groups: dict[tuple[str, str], Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def put(self, fingerprint: str, alert: Alert, now: datetime) -> bool:
        """
        Put an alert, firing or resolved, where it belongs; False if nobody will hear of it.

        What is over and in no group has been told everywhere, or was never told: it needs no new group.
        """
        taken = False
        for group in self._homes(alert, now, may_open=alert.state is State.FIRING):
            group.alerts[fingerprint] = alert
            taken = True
        return taken

    def restore(self, fingerprint: str, alert: Alert, now: datetime, last_told: LastTold) -> bool:
        """Put back an alert after a restart; the timers go on from what was told last. False if nobody wants it."""
        taken = False
        for group in self._homes(alert, now, may_open=True):
            told_at = last_told(group)
            if told_at is not None:
                group.due = told_at + group.route.group_interval
            elif not group.alerts:
                group.due = alert.starts_at + group.route.group_wait
            group.alerts[fingerprint] = alert
            taken = True
        return taken

    def at(self, key: str, receiver: str) -> Group | None:
        """The group with that key, None if there is none now."""
        return self._groups.get((key, receiver))

    def due(self, now: datetime) -> list[Group]:
        """The groups whose time has come, the longest due first."""
        return sorted((group for group in self._groups.values() if group.due <= now), key=lambda group: group.due)

    def next_due(self) -> datetime | None:
        """When the next group is due; None without groups."""
        return min((group.due for group in self._groups.values()), default=None)

    def rest(self, group: Group, now: datetime) -> None:
        """The group was looked at: it is due again after its interval."""
        group.due = now + group.route.group_interval

    def forget(self, group: Group, fingerprints: Iterable[str]) -> list[str]:
        """Take alerts out; gives those that are in no other group either."""
        over = {key: group.alerts.pop(key) for key in fingerprints}
        if not group.alerts:
            self._groups.pop((group.key, group.route.receiver), None)
        return [key for key, alert in over.items() if not self._is_held(key, alert)]

    def move(self, back: timedelta, now: datetime) -> None:
        """The clock went back by that much, to *now*: so do all times that are later, and when groups are due."""
        for group in self._groups.values():
            group.due -= back  # always: one that is looked at too early is only looked at once more
            group.alerts = {key: moved(alert, back, now) for key, alert in group.alerts.items()}

    def _is_held(self, fingerprint: str, alert: Alert) -> bool:
        """True if some group still has the alert."""
        return any(fingerprint in group.alerts for group in self._homes(alert, alert.starts_at, may_open=False))

    def _homes(self, alert: Alert, now: datetime, *, may_open: bool) -> Iterable[Group]:
        """The groups that *alert* belongs to; opens those that are missing, if that is wanted."""
        for route in () if self._top is None else self._top.matching(alert.labels):
            labels = route.group_labels(alert.labels)
            key = group_key(route, labels)
            group = self._groups.get((key, route.receiver))
            if group is None and may_open:
                group = Group(key, route, labels, due=now + route.group_wait)
                self._groups[key, route.receiver] = group
            if group is not None:
                yield group


def group_key(route: Route, labels: dict[str, str]) -> str:
    """
    A group's identity: the matchers on the way to its route, and its labels.

    >>> group_key(Route(key="{}", receiver="ops"), {"model": "fraud"})
    '{}:{model="fraud"}'
    """
    escaped = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{route.key}:{{{', '.join(escaped)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
