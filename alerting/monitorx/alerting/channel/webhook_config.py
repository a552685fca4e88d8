"""The settings of a webhook: one entry of `webhook_configs`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import httpx

from monitorx.alerting.document import Node, Problems, Section
from monitorx.alerting.secret import Secret, read_secret, secret_in_file, secret_of
from monitorx.alerting.tls import TLS, read_tls

_KEYS = (
    *("url", "url_file", "method", "send_resolved", "max_alerts", "timeout", "tls_config"),
    *("headers", "headers_file", "bearer_token", "bearer_token_file"),
)
_HOST = re.compile(r"[^\s%]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = {"webhook-id", "webhook-timestamp", "content-type", "content-length", "transfer-encoding", "host", "connection"}


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """
    One entry of `webhook_configs`.

    Attributes:
        url: Where to; a secret, since many services put their key into it.
        method: POST or PUT.
        send_resolved: True if it also hears of what is over.
        max_alerts: The most alerts in one body, 0 for all; the rest is counted in `truncatedAlerts`.
        timeout: For one whole attempt.
        headers: Sent along; values are secrets.
        bearer_token: Sent as `Authorization: Bearer`.
        tls: Whom to believe.
    """

    url: Secret
    method: str = "POST"
    send_resolved: bool = True
    max_alerts: int = 0
    timeout: timedelta = timedelta(seconds=10)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    bearer_token: Secret | None = None
    tls: TLS = field(default_factory=TLS)

    def secrets(self) -> tuple[Secret, ...]:
        """All that must never be shown."""
        token = () if self.bearer_token is None else (self.bearer_token,)
        return (self.url, *self.headers.values(), *token)


def read_webhook(node: Node, problems: Problems) -> WebhookConfig:
    """The settings under *node*; what is wrong with them goes to *problems*."""
    section = Section(node, problems, _KEYS)
    return WebhookConfig(
        url=_read_url(section, problems),
        method=section.choice("method", ("POST", "PUT"), "POST"),
        send_resolved=section.boolean("send_resolved", True),
        max_alerts=_read_count(section, "max_alerts", problems),
        timeout=_read_timeout(section, problems),
        headers=_read_headers(section, problems),
        bearer_token=read_secret(section, "bearer_token", problems),
        tls=read_tls(section, problems),
    )


def _read_url(section: Section, problems: Problems) -> Secret:
    url = read_secret(section, "url", problems)
    if url is None:
        problems.add(section.node, "url is missing; give url or url_file")
        return Secret("")
    place = section.place("url" if "url" in section else "url_file")
    try:
        is_usable = _is_usable(url.reveal())
    except (OSError, ValueError):
        return url  # a file that cannot be read was complained about
    if not is_usable:
        problems.add(place, "must be a URL with a host, like https://hooks.example.com/alerts (its value is not shown)")
    return url


def _is_usable(url: str) -> bool:
    """True if the HTTP client can take *url*: it quotes what no host has in it, and then asks for a host like that."""
    try:
        found, port = httpx.URL(url), urlsplit(url).port
    except (ValueError, httpx.InvalidURL):
        return False
    return found.scheme in ("http", "https") and bool(_HOST.fullmatch(found.host)) and port != 0


def _read_count(section: Section, key: str, problems: Problems) -> int:
    count = section.number(key, 0)
    if count < 0 or count != int(count):
        problems.add(section.place(key), f"{count:g} must be a whole number; 0 means no limit")
        return 0
    return int(count)


def _read_timeout(section: Section, problems: Problems) -> timedelta:
    timeout = section.duration("timeout", timedelta(seconds=10))
    if not timedelta(0) < timeout <= timedelta(minutes=1):
        problems.add(section.place("timeout"), "must be over 0s and at most 1m; 10s is usual")
        return timedelta(seconds=10)
    return timeout


def _read_headers(section: Section, problems: Problems) -> dict[str, Secret]:
    headers = dict(_headers_under(section, "headers", problems, secret_of))
    for name, secret in _headers_under(section, "headers_file", problems, secret_in_file).items():
        if name in headers:
            problems.add(section.place("headers_file"), f"the header {name} is in headers too")
        headers[name] = secret
    return headers


def _headers_under(
    section: Section, key: str, problems: Problems, secret: Callable[[Node, Problems], Secret]
) -> dict[str, Secret]:
    node = section.entry(key)
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        problems.add(node, "must be a mapping of header names to values")
    for name, entry in node.items().items():
        if not _HEADER_NAME.fullmatch(name):
            problems.add(entry, f"{name!r} is not the name of a header")
        elif name.lower() in _OURS:
            problems.add(entry, "is set by MonitorX and cannot be written here")
    return {name: secret(entry, problems) for name, entry in node.items().items()}
