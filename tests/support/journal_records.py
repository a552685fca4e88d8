"""Records for tests of the journal, and appends that wait."""

from concurrent.futures import Future

import numpy as np

from monitorx.backend.batch import Signal
from monitorx.backend.journal.journal import Journal, Record

# What a record looks like where arrays must be compared by value.
Plain = tuple[str, str, int, bytes, list[int]]


def record(number: int, *, size: int = 100, arrival_ns: int | None = None) -> Record:
    """A record that differs from every other number's, with a body that zstd cannot make much smaller."""
    generator = np.random.default_rng(number)
    return Record(
        signal=list(Signal)[number % len(Signal)],
        tenant=f"tenant-{number % 3}",
        arrival_ns=number * 1000 if arrival_ns is None else arrival_ns,
        body=generator.bytes(size),
        keys=generator.integers(0, 2**64, number % 5, dtype=np.uint64),
    )


def plain(item: Record) -> Plain:
    return item.signal.value, item.tenant, item.arrival_ns, item.body, item.keys.tolist()


def submit(journal: Journal, item: Record) -> "Future[int]":
    """Append; the future gives the position or raises what `done` was told."""
    future: Future[int] = Future()

    def done(position: int, error: Exception | None) -> None:
        if error is None:
            future.set_result(position)
        else:
            assert position == 0
            future.set_exception(error)

    journal.append(item, done)
    return future


def put(journal: Journal, *numbers: int, size: int = 100) -> list[int]:
    """Append records one after the other, each durable before the next; their positions."""
    return [submit(journal, record(number, size=size)).result(timeout=10) for number in numbers]


def content(journal: Journal, after: int = 0) -> list[tuple[int, Plain]]:
    return [(position, plain(item)) for position, item in journal.read(after)]


def expected(*numbers: int, first: int = 1, size: int = 100) -> list[tuple[int, Plain]]:
    return [(position, plain(record(number, size=size))) for position, number in enumerate(numbers, first)]
