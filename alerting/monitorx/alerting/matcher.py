"""
What picks alerts by their labels: `severity="critical"`, `model=~"fraud|churn"`, `team!=""`.

Senders choose the values that patterns run on. So a pattern that could take too long is refused, and sees no more than
`LONGEST` characters of a value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_MATCHER = re.compile(r'\s*([A-Za-z_][\w.]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"{}=~!,]*))\s*', re.DOTALL)
LONGEST = 256  # characters of a value that a pattern sees
_MAX_WAYS = 1e8  # three repeats without a bound and a few choices: milliseconds for one value; a fourth takes 0.2 s
_PIECE = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<note>\(\?#[^)]*\))|\(\?|(?P<sign>[()|])"
    r"|(?P<repeat>[*+?]|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)(?<!\{)\})[?+]?|.",
    re.DOTALL,
)


class Operator(StrEnum):
    """How a label is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label, one comparison. A label that is not there compares as the empty string; a pattern is anchored."""

    name: str
    operator: Operator
    value: str
    pattern: re.Pattern[str] | None = None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """True if the label is as this says."""
        value = labels.get(self.name, "")
        if self.pattern is None:
            return (value == self.value) is (self.operator is Operator.EQUAL)
        return (self.pattern.fullmatch(value[:LONGEST]) is not None) is (self.operator is Operator.REGEX)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'


def parse(text: str) -> Matcher:
    """
    The matcher that *text* says.

    >>> parse('severity = critical')
    Matcher(name='severity', operator=<Operator.EQUAL: '='>, value='critical', pattern=None)

    Raises:
        ValueError: It is not a matcher, or its pattern is not a regular expression.
    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a matcher; write label="value", with =, !=, =~ or !~')
    name, operator, quoted, bare = found.groups()
    value = bare if quoted is None else _unescaped(quoted)
    if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        return Matcher(name, Operator(operator), value)
    return Matcher(name, Operator(operator), value, compiled(value))


def compiled(text: str) -> re.Pattern[str]:
    """
    The pattern that *text* says.

    Raises:
        ValueError: It is not a regular expression, or could take too long on a value that a sender made up.
    """
    try:
        pattern = re.compile(text, re.DOTALL)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    if pattern.flags & re.VERBOSE:
        raise ValueError(f"{text!r} cannot be used: write it without the flag x")
    if _ways(text) > _MAX_WAYS:
        raise ValueError(
            f"{text!r} could take too long on some values: repeat nothing that itself repeats or chooses, as in (a+)+ "
            "or (a|b)*, and write at most three repeats without a bound; [ab] chooses one of several characters"
        )
    return pattern


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """True if every matcher matches; none at all match anything."""
    return all(matcher.matches(labels) for matcher in matchers)


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], quoted, flags=re.DOTALL)


@dataclass(slots=True)
class _Row:
    """In how many ways the pieces of a group can match, at most: those before the last piece, and the last one."""

    others: float = 0.0  # alternatives that are over
    before: float = 1.0
    last: float = 1.0

    def add(self, ways: float) -> None:
        self.before, self.last = self.before * self.last, ways

    def choose(self) -> None:
        self.others, self.before, self.last = self.total(), 1.0, 1.0

    def total(self) -> float:
        return self.others + self.before * self.last


def _ways(text: str) -> float:
    """In how many ways the pattern *text* can be tried on a value, roughly and at most: what backtracking may cost."""
    rows = [_Row()]
    for piece in _PIECE.finditer(text):
        if piece["note"]:
            continue
        if piece["repeat"]:
            rows[-1].last = _repeated(rows[-1].last, *_bounds(piece))
        elif piece[0] in ("(", "(?"):
            rows.append(_Row())
        elif piece["sign"] == ")":
            inner = rows.pop()
            rows[-1].add(inner.total())
        elif piece["sign"] == "|":
            rows[-1].choose()
        else:
            rows[-1].add(1.0)
    return rows[0].total()


def _bounds(piece: re.Match[str]) -> tuple[int, int]:
    signs = {"*": (0, LONGEST), "+": (1, LONGEST), "?": (0, 1)}
    if piece["repeat"] in signs:
        return signs[piece["repeat"]]
    least = min(int(piece["least"] or 0), LONGEST)
    if not piece["comma"]:
        return least, least
    return least, min(int(piece["most"] or LONGEST), LONGEST)


def _repeated(ways: float, least: int, most: int) -> float:
    """A piece that can match in so many *ways*, from *least* to *most* times in a row."""
    in_a_row = 1.0
    for _ in range(most):
        in_a_row = min(in_a_row * ways, _MAX_WAYS + 1)
    return in_a_row * (most - least + 1)
