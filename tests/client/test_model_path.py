"""Names of models in addresses."""

import asyncio

import httpx
import pytest

from monitorx.client import MonitorXClient
from tests.client.fake import FakeServer


@pytest.mark.parametrize(
    ("model_id", "path"),
    [
        pytest.param(".", b"/api/v1/models/%2E", id="a dot"),
        pytest.param("..", b"/api/v1/models/%2E%2E", id="two dots"),
        pytest.param("...", b"/api/v1/models/...", id="three dots"),
        pytest.param("a/../b", b"/api/v1/models/a%2F..%2Fb", id="dots within"),
    ],
)
def test_a_model_named_by_dots_is_not_the_path_around_it(model_id: str, path: bytes) -> None:
    server = FakeServer([httpx.Response(200, json={"model": model_id})])

    async def ask() -> None:
        async with MonitorXClient("http://monitorx.test", transport=server.transport()) as client:
            await client.registered_model(model_id)

    asyncio.run(ask())

    assert [(method, asked.encode()) for method, asked, _ in server.asked] == [("GET", path)]
