import json
from datetime import UTC, datetime

import pytest

from monitorx.alerting.alert import Alert, Severity, State
from monitorx.alerting.channel.email import compose
from monitorx.alerting.channel.email_config import EmailConfig
from monitorx.alerting.notification import Notification
from monitorx.backend.demo.inbox import MAX_DELIVERIES, Inbox, mail_deliveries, webhook_deliveries
from monitorx.backend.demo.story import Delivery

AT = datetime(2026, 1, 1, tzinfo=UTC)


def alert(name: str, state: State, **labels: str) -> Alert:
    annotations = {"summary": "not: what it was"}
    return Alert({"alertname": name, **labels}, annotations, state, AT, AT, None, Severity.WARNING, 1.0)


def mailed(*alerts: Alert) -> bytes:
    """A message as the server writes it."""
    notification = Notification("1", "demo", "g", {}, alerts, AT, "http://127.0.0.1:8000")
    config = EmailConfig(("oncall@example.com",), "monitorx@example.com", "127.0.0.1")
    return compose(notification, config).as_bytes()


def test_each_alert_of_a_webhook_payload_is_one_delivery() -> None:
    payload = {
        "version": "4",
        "status": "firing",
        "alerts": [
            {"status": "firing", "labels": {"alertname": "ModelIsSlow", "model": "m"}},
            {"status": "resolved", "labels": {"alertname": "FeatureDrifts", "model": "m", "feature": "x1"}},
        ],
    }

    assert list(webhook_deliveries(json.dumps(payload).encode())) == [
        Delivery("webhook", "firing", "ModelIsSlow", "m"),
        Delivery("webhook", "resolved", "FeatureDrifts", "m", "x1"),
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": [{}]}'])
def test_what_is_no_payload_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        list(webhook_deliveries(body))


def test_a_mail_tells_status_model_and_feature_of_each_alert() -> None:
    content = mailed(
        alert("FeatureDrifts", State.FIRING, feature="x1", model="trees"),
        alert("FeatureDrifts", State.RESOLVED, feature="x2", model="trees"),
        alert("ModelIsSlow", State.FIRING, model="chat"),
    )

    assert list(mail_deliveries(content)) == [
        Delivery("email", "firing", "FeatureDrifts", "trees", "x1"),
        Delivery("email", "resolved", "FeatureDrifts", "trees", "x2"),
        Delivery("email", "firing", "ModelIsSlow", "chat"),
    ]


def test_a_mail_that_is_no_alert_tells_nothing() -> None:
    assert list(mail_deliveries(b"Subject: Your invoice\n\nalertname: ModelFails\n")) == []


def test_a_full_inbox_counts_what_it_drops() -> None:
    inbox = Inbox()

    inbox.add([Delivery("webhook", "firing", "ModelIsSlow", "m")] * (MAX_DELIVERIES + 3))

    assert (len(inbox.snapshot()), inbox.dropped) == (MAX_DELIVERIES, 3)
