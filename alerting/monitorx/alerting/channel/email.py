"""
Notifications as e-mail, HTML with a plain text beside it, over SMTP with STARTTLS.

The Message-ID is the notification's, the same at every attempt; the messages of a group refer to one root, so that
mail programs show them as one thread.
"""

import asyncio
import contextlib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from hashlib import blake2b
from pathlib import Path

import aiosmtplib
import jinja2

from monitorx.alerting.alert import Alert
from monitorx.alerting.channel.channel import Delivery, Outcome, plain
from monitorx.alerting.channel.email_config import EmailConfig, read_email
from monitorx.alerting.document import Node, Problems
from monitorx.alerting.notification import Notification, common
from monitorx.alerting.secret import Secret, without_secrets

MAX_SHOWN = 100  # alerts in one message; more are counted, not shown
MAX_SUBJECT = 200
MAX_TEXT = 4000  # characters of one label or annotation


class EmailChannel:
    """Sends notifications to a list of addresses, through one mail server."""

    def __init__(self, config: EmailConfig) -> None:
        self._config = config

    @staticmethod
    def read(node: Node, problems: Problems) -> EmailConfig:
        """One entry of `email_configs`."""
        return read_email(node, problems)

    async def send(self, notification: Notification) -> Outcome:
        """Try once; the whole attempt ends within the timeout."""
        try:
            async with asyncio.timeout(self._config.timeout.total_seconds()):
                return await self._attempt(compose(notification, self._config))
        except TimeoutError:
            return Outcome(Delivery.RETRY, f"no answer within {self._config.timeout.total_seconds():g}s")
        except (aiosmtplib.SMTPException, OSError) as error:
            return self._failure(error)

    async def aclose(self) -> None:
        """Nothing stays open: each message has its own connection."""

    async def _attempt(self, message: EmailMessage) -> Outcome:
        config = self._config
        client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=config.hello,
            use_tls=config.is_encrypted_at_once,
            start_tls=False,  # asked for below, where a refusal can be told from other errors
            tls_context=config.tls.context() if config.require_tls or config.is_encrypted_at_once else None,
            timeout=None,
        )
        await client.connect()
        try:
            if config.require_tls and not config.is_encrypted_at_once:
                await client.ehlo()
                if not client.supports_extension("starttls"):
                    return Outcome(Delivery.FAILED, "the server offers no STARTTLS, and require_tls is true")
                await client.starttls()
            if config.auth_password is not None:
                await client.login(config.auth_username, config.auth_password.reveal())
            recipients = [parseaddr(address)[1] for address in config.to]
            refused, _ = await client.send_message(message, sender=parseaddr(config.sender)[1], recipients=recipients)
            await _quit(client)
        finally:
            client.close()
        words = f"refused for {', '.join(sorted(refused))}" if refused else "accepted"
        return Outcome(Delivery.DELIVERED, plain(words))

    def _failure(self, error: Exception) -> Outcome:
        secrets: tuple[Secret, ...] = () if self._config.auth_password is None else (self._config.auth_password,)
        words = plain(without_secrets(f"{type(error).__name__}: {error}", secrets))
        return Outcome(Delivery.FAILED if _is_permanent(error) else Delivery.RETRY, words)


def compose(notification: Notification, config: EmailConfig) -> EmailMessage:
    """The message, headers and both bodies."""
    domain = parseaddr(config.sender)[1].rpartition("@")[2] or "localhost"
    thread = blake2b(f"{notification.receiver}\n{notification.group_key}".encode("utf-8", "replace"), digest_size=16)
    root = f"<{thread.hexdigest()}@{domain}>"
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject(notification)
    message["From"] = config.sender
    message["To"] = ", ".join(config.to)
    message["Date"] = format_datetime(notification.at)
    message["Message-ID"] = f"<{notification.id}@{domain}>"
    message["References"] = root
    message["In-Reply-To"] = root
    message["Auto-Submitted"] = "auto-generated"
    for name, value in config.headers.items():
        del message[name]
        message[name] = plain(value, MAX_SUBJECT)
    message.set_content(text(notification))
    message.add_alternative(html(notification), subtype="html")
    return message


def subject(notification: Notification) -> str:
    """`[FIRING:2] Slow fraud`: the state, how many, and what the alerts have in common."""
    count = len(notification.firing) or len(notification.resolved)
    labels = notification.group_labels or common([alert.labels for alert in notification.alerts])
    shown = {name: value for name, value in labels.items() if name != "severity"}
    first = shown.pop("alertname", "")
    words = " ".join(filter(None, [first, *shown.values()])) or "alerts"
    return plain(f"[{notification.status.upper()}:{count}] {words}", MAX_SUBJECT).strip()


def text(notification: Notification) -> str:
    """The message without HTML."""
    lines = [subject(notification), ""]
    for alert in notification.alerts[:MAX_SHOWN]:
        lines += [*_lines(alert), ""]
    if len(notification.alerts) > MAX_SHOWN:
        lines += [f"{len(notification.alerts) - MAX_SHOWN} more alerts are not shown here.", ""]
    return "\n".join([*lines, notification.external_url]).rstrip() + "\n"


def html(notification: Notification) -> str:
    """The message as HTML; every value is escaped by the template engine."""
    shown = notification.alerts[:MAX_SHOWN]
    sections = [(state.title(), [alert for alert in shown if alert.state.value == state]) for state in _STATES]
    return _template().render(
        title=subject(notification),
        status=notification.status,
        sections=sections,
        left_out=max(len(notification.alerts) - MAX_SHOWN, 0),
        link=notification.external_url,
    )


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Say goodbye; the message was accepted, so a server that hangs now changes nothing."""
    with contextlib.suppress(TimeoutError, aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_GOODBYE_S):
            await client.quit()


_GOODBYE_S = 1.0
_STATES = ("firing", "resolved")


def _lines(alert: Alert) -> list[str]:
    rows = [*alert.annotations.items(), *alert.labels.items(), *alert.evidence.items()]
    rows.append(("since", alert.starts_at.isoformat(timespec="seconds")))
    if alert.ends_at is not None:
        rows.append(("until", alert.ends_at.isoformat(timespec="seconds")))
    return [f"[{alert.state.value}]", *(f"  {_shown(name)}: {_shown(value)}" for name, value in rows)]


def _shown(value: str) -> str:
    return plain(value, MAX_TEXT)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["plain"] = _shown
    return environment.get_template("email.html")


def _is_permanent(error: Exception) -> bool:
    """True if the server said that it will never take this (5xx), or if it is not who we were told to trust."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(refused.code >= 500 for refused in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code >= 500
    return isinstance(error.__cause__ or error, ssl.SSLCertVerificationError)
