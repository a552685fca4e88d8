"""The client: what is collected is sent once, in batches, and never in the way of the application."""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from monitorx.client import (
    BreakerSettings,
    Circuit,
    ClientSettings,
    MonitorXClient,
    NotOpen,
    ResourceUsage,
    Retry,
    Stats,
    Unavailable,
)
from monitorx.client.sender import MAX_BODY_BYTES
from tests.client.fake import AWAY, TAKEN, FakeServer, connected, problem, run


async def until(claim: Callable[[], bool]) -> None:
    """Let the event loop go on until *claim* holds."""
    async with asyncio.timeout(5):
        while not claim():
            await asyncio.sleep(0)


def test_what_is_collected_is_sent_in_one_request() -> None:
    server = FakeServer()

    async def work(client: MonitorXClient) -> Stats:
        client.collect_inference_metric("fraud", 12.5, version="1", error=ValueError("x"), batch_size=4)
        client.collect_inference_metric(
            "faces",
            latency=3,
            model_type="cv",
            resources=ResourceUsage(gpu_memory=1024),
            timestamp=datetime(2026, 1, 31, 12, tzinfo=UTC),
        )
        await client.flush()
        return client.stats

    stats = run(server, work)

    (asked,) = server.asked
    ids = [(each.pop("trace_id"), each.pop("span_id")) for each in asked[2]["inferences"]]
    resources = asked[2]["inferences"][1].pop("resources")
    assert asked == (
        "POST",
        "/api/v1/inferences",
        {
            "service": "shop",
            "instance": "shop-1",
            "inferences": [
                {
                    "model": "fraud",
                    "version": "1",
                    "duration_s": 0.0125,
                    "end": "2025-10-09T08:00:00.000000Z",
                    "error_type": "ValueError",
                    "batch_size": 4,
                },
                {"model": "faces", "kind": "vision", "duration_s": 0.003, "end": "2026-01-31T12:00:00.000000Z"},
            ],
        },
    )
    assert resources["gpu_memory_bytes"] == 1024
    assert len(set(ids)) == 2
    assert stats == Stats(collected=2, sent=2, waiting=0, dropped=0, refused=0, invalid=0, circuit=Circuit.CLOSED)


def test_collecting_may_be_awaited_or_not() -> None:
    async def work(client: MonitorXClient) -> int:
        await client.collect_inference_metric("fraud", 1)
        client.collect_inference_metric("fraud", 1)
        return client.stats.collected

    assert run(FakeServer(), work) == 2


def test_leaving_sends_what_waits() -> None:
    server = FakeServer()

    async def work(client: MonitorXClient) -> None:
        client.collect_inference_metric("fraud", 1)

    run(server, work)

    assert [len(batch) for batch in server.inferences] == [1]


def test_a_full_batch_is_sent_without_waiting_for_the_time() -> None:
    server = FakeServer()

    async def work(client: MonitorXClient) -> None:
        for _ in range(3):
            client.collect_inference_metric("fraud", 1)
        await until(lambda: client.stats.sent == 3)

    run(server, work, settings=ClientSettings(flush_every_s=3600.0, batch_size=3))

    assert [len(batch) for batch in server.inferences] == [3]


def test_fewer_are_sent_when_the_time_is_over() -> None:
    server = FakeServer()

    async def work(client: MonitorXClient) -> None:
        client.collect_inference_metric("fraud", 1)
        await until(lambda: client.stats.sent == 1)

    run(server, work, settings=ClientSettings(flush_every_s=0.001))

    assert [len(batch) for batch in server.inferences] == [1]


