"""What every kind of channel keeps, whatever it speaks. What real servers answer is in tests/acceptance."""

import asyncio
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import httpx
import pytest

from monitorx.alerting.alert import Alert, Severity, State
from monitorx.alerting.channel.channel import ChannelType, Delivery, Outcome
from monitorx.alerting.channel.email import compose
from monitorx.alerting.channel.email_config import EmailConfig
from monitorx.alerting.channel.webhook import outcome, payload
from monitorx.alerting.config import installed
from monitorx.alerting.document import Problems, parse
from monitorx.alerting.notification import Notification

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\r\nBcc: evil@example.com\u202e\u2028{{7*7}}"

SETTINGS = {
    "webhook": "url: http://user:hunter2@127.0.0.1:9/hunter2\nbearer_token: hunter2\nheaders: {X-Key: hunter2}\n",
    "email": "to: [a@b.c]\nfrom: m@b.c\nsmarthost: a:25\nauth_username: m\nauth_password: hunter2\n",
}


@pytest.fixture(params=sorted(SETTINGS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def channel_type(kind: str) -> ChannelType:
    return installed()[kind]


def alert(model: str = "fraud", *, ends_at: datetime | None = None, severity: Severity = Severity.CRITICAL) -> Alert:
    return Alert(
        labels={"alertname": "Slow", "model": model, "severity": severity.value},
        annotations={"summary": f"{model} is slow", "runbook": "http://wiki"},
        state=State.FIRING if ends_at is None else State.RESOLVED,
        active_at=NOON,
        starts_at=NOON,
        ends_at=ends_at,
        severity=severity,
        value=2.0,
    )


def notification(*alerts: Alert) -> Notification:
    labels = {"alertname": "Slow"}
    return Notification("n1", "ops", '{}:{alertname="Slow"}', labels, alerts or (alert(),), NOON, "http://here")


def test_every_installed_kind_is_under_this_suite() -> None:
    assert installed().keys() == SETTINGS.keys()


def test_good_settings_are_read_without_complaint(kind: str, channel_type: ChannelType) -> None:
    problems = Problems()

    config = channel_type.read(parse(SETTINGS[kind], "rules.yaml"), problems)

    assert problems.found == []
    assert isinstance(config.send_resolved, bool)


@pytest.mark.parametrize("text", ["[]", "7", "{}", "a: {b: [1]}", "url: []\nto: 7\nfrom: {}\nsmarthost: [x]"])
def test_bad_settings_are_said_and_never_raised(channel_type: ChannelType, text: str) -> None:
    problems = Problems()

    channel_type.read(parse(text, "rules.yaml"), problems)

    assert problems.found


def test_secrets_are_in_no_repr(kind: str, channel_type: ChannelType) -> None:
    config = channel_type.read(parse(SETTINGS[kind], "rules.yaml"), Problems())

    assert "hunter2" not in repr(config)
    assert "hunter2" not in repr(channel_type(config))


def test_closing_is_safe_twice_and_before_the_first_send(kind: str, channel_type: ChannelType) -> None:
    channel = channel_type(channel_type.read(parse(SETTINGS[kind], "rules.yaml"), Problems()))

    async def main() -> None:
        await channel.aclose()
        await channel.aclose()

    asyncio.run(main())


def test_the_webhook_s_body_is_alertmanager_s() -> None:
    over = alert("churn", ends_at=NOON + timedelta(milliseconds=1500), severity=Severity.INFO)

    assert payload(notification(alert(), over), max_alerts=0) == {
        "version": "4",
        "groupKey": '{}:{alertname="Slow"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {"alertname": "Slow"},
        "commonLabels": {"alertname": "Slow"},
        "commonAnnotations": {"runbook": "http://wiki"},
        "externalURL": "http://here",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Slow", "model": "fraud", "severity": "critical"},
                "annotations": {"summary": "fraud is slow", "runbook": "http://wiki"},
                "startsAt": "2026-05-04T12:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://here/api/v1/alerts",
                "fingerprint": "8c061d2cf3a448db",
            },
            {
                "status": "resolved",
                "labels": {"alertname": "Slow", "model": "churn", "severity": "info"},
                "annotations": {"summary": "churn is slow", "runbook": "http://wiki"},
                "startsAt": "2026-05-04T12:00:00Z",
                "endsAt": "2026-05-04T12:00:01.500000Z",
                "generatorURL": "http://here/api/v1/alerts",
                "fingerprint": "e3f130aed81c2204",
            },
        ],
    }


