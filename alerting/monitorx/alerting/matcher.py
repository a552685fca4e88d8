"""What picks alerts by their labels: `severity="critical"`, `model=~"fraud|churn"`, `team!=""`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_MATCHER = re.compile(r'\s*([A-Za-z_][\w.]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"{}=~!,]*))\s*', re.DOTALL)


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
        return (self.pattern.fullmatch(value) is not None) is (self.operator is Operator.REGEX)

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
    try:
        return Matcher(name, Operator(operator), value, re.compile(value, re.DOTALL))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from None


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """True if every matcher matches; none at all match anything."""
    return all(matcher.matches(labels) for matcher in matchers)


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], quoted, flags=re.DOTALL)
