"""
YAML files that operators write, read so that every complaint names file, line and key.

Takes a path; gives a tree of `Node`s. Whoever understands a part of the tree reads it through `Section`s, which note
what is missing, misspelt or of the wrong type in `Problems`; `Problems.check` then says all of it at once.

    problems = Problems()
    section = Section(read(path), problems, known={"name", "every"})
    name, every = section.text("name"), section.duration("every", timedelta(minutes=1))
    problems.check()
"""

import difflib
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import yaml

MAX_FILE_BYTES = 4 << 20
MAX_NODES = 100_000  # after aliases are followed, so that a few lines cannot stand for billions
MAX_DEPTH = 64
MAX_DURATION = timedelta(days=3650)  # 10y: added to any time of day it is still a date


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of one file."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class DocumentError(ValueError):
    """A file cannot be used. `str()` has one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Node:
    """
    One value of a document and where it stands.

    Attributes:
        value: Plain data: None, bool, int, float, str, list or dict.
        text: A scalar as it was written; "" for lists and mappings.
        line: From 1; of the key where there is one.
        path: How to reach it: `groups[0].rules[2].expr`; "" for the whole document.
        file: The file's name, as it was given.
    """

    value: object
    text: str
    line: int
    path: str
    file: str
    _children: "tuple[Node, ...] | dict[str, Node]" = field(default=(), repr=False, compare=False)

    def items(self) -> "Mapping[str, Node]":
        """The entries of a mapping, in the order of the file; empty for anything else."""
        return self._children if isinstance(self._children, dict) else {}

    def elements(self) -> "tuple[Node, ...]":
        """The elements of a list; empty for anything else."""
        return self._children if isinstance(self._children, tuple) else ()


class Problems:
    """All that was found wrong, in the order in which it was found."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, node: Node, message: str) -> None:
        """Note that *message* is true of *node*."""
        self.found.append(Problem(node.file, node.line, node.path, message))

    def check(self) -> None:
        """Raise `DocumentError` if anything was noted."""
        if self.found:
            raise DocumentError(sorted(self.found, key=lambda problem: problem.line))


class Section:
    """
    A mapping, read key by key.

    A getter without a default wants the key to be there. Where it notes a problem it still returns a value of its
    type, so that reading goes on and finds the rest.
    """

    def __init__(self, node: Node, problems: Problems, known: Collection[str]) -> None:
        self.node = node
        self._problems = problems
        self._entries = node.items()
        if not isinstance(node.value, dict):
            problems.add(node, f"must be a mapping of {_listed(known)}, not {_kind(node.value)}")
        for key, entry in self._entries.items():
            if key not in known:
                problems.add(entry, f"unknown key{did_you_mean(key, known)}")

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def entry(self, key: str) -> Node | None:
        """The value under *key* as a node, None where it is missing."""
        return self._entries.get(key)

    def place(self, key: str) -> Node:
        """Where to say something about *key*: its own node, or the section where it is missing."""
        return self._entries.get(key, self.node)

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        node = self._wanted(key, default is not None)
        if node is None:
            return default or ""
        if not isinstance(node.value, str):
            self._problems.add(node, f"must be a string, not {_kind(node.value)}{_quote_it(node)}")
            return default or ""
        return node.value

    def number(self, key: str, default: float | None = None) -> float:
        """An integer or a float."""
        node = self._wanted(key, default is not None)
        if node is None:
            return default or 0.0
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self._problems.add(node, f"must be a number, not {_kind(node.value)}")
            return default or 0.0
        if math.isinf(node.value):
            self._problems.add(node, f"{node.text[:40]} is too large; write a number under 1e308")
            return default or 0.0
        return node.value

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """`true` or `false`."""
        node = self._wanted(key, default is not None)
        if node is None:
            return bool(default)
        if not isinstance(node.value, bool):
            self._problems.add(node, f"must be true or false, not {_kind(node.value)}")
            return bool(default)
        return node.value

    def duration(self, key: str, default: timedelta | None = None) -> timedelta:
        """A time span: `30s`, `5m`, `1h30m`, `0s`."""
        node = self._wanted(key, default is not None)
        if node is None:
            return default or timedelta(0)
        try:
            return parse_duration(node.text)
        except ValueError as error:
            self._problems.add(node, str(error))
            return default or timedelta(0)

    def choice(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        """One of *choices*."""
        text = self.text(key, default)
        if (node := self._entries.get(key)) is not None and isinstance(node.value, str) and text not in choices:
            self._problems.add(node, f"{text!r} must be one of {_listed(choices)}{did_you_mean(text, choices)}")
            return default or next(iter(choices))
        return text

    def strings(self, key: str, default: Collection[str] | None = None) -> tuple[str, ...]:
        """A list of strings."""
        node = self._wanted(key, default is not None)
        if node is None:
            return tuple(default or ())
        if not isinstance(node.value, list):
            self._problems.add(node, f"must be a list of strings, not {_kind(node.value)}")
            return tuple(default or ())
        return tuple(_as_text(element, self._problems) for element in node.elements())

    def string_map(self, key: str) -> dict[str, str]:
        """A mapping of names to strings (labels, headers); numbers are taken as written. Empty if missing."""
        node = self._wanted(key, True)
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self._problems.add(node, f"must be a mapping of names to strings, not {_kind(node.value)}")
            return {}
        return {name: _as_text(entry, self._problems) for name, entry in node.items().items()}

    def elements(self, key: str) -> tuple[Node, ...]:
        """A list's elements, to be read as sections of their own. Empty if missing."""
        node = self._wanted(key, True)
        if node is None:
            return ()
        if not isinstance(node.value, list):
            self._problems.add(node, f"must be a list, not {_kind(node.value)}")
        return node.elements()

    def _wanted(self, key: str, optional: bool) -> Node | None:
        """The entry, unless it is missing or written without a value."""
        node = self._entries.get(key)
        if node is not None and node.value is not None:
            return node
        if not optional and isinstance(self.node.value, dict):
            self._problems.add(node or self.node, f"{key} is missing" if node is None else "must have a value")
        return None


_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+|0")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}


def parse_duration(text: str) -> timedelta:
    """
    A time span in Prometheus' words.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write a number and a unit: 500ms, 30s, 5m, 1h30m, 1d")
    try:
        seconds = sum(int(n) * _UNITS_S[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))
    except (OverflowError, ValueError):  # more digits than a number may have
        seconds = math.inf
    if seconds > MAX_DURATION.total_seconds():
        raise ValueError(f"{text[:40]!r} is too long a duration; 10y is the longest")
    return timedelta(seconds=seconds)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?` where one of *known* is near, else what there is: `; known: a, b, c`."""
    known = sorted(known)
    near = [each for each in difflib.get_close_matches(word, known) if _begin_alike(word, each)]
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known) or 'none'}"


