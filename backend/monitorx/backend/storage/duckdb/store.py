"""The embedded store: takes commits, keeps rows and panes in one DuckDB file, answers questions about them."""

# ruff: noqa: S608  every identifier is ours, every value is a bound parameter

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from monitorx.backend.batch import BatchKind
from monitorx.backend.storage.duckdb import aggregate, change, question, result
from monitorx.backend.storage.duckdb.database import Database
from monitorx.backend.storage.duckdb.pane import COLUMNS, cursor_table, pane_table, panes
from monitorx.backend.storage.duckdb.schema import PANE_LABELS
from monitorx.backend.storage.store import (
    AggregateRow,
    Batch,
    Capabilities,
    Commit,
    DriftRow,
    InferenceRow,
    ModelRow,
    Place,
    PointRow,
    Restored,
    Selection,
    TransitionRow,
)
from monitorx.backend.window.pane import PaneKey

_PANE_KEY = ", ".join([*PANE_LABELS, "start_ns"])

# What retention takes, and the column that says how old a row is.
_AGED: Mapping[str, str] = {
    **{kind.value: "time_ns" for kind in BatchKind},
    "pane": "start_ns",
    "cursor": "written_ns",
    **{name: time_column for name, (time_column, _) in result.KEYS.items()},
}

# What carries the number of the write that brought it.
_REVISED = frozenset({"new_pane", "new_open_pane", *(f"new_{name}" for name in result.KEYS)})


