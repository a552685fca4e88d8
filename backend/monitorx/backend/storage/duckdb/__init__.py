"""The embedded store: one DuckDB file, one writer, questions from any thread."""

from monitorx.backend.storage.duckdb.opening import open_store
from monitorx.backend.storage.duckdb.store import DuckDBStore

__all__ = ["DuckDBStore", "open_store"]
