"""
Notifications as JSON over HTTP, with the body that Alertmanager sends (version 4).

Every message has `webhook-id`, the same at every attempt, so that a receiver can drop what it has had before.
"""

import asyncio
import email.utils
import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

import httpx

from monitorx.alerting.alert import Alert, State
from monitorx.alerting.channel.channel import Delivery, Outcome, plain
from monitorx.alerting.channel.webhook_config import WebhookConfig, read_webhook
from monitorx.alerting.document import Node, Problems
from monitorx.alerting.fingerprint import fingerprint
from monitorx.alerting.notification import Notification, common
from monitorx.alerting.secret import without_secrets

MAX_ANSWER_BYTES = 4096  # of an answer's body, read only for the words of a failure
MAX_REDIRECTS = 3
MAX_RETRY_AFTER = timedelta(hours=1)

_LAST_WORD = re.compile(r"\S+\Z")
_RETRIED = {408, 425, 429}
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: what Alertmanager writes for an end that is not known

_is_sending: ContextVar[bool] = ContextVar("is_sending", default=False)


class WebhookChannel:
    """Sends notifications to one URL."""

    def __init__(self, config: WebhookConfig) -> None:
        self._config = config
        self._opened: httpx.AsyncClient | None = None

    @staticmethod
    def read(node: Node, problems: Problems) -> WebhookConfig:
        """One entry of `webhook_configs`."""
        return read_webhook(node, problems)

    async def send(self, notification: Notification) -> Outcome:
        """Try once; the whole attempt ends within the timeout."""
        secrets = self._config.secrets()
        mark = _is_sending.set(True)
        try:
            async with asyncio.timeout(self._config.timeout.total_seconds()):
                return await self._attempt(notification)
        except TimeoutError:
            return Outcome(Delivery.RETRY, f"no answer within {self._config.timeout.total_seconds():g}s")
        except UnusableHeader:
            return Outcome(Delivery.FAILED, "a header's value has characters that HTTP does not carry")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            return Outcome(Delivery.FAILED, "the URL cannot be used; it must start with http:// or https://")
        except (httpx.TransportError, OSError) as error:
            words = without_secrets(f"{type(error).__name__}: {error}", secrets)
            return Outcome(Delivery.RETRY, plain(words))
        finally:
            _is_sending.reset(mark)

    async def aclose(self) -> None:
        """Close the connections that are open."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _attempt(self, notification: Notification) -> Outcome:
        url = httpx.URL(self._config.url.reveal())
        body = json.dumps(payload(notification, self._config.max_alerts)).encode()
        headers = self._headers(notification)
        for _ in range(MAX_REDIRECTS + 1):
            request = self._client.build_request(self._config.method, url, content=body, headers=headers)
            response = await self._client.send(request, stream=True)
            try:
                answer = await _beginning(response)
            finally:
                await response.aclose()
            target = _redirect(url, response)
            if target is None:
                return outcome(response, without_secrets(answer, self._config.secrets()), datetime.now(UTC))
            url = target
        return Outcome(Delivery.FAILED, f"redirected more than {MAX_REDIRECTS} times")

    def _headers(self, notification: Notification) -> dict[str, str]:
        headers = {"content-type": "application/json", "user-agent": "MonitorX", "webhook-id": notification.id}
        headers["webhook-timestamp"] = str(int(notification.at.timestamp()))
        if self._config.bearer_token is not None:
            headers["authorization"] = f"Bearer {self._config.bearer_token.reveal()}"
        headers |= {name.lower(): value.reveal() for name, value in self._config.headers.items()}
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise UnusableHeader
        return headers

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            _keep_urls_out_of_logs()
            # No timeout of its own: `send` holds the whole attempt to one, which a body in drips cannot stretch.
            self._opened = httpx.AsyncClient(verify=self._config.tls.context(), timeout=None)  # noqa: S113 - see above
        return self._opened


class UnusableHeader(ValueError):
    """A secret holds a line break or the like; the HTTP library would say its value in the error."""


def payload(notification: Notification, max_alerts: int = 0) -> dict[str, object]:
    """The body, as Alertmanager's webhooks have it since version 4."""
    alerts = list(notification.alerts)
    kept = alerts[:max_alerts] if max_alerts else alerts
    return {
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": len(alerts) - len(kept),
        "status": notification.status,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": common([alert.labels for alert in alerts]),
        "commonAnnotations": common([alert.annotations for alert in alerts]),
        "externalURL": notification.external_url,
        "alerts": [_alert(alert, notification.external_url) for alert in kept],
    }


def outcome(response: httpx.Response, answer: str, now: datetime) -> Outcome:
    """What a status means; *answer* is the beginning of the body."""
    status = response.status_code
    if response.is_success:
        return Outcome(Delivery.DELIVERED, f"HTTP {status}")
    words = plain(f"HTTP {status}: {answer}" if answer else f"HTTP {status}")
    if status in _RETRIED or status >= 500:
        return Outcome(Delivery.RETRY, words, _retry_after(response.headers.get("retry-after", ""), now))
    if status == 410:
        return Outcome(Delivery.GONE, words)
    if response.has_redirect_location:
        words = f"HTTP {status}: redirected to another place, which is not followed; write the URL that it leads to"
    return Outcome(Delivery.FAILED, words)


def _alert(alert: Alert, external_url: str) -> dict[str, object]:
    return {
        "status": State.RESOLVED.value if alert.state is State.RESOLVED else State.FIRING.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _time(alert.starts_at),
        "endsAt": _NEVER if alert.ends_at is None else _time(alert.ends_at),
        "generatorURL": f"{external_url.rstrip('/')}/api/v1/alerts" if external_url else "",
        "fingerprint": fingerprint(alert.labels),
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def _beginning(response: httpx.Response) -> str:
    """The first bytes of an answer; a body without end is not read to its end."""
    if response.is_success:
        return ""
    data = b""
    async for chunk in response.aiter_raw(MAX_ANSWER_BYTES):
        data += chunk
        if len(data) >= MAX_ANSWER_BYTES:
            break
    text = data[:MAX_ANSWER_BYTES].decode("utf-8", "replace")
    if len(data) >= MAX_ANSWER_BYTES:  # the last word is cut, and half a secret would not be known as one
        text = _LAST_WORD.sub("", text)
    return text.strip()


def _redirect(url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
    """Where to go on: only on the same server, and only with the same method and body (307, 308)."""
    if response.status_code not in (307, 308) or not response.has_redirect_location:
        return None
    target = url.join(response.headers["location"])
    same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
    return target if same else None


def _retry_after(text: str, now: datetime) -> timedelta | None:
    """Seconds or a date, as HTTP has it; held to what a sane server may ask."""
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(date - now, timedelta(0)), MAX_RETRY_AFTER)


class _WithoutUrls(logging.Filter):
    """Drops the line that the HTTP client logs for each request of ours: it has the whole URL, keys included."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_sending.get()


_WITHOUT_URLS = _WithoutUrls()


def _keep_urls_out_of_logs() -> None:
    logging.getLogger("httpx").addFilter(_WITHOUT_URLS)  # the same filter twice counts once
