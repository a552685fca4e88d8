"""
Lines on their way: in batches that InfluxDB takes, and what it refuses is found, counted and left behind.

A line that is at fault costs only itself: not the lines beside it, not those behind it. A line is only ever called at
fault by an answer that says so, or because others of the same batch were taken; a server that takes nothing is in
trouble, and everything waits.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.influxdb.answer import Answer, Meaning, lost, meaning, unreadable

MAX_LINES, MAX_BYTES = 5_000, 5_000_000
_PATIENCE = 3  # server faults in a row before a line is suspected
_PROBES = 8  # single lines refused before the server is thought to refuse all
_WORDS = 300  # of an answer that are repeated

_log = structlog.get_logger(__name__)


class Wire(Protocol):
    """One server. Either method may raise `StorageError` where it does not answer."""

    def write(self, lines: Sequence[str]) -> Answer: ...

    def create(self) -> None:
        """Make the database; it is fine where it is there."""
        ...


class Delivery:
    """
    Sends lines to one database.

    Args:
        on_missing: Called before a database that is not there is made: what was sent before is gone. Is told whether
            the lines that are being sent are all still to be sent.

    Attributes:
        refused: Lines that InfluxDB will not have.
    """

    def __init__(self, wire: Wire, *, on_missing: Callable[[bool], None] = lambda _: None) -> None:
        self._wire, self._on_missing = wire, on_missing
        self._faults = 0
        self._is_begun = False
        self.refused = 0

    def send(self, lines: Sequence[str]) -> None:
        """
        Bring every line to InfluxDB that it will have.

        Raises:
            StorageError: Not all of it is there; the same lines again do no harm.
        """
        self._is_begun = False
        for batch in batches(lines):
            self._send(batch)
            self._is_begun = True

    def _send(self, batch: Sequence[str]) -> None:
        answer = self._written(batch)
        match meaning(answer):
            case Meaning.TOO_LARGE if len(batch) > 1:
                for half in _halves(batch):
                    self._send(half)
            case Meaning.TOO_LARGE:
                self._refuse(1, answer)
            case Meaning.REFUSED | Meaning.UNREADABLE:
                self._search(batch, answer)
            case Meaning.FAULT if self._faults > _PATIENCE:
                self._search(batch, answer)
            case Meaning.FAULT | Meaning.LATER | Meaning.MISSING:
                raise StorageError(_words(answer))
            case Meaning.TAKEN | Meaning.PARTLY:
                return

    def _written(self, batch: Sequence[str]) -> Answer:
        """The answer to *batch*, after all that can be done about it without taking it apart."""
        answer = self._wire.write(batch)
        if meaning(answer) is Meaning.MISSING:
            # Before it is made: once it is there again, nothing tells any more that it was gone.
            self._on_missing(not self._is_begun)
            self._wire.create()
            answer = self._wire.write(batch)
        named = unreadable(answer, batch) if meaning(answer) is Meaning.UNREADABLE else set()
        if named:
            rest = [line for line in batch if line not in named]
            self._refuse(len(batch) - len(rest), answer)
            return self._written(rest) if rest else Answer(204)
        if meaning(answer) is Meaning.PARTLY and (gone := lost(answer)):
            self._refuse(gone, answer)
        self._faults = self._faults + 1 if meaning(answer) is Meaning.FAULT else 0
        return answer

    def _search(self, batch: Sequence[str], first: Answer) -> None:
        """Find the lines at fault by halves; nobody is at fault where nothing at all is taken."""
        if len(batch) == 1 and meaning(first) is Meaning.UNREADABLE:
            self._refuse(1, first)  # the answer is about lines, and there is only one
            return
        taken: Sequence[str] = ()
        suspects: list[Sequence[str]] = []
        waiting = list(_halves(batch)) if len(batch) > 1 else []
        while waiting and (taken or len(suspects) < _PROBES):
            part = waiting.pop()
            if self._is_taken(part):
                taken = part
            elif len(part) > 1:
                waiting.extend(_halves(part))
            else:
                suspects.append(part)
        if not taken:
            raise StorageError(_words(first))
        # The server may just have come back: only who is refused between two that are taken is at fault.
        guilty = [suspect for suspect in suspects if not self._is_taken(suspect)]
        if guilty and not self._is_taken(taken):
            raise StorageError(_words(first))
        if guilty:
            self._refuse(len(guilty), first)

    def _is_taken(self, part: Sequence[str]) -> bool:
        answer = self._written(part)
        what = meaning(answer)
        if what in (Meaning.LATER, Meaning.MISSING):
            raise StorageError(_words(answer))
        return what in (Meaning.TAKEN, Meaning.PARTLY)

    def _refuse(self, number: int, answer: Answer) -> None:
        self.refused += number
        _log.warning("InfluxDB does not take lines, and they are left out", lines=number, answer=_words(answer))


def batches(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    """*lines* in their order, at most `MAX_LINES` and `MAX_BYTES` at once; a longer line is alone."""
    begin = size = 0
    for place, line in enumerate(lines):
        length = len(line.encode()) + 1
        if place > begin and (size + length > MAX_BYTES or place - begin == MAX_LINES):
            yield lines[begin:place]
            begin, size = place, 0
        size += length
    if lines[begin:]:
        yield lines[begin:]


def _halves(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    middle = len(lines) // 2
    return lines[middle:], lines[:middle]


def _words(answer: Answer) -> str:
    hints = {
        401: "InfluxDB does not know the token or the password",
        403: "InfluxDB lets the token or the user not write here",
        404: "InfluxDB has no such organisation, bucket or database",
        429: "InfluxDB asks to wait",
    }
    hint = hints.get(answer.status, "InfluxDB refuses what is written")
    return f"{hint} ({answer.status}: {answer.message[:_WORDS]})"
