"""What tells how the server does, while the store stands."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi.testclient import TestClient

from monitorx.backend.api import Dependencies, Health, Part, create_app
from monitorx.backend.storage.store import ModelRow, Store
from monitorx.backend.telemetry import Telemetry
from tests.api.conftest import NOW


@dataclass
class Standing:
    """A store whose answer comes when it is let go."""

    asked: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def models(self, *_: object) -> list[ModelRow]:
        """None."""
        self.asked.set()
        self.go.wait()
        return []


@contextmanager
def every_thread_waits(store: Standing) -> Iterator[TestClient]:
    """A client of a server whose pool has one thread, and that one waits for the store."""
    app = create_app(
        Dependencies(
            store=cast("Store", store),  # it is asked for models alone
            alerts=list,
            health=lambda: Health({"store": Part(False, "stands")}, {}, 900.0),
            ready=lambda: True,
            telemetry=Telemetry(strict=True),
            span=lambda *_: None,
            clock=lambda: NOW,
            version="0.1.0",
        )
    )

    def one_thread() -> None:
        current_default_thread_limiter().total_tokens = 1

    with TestClient(app) as client:
        assert client.portal is not None
        client.portal.call(one_thread)
        question = threading.Thread(target=client.get, args=("/api/v1/models",))
        question.start()
        try:
            assert store.asked.wait(10)
            yield client
        finally:
            store.go.set()
            question.join()


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/alerts", "/metrics", "/livez", "/readyz"])
def test_it_is_told_how_the_server_does_while_every_thread_waits_for_the_store(path: str) -> None:
    found: list[Any] = []  # Any: httpx's, under the name of the client's own copy
    with every_thread_waits(Standing()) as client:
        asked = threading.Thread(target=lambda: found.append(client.get(path).status_code))
        asked.start()
        asked.join(5)
        told = list(found)
    asked.join()

    assert told == [200]
