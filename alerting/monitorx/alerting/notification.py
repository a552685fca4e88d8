"""One message to one channel: the alerts of a group as they were when it was decided to send it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitorx.alerting.alert import Alert, State

GIVE_UP_AFTER = timedelta(hours=24)  # the age at which a message, or the end of an alert, is given up


@dataclass(frozen=True, slots=True)
class Notification:
    """
    What a channel sends.

    Attributes:
        id: The idempotency key: the same at every attempt, also after a crash.
        receiver: The receiver's name in the file.
        group_key: The group's identity; messages with the same one belong together.
        group_labels: What the alerts of the group have in common by `group_by`.
        alerts: Firing before resolved, oldest first.
        at: When it was decided.
        external_url: Where people reach this server, "" if nobody said.
    """

    id: str
    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    alerts: Sequence[Alert]
    at: datetime
    external_url: str = ""

    @property
    def firing(self) -> list[Alert]:
        """The alerts that fire."""
        return [alert for alert in self.alerts if alert.state is State.FIRING]

    @property
    def resolved(self) -> list[Alert]:
        """The alerts that are over."""
        return [alert for alert in self.alerts if alert.state is State.RESOLVED]

    @property
    def status(self) -> str:
        """`firing` while one alert fires, else `resolved`."""
        return State.FIRING.value if self.firing else State.RESOLVED.value


def common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """
    The entries that all of *maps* have with the same value.

    >>> common([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}])
    {'a': '1'}
    """
    if not maps:
        return {}
    first, *others = maps
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
