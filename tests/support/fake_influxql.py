"""
As much of InfluxQL as MonitorX asks with, over points in memory. A fake: it knows no other statement.

    SELECT "a", "b" | sum|first|last("a") [AS "x"] FROM "m" WHERE test AND ... [GROUP BY "tag", ...]
    [ORDER BY time DESC] [LIMIT n]
    SHOW MEASUREMENTS LIMIT 1
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.support.fake_lines import Point

_STATEMENT = re.compile(
    r"SELECT (?P<what>.+?) FROM (?P<name>\"(?:\\.|[^\"\\])*\") WHERE (?P<where>.*?)"
    r"(?: GROUP BY (?P<by>\"[\w\", ]+))?(?P<newest> ORDER BY time DESC)?(?: LIMIT (?P<limit>\d+))?",
    re.S,
)
_TEST = re.compile(
    r"(\"(?:\\.|[^\"\\])*\") = ('(?:\\.|[^'\\])*')|time (>=|<|=) (-?\d+)|(\"(?:\\.|[^\"\\])*\") = (\d+\.\d+)"
)
_COLUMN = re.compile(r"(?:(sum|first|last)\()?\"(\w+)\"\)?(?: AS \"(\w+)\")?")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {">=": operator.ge, "<": operator.lt, "=": operator.eq}
_ESCAPES = {"\\\\": "\\", "\\'": "'", '\\"': '"', "\\n": "\n"}


class SyntaxFault(Exception):
    """The statement is none that is known here."""


def split(text: str) -> list[str]:
    """The statements of *text*."""
    parts = re.findall(r"(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^;'\"])+", text, re.S)
    return [part.strip() for part in parts if part.strip()]


def run(statement: str, points: Iterable[Point]) -> list[dict[str, Any]]:
    """The series that answer *statement*."""
    if statement == "SHOW MEASUREMENTS LIMIT 1":
        names = sorted({point.measurement for point in points})[:1]
        return [{"name": "measurements", "columns": ["name"], "values": [names]}] if names else []
    found = _STATEMENT.fullmatch(statement)
    if not found:
        raise SyntaxFault(f"error parsing query: {statement[:200]}")
    name = _plain(found["name"])
    chosen = [point for point in points if point.measurement == name and _matches(point, found["where"])]
    tags = re.findall(r'"(\w+)"', found["by"] or "")
    wanted = [(match[1], match[2], match[3] or match[1] or match[2]) for match in _COLUMN.finditer(found["what"])]
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in sorted(chosen, key=lambda each: each.time_ns, reverse=bool(found["newest"])):
        groups.setdefault(tuple(dict(point.tags).get(tag, "") for tag in tags), []).append(point)
    series = []
    for group, members in sorted(groups.items()):
        rows = _rows(members, wanted)[: int(found["limit"] or 2**62)]
        if rows:
            one = {"name": name, "columns": ["time", *(title for _, _, title in wanted)], "values": rows}
            series.append(one | ({"tags": dict(zip(tags, group, strict=True))} if tags else {}))
    return series


def _rows(members: Sequence[Point], wanted: Sequence[tuple[str, str, str]]) -> list[list[Any]]:
    function = wanted[0][0]
    if not function:
        return [
            [point.time_ns, *(point.fields.get(name, dict(point.tags).get(name)) for _, name, _ in wanted)]
            for point in members
            if any(name in point.fields for _, name, _ in wanted)
        ]
    having = [point for point in members if wanted[0][1] in point.fields]
    if not having:
        return []
    if function == "sum":
        return [[0, *(sum(point.fields.get(name, 0.0) for point in having) for _, name, _ in wanted)]]
    point = having[0 if function == "first" else -1]
    return [[point.time_ns, point.fields[wanted[0][1]]]]


def _matches(point: Point, where: str) -> bool:
    rest = _TEST.sub("", where).replace(" AND ", "").strip()
    if rest:
        raise SyntaxFault(f"error parsing query: {rest[:200]}")
    tags = dict(point.tags)
    for tag, text, compare, time_ns, field, number in _TEST.findall(where):
        if tag and tags.get(_plain(tag), "") != _plain(text):
            return False
        if field and point.fields.get(_plain(field)) != float(number):
            return False
        if compare and not _COMPARE[compare](point.time_ns, int(time_ns)):
            return False
    return True


def _plain(quoted: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES[found[0]], quoted[1:-1], flags=re.S)
