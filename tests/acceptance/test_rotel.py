"""Rotel, a collector written in Rust, between senders and the real backend."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.carried import Arrived, feedback, grains, other_metrics, sketches
from tests.support.collector import rotel, stored, taken
from tests.support.otlp import spans
from tests.support.server import Server, until

pytestmark = pytest.mark.needs("rotel")


def test_rotel_carries_every_bit_and_waits_for_a_killed_server(tmp_path: Path) -> None:
    now = time.time_ns()
    before = {
        "traces": spans([os.urandom(8) for _ in range(50)]),
        "metrics": sketches(now),
        "logs": feedback(["p1", "p2", "p3"], now),
    }
    before["metrics"].MergeFrom(other_metrics(now))
    while_down = {"traces": spans([os.urandom(8) for _ in range(20)]), "metrics": sketches(now + 1)}

    with Server(tmp_path) as server, rotel(tmp_path / "rotel", to=f"http://{server.http}") as collector:
        assert [collector.post(signal, each.SerializeToString()) for signal, each in before.items()] == [200] * 3
        # Stored, and not only decoded: rotel does not send again what is cut off in the middle of an answer.
        until(lambda: stored(server) == {"inference": 50.0, "metric": 3.0, "sketch": 4.0, "feedback": 3.0})
        server.kill()
        assert [collector.post(signal, each.SerializeToString()) for signal, each in while_down.items()] == [200] * 2
        time.sleep(3)
        server.start()
        until(lambda: taken(server) == {"inference": 20.0, "sketch": 4.0})
        collector.stop()

    arrived = Arrived(tmp_path)
    for signal in before:
        sent = [each for part in (before, while_down) if signal in part for each in grains(part[signal])]
        assert arrived.grains(signal) == Counter(sent), signal
    assert arrived.rows("SELECT count(*), count(DISTINCT span_id) FROM inference") == [(70, 70)]
    assert arrived.rows("SELECT count(*), count(DISTINCT (feature, time_ns)) FROM sketch") == [(8, 8)]
    assert arrived.rows("SELECT prediction_id FROM feedback ORDER BY 1") == [("p1",), ("p2",), ("p3",)]
