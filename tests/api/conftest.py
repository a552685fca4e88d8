"""The API over a real store, with the clock standing still."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from monitorx.alerting.alert import Alert
from monitorx.backend.api import Dependencies, Health, Part, create_app
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.telemetry import Telemetry
from tests.storage.sample import SECOND, T0

NOW = T0 + 600 * SECOND


@dataclass
class World:
    """What stands behind the API, for a test to change."""

    store: DuckDBStore
    telemetry: Telemetry = field(default_factory=lambda: Telemetry(strict=True))
    alerts: list[Alert] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=lambda: {"journal": Part(True, "writes")})
    spans: dict[tuple[int, str, str], dict[str, Any]] = field(default_factory=dict)
    is_ready: bool = True


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = DuckDBStore(tmp_path / "store.duckdb")
    yield World(store)
    store.close()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    app = create_app(
        Dependencies(
            store=world.store,
            alerts=lambda: world.alerts,
            health=lambda: Health(world.parts, {"monitorx": "0.1.0"}, 900.0),
            ready=lambda: world.is_ready,
            telemetry=world.telemetry,
            span=lambda position, trace_id, span_id: world.spans.get((position, trace_id, span_id)),
            clock=lambda: NOW,
            version="0.1.0",
        )
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
