"""
One DuckDB file: opened with bounds, its faults told in words.

Every statement goes through here, so that whatever DuckDB says becomes a `ConfigError` (at the opening: the operator
can act) or a `StorageError` (later: the writer tries again).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.storage.duckdb import schema

_QUESTIONS = 4  # at the same time: each may use the memory limit's share
_DAMAGE = ("not a valid DuckDB", "Corrupt database file", "Could not read enough bytes", "Failure while replaying WAL")
_NO_DAMAGE = ("No space left on device", "Too many open files", "Cannot allocate memory")


class Database:
    """
    The connection that writes, and cursors that read.

    After a fatal fault (a disk that is full at a commit, say) DuckDB refuses everything until the file is opened anew;
    the next use does that.
    """

    def __init__(self, path: Path, *, memory_limit: str, threads: int, wal_limit: str) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "wal_autocheckpoint": wal_limit,
            "temp_directory": str(path.with_name(path.name + ".tmp")),
            "max_temp_directory_size": "4GB",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # a table name in SQL never means a Python variable
        }
        self._lock = threading.RLock()
        self._slots = threading.BoundedSemaphore(_QUESTIONS)
        self._closed = False
        self._connection: duckdb.DuckDBPyConnection | None = self._open()

    @contextmanager
    def transaction(self, tables: Mapping[str, pa.Table] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """
        The writer's connection, alone, inside a transaction that is committed at the end or leaves no trace.

        Args:
            tables: Arrow tables that SQL may name while it lasts.
        """
        with self._lock, self._told("written"):
            connection = self._alive()
            with _registered(connection, tables or {}):
                connection.begin()
                try:
                    yield connection
                    connection.commit()
                except BaseException:
                    _roll_back(connection)
                    raise

    @contextmanager
    def question(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor of its own, which sees what is committed and waits for no writer."""
        with self._slots, self._told("read"):
            # The lock is held by a commit that may last; it is only needed where the file must be opened anew.
            connection = self._connection
            if connection is None:
                with self._lock:
                    connection = self._alive()
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    def size_bytes(self) -> int:
        """What the file and its log take on disk."""
        files = (self._path, self._path.with_name(self._path.name + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Fold the log into the file and release it. Safe twice."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _alive(self) -> duckdb.DuckDBPyConnection:
        if self._closed:
            raise StorageError(f"{self._path} is closed")
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._path.is_file() and not self.size_bytes():
            self._path.unlink()  # nothing was ever written; DuckDB takes an empty file for a damaged one
        try:
            connection = duckdb.connect(str(self._path), config=self._config)
            connection.execute("SET enable_external_access = false")
            schema.prepare(connection, self._path)
        except duckdb.Error as error:
            raise _opening_fault(self._path, error) from error
        return connection

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            words = _first_line(error)
            if isinstance(error, duckdb.FatalException) or "Failed to commit" in words:
                self._abandon()
            if any(each in words for each in _DAMAGE):
                raise _damaged(self._path, words) from error
            raise StorageError(f"{self._path} cannot be {what}: {words}") from error

    def _abandon(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _opening_fault(path: Path, error: duckdb.Error) -> Exception:
    """What an operator can do about a file that does not open."""
    words = _first_line(error)
    if "Could not set lock" in words or "Conflicting lock" in words:
        return ConfigError(f"{path} is in use by another process; stop it or choose another --data-dir ({words})")
    if "Permission denied" in words or "Read-only file system" in words or "No such file or directory" in words:
        return ConfigError(f"{path} cannot be opened; choose a --data-dir that can be written ({words})")
    if any(each in words for each in _NO_DAMAGE):
        return StorageError(f"{path} cannot be opened: {words}")
    kinds = (duckdb.SerializationException, duckdb.InternalException, duckdb.IOException)
    if any(each in words for each in _DAMAGE) or (isinstance(error, kinds) and path.exists()):
        return _damaged(path, words)
    return StorageError(f"{path} cannot be opened: {words}")


def _damaged(path: Path, words: str) -> StorageError:
    advice = "move it away and start again: the journal fills a new one as far back as it reaches"
    return StorageError(f"{path} is damaged; {advice} ({words})")


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> Iterator[None]:
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        # Where the connection has failed for good this fails, too; what is told is why it failed.
        with suppress(duckdb.Error):
            for name in tables:
                connection.unregister(name)


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error):  # the fault that led here may have ended the transaction already
        connection.rollback()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip()
