"""The settings of e-mail: one entry of `email_configs`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import formataddr, getaddresses

from monitorx.alerting.document import Node, Problems, Section
from monitorx.alerting.secret import Secret, read_secret
from monitorx.alerting.tls import TLS, read_tls

SUBMISSIONS = 465  # the port whose connections are encrypted from the first byte (RFC 8314)

_KEYS = (
    *("to", "from", "smarthost", "hello", "auth_username", "auth_password", "auth_password_file"),
    *("require_tls", "tls_config", "send_resolved", "headers", "timeout"),
)
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_OURS = {"message-id", "date", "content-type", "content-transfer-encoding", "mime-version", "to", "from", "references"}


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """
    One entry of `email_configs`.

    Attributes:
        to: Addresses, with or without names, one each.
        sender: The `from` address.
        host: Of the mail server.
        port: 587 or 25 with STARTTLS, 465 encrypted from the start.
        hello: What we call ourselves.
        auth_username: Whom to log in as; "" for nobody.
        auth_password: Its password.
        require_tls: True if nothing is sent before the connection is encrypted.
        send_resolved: True if it also hears of what is over.
        headers: Added; a `Subject` here takes the place of ours.
        timeout: For one whole attempt.
        tls: Whom to believe.
    """

    to: tuple[str, ...]
    sender: str
    host: str
    port: int = 587
    hello: str = "localhost"
    auth_username: str = ""
    auth_password: Secret | None = None
    require_tls: bool = True
    send_resolved: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: timedelta = timedelta(seconds=30)
    tls: TLS = field(default_factory=TLS)

    @property
    def is_encrypted_at_once(self) -> bool:
        """True if the connection begins with TLS, so that there is no STARTTLS."""
        return self.port == SUBMISSIONS


def read_email(node: Node, problems: Problems) -> EmailConfig:
    """The settings under *node*; what is wrong with them goes to *problems*."""
    section = Section(node, problems, _KEYS)
    host, port = _read_smarthost(section, problems)
    config = EmailConfig(
        to=_read_recipients(section, problems),
        sender=_read_sender(section, problems),
        host=host,
        port=port,
        hello=section.text("hello", "localhost"),
        auth_username=section.text("auth_username", ""),
        auth_password=read_secret(section, "auth_password", problems),
        require_tls=section.boolean("require_tls", True),
        send_resolved=section.boolean("send_resolved", False),
        headers=_read_headers(section, problems),
        timeout=_read_timeout(section, problems),
        tls=read_tls(section, problems),
    )
    _check_login(section, config, problems)
    return config


def _read_recipients(section: Section, problems: Problems) -> tuple[str, ...]:
    node = section.entry("to")
    written = [node] if node is not None and isinstance(node.value, str) else list(section.elements("to"))
    addresses = [address for each in written for address in _addresses(each, problems)]
    if not written:
        problems.add(section.place("to"), "must be a list of at least one address, like [ops@example.com]")
    return tuple(addresses)


def _read_sender(section: Section, problems: Problems) -> str:
    if not section.text("from"):
        return ""
    addresses = _addresses(section.place("from"), problems)
    if len(addresses) > 1:
        problems.add(section.place("from"), f"{section.text('from')!r} must be one address")
    return next(iter(addresses), "")


def _addresses(node: Node, problems: Problems) -> list[str]:
    """The addresses in a text like `Ops <ops@example.com>, night@example.com`, each as a header may say it."""
    found = getaddresses([node.text])
    if not found or not all(_is_address(address) for _, address in found):
        problems.add(node, f"{node.text!r} is not an address like ops@example.com, nor several with commas between")
        return []
    return [formataddr(each) for each in found]


def _is_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local and domain) and text.isascii() and text.isprintable() and " " not in text


def _read_smarthost(section: Section, problems: Problems) -> tuple[str, int]:
    text = section.text("smarthost")
    host, colon, port = text.rpartition(":")
    if text and not (colon and host and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        problems.add(section.place("smarthost"), f"{text!r} must be host:port, like smtp.example.com:587")
        return "", 587
    return host.strip("[]"), int(port or 587)


def _read_headers(section: Section, problems: Problems) -> dict[str, str]:
    headers = section.string_map("headers")
    for name in headers:
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            problems.add(section.place("headers"), f"{name!r} is not a header that can be added")
    return headers


def _read_timeout(section: Section, problems: Problems) -> timedelta:
    timeout = section.duration("timeout", timedelta(seconds=30))
    if not timedelta(0) < timeout <= timedelta(minutes=2):
        problems.add(section.place("timeout"), "must be over 0s and at most 2m; 30s is usual")
        return timedelta(seconds=30)
    return timeout


def _check_login(section: Section, config: EmailConfig, problems: Problems) -> None:
    if bool(config.auth_username) != (config.auth_password is not None):
        problems.add(section.node, "auth_username and auth_password (or auth_password_file) go together")
    elif config.auth_username and not (config.require_tls or config.is_encrypted_at_once):
        problems.add(section.place("require_tls"), "a password is only sent over TLS: leave require_tls true")
