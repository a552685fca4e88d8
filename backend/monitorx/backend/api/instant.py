"""Moments and lengths of time as people write them in a query, and as answers tell them."""

import re
from datetime import UTC, datetime, timedelta

SECOND_NS = 1_000_000_000
MOMENT = "RFC 3339 (2026-01-31T12:00:00Z), unix seconds (1767182400.5), or relative to now (-15m)"
LENGTH = "a length of time (90s, 5m, 1h30m) or a number of seconds"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_PART = re.compile(r"([0-9]+)([smhdw])")
_NUMBER = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")  # eleven digits of seconds reach past the year 5000
_LAST_NS = 2**63 - 1


def parse_moment_ns(text: str, now_ns: int) -> int:
    """
    The moment *text* names, ns since epoch.

    Raises:
        ValueError: It is not written in one of the ways of `MOMENT`.
    """
    if text == "now":
        return now_ns
    if text[:1] == "-":
        return max(now_ns - parse_length_ns(text[1:]), 0)
    if _NUMBER.fullmatch(text):
        return min(_seconds_ns(text), _LAST_NS)
    # A "+" that was not percent-encoded arrives as a space.
    moment = datetime.fromisoformat(re.sub(r" (?=\d\d:\d\d$)", "+", text))
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1000


def parse_length_ns(text: str) -> int:
    """
    How long *text* says, ns.

    Raises:
        ValueError: It is not written in one of the ways of `LENGTH`.
    """
    if _NUMBER.fullmatch(text):
        return _seconds_ns(text)
    if not _LENGTH.fullmatch(text):
        raise ValueError("not a length of time")
    return sum(int(count) * _UNITS_S[unit] for count, unit in _PART.findall(text)) * SECOND_NS


def rfc3339(time_ns: int) -> str:
    """
    UTC, to the microsecond.

    >>> rfc3339(1_500_000_000_123_456_789)
    '2017-07-14T02:40:00.123456Z'
    """
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds_ns(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * SECOND_NS + int(fraction.ljust(9, "0") or 0)
