import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.alerting.alert import Alert, Severity, State
from monitorx.alerting.errors import StateError
from monitorx.alerting.notification import Notification
from monitorx.alerting.notify import LogEntry
from monitorx.alerting.state import Standing
from monitorx.alerting.store import AuditRow, Commit, OutboxRow, Restored, SQLiteStore
from tests.alerting.scenario import NOON
from tests.support.read_only import folder, read_only

ALERT = Alert(
    labels={"alertname": "Slow", "model": "\ud800 \x00 ' \" é"},
    annotations={"summary": "words"},
    state=State.RESOLVED,
    active_at=NOON,
    starts_at=NOON + timedelta(microseconds=1),
    ends_at=NOON + timedelta(seconds=5),
    severity=Severity.ERROR,
    value=0.1,
    evidence={"events": "3"},
)
NOTIFICATION = Notification("n1", "ops", "{}:{}", {"a": "b"}, (ALERT,), NOON, "http://x")
ROW = OutboxRow("ops/webhook[0]", NOTIFICATION, frozenset("a"))
FULL = Commit(
    position=7,
    alerts={"f1": Standing(ALERT, NOON)},
    members={"f1": ALERT},
    log={("{}:{}", "ops/webhook[0]"): LogEntry(NOON, frozenset({"f1", "f0"}), "n1")},
    sent=[ROW],
    audit=[AuditRow(NOON, "fired", "f1", "Slow")],
)


def test_what_was_written_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "alerting.db"
    first = SQLiteStore(path)
    first.write(FULL)
    first.close()

    store = SQLiteStore(path)

    assert store.restore() == Restored(7, FULL.alerts, FULL.members, FULL.log, (ROW,))
    assert store.audit() == FULL.audit
    store.close()


def test_what_is_over_is_taken_away(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "alerting.db")
    store.write(FULL)

    store.write(Commit(None, {"f1": None}, {"f1": None}, dict.fromkeys(FULL.log), [], ["n1"]))

    assert store.restore() == Restored(7)
    store.close()


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "alerting.db")

    with pytest.raises(sqlite3.IntegrityError):
        store.write(Commit(position=9, alerts=FULL.alerts, sent=[ROW, ROW]))

    assert store.restore() == Restored()
    store.write(FULL)
    store.close()


def test_every_commit_is_synced(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "alerting.db")

    assert (store._pragma("synchronous"), store._db.execute("PRAGMA journal_mode").fetchone()[0]) == (2, "wal")
    store.close()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("CREATE TABLE x (y)", "is not a state file of MonitorX", id="another program's"),
        pytest.param("PRAGMA user_version = 99", "has schema version 99, and this program knows 1", id="newer"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, script: str, words: str) -> None:
    path = tmp_path / "alerting.db"
    if script.startswith("PRAGMA"):
        SQLiteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(script)
    db.close()

    with pytest.raises(StateError, match=words):
        SQLiteStore(path)


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "alerting.db"
    path.write_bytes(b"not a database, " * 100)

    with pytest.raises(StateError, match=r"alerting\.db: is damaged; move it away and start again: alerts start anew"):
        SQLiteStore(path)


@pytest.mark.parametrize("garbage", [b"\xa5" * 512, b"\0" * 512])
def test_a_file_with_damaged_pages_is_refused_at_the_start_with_what_to_do(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "alerting.db"
    store = SQLiteStore(path)
    store.write(FULL)
    store.close()
    pages = bytearray(path.read_bytes())
    for start in range(4096, len(pages), 4096):
        pages[start : start + 512] = garbage
    path.write_bytes(pages)

    damaged = SQLiteStore(path)
    with pytest.raises(StateError, match=r"alerting\.db: is damaged; move it away and start again: alerts start anew"):
        damaged.restore()
    damaged.close()


def test_a_row_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "alerting.db")
    store.write(FULL)
    store._db.execute("UPDATE member SET alert = '{}'")

    with pytest.raises(StateError, match="is damaged; move it away"):
        store.restore()
    store.close()


def test_a_folder_in_its_place_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "alerting.db").mkdir()

    with pytest.raises(StateError, match=r"alerting\.db: cannot be used for the state of alerts: unable to open"):
        SQLiteStore(tmp_path / "alerting.db")


def test_a_file_that_may_only_be_read_is_refused_at_the_opening() -> None:
    with folder() as place:
        SQLiteStore(place / "alerting.db").close()

        with (
            read_only(place / "alerting.db"),
            pytest.raises(
                StateError, match=r"alerting\.db: cannot be used for the state of alerts: .* readonly database"
            ),
        ):
            SQLiteStore(place / "alerting.db")


def test_an_opening_writes_nothing(tmp_path: Path) -> None:
    SQLiteStore(tmp_path / "alerting.db").close()
    before = (tmp_path / "alerting.db").read_bytes()

    store = SQLiteStore(tmp_path / "alerting.db")
    log = tmp_path / "alerting.db-wal"
    written = log.stat().st_size if log.exists() else 0
    store.close()

    assert (written, (tmp_path / "alerting.db").read_bytes()) == (0, before)
