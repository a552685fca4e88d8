"""The entry points `influxdb`, `influxdbs`, `influxdb1` and `influxdb1s` of the group `monitorx.stores`."""

import os
from pathlib import Path

from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.influxdb.address import parse
from monitorx.backend.storage.influxdb.store import InfluxDBStore
from monitorx.backend.storage.influxdb.wire import connect


def open_store(address: str, data_dir: Path) -> InfluxDBStore:
    """The store at *address*, with what stays on this machine in *data_dir*; starts where InfluxDB is away, too."""
    target = parse(address, os.environ)
    wire = connect(target)
    return InfluxDBStore(DuckDBStore(data_dir / "telemetry.duckdb"), wire, name=str(target))
