"""
Which columns of a file of rows a reference is fitted to, each in one role, and why the others are left out.

A column without a name is never taken unasked: it is what pandas writes for the index of a frame, and no model has it.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitorx.backend.detector.location import SMALLEST
from monitorx.backend.detector.sketch import Floats
from monitorx.backend.errors import ConfigError

FLAGS = {"input": "--feature-columns", "score": "--score-columns", "output": "--output-columns"}  # by role
MOST_NAMED = 20  # columns in a line of words
_UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)*|__index_level_\d+__)?")  # as pandas writes an index to CSV and Parquet

Columns = Mapping[str, Sequence[str]]  # names by role


def check(asked: Columns) -> None:
    """Raise `ConfigError` where a column is asked for in two roles."""
    roles: dict[str, str] = {}
    for role, names in asked.items():
        for name in names:
            if name in roles:
                raise ConfigError(
                    f"the column {name!r} is named in both {FLAGS[roles[name]]} and {FLAGS[role]}; "
                    "a column has one role, name it once"
                )
            roles[name] = role


def choose(table: pa.Table, asked: Columns) -> Columns:
    """
    The columns of each role: those *asked* for; where no input is, all other numeric columns that have a name.

    Raises:
        ConfigError: There is none, or one of them is not there, not numeric, or there twice.
    """
    numeric = [each.name for each in table.schema if _is_numeric(each.type)]
    named = {name for names in asked.values() for name in names}
    for name in (name for names in asked.values() for name in names):
        if name not in numeric:
            what = "is not numeric" if name in table.column_names else "is not there"
            raise ConfigError(f"the column {name!r} {what}; numeric columns are {listed(numeric) or 'none'}")
    chosen = dict(asked)
    if not chosen["input"]:
        chosen["input"] = [name for name in numeric if name not in named and not _is_unnamed(name)]
    if not any(chosen.values()):
        raise ConfigError(f"there is no numeric column with a name among {listed(table.column_names)}")
    for name in (name for names in chosen.values() for name in names):
        if (count := table.column_names.count(name)) > 1:
            raise ConfigError(f"the column {name!r} is there {count} times; each needs a name of its own")
    return chosen


def read(table: pa.Table, columns: Columns, asked: Columns) -> tuple[dict[str, Floats], dict[str, str]]:
    """
    The finite values of each of *columns*; and why each other column of *table*, or one with too few, is left out.

    Raises:
        ConfigError: A column that was *asked* for has too few, or all have.
    """
    must_have = {name for names in asked.values() for name in names}
    values: dict[str, Floats] = {}
    left_out = _not_chosen(table, columns)
    for name in (name for names in columns.values() for name in names):
        finite = _finite(table.column(name))
        if finite.size >= SMALLEST:
            values[name] = finite
            continue
        count = f"{finite.size} finite values" if finite.size else "no finite value"
        why = f"{count}; a reference needs at least {SMALLEST}"
        if name in must_have:
            raise ConfigError(f"the column {name!r} has {why}; leave it out with --feature-columns")
        left_out[name] = why
    if not values:
        raise ConfigError("; ".join(["there is no column to fit", *left_out_lines(left_out)]))
    return values, left_out


def left_out_lines(left_out: Mapping[str, str]) -> list[str]:
    """One line for each reason, with the columns that it holds for."""
    names: dict[str, list[str]] = {}
    for name, why in left_out.items():
        names.setdefault(why, []).append(name)
    return [f"left out: {listed(alike)} ({why})" for why, alike in names.items()]


def listed(names: Sequence[str]) -> str:
    """
    The first twenty *names*, and how many more there are.

    >>> listed(["age", "", "x"])
    "age, '', x"
    """
    shown = ", ".join(name if name.strip() and name.isprintable() else repr(name) for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown}, … and {more} more" if more > 0 else shown


def _not_chosen(table: pa.Table, columns: Columns) -> dict[str, str]:
    chosen = {name for names in columns.values() for name in names}
    return {each.name: _why_not(each) for each in table.schema if each.name not in chosen}


def _why_not(field: pa.Field) -> str:
    if _is_unnamed(field.name):
        return "a column without a name, as the index of a frame is written"
    return "not named by a flag" if _is_numeric(field.type) else "not numeric"


def _is_unnamed(name: str) -> bool:
    return _UNNAMED.fullmatch(name.strip()) is not None


def _is_numeric(kind: pa.DataType) -> bool:
    is_a = pa.types
    return bool(is_a.is_integer(kind) or is_a.is_floating(kind) or is_a.is_boolean(kind) or is_a.is_decimal(kind))


def _finite(column: pa.ChunkedArray) -> Floats:
    values: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return values[np.isfinite(values)]
