"""The ingest step: a promise is made when the record is durable, and only then."""

import gzip
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import pytest

from monitorx.backend.batch import BatchKind, Signal
from monitorx.backend.decode import Decoded, Decoder
from monitorx.backend.errors import Malformed, Overloaded, StorageError, TooLarge
from monitorx.backend.ingest import IngestStep
from monitorx.backend.journal import Record
from monitorx.backend.receiver.admission import Accepted, Encoding, Request
from tests.support.memory_journal import MemoryJournal
from tests.support.otlp import spans


class SlowJournal(MemoryJournal):
    """Makes nothing durable until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []

    def append(self, record: Record, done: Callable[[int, Exception | None], None]) -> None:
        self.waiting.append(lambda: MemoryJournal.append(self, record, done))


class World:
    """An ingest step, what it handed on, and what it counted."""

    def __init__(self, journal: MemoryJournal | None = None, *, max_inflight_bytes: int = 10**9) -> None:
        self.journal = journal or MemoryJournal()
        self.handed_on: list[tuple[int, Decoded]] = []
        self.counted: dict[str, float] = {}
        self.step = IngestStep(
            self.journal,
            lambda position, _, decoded: self.handed_on.append((position, decoded)),
            max_body_bytes=1_000_000,
            max_inflight_bytes=max_inflight_bytes,
            threads=1,
            decoder=Decoder(),
            count=self.count,
        )

    def count(self, name: str, labels: Mapping[str, str], value: float) -> None:
        self.counted[name] = self.counted.get(name, 0) + value

    def submit(self, body: bytes, *, encoding: Encoding = Encoding.PROTOBUF, compression: str = "") -> Future[Accepted]:
        return self.step.submit(Request(Signal.TRACES, encoding, compression, body, "default", 1))


BODY = spans([b"12345678"]).SerializeToString()


def test_what_is_durable_is_accepted_and_handed_on() -> None:
    world = World()

    answer = world.submit(BODY).result(5)

    assert answer == Accepted()
    assert [(position, [batch.kind for batch in decoded.batches]) for position, decoded in world.handed_on] == [
        (1, [BatchKind.INFERENCE])
    ]
    assert world.journal.record(1).body == BODY  # type: ignore[union-attr]  # it is there, or the test fails


def test_nothing_is_promised_before_the_record_is_durable() -> None:
    journal = SlowJournal()
    world = World(journal)

    answer = world.submit(BODY)
    world.step.close()

    assert not answer.done()
    journal.waiting[0]()
    assert answer.result(5) == Accepted()


def test_gzip_and_json_are_journalled_as_plain_protobuf() -> None:
    world = World()
    times = {"startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    span = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "n"} | times
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}

    world.submit(gzip.compress(BODY), compression="gzip").result(5)
    world.submit(json.dumps(document).encode(), encoding=Encoding.JSON).result(5)

    bodies = [record.body for _, record in world.journal.read(0)]
    assert bodies[0] == BODY
    assert bytes.fromhex("eee19b7ec3c1b174") in bodies[1]


@pytest.mark.parametrize(
    ("body", "compression", "error"),
    [
        pytest.param(b"\xff\xff\xff", "", Malformed, id="not protobuf"),
        pytest.param(b"not gzip", "gzip", Malformed, id="not gzip"),
        pytest.param(gzip.compress(bytes(2_000_000)), "gzip", TooLarge, id="bomb"),
    ],
)
def test_a_bad_body_goes_back_and_is_not_journalled(body: bytes, compression: str, error: type[Exception]) -> None:
    world = World()

    with pytest.raises(error):
        world.submit(body, compression=compression).result(5)

    assert (world.journal.end(), world.step.inflight_bytes()) == (0, 0)


def test_an_empty_request_is_accepted_and_not_journalled() -> None:
    world = World()

    assert world.submit(b"").result(5) == Accepted()
    assert world.journal.end() == 0


def test_what_makes_no_sense_is_counted_and_told() -> None:
    world = World()

    answer = world.submit(spans([b"12345678", b""]).SerializeToString()).result(5)

    assert answer.rejected == 1
    assert answer.message
    assert world.counted["monitorx_decode_rejected_total"] == 1


def test_a_journal_that_cannot_write_refuses() -> None:
    journal = MemoryJournal()
    journal.failure = StorageError("the disk is full")
    world = World(journal)

    with pytest.raises(StorageError, match="the disk is full"):
        world.submit(BODY).result(5)
    assert world.handed_on == []


def test_senders_wait_when_too_much_is_held() -> None:
    journal = SlowJournal()
    world = World(journal, max_inflight_bytes=len(BODY) + 1)

    first = world.submit(BODY)
    with pytest.raises(Overloaded) as refused:
        world.submit(BODY).result(5)
    world.step.close()
    journal.waiting[0]()

    assert refused.value.retry_after_s > 0
    assert first.result(5) == Accepted()


def test_a_step_that_is_closed_tells_senders_to_come_again() -> None:
    world = World()
    world.step.close()
    world.step.close()

    with pytest.raises(Overloaded):
        world.submit(BODY).result(5)
