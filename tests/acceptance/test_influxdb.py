"""The real server over a real InfluxDB 1.x: the answers of the embedded store, and nothing lost while it is away."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.influxd import Influxd
from tests.support.otlp import spans
from tests.support.server import Server, until

pytestmark = pytest.mark.needs("influxdb")

QUESTIONS = (
    "/api/v1/models?",
    "/api/v1/aggregates?by=model,version,instance,operation&",
    "/api/v1/aggregates?step=1m&",
    "/api/v1/aggregates?",
)


class InfluxServer(Server):
    """The server with `--store influxdb1://...`."""

    def __init__(self, folder: Path, influxd: Influxd) -> None:
        folder.mkdir()
        super().__init__(folder)
        self._store = f"influxdb1://127.0.0.1:{influxd.port}/monitorx"

    def command(self) -> list[str]:
        return [*super().command(), "--store", self._store]


def send(server: Server, first: int, number: int, *, end_ns: int, **options: Any) -> None:
    ids = [n.to_bytes(8, "big") for n in range(first, first + number)]
    assert server.post("traces", spans(ids, end_ns=end_ns, **options).SerializeToString()) == 200


def counted(server: Server) -> float:
    return sum(each["requests"] for each in server.get("/api/v1/aggregates?start=-1h")["aggregates"])


def test_rest_answers_the_same_over_both_stores(tmp_path: Path) -> None:
    now_ns = time.time_ns()
    span = f"start={now_ns // 10**9 - 3600}&end={now_ns // 10**9}"
    (tmp_path / "plain").mkdir()
    with (
        Influxd(tmp_path / "influxd") as influxd,
        Server(tmp_path / "plain") as plain,
        InfluxServer(tmp_path / "influx", influxd) as over_influxdb,
    ):
        answers = []
        for server in (plain, over_influxdb):
            for n in range(8):
                send(
                    server,
                    1 + n * 50,
                    50,
                    end_ns=now_ns - (5 + n * 15) * 10**9,
                    model=f'model {n % 3}, "hard\\',
                    duration_s=0.01 * (n + 1),
                    error="ValueError" if n % 4 == 0 else "",
                    instance=f"i-{n % 2}",
                )
            until(lambda server=server: counted(server) == 400)
            answers.append([rounded(server.get(question + span)) for question in QUESTIONS])
        health = over_influxdb.get("/api/v1/health")

    assert answers[0] == answers[1]
    assert len(answers[0][0]["models"]) == 3
    assert health["parts"]["store"]["status"] == "ok"


def test_while_influxdb_is_away_nothing_is_lost_and_health_says_so(tmp_path: Path) -> None:
    influxd = Influxd(tmp_path / "influxd").start()
    try:
        with InfluxServer(tmp_path / "influx", influxd) as server:
            now_ns = time.time_ns()
            send(server, 1, 100, end_ns=now_ns)
            until(lambda: counted(server) == 100)

            influxd.stop()
            for n in range(20):  # ten seconds of traffic that nobody takes
                send(server, 1000 + n * 100, 100, end_ns=now_ns + n)
                time.sleep(0.5)
            away = until(
                lambda: (
                    (part := server.get("/api/v1/health")["parts"]["store"]) and part["status"] == "degraded" and part
                )
            )
            rows = len(server.get("/api/v1/inferences?start=-1h&limit=1000")["inferences"])
            influxd.start()

            until(lambda: server.get("/api/v1/health")["parts"]["store"]["status"] == "ok")
            total = counted(server)
    finally:
        influxd.stop()

    assert "does not answer" in away["message"]
    assert rows == 1000, "single calls are read while InfluxDB is away"
    assert total == 2100


def test_the_server_starts_while_influxdb_is_away(tmp_path: Path) -> None:
    influxd = Influxd(tmp_path / "influxd")
    with InfluxServer(tmp_path / "influx", influxd) as server:
        send(server, 1, 10, end_ns=time.time_ns())
        until(lambda: server.get("/api/v1/health")["parts"]["store"]["status"] == "degraded")
        server.kill()
        server.start()

        with influxd:
            until(lambda: server.get("/api/v1/health")["parts"]["store"]["status"] == "ok")
            assert counted(server) == 10


def rounded(value: Any) -> Any:
    """*value*, its floats to 12 digits: the stores add them up in different orders."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value
