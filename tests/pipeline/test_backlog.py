"""The backlog: every record once and in order, whether it fitted into memory or not."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.backlog import Backlog
from monitorx.backend.batch import Signal
from monitorx.backend.decode import Decoded, Decoder
from monitorx.backend.ingest import decode_again
from monitorx.backend.journal import Record
from tests.support.memory_journal import MemoryJournal
from tests.support.otlp import spans

DECODER = Decoder()
IDS = itertools.count(1)


class World:
    """A journal that tells a backlog, as the ingest step does."""

    def __init__(self, *, max_bytes: int = 10**9, after: int = 0, before: int = 0) -> None:
        self.journal = MemoryJournal()
        self.decoded: dict[int, Decoded] = {}
        self.backlog: Backlog | None = None
        for _ in range(before):
            self.append()
        self.backlog = Backlog(
            self.journal, lambda record: decode_again(DECODER, record), after=after, max_bytes=max_bytes
        )

    def append(self) -> None:
        body = spans([next(IDS).to_bytes(8)]).SerializeToString()
        decoded = DECODER.decode(Signal.TRACES, body, tenant="default", arrival_ns=1)

        def done(position: int, _: Exception | None) -> None:
            if self.backlog is not None:
                self.backlog.put(position, 1, decoded)

        self.journal.append(Record(Signal.TRACES, "default", 1, body, decoded.keys), done)

    def take(self) -> list[int]:
        assert self.backlog is not None
        return [arrival.position for arrival in self.backlog.take(0)]


def test_a_start_reads_what_the_store_does_not_hold() -> None:
    world = World(before=4, after=1)

    assert world.backlog is not None
    assert world.backlog.is_behind
    assert world.take() == [2, 3, 4]
    assert not world.backlog.is_behind


def test_what_arrives_is_handed_out_from_memory() -> None:
    world = World()
    world.take()

    world.append()
    world.append()

    assert world.backlog is not None
    assert world.backlog.bytes() > 0
    assert world.take() == [1, 2]
    assert (world.backlog.bytes(), world.backlog.lag()) == (0, 0)


def test_it_is_known_since_when_the_oldest_record_waits() -> None:
    world = World(before=2)
    assert world.backlog is not None
    since = [world.backlog.waits_since()]

    next(iter(world.backlog.take(0)))
    since.append(world.backlog.waits_since())
    world.take()
    since.append(world.backlog.waits_since())
    world.append()
    since.append(world.backlog.waits_since())

    assert since == [None, 1, None, 1]  # all records arrive at 1


def test_what_does_not_fit_is_read_from_the_journal() -> None:
    world = World(max_bytes=1)
    world.take()

    for _ in range(5):
        world.append()

    assert world.backlog is not None
    assert world.backlog.is_behind
    assert world.take() == [1, 2, 3, 4, 5]
    assert not world.backlog.is_behind


def test_a_reader_may_stop_in_the_middle() -> None:
    world = World(before=3)
    assert world.backlog is not None

    first = next(iter(world.backlog.take(0))).position

    assert [first, *world.take()] == [1, 2, 3]


@given(st.lists(st.sampled_from(["append", "take", "one"]), max_size=40), st.sampled_from([1, 5000, 10**9]))
def test_every_record_once_and_in_order(steps: list[str], max_bytes: int) -> None:
    world = World(max_bytes=max_bytes)
    got: list[int] = []

    for step in steps:
        if step == "append":
            world.append()
        elif step == "take":
            got += world.take()
        else:
            assert world.backlog is not None
            got += [arrival.position for arrival in itertools.islice(world.backlog.take(0), 1)]
    got += world.take() + world.take()

    assert got == list(range(1, world.journal.end() + 1))
