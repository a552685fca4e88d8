"""
What alerting must not forget, in one SQLite file.

Takes commits; each is one transaction, on disk (fsync) when `write` returns: the transition of an alert, the message
that follows from it, the log entry that says so, the audit row and the position in the journal stand together or not
at all. Gives everything back at a start.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from monitorx.alerting.alert import Alert
from monitorx.alerting.errors import StateError
from monitorx.alerting.notification import Notification
from monitorx.alerting.notify import LogEntry
from monitorx.alerting.record import (
    dump_alert,
    dump_notification,
    load_alert,
    load_notification,
    microseconds,
    moment,
)
from monitorx.alerting.state import Standing

SCHEMA_VERSION = 1
MAX_AUDIT_ROWS = 100_000  # the oldest go

_APPLICATION_ID = 0x4D585354  # "MXST": tells our file from any other SQLite file
_SCHEMA = """
CREATE TABLE alert (
    fingerprint TEXT PRIMARY KEY, state TEXT NOT NULL, cleared_at INTEGER, alert TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE member (fingerprint TEXT PRIMARY KEY, alert TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE log (
    group_key TEXT, channel TEXT, at INTEGER NOT NULL, firing TEXT NOT NULL, notification_id TEXT NOT NULL,
    PRIMARY KEY (group_key, channel)
) WITHOUT ROWID;
CREATE TABLE outbox (
    id TEXT PRIMARY KEY, channel TEXT NOT NULL, at INTEGER NOT NULL, known TEXT NOT NULL, notification TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE TABLE position (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), position INTEGER NOT NULL);
"""

LogKey = tuple[str, str]  # group key, channel id


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """
    A message on its way.

    Attributes:
        channel: The id of the integration that carries it.
        notification: What it says.
        known: What the channel knew to be firing before; true again if the message is refused for good.
    """

    channel: str
    notification: Notification
    known: frozenset[str]

    @property
    def key(self) -> LogKey:
        """One group and channel have one message on its way at most, which keeps them in order."""
        return self.notification.group_key, self.channel


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What happened, to whom, in words."""

    at: datetime
    what: str
    subject: str
    words: str


@dataclass(slots=True)
class Commit:
    """
    Changes that become durable together. None in a mapping means: no longer there.

    Attributes:
        position: The last journal position that the changes follow from.
        alerts: What the API shows, by fingerprint.
        members: Firing and just resolved alerts as groups hold them, by fingerprint.
        log: What channels were told.
        sent: New messages.
        settled: Ids of messages that are through, one way or another.
        audit: What happened.
    """

    position: int | None = None
    alerts: dict[str, Standing | None] = field(default_factory=dict)
    members: dict[str, Alert | None] = field(default_factory=dict)
    log: dict[LogKey, LogEntry | None] = field(default_factory=dict)
    sent: list[OutboxRow] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    audit: list[AuditRow] = field(default_factory=list)

    @property
    def is_urgent(self) -> bool:
        """True if there is more to write than how far we are."""
        return bool(self.alerts or self.members or self.log or self.sent or self.settled or self.audit)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a start finds."""

    position: int = -1
    alerts: Mapping[str, Standing] = field(default_factory=dict)
    members: Mapping[str, Alert] = field(default_factory=dict)
    log: Mapping[LogKey, LogEntry] = field(default_factory=dict)
    outbox: tuple[OutboxRow, ...] = ()


class Store(Protocol):
    """
    Keeps commits.

    A commit is durable, whole, when `write` returns, and leaves nothing behind when it raises. One thread at a time.
    """

    def restore(self) -> Restored:
        """Everything that was written."""
        ...

    def write(self, commit: Commit) -> None:
        """Write *commit* as one transaction."""
        ...


class SQLiteStore:
    """The store in a file; open it once a process."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        try:
            # Used by one thread at a time, but not always the same: the lock is the caller's.
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def close(self) -> None:
        """Close the file; safe twice."""
        self._db.close()

    def restore(self) -> Restored:
        """Everything that was written; StateError where it cannot be read."""
        try:
            return self._restore()
        except (sqlite3.Error, ValueError, TypeError, LookupError, OverflowError) as error:
            raise self._fault(error) from error

    def _restore(self) -> Restored:
        query = self._db.execute
        row = query("SELECT position FROM position").fetchone()
        return Restored(
            position=-1 if row is None else row[0],
            alerts={
                key: Standing(load_alert(alert), None if cleared_at is None else moment(cleared_at))
                for key, alert, cleared_at in query("SELECT fingerprint, alert, cleared_at FROM alert")
            },
            members={key: load_alert(alert) for key, alert in query("SELECT fingerprint, alert FROM member")},
            log={
                (group_key, channel): LogEntry(moment(at), _load_set(firing), notification_id)
                for group_key, channel, at, firing, notification_id in query(
                    "SELECT group_key, channel, at, firing, notification_id FROM log"
                )
            },
            outbox=tuple(
                OutboxRow(channel, load_notification(notification), _load_set(known))
                for channel, notification, known in query(
                    "SELECT channel, notification, known FROM outbox ORDER BY at, id"
                )
            ),
        )

    def write(self, commit: Commit) -> None:
        """Write *commit* as one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write(commit)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def audit(self, limit: int = 1000) -> list[AuditRow]:
        """What happened, the latest first."""
        rows = self._db.execute("SELECT at, what, subject, words FROM audit ORDER BY number DESC LIMIT ?", (limit,))
        return [AuditRow(moment(at), what, subject, words) for at, what, subject, words in rows]

    def _write(self, commit: Commit) -> None:
        if commit.position is not None:
            self._db.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (commit.position,))
        for key, standing in commit.alerts.items():
            self._put("alert", ("fingerprint",), (key,), None if standing is None else _alert_columns(standing))
        for key, alert in commit.members.items():
            self._put("member", ("fingerprint",), (key,), None if alert is None else (dump_alert(alert),))
        for log_key, entry in commit.log.items():
            self._put("log", ("group_key", "channel"), log_key, None if entry is None else _log_columns(entry))
        self._db.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", map(_outbox_columns, commit.sent))
        self._db.executemany("DELETE FROM outbox WHERE id = ?", ((settled,) for settled in commit.settled))
        self._audit(commit.audit)

    def _put(
        self, table: str, names: tuple[str, ...], key: tuple[str, ...], columns: tuple[object, ...] | None
    ) -> None:
        """Replace one row, or take it away; table and names are words of this file."""
        if columns is None:
            where = " AND ".join(f"{name} = ?" for name in names)
            self._db.execute(f"DELETE FROM {table} WHERE {where}", key)  # noqa: S608 - constants only
            return
        marks = ", ".join("?" * (len(key) + len(columns)))
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*key, *columns))  # noqa: S608 - constants

    def _audit(self, rows: Iterable[AuditRow]) -> None:
        last = 0
        for row in rows:
            columns = (microseconds(row.at), row.what, row.subject, row.words)
            cursor = self._db.execute("INSERT INTO audit (at, what, subject, words) VALUES (?, ?, ?, ?)", columns)
            last = cursor.lastrowid or 0
        if last > MAX_AUDIT_ROWS:
            self._db.execute("DELETE FROM audit WHERE number <= ?", (last - MAX_AUDIT_ROWS,))

    def _fault(self, error: Exception) -> StateError:
        """What an operator can do about a file that cannot be read; no damage if the disk or a right is at fault."""
        if isinstance(error, sqlite3.OperationalError):
            return StateError(f"{self._path}: cannot be used for the state of alerts: {error}")
        return StateError(f"{self._path}: is damaged; move it away and start again: alerts start anew ({error})")

    def _prepare(self) -> None:
        version, application = (self._pragma(name) for name in ("user_version", "application_id"))
        is_new = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not is_new and application != _APPLICATION_ID:
            raise StateError(f"{self._path}: is not a state file of MonitorX; name another file or folder")
        if not is_new and version != SCHEMA_VERSION:
            raise StateError(
                f"{self._path}: has schema version {version}, and this program knows {SCHEMA_VERSION}; "
                f"use the version of MonitorX that wrote it"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if is_new:
            names = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
            self._db.executescript(f"BEGIN; {_SCHEMA} {names} COMMIT;")
        self._try_to_write()

    def _try_to_write(self) -> None:
        """Find out now if the file may only be read, and not when somebody must be paged; nothing gets to the disk."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        finally:
            self._db.execute("ROLLBACK")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])


def _alert_columns(standing: Standing) -> tuple[object, ...]:
    cleared_at = None if standing.cleared_at is None else microseconds(standing.cleared_at)
    return standing.alert.state.value, cleared_at, dump_alert(standing.alert)


def _log_columns(entry: LogEntry) -> tuple[object, ...]:
    return microseconds(entry.at), _dump_set(entry.firing), entry.notification_id


def _outbox_columns(row: OutboxRow) -> tuple[object, ...]:
    notification = row.notification
    text = dump_notification(notification)
    return notification.id, row.channel, microseconds(notification.at), _dump_set(row.known), text


def _dump_set(fingerprints: frozenset[str]) -> str:
    return json.dumps(sorted(fingerprints))


def _load_set(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))