def test_any_thread_may_collect() -> None:
    server = FakeServer()

    async def work(client: MonitorXClient) -> None:
        def collect() -> None:
            for _ in range(500):
                client.collect_inference_metric("fraud", 1)

        threads = [threading.Thread(target=collect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        await client.flush()
        assert client.stats.sent == client.stats.collected == 2000

    run(server, work)

    assert sum(len(batch) for batch in server.inferences) == 2000


def test_a_request_that_was_not_answered_is_sent_again_under_the_same_ids() -> None:
    server = FakeServer([AWAY, problem(503, "busy"), TAKEN])

    async def work(client: MonitorXClient) -> Stats:
        client.collect_inference_metric("fraud", 1)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await client.flush()
        assert client.stats.waiting == 1
        await client.flush()
        return client.stats

    stats = run(server, work)

    first, second, third = server.inferences
    assert first == second == third
    assert (stats.sent, stats.waiting, stats.dropped) == (1, 0, 0)


def test_what_the_server_refuses_is_counted_and_does_not_stop_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer([problem(400, "inferences.0.end: bad"), TAKEN])

    async def work(client: MonitorXClient) -> Stats:
        for _ in range(3):
            client.collect_inference_metric("fraud", 1)
        await client.flush()
        return client.stats

    stats = run(server, work, settings=ClientSettings(flush_every_s=3600.0, batch_size=2))

    assert (stats.refused, stats.sent, stats.waiting) == (2, 1, 0)
    assert "refused 2 inferences: 400: inferences.0.end: bad" in caplog.text


def test_a_full_buffer_lets_the_oldest_go_and_counts_it() -> None:
    server = FakeServer()

    async def work(client: MonitorXClient) -> Stats:
        for number in range(5):
            client.collect_inference_metric("fraud", number)
        stats = client.stats
        await client.flush()
        return stats

    stats = run(server, work, settings=ClientSettings(flush_every_s=3600.0, max_buffered=3))

    assert (stats.collected, stats.waiting, stats.dropped) == (5, 3, 2)
    assert [each["duration_s"] for each in server.inferences[0]] == [0.002, 0.003, 0.004]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"latency": -1}, id="negative"),
        pytest.param({"latency": None}, id="none"),
        pytest.param({"latency": "3 ms"}, id="words"),
        pytest.param({"latency": float("inf")}, id="infinite"),
        pytest.param({"latency": 1, "model_id": ["a"]}, id="a list for a name"),
        pytest.param({"latency": 1, "model_type": "image"}, id="unknown type"),
        pytest.param({"latency": 1, "model_type": []}, id="a list for a type"),
        pytest.param({"latency": 1, "version": 3}, id="a number for a version"),
        pytest.param({"latency": 1, "batch_size": -3}, id="negative batch"),
        pytest.param({"latency": 1, "timestamp": datetime(2026, 1, 1)}, id="no time zone"),
        pytest.param({"latency": 1, "timestamp": 3}, id="no datetime"),
        pytest.param({"latency": 1, "resources": {"gpu_memory": 3}}, id="a dict for resources"),
        pytest.param({"latency": 1, "error": 3}, id="a number for an error"),
    ],
)
def test_a_value_that_cannot_be_used_is_counted_and_never_raised(
    given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    client = connected(FakeServer())

    client.collect_inference_metric(**{"model_id": "fraud", **given})

    assert (client.stats.invalid, client.stats.collected) == (1, 0)
    assert "cannot be used" in caplog.text or "unhashable" in caplog.text


def test_a_mistake_in_a_loop_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    client = connected(FakeServer())

    for _ in range(1000):
        client.collect_inference_metric("fraud", -1)

    assert (client.stats.invalid, len(caplog.records)) == (1000, 10)


def test_a_server_that_is_away_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer([AWAY] * 20 + [TAKEN])

    async def work(client: MonitorXClient) -> None:
        client.collect_inference_metric("fraud", 1)
        await until(lambda: client.stats.sent == 1)

    settings = ClientSettings(flush_every_s=0.001, retry=Retry(attempts=1), breaker=BreakerSettings(failures=100))
    run(server, work, settings=settings)

    assert [record.levelno for record in caplog.records if record.name.startswith("monitorx")] == [logging.WARNING]


def test_leaving_while_the_server_is_away_ends_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer([AWAY])
    settings = ClientSettings(flush_every_s=3600.0, close_within_s=0.05, retry=Retry(attempts=1))

    async def work(client: MonitorXClient) -> MonitorXClient:
        client.collect_inference_metric("fraud", 1)
        return client

    client = run(server, work, settings=settings)

    assert client.stats.waiting == 1
    assert caplog.messages == [
        "1 inferences could not be sent within 0.05 s: ConnectError: connection refused",
    ]
    assert len(server.inferences) >= 4


@pytest.mark.parametrize("trouble", [AWAY, problem(503, "starting"), problem(429, "full")], ids=str)
def test_leaving_goes_on_trying_when_the_server_comes_back(trouble: Any) -> None:
    """More often than a request is tried before, and than it takes to open the circuit."""
    server = FakeServer([*[trouble] * 12, TAKEN])
    retry = Retry(attempts=2, first_s=0.001, longest_s=0.002)

    async def work(client: MonitorXClient) -> MonitorXClient:
        client.collect_inference_metric("fraud", 1)
        return client

    client = run(server, work, settings=ClientSettings(flush_every_s=3600.0, retry=retry))

    assert (client.stats.sent, client.stats.waiting, len(server.inferences)) == (1, 0, 13)


def test_leaving_tries_although_the_circuit_is_open() -> None:
    server = FakeServer([AWAY, TAKEN])
    settings = ClientSettings(
        flush_every_s=3600.0, retry=Retry(attempts=1), breaker=BreakerSettings(failures=1, first_s=3600.0)
    )

    async def work(client: MonitorXClient) -> MonitorXClient:
        client.collect_inference_metric("fraud", 1)
        with pytest.raises(Unavailable):
            await client.flush()
        assert client.stats.circuit is Circuit.OPEN
        return client

    client = run(server, work, settings=settings)

    assert (client.stats.sent, client.stats.waiting) == (1, 0)


def test_leaving_ends_where_the_server_refuses_for_good(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer([problem(403, "not you")])

    async def work(client: MonitorXClient) -> MonitorXClient:
        client.collect_inference_metric("fraud", 1)
        return client

    client = run(server, work)

    assert (client.stats.refused, client.stats.waiting, len(server.inferences)) == (1, 0, 1)
    assert caplog.messages == ["the server refused 1 inferences: 403: not you"]


def test_leaving_does_not_take_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return await asyncio.Future()

    async def inside() -> None:
        settings = ClientSettings(flush_every_s=3600.0, close_within_s=0.01)
        async with MonitorXClient(settings=settings, transport=Silent()) as client:
            client.collect_inference_metric("fraud", 1)

    asyncio.run(inside())

    assert caplog.messages == ["1 inferences could not be sent within 0.01 s: no answer"]


def test_closing_twice_or_before_opening_is_safe() -> None:
    async def inside() -> None:
        client = connected(FakeServer())
        await client.close()
        async with client:
            pass
        await client.close()

    asyncio.run(inside())


def test_what_was_collected_before_opening_is_sent_after_it() -> None:
    server = FakeServer()
    client = connected(server)
    client.collect_inference_metric("fraud", 1)

    async def inside() -> None:
        async with client:
            pass

    asyncio.run(inside())

    assert [len(batch) for batch in server.inferences] == [1]


def test_a_question_outside_of_async_with_says_how_it_is_done() -> None:
    with pytest.raises(NotOpen, match="async with MonitorXClient"):
        asyncio.run(connected(FakeServer()).models())


def test_bodies_stay_under_the_servers_limit() -> None:
    server = FakeServer()
    name = "\U0001f600" * 256  # twelve characters each as JSON writes them

    async def work(client: MonitorXClient) -> None:
        for _ in range(1000):
            client.collect_inference_metric(name, 1, version=name, operation=name)
        await client.flush()

    run(server, work, settings=ClientSettings(flush_every_s=3600.0, batch_size=1000))

    assert sum(len(batch) for batch in server.inferences) == 1000
    assert len(server.inferences) > 1
    assert all(len(str(batch)) < MAX_BODY_BYTES for batch in server.inferences)


def test_headers_go_with_every_request() -> None:
    seen = []
    server = FakeServer([lambda request: seen.append(request.headers["x-api-key"]) or TAKEN])

    run(server, lambda client: client.health(), headers={"x-api-key": "k"})

    assert seen == ["k"]


def test_a_fault_while_sending_does_not_end_the_sending() -> None:
    server = FakeServer([TypeError("a fault"), TAKEN])

    async def work(client: MonitorXClient) -> None:
        client.collect_inference_metric("fraud", 1)
        await until(lambda: client.stats.sent == 1)

    run(server, work, settings=ClientSettings(flush_every_s=0.001))

    assert len(server.inferences) == 2
