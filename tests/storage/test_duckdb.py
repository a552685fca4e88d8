"""What is special to the DuckDB store: its file, its faults, its bounds."""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from monitorx.backend.batch import SCHEMAS, BatchKind
from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.storage.duckdb import DuckDBStore, schema
from monitorx.backend.storage.duckdb.database import Database
from tests.storage.sample import ALL_TIME, T0, calls, columns, commit, later, pane, requests, starts

HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[DuckDBStore]:
    store = DuckDBStore(path, clock=lambda: T0)
    yield store
    store.close()


def test_a_file_that_another_process_holds_is_refused_in_one_line(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        words = "is in use by another process; stop it or choose another --data-dir"
        with pytest.raises(ConfigError, match=words) as refusal:
            DuckDBStore(path)

        holder.communicate(b"")
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose a --data-dir that can be written"):
        DuckDBStore(tmp_path / "none" / "store.duckdb")


def test_a_damaged_file_is_told_with_what_to_do(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)

    with pytest.raises(StorageError, match="is damaged; move it away and start again"):
        DuckDBStore(path)


def test_a_duckdb_file_of_somebody_else_is_left_alone(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")

    with pytest.raises(ConfigError, match="is a DuckDB file, but not one of MonitorX"):
        DuckDBStore(path)


def test_a_newer_file_is_refused_with_both_versions(path: Path) -> None:
    DuckDBStore(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET schema_version = 99")

    with pytest.raises(ConfigError, match=r"has schema version 99, and this MonitorX reads up to 2; upgrade MonitorX"):
        DuckDBStore(path)


def test_an_older_file_is_brought_up_step_by_step(path: Path) -> None:
    steps = {
        1: ["ALTER TABLE pane ADD COLUMN first INTEGER DEFAULT 1"],
        2: ["ALTER TABLE pane ADD COLUMN second INTEGER", "UPDATE pane SET second = first + 1"],
    }
    with duckdb.connect(str(path)) as connection:
        schema.prepare(connection, path, version=1)
        connection.execute("UPDATE meta SET position = 42")

        schema.prepare(connection, path, version=3, migrations=steps)

        assert connection.execute("SELECT schema_version, position FROM meta").fetchall() == [(3, 42)]
        assert connection.execute("SELECT first, second FROM pane").fetchall() == []


def test_a_file_of_version_1_becomes_what_a_new_one_is(path: Path, tmp_path: Path) -> None:
    _version_1(path)
    DuckDBStore(tmp_path / "new.duckdb").close()

    store = DuckDBStore(path)
    assert (requests(store), store.restore(0).position) == (1.0, 42)
    store.write(commit(43, closed=[pane(later(1))]))
    assert requests(store) == 2.0
    store.close()

    assert _shape(path) == _shape(tmp_path / "new.duckdb")


def _version_1(path: Path) -> None:
    """A file as the first release left it, with a pane in it."""
    store = DuckDBStore(path)
    store.write(commit(42, closed=[pane()]))
    store.close()
    with duckdb.connect(str(path)) as connection:
        for table in ("drift", "verdict", "transition", "follower"):
            connection.execute(f"DROP TABLE {table}")
        for table in ("pane", "open_pane", "meta"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN revision")
        connection.execute("UPDATE meta SET schema_version = 1")


def _shape(path: Path) -> list[object]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM duckdb_columns()"
            " WHERE NOT internal ORDER BY table_name, column_index"
        ).fetchall()


def test_every_migration_up_to_the_present_version_is_there() -> None:
    assert list(schema.MIGRATIONS) == list(range(1, schema.VERSION))


@pytest.mark.parametrize("kind", list(BatchKind))
def test_a_table_keeps_every_column_but_the_one_that_is_local_to_a_process(store: DuckDBStore, kind: BatchKind) -> None:
    store.write(commit(3, columns(kind, {})))
    store.close()

    with duckdb.connect(str(store._database._path)) as connection:
        described = connection.execute(f"DESCRIBE {kind}").fetchall()
        (row,) = connection.execute(f"SELECT * FROM {kind}").fetchall()

    names = [name for name, *_ in described]
    assert names == [*(name for name in SCHEMAS[kind].names if name != "series"), "position"]
    assert dict(zip(names, row, strict=True))["position"] == 3


def test_batches_with_different_dictionaries_go_into_one_commit(store: DuckDBStore) -> None:
    store.write(commit(1, *(calls({"model": f"m{n}", "time_ns": T0 + n}) for n in range(50))))

    models = [row.labels["model"] for row in store.inferences(ALL_TIME, limit=100)]
    assert models == [f"m{n}" for n in reversed(range(50))]


def test_a_question_waits_for_no_writer_and_sees_what_is_committed(path: Path) -> None:
    store = DuckDBStore(path)
    store.write(commit(1, calls({}), closed=[pane()]))
    seen: list[object] = []

    with store._database.transaction() as connection:
        connection.execute("DELETE FROM pane")
        connection.execute("DELETE FROM inference")
        thread = threading.Thread(target=lambda: seen.extend((requests(store), starts(store))))
        thread.start()
        thread.join(10)

    assert seen == [1.0, [0]]
    assert (requests(store), starts(store)) == (0, [])
    store.close()


def test_questions_from_many_threads_beside_a_writer_all_see_whole_commits(store: DuckDBStore) -> None:
    wrong: list[float] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            total = requests(store)
            if total % 3:
                wrong.append(total)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for position in range(1, 11):
        store.write(commit(position, closed=[pane(later(position), model=name) for name in "abc"]))
    done.set()
    for thread in threads:
        thread.join(10)

    assert (wrong, requests(store)) == ([], 30.0)


def test_what_is_deleted_at_once_is_bounded(path: Path) -> None:
    store = DuckDBStore(path, trim_rows=3)
    store.write(commit(1, calls(*({"time_ns": T0 + n} for n in range(10)))))

    assert store.trim(T0 + 8) == 8
    assert len(store.inferences(ALL_TIME, limit=10)) == 2
    store.close()


def test_cursors_of_series_long_silent_are_forgotten(path: Path) -> None:
    now = [later(0)]
    store = DuckDBStore(path, clock=lambda: now[0])
    store.write(commit(1, cursors={1: b"silent", 2: b"a"}))
    now[0] = later(5)
    store.write(commit(2, cursors={2: b"b"}))

    assert store.trim(later(3)) == 1
    assert store.restore(0).cursors == {2: b"b"}
    store.close()


def test_a_full_disk_is_told_and_the_same_commit_is_taken_when_there_is_room(store: DuckDBStore) -> None:
    store.write(commit(1, calls({})))
    big = commit(2, calls(*({"service": f"{n:0500}"} for n in range(20_000))))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(StorageError, match=r"store.duckdb cannot be written: .*Could not write file"):
            store.write(big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    assert store.restore(0).position == 1
    store.write(big)
    assert store.restore(0).position == 2
    assert len(store.inferences(ALL_TIME, limit=30_000)) == 20_001


def test_after_a_fatal_fault_the_file_is_opened_anew(path: Path) -> None:
    database = Database(path, memory_limit="64MB", threads=1, wal_limit="1MB")
    with pytest.raises(StorageError, match="cannot be written: made up"), database.transaction():
        raise duckdb.FatalException("made up")

    with database.question() as cursor:
        assert cursor.execute("SELECT position FROM meta").fetchall() == [(0,)]
    database.close()


def test_the_log_is_folded_into_the_file_before_it_grows_large(path: Path) -> None:
    store = DuckDBStore(path, wal_limit="1MB")
    for position in range(1, 9):
        store.write(commit(position, calls(*({"error_type": f"{position}-{n:0200}"} for n in range(2000)))))

    log = path.with_name(path.name + ".wal")
    assert not log.exists() or log.stat().st_size < 2 * 2**20
    assert store.size_bytes() >= path.stat().st_size
    store.close()


def test_a_closed_store_says_so_and_may_be_closed_again(store: DuckDBStore) -> None:
    store.close()
    store.close()

    with pytest.raises(StorageError, match="is closed"):
        store.write(commit(1))
    with pytest.raises(StorageError, match="is closed"):
        store.restore(0)


@pytest.mark.parametrize(
    ("equals", "words"),
    [
        pytest.param({"error": "maybe"}, "'maybe' is neither 'true' nor 'false'", id="flag"),
        pytest.param({"trace_id": "zz"}, "non-hexadecimal", id="hex"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused(store: DuckDBStore, equals: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        store.inferences(replace(ALL_TIME, equals=equals), limit=1)


def _half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for start in range(4096 + 300, len(data), 4096):
        data[start : start + 64] = bytes(byte ^ 0xFF for byte in data[start : start + 64])
    path.write_bytes(data)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_half, _flip, _folder])
def test_every_kind_of_damage_is_told_with_what_to_do(path: Path, damage: Callable[[Path], None]) -> None:
    store = DuckDBStore(path, clock=lambda: T0)
    store.write(commit(0, calls({})))
    store.close()
    damage(path)

    advice = r"is damaged; move it away and start again: the journal fills a new one as far back as it reaches"
    with pytest.raises(StorageError, match=advice):
        DuckDBStore(path, clock=lambda: T0).restore(0)


def test_an_empty_file_is_taken_as_new(path: Path) -> None:
    path.touch()

    store = DuckDBStore(path, clock=lambda: T0)

    assert store.restore(0).position == 0
    store.close()
