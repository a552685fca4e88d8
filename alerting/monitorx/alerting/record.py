"""Alerts and notifications as JSON text: what stands in the state file. Pure ASCII, so any label can be stored."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitorx.alerting.alert import Alert, Severity, State
from monitorx.alerting.notification import Notification

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """A moment as whole microseconds since the epoch, without a float on the way."""
    return (at - EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """The moment that `microseconds` wrote."""
    return EPOCH + timedelta(microseconds=at_us)


def dump_alert(alert: Alert) -> str:
    """One alert as text."""
    return json.dumps(_alert(alert))


def load_alert(text: str) -> Alert:
    """The alert that `dump_alert` wrote."""
    return _read_alert(json.loads(text))


def dump_notification(notification: Notification) -> str:
    """One notification as text."""
    fields = {
        "id": notification.id,
        "receiver": notification.receiver,
        "group_key": notification.group_key,
        "group_labels": dict(notification.group_labels),
        "alerts": [_alert(alert) for alert in notification.alerts],
        "at": microseconds(notification.at),
        "external_url": notification.external_url,
    }
    return json.dumps(fields)


def load_notification(text: str) -> Notification:
    """The notification that `dump_notification` wrote."""
    fields = json.loads(text)
    alerts = tuple(_read_alert(alert) for alert in fields["alerts"])
    return Notification(**{**fields, "alerts": alerts, "at": moment(fields["at"])})


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "active_at": microseconds(alert.active_at),
        "starts_at": microseconds(alert.starts_at),
        "ends_at": None if alert.ends_at is None else microseconds(alert.ends_at),
        "severity": alert.severity.value,
        "value": alert.value,
        "evidence": dict(alert.evidence),
    }


def _read_alert(fields: Mapping[str, Any]) -> Alert:  # Any: JSON that _alert wrote
    return Alert(
        labels=fields["labels"],
        annotations=fields["annotations"],
        state=State(fields["state"]),
        active_at=moment(fields["active_at"]),
        starts_at=moment(fields["starts_at"]),
        ends_at=None if fields["ends_at"] is None else moment(fields["ends_at"]),
        severity=Severity(fields["severity"]),
        value=fields["value"],
        evidence=fields["evidence"],
    )
