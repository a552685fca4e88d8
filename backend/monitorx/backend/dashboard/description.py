"""What a dashboard is, before any program that shows it: rows of panels, each with its questions and its unit."""

from dataclasses import dataclass, field
from enum import Enum


class Shape(Enum):
    """How a panel shows its answers."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Target:
    """
    One question of a panel.

    Attributes:
        query: InfluxQL with Grafana's variables in it.
        alias: What a series is called; `$tag_model` is the value of that tag. Empty in a table.
    """

    query: str
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One panel.

    Attributes:
        unit: As Grafana writes it: s, percentunit, reqps, currencyUSD, short.
        width: Of 24.
        highest: The upper end of the axis; None where it follows the values.
        marks_points: Whether each value is marked; for values that come seldom.
        hides_time: Of a table: whether its rows have no time that says something.
        units: Of columns of a table whose unit is another.
    """

    title: str
    description: str
    shape: Shape
    unit: str
    targets: tuple[Target, ...]
    width: int = 12
    height: int = 8
    highest: float | None = None
    marks_points: bool = False
    hides_time: bool = False
    units: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top, several values or all of them; *query* lists what there is."""

    name: str
    label: str
    query: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """
    Events drawn across all panels.

    Attributes:
        title, text, tags: Columns of the answer.
    """

    name: str
    query: str
    title: str
    text: str
    tags: tuple[str, ...]
    colour: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """
    One dashboard.

    Attributes:
        uid: Never changes: links and bookmarks hold it.
    """

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    annotations: tuple[Annotation, ...]
    rows: tuple[Row, ...]
