"""What every journal promises."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.backend.errors import StorageError
from monitorx.backend.journal import FileJournal, Journal, Limits
from tests.support.journal_records import content, plain, put, record, submit
from tests.support.memory_journal import MemoryJournal

# One record fills a segment, so trimming has something to take.
SMALL = Limits(segment_bytes=1, sync_interval=timedelta(0), free_bytes=0)

MAKERS: dict[str, Callable[[Path], Journal]] = {
    "file": lambda folder: FileJournal(folder, SMALL),
    "memory": lambda folder: MemoryJournal(),
}


@pytest.fixture(params=MAKERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    made = MAKERS[request.param](tmp_path / "journal")
    yield made
    made.close()


def test_an_empty_journal_ends_at_0(journal: Journal) -> None:
    assert (journal.end(), content(journal), list(journal.keys(0, 100)), journal.record(1)) == (0, [], [], None)


def test_positions_ascend_from_1_and_the_end_is_the_last(journal: Journal) -> None:
    positions = put(journal, 10, 11, 12)

    assert positions == sorted(set(positions))
    assert positions[0] > 0
    assert journal.end() == positions[-1]


def test_what_was_appended_is_read_whole_and_in_order(journal: Journal) -> None:
    positions = put(journal, 1, 2, 3)

    assert content(journal) == [(position, plain(record(n))) for position, n in zip(positions, (1, 2, 3), strict=True)]


def test_reading_begins_behind_a_position(journal: Journal) -> None:
    positions = put(journal, 1, 2, 3)

    assert [position for position, _ in journal.read(positions[1])] == positions[2:]
    assert content(journal, after=positions[2]) == []
    assert content(journal, after=positions[2] + 1000) == []


def test_a_read_sees_what_was_durable_when_it_began(journal: Journal) -> None:
    positions = put(journal, 1)
    began = journal.read(0)

    put(journal, 2)

    assert [position for position, _ in began] == positions


def test_one_record_is_found_by_its_position(journal: Journal) -> None:
    positions = put(journal, *range(20))

    found = [journal.record(position) for position in positions]

    assert [plain(item) for item in found if item] == [plain(record(number)) for number in range(20)]
    assert journal.record(positions[-1] + 1) is None


def test_an_empty_body_and_no_keys_are_a_record(journal: Journal) -> None:
    item = record(0, size=0)

    position = submit(journal, item).result(timeout=10)

    assert content(journal) == [(position, plain(item))]
    assert plain(item)[3:] == (b"", [])


def test_keys_come_from_a_time_on_and_up_to_a_position(journal: Journal) -> None:
    positions = put(journal, 1, 2, 3, 4)

    found = [(keys.position, keys.arrival_ns, keys.keys.tolist()) for keys in journal.keys(2000, positions[2])]

    assert found == [(positions[at], n * 1000, record(n).keys.tolist()) for at, n in ((1, 2), (2, 3))]


def test_done_comes_once_for_each_and_in_the_order_of_positions(journal: Journal) -> None:
    told: list[int] = []
    finished = threading.Event()

    def done(position: int, error: Exception | None) -> None:
        told.append(position)
        if len(told) == 200:
            finished.set()

    def append_some() -> None:
        for number in range(50):
            journal.append(record(number), done)

    threads = [threading.Thread(target=append_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert finished.wait(timeout=20)
    assert told == sorted(set(told))
    assert [position for position, _ in journal.read(0)] == told


def test_trim_takes_what_is_old_and_not_wanted_and_keeps_the_rest(journal: Journal) -> None:
    positions = put(journal, 1, 2, 3, 4, 5)

    by_time = journal.trim(before_ns=2000, upto=positions[-1])
    by_position = journal.trim(before_ns=10**9, upto=positions[2])

    assert by_time > 0
    assert by_position > 0
    assert [position for position, _ in journal.read(0)] == positions[3:]
    assert journal.record(positions[0]) is None
    assert journal.trim(before_ns=2000, upto=positions[-1]) == 0


def test_trim_of_everything_reuses_no_position(journal: Journal) -> None:
    positions = put(journal, 1, 2, 3)

    journal.trim(before_ns=10**9, upto=positions[-1])

    assert journal.end() == positions[-1]
    assert put(journal, 4)[0] > positions[-1]


def test_a_closed_journal_refuses_and_says_so(journal: Journal) -> None:
    journal.close()
    journal.close()

    refused: Future[int] = submit(journal, record(1))

    with pytest.raises(StorageError, match="closed"):
        refused.result(timeout=10)
