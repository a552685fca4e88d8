"""
What InfluxDB's answer to a write means: what was stored, and whether sending again would help.

1.x and 2.x say the same with different numbers; what real servers answered is the table of the tests' fake server.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

_DROPPED = re.compile(r"dropped=(\d+)")
_UNPARSABLE = "unable to parse '"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and words of one answer."""

    status: int
    message: str = ""


class Meaning(Enum):
    """What to do next."""

    TAKEN = auto()  # all of it
    PARTLY = auto()  # some lines are lost for good, the others are stored: nothing is sent again
    UNREADABLE = auto()  # nothing is stored, because of some lines: the others are sent again
    TOO_LARGE = auto()  # nothing is stored: half of it may be
    MISSING = auto()  # there is no such database: it is made
    REFUSED = auto()  # a line's fault or the settings': only parts of it tell
    FAULT = auto()  # the server's fault; where it stays, a line's
    LATER = auto()  # not now, or not with these settings: the same again


def meaning(answer: Answer) -> Meaning:
    """What *answer* means."""
    status, message = answer.status, answer.message
    if status < 300:
        return Meaning.TAKEN
    if status == 422 or (status == 400 and "partial write" in message):
        return Meaning.PARTLY
    if status == 400:
        return Meaning.UNREADABLE if _UNPARSABLE in message else Meaning.REFUSED
    return {404: Meaning.MISSING, 413: Meaning.TOO_LARGE, 500: Meaning.FAULT}.get(status, Meaning.LATER)


def lost(answer: Answer) -> int:
    """How many lines a partial write has lost."""
    # 1.x says dropped=0 where it dropped lines it could not parse; it names those.
    return sum(map(int, _DROPPED.findall(answer.message))) or answer.message.count(_UNPARSABLE)


def unreadable(answer: Answer, lines: Sequence[str]) -> set[str]:
    """Those of *lines* that the answer names; none where its words have another form."""
    named = {piece.rpartition("': ")[0] for piece in answer.message.split(_UNPARSABLE)[1:]}
    return named.intersection(lines)