def _begin_alike(word: str, other: str) -> bool:
    """True unless the two are near only by an ending that many names have, like `_configs`."""
    (begin, _, ending), (its_begin, _, its_ending) = word.rpartition("_"), other.rpartition("_")
    return ending != its_ending or bool(difflib.get_close_matches(begin, [its_begin]))


def read(path: Path | str) -> Node:
    """
    The document in the file at *path*.

    Raises:
        DocumentError: It cannot be read, is not one YAML document, has a key twice, or is too large.
    """
    name = str(path)
    try:
        data = Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DocumentError([Problem(name, 0, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError([Problem(name, line, "", "is not UTF-8 text")]) from error
    return parse(text, name)


def parse(text: str, file: str) -> Node:
    """The document in *text*; *file* is what errors call it."""
    if len(text) > MAX_FILE_BYTES:
        raise DocumentError([Problem(file, 0, "", f"is over {MAX_FILE_BYTES >> 20} MiB")])
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError([Problem(file, mark.line + 1 if mark else 0, "", f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise DocumentError([Problem(file, 0, "", f"not YAML: {' '.join(str(error).split())}")]) from error
    except RecursionError:
        raise DocumentError([Problem(file, 0, "", f"is nested deeper than {MAX_DEPTH} levels")]) from None
    if root is None:
        return Node({}, "", 1, "", file, {})
    return _Tree(file).build(root)


class _Loader(yaml.SafeLoader):
    """YAML with true, false, null and numbers; dates, `yes` and `12:30` stay the strings that they look like."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's way


_TAG = "tag:yaml.org,2002:"
_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"^(?:~|null|Null|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"^[-+]?\d{1,18}$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _TAG + "float", re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?$"), list("-+.0123456789")
)


class _Tree:
    """Builds nodes out of PyYAML's, counting them, and remembering the keys that stand twice."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self._problems = Problems()

    def build(self, root: yaml.Node) -> Node:
        node = self._node(root, root.start_mark.line + 1, "", 0)
        self._problems.check()
        return node

    def _node(self, source: yaml.Node, line: int, path: str, depth: int) -> Node:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            limit = f"more than {MAX_NODES} values" if self._count > MAX_NODES else f"over {MAX_DEPTH} levels"
            raise DocumentError([Problem(self._file, line, path, f"the document has {limit}, aliases counted")])
        if isinstance(source, yaml.MappingNode):
            children = dict(self._entries(source, path, depth))
            value: object = {key: child.value for key, child in children.items()}
            return Node(value, "", line, path, self._file, children)
        if isinstance(source, yaml.SequenceNode):
            elements = tuple(
                self._node(element, element.start_mark.line + 1, f"{path}[{index}]", depth + 1)
                for index, element in enumerate(source.value)
            )
            return Node([element.value for element in elements], "", line, path, self._file, elements)
        node = Node(_scalar(source), source.value, line, path, self._file)
        if source.tag.removeprefix(_TAG) not in ("str", "null", "bool", "int", "float"):
            self._problems.add(node, f"the tag {source.tag} is not known here")
        return node

    def _entries(self, source: yaml.MappingNode, path: str, depth: int) -> Iterator[tuple[str, Node]]:
        lines: dict[str, int] = {}
        for key, value in source.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            line = key.start_mark.line + 1
            child = self._node(value, line, f"{path}.{name}" if path else name, depth + 1)
            if not isinstance(key, yaml.ScalarNode):
                self._problems.add(child, "a key must be a string")
            elif name in lines:
                self._problems.add(child, f"the key {name} stands twice; first on line {lines[name]}")
            lines.setdefault(name, line)
            yield name, child


def _scalar(source: yaml.Node) -> object:
    """The value of a scalar by its tag; an explicit tag that does not fit leaves the text."""
    text = str(source.value)
    if source.tag == _TAG + "null":
        return None
    if source.tag == _TAG + "bool":
        return text.lower() == "true"
    try:
        if source.tag == _TAG + "int":
            return int(text)
        if source.tag == _TAG + "float":
            return float(text)
    except ValueError:
        return text
    return text


def _as_text(node: Node, problems: Problems) -> str:
    if isinstance(node.value, dict | list) or node.value is None:
        problems.add(node, f"must be a string, not {_kind(node.value)}")
    return node.text


def _quote_it(node: Node) -> str:
    return f'; write "{node.text}"' if node.text else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _kind(value: object) -> str:
    """What an operator calls it."""
    if value is None:
        return "empty"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"the string {value[:40]!r}" if isinstance(value, str) else f"the value {value}"
