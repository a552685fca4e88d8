"""Line protocol as InfluxDB 2.9.1 reads it: strictly. What it refuses here, the real one was seen to refuse."""

import math
import re
from dataclasses import dataclass

Value = float | int | str | bool
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class Unparsable(Exception):
    """A line cannot be read."""


@dataclass(frozen=True, slots=True)
class Point:
    """One line, read."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: dict[str, Value]
    time_ns: int


def parse(line: str) -> Point:
    """
    The point in *line*.

    Raises:
        Unparsable: It is not one.
    """
    key, rest = _until_space(line)
    name, *pairs = _split(key, ",")
    if not name:
        raise Unparsable("missing measurement")
    tags = [_pair(pair) for pair in pairs]
    if any(not value for _, value in tags):
        raise Unparsable("missing tag value")
    names = [tag for tag, _ in tags]
    if len(set(names)) != len(names):
        raise Unparsable("duplicate tags")
    if "time" in names:
        raise Unparsable('input tag "time" is reserved')
    texts, rest = _until_space(rest, quotes=True)
    fields = {}
    for text in _split(texts, ",", quotes=True):
        field, equals, value = _cut(text)
        if not equals or not field:
            raise Unparsable("invalid field format")
        fields[_plain(field)] = _value(value)
    if not fields:
        raise Unparsable("missing fields")
    return Point(_plain(name), tuple(sorted(tags)), fields, _time(rest))


def lines(body: str) -> list[str]:
    """The lines of *body*, without comments; a line break within the quotes of a field ends none."""
    found, begin, place, is_key, is_quoted = [], 0, 0, True, False
    while place < len(body):
        character = body[place]
        if character == "\\":
            place += 1
        elif is_key and character == " ":
            is_key = False
        elif character == '"' and not is_key:
            is_quoted = not is_quoted
        elif character == "\n" and not is_quoted:
            found.append(body[begin:place])
            begin, is_key = place + 1, True
        place += 1
    return [line for line in (*found, body[begin:]) if line.strip() and not line.startswith("#")]


def _time(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text):
        raise Unparsable("bad timestamp")
    if abs(int(text)) > 9_223_372_036_854_775_806:
        raise Unparsable("time outside range")
    return int(text)


def _value(text: str) -> Value:
    if text.startswith('"'):
        if len(text) < 2 or not re.fullmatch(r'"([^"\\]|\\.)*"', text, re.S):
            raise Unparsable("unbalanced quotes")
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text in ("t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"):
        return text[0] in "tT"
    if text[-1:] == "i" and re.fullmatch(r"-?\d+", text[:-1]):
        if abs(int(text[:-1])) > 2**63 - 1:
            raise Unparsable("unable to parse integer")
        return int(text[:-1])
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise Unparsable("invalid number")
    return float(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = _cut(text)
    if not equals or not name:
        raise Unparsable("invalid tag format")
    if value.endswith("\\") or "\n" in value:
        raise Unparsable("missing fields")
    return _plain(name), _plain(value)


def _plain(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text)


def _until_space(text: str, *, quotes: bool = False) -> tuple[str, str]:
    parts = _split(text, " ", quotes=quotes)
    if len(parts) < 2:
        raise Unparsable("missing fields")
    return parts[0], text[len(parts[0]) + 1 :].strip(" ")


def _cut(text: str) -> tuple[str, str, str]:
    """At the first = that is not escaped."""
    found = re.match(r"((?:\\.|[^=\\])*)(=)(.*)", text, re.S)
    return (found[1], found[2], found[3]) if found else (text, "", "")


def _split(text: str, separator: str, *, quotes: bool = False) -> list[str]:
    """At every *separator* that is neither escaped nor, where asked, within quotes."""
    parts, begin, place, is_quoted = [], 0, 0, False
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        if quotes and text[place] == '"':
            is_quoted = not is_quoted
        elif text[place] == separator and not is_quoted:
            parts.append(text[begin:place])
            begin = place + 1
        place += 1
    return [*parts, text[begin:]]
