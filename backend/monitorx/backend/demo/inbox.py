"""
The two readers of alerts: a webhook and a mailbox, both on this machine.

They keep what arrives as `Delivery` values; what the demo calls delivered has left the server and come in here.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from monitorx.backend.demo.story import Delivery

_STATUSES = {"[firing]": "firing", "[resolved]": "resolved"}
MAX_DELIVERIES = 1000


@dataclass(slots=True)
class Inbox:
    """What has arrived, in order; safe to fill from several threads. Beyond a thousand it only counts."""

    arrived: list[Delivery] = field(default_factory=list)
    dropped: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Keep *deliveries*."""
        with self._lock:
            for delivery in deliveries:
                if len(self.arrived) < MAX_DELIVERIES:
                    self.arrived.append(delivery)
                else:
                    self.dropped += 1

    def snapshot(self) -> tuple[Delivery, ...]:
        """What has arrived so far."""
        with self._lock:
            return tuple(self.arrived)


@contextmanager
def listening(inbox: Inbox, smtp_port: int) -> Iterator[str]:
    """Take in webhooks and mail while the block runs; gives the webhook's URL."""
    with ExitStack() as stack:
        webhook = _Webhook(("127.0.0.1", 0), _WebhookCall)
        webhook.inbox = inbox
        thread = threading.Thread(target=webhook.serve_forever, args=(0.1,), name="demo-webhook", daemon=True)
        thread.start()
        stack.callback(webhook.server_close)
        stack.callback(webhook.shutdown)
        mailbox = Controller(_Mailbox(inbox), hostname="127.0.0.1", port=smtp_port, ready_timeout=10)
        mailbox.start()
        stack.callback(mailbox.stop)
        yield f"http://127.0.0.1:{webhook.server_address[1]}/alerts"


class _Webhook(ThreadingHTTPServer):
    daemon_threads = True
    inbox: Inbox


class _WebhookCall(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            deliveries = list(webhook_deliveries(body))
        except (ValueError, KeyError, TypeError):
            status = 400
        else:
            self.server.inbox.add(deliveries)
            status = 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave it
        """Say nothing: the terminal shows the table."""


class _Mailbox:
    """A handler in the shape that aiosmtpd asks for."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # Any: aiosmtpd is untyped
        """Keep the alerts of one message."""
        self._inbox.add(mail_deliveries(envelope.content))
        return "250 Message accepted for delivery"


def webhook_deliveries(body: bytes) -> Iterator[Delivery]:
    """The alerts in one webhook payload, in Alertmanager's version 4."""
    for alert in json.loads(body)["alerts"]:
        yield _delivery("webhook", alert["status"], alert["labels"])


def mail_deliveries(content: bytes) -> Iterator[Delivery]:
    """The alerts in the plain text of one message: `[firing]`, and a line for each label below it."""
    body = message_from_bytes(content, _class=EmailMessage, policy=modern).get_body(("plain",))
    status, labels = "", dict[str, str]()
    for line in [*(body.get_content() if body else "").splitlines(), ""]:
        name, is_pair, value = line.strip().partition(": ")
        if line in _STATUSES:
            status = _STATUSES[line]
        elif status and is_pair:
            labels[name] = value
        elif status and not line.strip():
            if "alertname" in labels:
                yield _delivery("email", status, labels)
            status, labels = "", {}


def _delivery(channel: str, status: str, labels: Mapping[str, str]) -> Delivery:
    return Delivery(channel, status, labels["alertname"], labels.get("model", ""), labels.get("feature", ""))