def test_the_webhook_s_body_is_cut_to_max_alerts_and_says_so() -> None:
    body = payload(notification(*(alert(f"m{n}") for n in range(5))), max_alerts=2)

    assert [one["labels"]["model"] for one in body["alerts"]] == ["m0", "m1"]  # type: ignore[attr-defined]  # a list
    assert body["truncatedAlerts"] == 3


WAIT = timedelta(seconds=90)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        pytest.param(200, {}, Outcome(Delivery.DELIVERED, "HTTP 200"), id="ok"),
        pytest.param(204, {}, Outcome(Delivery.DELIVERED, "HTTP 204"), id="no content"),
        pytest.param(301, {"location": "http://b"}, Delivery.FAILED, id="redirect"),
        pytest.param(400, {}, Outcome(Delivery.FAILED, "HTTP 400: no"), id="bad request"),
        pytest.param(401, {}, Outcome(Delivery.FAILED, "HTTP 401: no"), id="unauthorized"),
        pytest.param(408, {}, Outcome(Delivery.RETRY, "HTTP 408: no"), id="timeout"),
        pytest.param(410, {}, Outcome(Delivery.GONE, "HTTP 410: no"), id="gone"),
        pytest.param(425, {}, Outcome(Delivery.RETRY, "HTTP 425: no"), id="too early"),
        pytest.param(429, {"retry-after": "90"}, Outcome(Delivery.RETRY, "HTTP 429: no", WAIT), id="seconds"),
        pytest.param(
            503,
            {"retry-after": "Mon, 04 May 2026 12:01:30 GMT"},
            Outcome(Delivery.RETRY, "HTTP 503: no", WAIT),
            id="a date",
        ),
        pytest.param(
            503, {"retry-after": "9" * 99}, Outcome(Delivery.RETRY, "HTTP 503: no", timedelta(hours=1)), id="for ever"
        ),
        pytest.param(500, {"retry-after": "soon"}, Outcome(Delivery.RETRY, "HTTP 500: no"), id="nonsense"),
    ],
)
def test_a_status_says_what_follows(status: int, headers: dict[str, str], expected: Outcome | Delivery) -> None:
    found = outcome(httpx.Response(status, headers=headers), "no", NOON)

    assert (found.delivery if isinstance(expected, Delivery) else found) == expected


EMAIL = EmailConfig(("Ops <ops@example.com>",), "monitorx@example.com", "localhost", headers={"X-Team": HOSTILE})


def hostile() -> Notification:
    labels = {"alertname": HOSTILE, "model": HOSTILE, "severity": "critical"}
    one = Alert(labels, {HOSTILE: HOSTILE}, State.FIRING, NOON, NOON, None, Severity.CRITICAL, 1.0, {"x": HOSTILE})
    return Notification("n1", "ops", HOSTILE + "\ud800", {"alertname": HOSTILE}, (one,), NOON)


def test_hostile_labels_add_no_header_and_no_markup() -> None:
    message = message_from_bytes(compose(hostile(), EMAIL).as_bytes(), policy=default)
    text, html = message.iter_parts()  # type: ignore[attr-defined]  # an EmailMessage under this policy

    assert message["Bcc"] is None
    assert set(message.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "References", "In-Reply-To", "Auto-Submitted", "X-Team",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert message["Subject"].startswith("[FIRING:1] <script>alert(1)</script>  Bcc: evil@example.com")
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()
    assert "\nBcc" not in text.get_content()
    assert "\u202e" not in text.get_content() + html.get_content()
    assert "{{7*7}}" in html.get_content()


def test_a_message_is_the_same_at_every_attempt_and_a_group_is_a_thread() -> None:
    first, again = compose(notification(), EMAIL), compose(notification(), EMAIL)
    over = Notification("n2", "ops", notification().group_key, {}, (alert(ends_at=NOON),), NOON)

    assert first["Message-ID"] == again["Message-ID"] == "<n1@example.com>"
    assert compose(over, EMAIL)["Message-ID"] == "<n2@example.com>"
    assert compose(over, EMAIL)["References"] == first["References"]
    assert compose(over, EMAIL)["Subject"] == "[RESOLVED:1] Slow fraud"


def test_an_email_shows_a_hundred_alerts_and_counts_the_rest() -> None:
    message = compose(notification(*(alert(f"m{n}") for n in range(130))), EMAIL)
    text, html = message.iter_parts()

    assert "30 more alerts are not shown here." in text.get_content()
    assert "30 more alerts are not shown here." in html.get_content()
    assert text.get_content().count("model: m") == 100
