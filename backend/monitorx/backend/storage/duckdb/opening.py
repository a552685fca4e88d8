"""The entry point `duckdb` of the group `monitorx.stores`: called with what `--store` says and the data folder."""

from pathlib import Path

from monitorx.backend.errors import ConfigError
from monitorx.backend.storage.duckdb.store import DuckDBStore


def open_store(address: str, data_dir: Path) -> DuckDBStore:
    """The store in *data_dir*; `duckdb` is the whole address."""
    if address != "duckdb":
        raise ConfigError(f"--store: {address!r} cannot be used: the embedded store is just `duckdb`")
    return DuckDBStore(data_dir / "telemetry.duckdb")
