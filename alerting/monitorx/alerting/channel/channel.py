"""What carries a notification to somebody, and how it says how that went."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from monitorx.alerting.document import Node, Problems
from monitorx.alerting.notification import Notification


class Delivery(StrEnum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    RETRY = "retry"  # it may work later
    FAILED = "failed"  # this message will never be taken
    GONE = "gone"  # the other side wants nothing more from us


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How one attempt ended, with the words for an operator.

    Attributes:
        delivery: What follows from it.
        words: What happened; never a secret, never over a line.
        after: With RETRY: how long the other side asked us to wait; None if it did not say.
    """

    delivery: Delivery
    words: str = ""
    after: timedelta | None = None


class Channel(Protocol):
    """
    Carries notifications to one place.

    `send` may be called for several notifications at once. It does not raise for what the other side does, and it ends
    within the channel's own timeout. Sent twice, a notification has the same idempotency key, so that the other side
    can drop the second. Labels and annotations are hostile text: a channel escapes them for what it speaks.
    """

    async def send(self, notification: Notification) -> Outcome:
        """Try once."""
        ...

    async def aclose(self) -> None:
        """Release connections; safe twice, and before the first `send`."""
        ...


class ChannelConfig(Protocol):
    """What every channel's own dataclass has."""

    @property
    def send_resolved(self) -> bool:
        """True if the channel also wants to hear of what is over."""
        ...


class ChannelType(Protocol):
    """What an entry point of the group `monitorx.channels` names; the entry point `x` reads the lists `x_configs`."""

    def read(self, node: Node, problems: Problems) -> ChannelConfig:
        """The channel's settings; what is wrong with them goes to *problems*."""
        ...

    def __call__(self, config: ChannelConfig) -> Channel:
        """A channel with settings that `read` gave."""
        ...


MAX_WORDS = 300


def plain(text: str, limit: int = MAX_WORDS) -> str:
    r"""
    *text* on one line, without control characters and without the marks that turn the direction of writing.

    >>> plain("a\r\nBcc: x\u202e")
    'a  Bcc: x'
    """
    shown = "".join(" " if _is_break(char) else char for char in text[: limit + 1] if not _is_hidden(char))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _is_break(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029"


def _is_hidden(char: str) -> bool:
    """Marks that turn the direction of writing, and halves of characters that no encoding can carry."""
    return char in "\u200e\u200f\u061c" or any(first <= char <= last for first, last in _HIDDEN)


_HIDDEN = (("\u202a", "\u202e"), ("\u2066", "\u2069"), ("\ud800", "\udfff"))
