"""A clock that is far ahead of all that is held deletes nothing at a start, with the journal or without it."""

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoder
from monitorx.backend.journal import FileJournal, Record
from tests.support.otlp import spans
from tests.support.server import Server, until

YEAR_NS = 365 * 86_400 * 10**9


def test_rows_outlive_a_start_without_the_journal_by_a_clock_that_is_a_year_ahead(tmp_path: Path) -> None:
    then_ns = time.time_ns() - YEAR_NS
    body = spans([bytes([7]) * 8], end_ns=then_ns).SerializeToString()
    decoded = Decoder().decode(Signal.TRACES, body, tenant="default", arrival_ns=then_ns)
    server = Server(tmp_path)
    (tmp_path / "data").mkdir()
    with FileJournal(tmp_path / "data" / "journal") as journal:
        journal.append(Record(Signal.TRACES, "default", then_ns, body, decoded.keys), lambda *_: None)
    start, end = (datetime.fromtimestamp(then_ns // 10**9 + by_s, UTC) for by_s in (-60, 60))
    question = f"/api/v1/inferences?start={start:%Y-%m-%dT%H:%M:%SZ}&end={end:%Y-%m-%dT%H:%M:%SZ}"

    def doubts(times: int) -> bool:
        return server.log.read_text().count("the clock is far ahead") == times

    with server:
        until(lambda: doubts(1))
        before = until(lambda: server.get(question)["inferences"])
    shutil.rmtree(tmp_path / "data" / "journal")
    with server:
        until(lambda: doubts(2))
        after = server.get(question)["inferences"]

    assert [row["span_id"] for row in before] == ["07" * 8]
    assert after == before
