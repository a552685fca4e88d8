"""
What drift must not forget, in one SQLite file: open windows, references and the findings that a store may not have.

It is written before the store is, in one transaction with the position that it belongs to, and is on disk (fsync) when
`write` returns. So after a crash the file is as new as the store or newer: what the journal replays up to the file's
position is passed over here, and findings from the store's position on are handed out again (the same row again
changes nothing in a store). Thus a replay cannot count a value twice, nor freeze another reference.

A file that cannot be written holds nobody up. Until it can, drift is in memory only; a crash in that time loses the
sketches that came after the last write and up to the store's position, and nothing is counted twice then either. The
windows that were open in that time are judged by what is left of them, and the store takes that for their result.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from monitorx.backend.detector import codec
from monitorx.backend.detector.gather import Place
from monitorx.backend.detector.reference import FeatureKey
from monitorx.backend.detector.sketch import Sketch
from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.storage.store import DriftRow

SCHEMA_VERSION = 1
_BUSY_MS = 100  # rules wait as long for a file that somebody else has locked; the next commit tries again
_APPLICATION_ID = 0x4D584452  # "MXDR": tells our file from any other SQLite file
_SCHEMA = """
CREATE TABLE meta (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), position INTEGER, closed_ns INTEGER);
INSERT INTO meta VALUES (1, 0, 0);
CREATE TABLE window (start_ns INTEGER, feature TEXT, sketches BLOB, PRIMARY KEY (start_ns, feature)) WITHOUT ROWID;
CREATE TABLE collected (feature TEXT, number INTEGER, sketch BLOB, PRIMARY KEY (feature, number)) WITHOUT ROWID;
CREATE TABLE reference (feature TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE finding (
    feature TEXT, end_ns INTEGER, position INTEGER NOT NULL, finding TEXT NOT NULL, PRIMARY KEY (feature, end_ns)
) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Change:
    """
    What one write changes.

    Attributes:
        position: In the journal, up to which everything is contained.
        stored: The store's position: older findings, but the last of each feature, are not needed any more.
        gone: Starts of windows that are over.
        windows: Whole; an empty list takes one away.
        collected: Windows on the way to a reference, by feature and number.
        references: Features whose collected windows are a reference now, and its id.
        discarded: Features whose collected windows, as far as they were written before, make no reference.
        forgotten: Features of which nothing is kept.
    """

    position: int
    stored: int
    closed_ns: int
    gone: Collection[int]
    windows: Mapping[Place, Sequence[Sketch]]
    collected: Mapping[tuple[FeatureKey, int], Sketch]
    references: Mapping[FeatureKey, str]
    findings: Sequence[DriftRow]
    discarded: Sequence[FeatureKey] = ()
    forgotten: Sequence[FeatureKey] = ()


@dataclass(slots=True)
class Kept:
    """What a start reads back."""

    position: int = 0
    closed_ns: int = 0
    windows: dict[Place, list[Sketch]] = field(default_factory=dict)
    collected: dict[FeatureKey, list[Sketch]] = field(default_factory=dict)
    references: dict[FeatureKey, str] = field(default_factory=dict)
    findings: list[tuple[int, DriftRow]] = field(default_factory=list)


class SQLiteState:
    """
    The file.

    Raises:
        ConfigError: The file is not ours, or of a newer version.
        StorageError: It cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.OperationalError as error:
            raise StorageError(f"{path} cannot be opened: {error}") from error
        except sqlite3.Error as error:
            raise StorageError(_damaged(path, error)) from error

    def read(self) -> Kept:
        """All that was written."""
        try:
            return self._read()
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise StorageError(_damaged(self._path, error)) from error

    def write(self, change: Change) -> None:
        """Write all of *change*, or nothing."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._write(change)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StorageError(f"{self._path} cannot be written: {error}") from error

    def close(self) -> None:
        """Release the file. Safe twice."""
        self._connection.close()

    def _prepare(self) -> None:
        run = self._connection.execute
        (application,) = run("PRAGMA application_id").fetchone()
        (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION_ID:
            raise ConfigError(f"{self._path} is not a file of MonitorX; move it away or choose another --data-dir")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        if not tables:
            self._connection.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID};"
                f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        (version,) = run("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"{self._path} has schema version {version}, and this MonitorX reads up to {SCHEMA_VERSION}; "
                "upgrade MonitorX or choose another --data-dir"
            )
        run("BEGIN IMMEDIATE")  # a file that may only be read is refused now, and not when a window closes
        run(f"PRAGMA user_version = {version}")
        run("ROLLBACK")
        run(f"PRAGMA busy_timeout = {_BUSY_MS}")

    def _read(self) -> Kept:
        run = self._connection.execute
        kept = Kept(*run("SELECT position, closed_ns FROM meta").fetchone())
        for start, feature, sketches in run("SELECT start_ns, feature, sketches FROM window"):
            kept.windows[start, _key(feature)] = codec.load(sketches)
        for feature, sketch in run("SELECT feature, sketch FROM collected ORDER BY feature, number"):
            kept.collected.setdefault(_key(feature), []).extend(codec.load(sketch))
        for feature, reference_id in run("SELECT feature, id FROM reference"):
            kept.references[_key(feature)] = reference_id
        for position, finding in run("SELECT position, finding FROM finding ORDER BY end_ns, feature"):
            kept.findings.append((position, DriftRow(**json.loads(finding))))
        return kept

    def _write(self, change: Change) -> None:
        many = self._connection.executemany
        for table in ("window", "collected", "reference", "finding"):
            many(f"DELETE FROM {table} WHERE feature = ?", [(_text(key),) for key in change.forgotten])  # noqa: S608  the names stand here
        many("DELETE FROM collected WHERE feature = ?", [(_text(key),) for key in change.discarded])
        many("DELETE FROM window WHERE start_ns = ?", [(start,) for start in change.gone])
        many(
            "DELETE FROM window WHERE start_ns = ? AND feature = ?",
            [(start, _text(key)) for (start, key), sketches in change.windows.items() if not sketches],
        )
        many(
            "INSERT OR REPLACE INTO window VALUES (?, ?, ?)",
            [
                (start, _text(key), codec.dump(sketches))
                for (start, key), sketches in change.windows.items()
                if sketches
            ],
        )
        many(
            "INSERT OR REPLACE INTO collected VALUES (?, ?, ?)",
            [(_text(key), number, codec.dump([sketch])) for (key, number), sketch in change.collected.items()],
        )
        many("INSERT OR REPLACE INTO reference VALUES (?, ?)", [(_text(k), v) for k, v in change.references.items()])
        for row in change.findings:
            feature = _text(FeatureKey(row.tenant, row.model, row.version, row.feature, row.role))
            many("DELETE FROM finding WHERE feature = ? AND position < ?", [(feature, change.stored)])
            many(
                "INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?)",
                [(feature, row.end_ns, change.position, json.dumps(asdict(row)))],
            )
        many("UPDATE meta SET position = ?, closed_ns = ?", [(change.position, change.closed_ns)])


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} is damaged; move it away and start again: drift begins anew ({error})"


def _text(key: FeatureKey) -> str:
    return json.dumps(key)


def _key(text: str) -> FeatureKey:
    return FeatureKey._make(json.loads(text))
