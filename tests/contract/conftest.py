"""The stores that the one suite runs over."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.store import Store
from tests.storage.sample import later

OpenStore = Callable[[], Store]


def duckdb_store(folder: Path) -> Store:
    """The embedded store, its clock far behind the last pane of any test."""
    return DuckDBStore(folder / "store.duckdb", clock=lambda: later(1000))


@pytest.fixture(params=[pytest.param(duckdb_store, id="duckdb")])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the store; a second call closes it first and opens the same data again."""
    opened: list[Store] = []

    def open_again() -> Store:
        if opened:
            opened.pop().close()
        opened.append(request.param(tmp_path))
        return opened[-1]

    yield open_again
    if opened:
        opened.pop().close()


@pytest.fixture
def store(reopen: OpenStore) -> Store:
    return reopen()
