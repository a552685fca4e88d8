"""
Questions in InfluxQL, the one language that 1.x, 2.x and 3.x share, and their answers as they stream in.

Identifiers are always quoted (`duration` is a keyword), values always literals made here: nothing a client sent
becomes part of a statement unescaped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.influxdb.line import MAX_TIME_NS, MIN_TIME_NS, tag_value
from monitorx.backend.storage.store import Selection


class Series(msgspec.Struct, frozen=True):
    """Rows of one series, or a part of them; the first column is the time, ns since epoch."""

    columns: list[str]
    name: str = ""
    tags: dict[str, str] = {}  # msgspec gives each a dict of its own
    values: list[list[Any]] = []  # Any: whatever the fields hold


class _Result(msgspec.Struct, frozen=True):
    statement_id: int = 0
    series: list[Series] = []
    error: str = ""


class _Answer(msgspec.Struct, frozen=True):
    results: list[_Result] = []
    error: str = ""
    message: str = ""  # of a refusal, on 2.x


_ANSWER = msgspec.json.Decoder(_Answer)


def identifier(name: str) -> str:
    """*name* quoted."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literal(text: str) -> str:
    """*text* as a string of InfluxQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def condition(selection: Selection, allowed: Sequence[str]) -> str:
    """
    What follows WHERE for *selection*, whose `equals` are tags.

    Raises:
        ValueError: `equals` names a tag that is not in *allowed*.
    """
    start, end = (min(max(time_ns, MIN_TIME_NS), MAX_TIME_NS) for time_ns in (selection.start_ns, selection.end_ns))
    tests = [equal("tenant", selection.tenant), f"time >= {start}", f"time < {end}"]
    for name, text in selection.equals.items():
        if name not in allowed:
            raise ValueError(f"{name!r} cannot be selected by; there are {', '.join(allowed)}")
        tests.append(equal(name, text))
    return " AND ".join(tests)


def equal(tag: str, text: str) -> str:
    """That *tag* has this text; the empty one means that there is no such tag."""
    return f"{identifier(tag)} = {literal(tag_value(text))}"


def columns(names: Iterable[str]) -> str:
    """Names in a list."""
    return ", ".join(identifier(name) for name in names)


def answers(lines: Iterable[str]) -> Iterator[tuple[int, Series]]:
    """
    The series of a streamed answer, each with the number of its statement; none where there is no database yet.

    Raises:
        StorageError: InfluxDB says that it cannot answer, or says something else altogether.
    """
    for line in lines:
        if not line.strip():
            continue
        try:
            answer = _ANSWER.decode(line)
        except msgspec.DecodeError as error:
            raise StorageError(f"InfluxDB answers what is no answer to a question: {error}") from None
        for result in answer.results:
            if "database not found" in result.error:
                return
            if result.error:
                raise StorageError(f"InfluxDB cannot answer: {result.error}")
            for series in result.series:
                yield result.statement_id, series
        if answer.error or answer.message:
            raise StorageError(f"InfluxDB cannot answer: {answer.error or answer.message}")


def rows(series: Series) -> Iterator[Mapping[str, Any]]:  # Any: whatever the fields hold
    """Rows by the names of their columns."""
    for values in series.values:
        yield dict(zip(series.columns, values, strict=True))
