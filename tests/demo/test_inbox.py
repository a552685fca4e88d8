import json
from email.message import EmailMessage

import pytest

from monitorx.backend.demo.inbox import MAX_DELIVERIES, Inbox, mail_deliveries, webhook_deliveries
from monitorx.backend.demo.story import Delivery


def message(subject: str, text: str, html: str) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"], mail["To"] = "monitorx@example.com", "oncall@example.com"
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def test_each_alert_of_a_webhook_payload_is_one_delivery() -> None:
    payload = {
        "version": "4",
        "status": "firing",
        "alerts": [
            {"status": "firing", "labels": {"alertname": "ModelIsSlow", "model": "m"}},
            {"status": "resolved", "labels": {"alertname": "ModelFails", "model": "m"}},
        ],
    }

    assert list(webhook_deliveries(json.dumps(payload).encode())) == [
        Delivery("webhook", "firing", "ModelIsSlow"),
        Delivery("webhook", "resolved", "ModelFails"),
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": [{}]}'])
def test_what_is_no_payload_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        list(webhook_deliveries(body))


@pytest.mark.parametrize(
    ("subject", "text", "html", "expected"),
    [
        pytest.param(
            "[FIRING:1] ModelIsSlow", "", "<p>x</p>", [Delivery("email", "firing", "ModelIsSlow")], id="name in subject"
        ),
        pytest.param(
            "[RESOLVED] 1 alert", "", "<td>ModelFails</td>", [Delivery("email", "resolved", "ModelFails")], id="in html"
        ),
        pytest.param("Your invoice", "ModelFails", "<p>ModelFails</p>", [], id="a message that is no alert"),
    ],
)
def test_a_mail_tells_status_and_alert(subject: str, text: str, html: str, expected: list[Delivery]) -> None:
    assert list(mail_deliveries(message(subject, text, html))) == expected


def test_a_full_inbox_counts_what_it_drops() -> None:
    inbox = Inbox()

    inbox.add([Delivery("webhook", "firing", "ModelIsSlow")] * (MAX_DELIVERIES + 3))

    assert (len(inbox.snapshot()), inbox.dropped) == (MAX_DELIVERIES, 3)
