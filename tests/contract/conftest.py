"""The stores that the one suite runs over."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.influxdb import InfluxDBStore, parse
from monitorx.backend.storage.influxdb.wire import connect
from monitorx.backend.storage.store import Store
from tests.storage.sample import later
from tests.support.fake_influxdb import FakeInfluxDB
from tests.support.influxd import Influxd

OpenStore = Callable[[], Store]
_numbers = itertools.count()


def duckdb_store(folder: Path) -> DuckDBStore:
    """The embedded store, its clock far behind the last pane of any test."""
    return DuckDBStore(folder / "store.duckdb", clock=lambda: later(1000))


def influxdb_store(folder: Path, address: str) -> InfluxDBStore:
    """The store at *address*, over an embedded one in *folder*."""
    target = parse(address, {"MONITORX_INFLUXDB_TOKEN": "t"})
    return InfluxDBStore(duckdb_store(folder), connect(target), name=str(target), patience_s=60.0)


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A real InfluxDB 1.x for all tests; each has a database of its own."""
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture(scope="session")
def fake_influxdb() -> Iterator[FakeInfluxDB]:
    """A fake InfluxDB 2.x for all tests; each has a bucket of its own."""
    with FakeInfluxDB() as server:
        yield server


@pytest.fixture(
    params=[
        "duckdb",
        pytest.param("influxd", id="influxdb 1.x", marks=pytest.mark.needs("influxdb")),
        pytest.param("fake_influxdb", id="influxdb 2.x, fake"),
    ]
)
def open_in(request: pytest.FixtureRequest) -> Callable[[Path], Store]:
    """Opens the store whose local part is in a folder."""
    if request.param == "duckdb":
        return duckdb_store
    server = request.getfixturevalue(request.param)
    scheme, org = ("influxdb1", "") if request.param == "influxd" else ("influxdb", "o/")
    address = f"{scheme}://127.0.0.1:{server.port}/{org}contract{next(_numbers)}"
    return lambda folder: influxdb_store(folder, address)


@pytest.fixture
def reopen(open_in: Callable[[Path], Store], tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the store; a second call closes it first and opens the same data again."""
    opened: list[Store] = []

    def open_again() -> Store:
        if opened:
            opened.pop().close()
        opened.append(open_in(tmp_path))
        return opened[-1]

    yield open_again
    if opened:
        opened.pop().close()


@pytest.fixture
def store(reopen: OpenStore) -> Store:
    return reopen()
