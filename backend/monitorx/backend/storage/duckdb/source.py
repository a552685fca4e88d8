"""
The source rule of `window/pane.py` in SQL: what of a pane counts, where spans and metrics told of the same calls.

The panes to choose from are a table with the columns of `PANE_SCHEMA`. `metered` gives, for each teller, the first and
the last pane in which its metrics told of each family; `counted` gives the columns of panes joined with that, emptied
where metrics stand in for them. Cost and labels are of all panes.
"""

# ruff: noqa: S608  every identifier is ours

from collections.abc import Sequence

from monitorx.backend.window.pane import METRIC

# Of whom spans and metrics tell the same calls.
TELLER = ", ".join(("tenant", "service", "instance", "model", "version", "operation"))

# What shows that metrics told of a family.
_SHOWN_BY = {"calls": "requests <> 0", "tokens": "input_tokens + output_tokens <> 0", "samples": "samples <> 0"}

_NOTHING = {
    "calls": {
        "requests": "0",
        "errors": "0",
        "latency_counts": "[]",
        "latency_zero": "0",
        "latency_sum_s": "0",
        "latency_max_s": "'-inf'::DOUBLE",
    },
    "tokens": {"input_tokens": "0", "output_tokens": "0"},
    "samples": {"samples": "0"},
}
_FAMILY = {column: (family, nothing) for family, columns in _NOTHING.items() for column, nothing in columns.items()}

# That metrics of one of the families begin with a pane joined with `metered`.
BEGINS = f"start_ns IN ({', '.join(f'{family}_begin' for family in _SHOWN_BY)})"

# That calls of a pane joined with `metered` count over all of the time that is read.
HAS_CALLS = f"source = '{METRIC}' OR calls_begin IS NULL"


def metered(panes: str) -> str:
    """The query for when metrics told of what, by teller, out of the table or query *panes*."""
    times = ", ".join(
        f"min(start_ns) FILTER ({shown}) AS {family}_begin, max(start_ns) FILTER ({shown}) AS {family}_end"
        for family, shown in _SHOWN_BY.items()
    )
    return f"SELECT {TELLER}, {times} FROM {panes} WHERE source = '{METRIC}' GROUP BY {TELLER}"


def counted(columns: Sequence[str], reach_ns: int | None = None) -> str:
    """
    *columns* of panes joined with `metered`, empty where they do not count.

    Args:
        reach_ns: How long before and after metrics spans do not count; None: in all of the time that is read.
    """
    return ", ".join(_counted(column, reach_ns) for column in columns)


def _counted(column: str, reach_ns: int | None) -> str:
    if column not in _FAMILY:
        return column
    family, nothing = _FAMILY[column]
    spans = f"{family}_begin IS NULL"
    if reach_ns is not None:
        spans += f" OR start_ns NOT BETWEEN {family}_begin - {reach_ns} AND {family}_end + {reach_ns}"
    return f"CASE WHEN source = '{METRIC}' OR {spans} THEN {column} ELSE {nothing} END AS {column}"
