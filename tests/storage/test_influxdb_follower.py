"""What the follower does about an InfluxDB that loses its data, does not know us, or never answers."""

import socket
import threading
from pathlib import Path

import pytest

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.influxdb import InfluxDBStore, delivery, parse
from monitorx.backend.storage.influxdb.wire import WireV2
from tests.storage.conftest import OpenStore
from tests.storage.sample import ALL_TIME, commit, later, pane, requests
from tests.support.fake_influxdb import FakeInfluxDB
from tests.support.server import until


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_bucket_that_was_deleted_is_filled_again_though_the_next_write_fails(
    server: FakeInfluxDB, reopen: OpenStore, is_killed: bool
) -> None:
    store = reopen()
    store.write(commit(1, closed=[pane()]))
    assert requests(store) == 1.0
    del server.buckets["b"]
    # The bucket is missed and made; then nothing is taken any more for a while.
    server.next_answers = [(404, 'bucket "b" not found'), *[(503, "away")] * 1000]
    store.write(commit(2, closed=[pane(later(1))]))
    until(lambda: "503" in store.trouble)
    assert list(server.buckets) == ["b"]

    if is_killed:
        store = reopen()
    server.next_answers = []

    until(lambda: not store.trouble and server.points())
    assert requests(store) == 2.0


def test_a_bucket_that_is_deleted_between_the_first_batches_is_filled_again(
    server: FakeInfluxDB, reopen: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_LINES", 5)
    server.next_answers = [(204, ""), (404, 'bucket "b" not found')]
    store = reopen()

    store.write(commit(1, closed=[pane(later(n)) for n in range(20)]))

    assert requests(store) == 20.0


def test_a_wrong_token_is_told_before_there_is_anything_to_send(server: FakeInfluxDB, reopen: OpenStore) -> None:
    server.token = "another"
    store = reopen()
    until(lambda: "401" in store.trouble)

    server.token = "t"

    until(lambda: not store.trouble)
    assert server.writes == []


def test_where_influxdb_stands_few_questions_wait_and_the_next_is_told_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"influxdb://127.0.0.1:{silent.getsockname()[1]}/o/b"
        target = parse(address, {"MONITORX_INFLUXDB_TOKEN": "t"})
        wire = WireV2(target, question_s=60.0)
        store = InfluxDBStore(DuckDBStore(tmp_path / "store.duckdb"), wire, name=str(target), patience_s=0.0)
        told: list[str] = []

        def ask() -> None:
            with pytest.raises(StorageError) as trouble:
                store.models(ALL_TIME)
            told.append(str(trouble.value))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        connections = [silent.accept()[0] for _ in range(9)]  # theirs, and that of the follower

        with pytest.raises(StorageError, match=f"{address} is slow: 8 questions wait"):
            store.drift(ALL_TIME, limit=1)
        assert store.inferences(ALL_TIME, limit=1) == []

        for connection in connections:
            connection.close()
        for thread in threads:
            thread.join()
    store.close()

    assert len(told) == 8
    assert all("does not answer" in words for words in told)