class DuckDBStore:
    """
    A `Store` in one file.

    Args:
        path: The file; its folder exists. Only one process may have it open.
        clock: Ns since epoch; dates the cursors, so that those of series long gone are forgotten.
        memory_limit: What DuckDB may use before it spills to disk.
        threads: How many cores a question may use.
        wal_limit: Size of the write-ahead log at which it is folded into the file.
        trim_rows: Rows deleted at once by `trim`; commits go on between two of them.

    Raises:
        ConfigError: The file is in use, cannot be written, or is of a newer version.
        StorageError: The file is damaged.
    """

    capabilities = Capabilities(transactional=True, rows=True)
    trouble = ""  # a write is in the file, or raises
    refused = 0

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], int] = time.time_ns,
        memory_limit: str = "256MB",
        threads: int = 2,
        wal_limit: str = "32MB",
        trim_rows: int = 100_000,
    ) -> None:
        self._clock = clock
        self._trim_rows = trim_rows
        self._database = Database(path, memory_limit=memory_limit, threads=threads, wal_limit=wal_limit)

    def write(self, commit: Commit) -> None:
        """
        Write all of *commit*, or nothing.

        Where its position is stored already only its results are written: rules speak without new records, too, and
        the same result again changes nothing.
        """
        rows = {f"new_{kind}": table for kind in BatchKind if (table := _row_table(kind, commit.batches)) is not None}
        windows = {
            "new_open_pane": pane_table(commit.open_panes),
            "new_pane": pane_table(commit.closed_panes),
            "new_cursor": cursor_table(commit.cursors, self._clock()),
        }
        changed = rows | {name: table for name, table in windows.items() if table.num_rows}
        results = {f"new_{name}": table for name, table in result.tables(commit).items() if table.num_rows}
        with self._database.transaction({**changed, **results}) as connection:
            position, revision = _meta(connection)
            is_new = commit.position > position
            names = [*(changed if is_new else ()), *results]
            if not is_new and not names:
                return
            for name in {"new_open_pane", "new_pane"}.intersection(names):
                _delete(connection, "open_pane", _PANE_KEY, name)
            if "new_cursor" in names:
                _delete(connection, "cursor", "series_key", "new_cursor")
            for name in results:
                _delete(connection, name.removeprefix("new_"), result.KEYS[name.removeprefix("new_")][1], name)
            for name in names:
                stamped = f"*, {revision + 1} AS revision" if name in _REVISED else "*"
                connection.execute(f"INSERT INTO {name.removeprefix('new_')} BY NAME SELECT {stamped} FROM {name}")
            connection.execute(
                "UPDATE meta SET position = ?, revision = ?", [max(position, commit.position), revision + 1]
            )

    def restore(self, since_ns: int) -> Restored:
        """The stored position, all open panes, and the closed ones that start at or after *since_ns*."""
        with self._database.question() as cursor:
            cursor.begin()  # one snapshot for all four
            closed = cursor.execute(f"SELECT {COLUMNS} FROM pane WHERE start_ns >= ?", [since_ns]).fetchall()
            opened = cursor.execute(f"SELECT {COLUMNS} FROM open_pane").fetchall()
            cursors = cursor.execute("SELECT series_key, value FROM cursor").fetchall()
            position, _ = _meta(cursor)
            cursor.rollback()
        return Restored(position, panes(opened), panes(closed), dict(cursors))

    def keys(self, since_ns: int) -> dict[PaneKey, int]:
        """Whose panes there are that start at or after *since_ns*, and when their newest one starts."""
        labels = ", ".join(PANE_LABELS)
        both = " UNION ALL ".join(
            f"SELECT {labels}, start_ns FROM {table} WHERE start_ns >= $since" for table in ("pane", "open_pane")
        )
        with self._database.question() as cursor:
            found = cursor.execute(f"SELECT {labels}, max(start_ns) FROM ({both}) GROUP BY ALL", {"since": since_ns})
            return {PaneKey._make(row[:-1]): row[-1] for row in found.fetchall()}

    def models(self, selection: Selection) -> list[ModelRow]:
        """Model versions in the order of their names."""
        with self._database.question() as cursor:
            return aggregate.models(cursor, selection)

    def inferences(self, selection: Selection, *, limit: int, before: Place | None = None) -> list[InferenceRow]:
        """By their start, newest first, at most *limit*; before *before* where given."""
        with self._database.question() as cursor:
            return question.inferences(cursor, selection, limit, before)

    def aggregates(self, selection: Selection, *, step_ns: int, by: Sequence[str]) -> list[AggregateRow]:
        """Totals of each group in each step."""
        with self._database.question() as cursor:
            return aggregate.aggregates(cursor, selection, step_ns, by)

    def points(self, selection: Selection, *, limit: int) -> list[PointRow]:
        """Data points of metrics, newest first, at most *limit*."""
        with self._database.question() as cursor:
            return question.points(cursor, selection, limit)

    def drift(self, selection: Selection, *, limit: int) -> list[DriftRow]:
        """Findings whose window ends in the selection, newest first, at most *limit*."""
        with self._database.question() as cursor:
            return result.drift(cursor, selection, limit)

    def transitions(self, selection: Selection, *, limit: int) -> list[TransitionRow]:
        """Steps of alerts, newest first, at most *limit*."""
        with self._database.question() as cursor:
            return result.transitions(cursor, selection, limit)

    def changes(self, after: int, *, most: int) -> change.Changes | None:
        """What was written after revision *after*, about *most* panes and results of it; None where nothing was."""
        with self._database.question() as cursor:
            cursor.begin()  # one snapshot for all of it
            found = change.changes(cursor, after, most)
            cursor.rollback()
        return found

    def followed(self, name: str) -> int:
        """Up to which revision the follower *name* has come; 0 for one that is not known."""
        with self._database.question() as cursor:
            found = cursor.execute("SELECT revision FROM follower WHERE name = ?", [name]).fetchall()
        return int(found[0][0]) if found else 0

    def follow(self, name: str, revision: int) -> None:
        """Note that the follower *name* has come up to *revision*."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM follower WHERE name = ?", [name])
            connection.execute("INSERT INTO follower VALUES (?, ?)", [name, revision])

    def trim(self, before_ns: int) -> int:
        """Delete what is older than *before_ns*, a bounded number of rows a transaction; rows deleted."""
        return sum(self._trim_table(table, column, before_ns) for table, column in _AGED.items())

    def size_bytes(self) -> int:
        """What the store takes on disk."""
        return self._database.size_bytes()

    def close(self) -> None:
        """Release the file. Safe twice."""
        self._database.close()

    def _trim_table(self, table: str, column: str, before_ns: int) -> int:
        total = 0
        while True:
            with self._database.transaction() as connection:
                chosen = f"SELECT rowid FROM {table} WHERE {column} < ? LIMIT {self._trim_rows}"
                connection.execute(f"DELETE FROM {table} WHERE rowid IN ({chosen})", [before_ns])
                deleted = int(connection.fetchall()[0][0])
            total += deleted
            if deleted < self._trim_rows:
                return total


def _row_table(kind: BatchKind, batches: Sequence[Batch]) -> pa.Table | None:
    chosen = [batch for batch in batches if batch.columns.kind is kind and batch.columns.rows.num_rows]
    if not chosen:
        return None
    # One chunk and one dictionary: DuckDB takes hundreds of small ones at a third of the speed.
    table = pa.Table.from_batches([batch.columns.rows for batch in chosen]).combine_chunks()
    lengths = [batch.columns.rows.num_rows for batch in chosen]
    positions = np.repeat(np.array([batch.position for batch in chosen], dtype=np.int64), lengths)
    if kind is BatchKind.METRIC:
        table = table.drop_columns(["series"])  # local to the process
    return table.append_column("position", pa.array(positions))


def _delete(connection: duckdb.DuckDBPyConnection, table: str, key: str, replaced_by: str) -> None:
    connection.execute(f"DELETE FROM {table} WHERE ({key}) IN (SELECT ({key}) FROM {replaced_by})")


def _meta(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The position and the revision of what is stored."""
    ((position, revision),) = connection.execute("SELECT position, revision FROM meta").fetchall()
    return int(position), int(revision)
