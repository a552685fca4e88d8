"""An InfluxDB store over a fake InfluxDB."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.influxdb import InfluxDBStore, parse
from monitorx.backend.storage.influxdb.wire import connect
from tests.storage.sample import later
from tests.support.fake_influxdb import FakeInfluxDB

OpenStore = Callable[[], InfluxDBStore]


@pytest.fixture
def server() -> Iterator[FakeInfluxDB]:
    with FakeInfluxDB() as fake:
        yield fake


@pytest.fixture
def reopen(server: FakeInfluxDB, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the store; a second call closes it first."""
    opened: list[InfluxDBStore] = []

    def open_again() -> InfluxDBStore:
        if opened:
            opened.pop().close()
        opened.append(open_store(tmp_path, f"influxdb://127.0.0.1:{server.port}/o/b"))
        return opened[-1]

    yield open_again
    if opened:
        opened.pop().close()


def open_store(folder: Path, address: str) -> InfluxDBStore:
    target = parse(address, {"MONITORX_INFLUXDB_TOKEN": "t"})
    local = DuckDBStore(folder / "store.duckdb", clock=lambda: later(1000))
    return InfluxDBStore(local, connect(target), name=str(target), patience_s=60.0)
