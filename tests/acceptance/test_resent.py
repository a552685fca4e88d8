"""What is sent again after the server was away for longer than the horizon is still counted once."""

import time
from pathlib import Path

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.journal import FileJournal, Record
from tests.support.otlp import spans
from tests.support.server import Server, until

HOUR_NS = 3_600 * 10**9


def test_the_horizon_stands_still_while_the_server_is_away(tmp_path: Path) -> None:
    """A collector that got no answer sends again when the server is back, however long that took."""
    body = spans([bytes([7]) * 8, bytes([8]) * 8]).SerializeToString()
    decoded = Decoder().decode(Signal.TRACES, body, tenant="default", arrival_ns=0)
    server = Server(tmp_path)
    (tmp_path / "data").mkdir()
    with FileJournal(tmp_path / "data" / "journal") as journal:
        before = time.time_ns() - HOUR_NS
        journal.append(Record(Signal.TRACES, "default", before, body, decoded.keys), lambda *_: None)

    with server:
        until(lambda: server.get("/api/v1/inferences")["inferences"])
    with server:
        assert server.post("traces", body) == 200
        assert server.post("traces", spans([bytes([9]) * 8]).SerializeToString()) == 200
        rows = until(lambda: (got := server.get("/api/v1/inferences")["inferences"]) and len(got) >= 3 and got)

    assert sorted(row["span_id"] for row in rows) == ["07" * 8, "08" * 8, "09" * 8]
