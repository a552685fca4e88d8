"""What the journal does when the disk does not."""

import errno
from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.backend.errors import Overloaded, StorageError, TooLarge
from monitorx.backend.journal import FileJournal, Limits, Record
from tests.support.failing_disk import FailingDisk
from tests.support.journal_records import content, expected, put, record, submit

FAST = Limits(sync_interval=timedelta(0), free_bytes=0)
FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


def fails(journal: FileJournal, number: int) -> str:
    error = submit(journal, record(number)).exception(timeout=10)
    assert isinstance(error, StorageError)
    return str(error)


@pytest.mark.parametrize("torn_bytes", [0, 20, 60, 100_000])
def test_a_write_that_fails_part_way_leaves_nothing_behind(tmp_path: Path, torn_bytes: int) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        put(journal, 1)
        disk.failures, disk.torn_bytes = {"write": FULL}, torn_bytes
        said = fails(journal, 2)
        disk.failures = {}

        assert said == "the journal cannot write: [Errno 28] No space left on device"
        assert (journal.counters().failed, journal.counters().last_error) == (1, str(FULL))
        assert put(journal, 3) == [2]
        assert journal.counters().last_error == ""
        assert journal.counters().segments == 1

    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(1, 3)
        assert (journal.counters().damaged, journal.counters().cut_bytes) == (0, 0)


@pytest.mark.parametrize("torn_bytes", [0, 20, 60, 100_000])
@pytest.mark.parametrize("failing", [("write", "truncate"), ("sync",), ("sync", "truncate")], ids="+".join)
def test_where_a_file_cannot_be_trusted_a_new_segment_begins(
    tmp_path: Path, failing: tuple[str, ...], torn_bytes: int
) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        put(journal, 1)
        disk.failures, disk.torn_bytes = dict.fromkeys(failing, BROKEN), torn_bytes
        fails(journal, 2)
        disk.failures = {}

        assert put(journal, 3, 4) == [2, 3]
        assert (journal.counters().abandoned, journal.counters().segments) == (1, 2)
        assert content(journal) == expected(1, 3, 4)

    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(1, 3, 4), "what failed does not come back"
        assert journal.counters().damaged == 0


def test_the_first_record_of_a_segment_may_fail_too(tmp_path: Path) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        put(journal, 1)
        disk.failures = {"sync": BROKEN}
        fails(journal, 2)
        disk.failures = {"truncate": BROKEN, "write": BROKEN}
        fails(journal, 3)
        disk.failures = {}
        assert put(journal, 4) == [2]

    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(1, 4)
        assert journal.counters().damaged == 0


@pytest.mark.parametrize("call", ["create", "rename", "sync_folder", "sync", "write"])
def test_a_segment_that_cannot_begin_fails_what_waits_and_is_tried_again(tmp_path: Path, call: str) -> None:
    disk = FailingDisk()
    limits = Limits(sync_interval=timedelta(0), free_bytes=0, segment_bytes=1)
    with FileJournal(tmp_path, limits, disk=disk) as journal:
        put(journal, 1)
        disk.failures = {call: FULL}
        fails(journal, 2)
        fails(journal, 3)
        disk.failures = {}
        assert put(journal, 4, 5) == [2, 3]

    with FileJournal(tmp_path, limits) as journal:
        assert content(journal) == expected(1, 4, 5)
        assert journal.counters().damaged == 0


def test_a_segment_never_grows_once_its_successor_may_lie_on_the_disk(tmp_path: Path) -> None:
    disk = FailingDisk()
    limits = Limits(sync_interval=timedelta(0), free_bytes=0, segment_age=timedelta(microseconds=10))
    with FileJournal(tmp_path, limits, disk=disk) as journal:
        put(journal, 1)
        disk.failures = {"sync_folder": BROKEN}
        fails(journal, 100)
        disk.failures = {}
        assert put(journal, 2) == [2], "by its arrival it would fit the old segment"

    with FileJournal(tmp_path, limits) as journal:
        assert content(journal) == expected(1, 2)


def test_every_record_is_synced_before_anybody_is_told(tmp_path: Path) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        put(journal, 1)
        disk.may_sync.clear()
        future = submit(journal, record(2))
        disk.is_syncing.wait(timeout=10)

        assert not future.done()
        assert (journal.end(), content(journal)) == (1, expected(1))

        disk.may_sync.set()
        assert future.result(timeout=10) == 2
        assert (journal.end(), content(journal)) == (2, expected(1, 2))


def test_a_new_segment_is_durable_under_its_name_before_its_first_record(tmp_path: Path) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        disk.calls.clear()
        put(journal, 1)

    assert disk.calls == ["create", "write", "sync", "rename", "sync_folder", "write", "sync"]


def test_what_waits_shares_a_sync(tmp_path: Path) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        put(journal, 1)
        disk.may_sync.clear()
        futures = [submit(journal, record(2))]
        disk.is_syncing.wait(timeout=10)
        futures += [submit(journal, record(number)) for number in range(3, 100)]
        disk.may_sync.set()
        assert [future.result(timeout=10) for future in futures] == list(range(2, 100))

        assert (journal.counters().records, journal.counters().syncs) == (99, 3)


def test_a_queue_that_is_full_refuses_at_once(tmp_path: Path) -> None:
    disk = FailingDisk()
    limits = Limits(sync_interval=timedelta(0), free_bytes=0, queued_bytes=10_000)
    with FileJournal(tmp_path, limits, disk=disk) as journal:
        put(journal, 1)
        disk.may_sync.clear()
        waiting = [submit(journal, record(number, size=3000)) for number in (2, 3)]
        refused = submit(journal, record(4, size=8000))

        assert refused.done()
        error = refused.exception(timeout=0)
        assert isinstance(error, Overloaded)
        assert error.retry_after_s == 1.0
        assert (journal.counters().overloaded, journal.counters().failed) == (1, 0)
        assert 6000 < journal.counters().queued_bytes <= 10_000

        disk.may_sync.set()
        assert [future.result(timeout=10) for future in waiting] == [2, 3]
        assert put(journal, 5) == [4]
    assert journal.counters().queued_bytes == 0


def test_a_record_larger_than_the_queue_passes_when_nothing_else_waits(tmp_path: Path) -> None:
    with FileJournal(tmp_path, Limits(sync_interval=timedelta(0), free_bytes=0, queued_bytes=10)) as journal:
        assert put(journal, 1) == [1]


def test_a_nearly_full_disk_is_left_to_the_stores(tmp_path: Path) -> None:
    disk = FailingDisk()
    disk.free = 999
    with FileJournal(tmp_path, Limits(sync_interval=timedelta(0), free_bytes=1000), disk=disk) as journal:
        assert fails(journal, 1) == (
            f"{tmp_path} has 999 bytes free, and the journal leaves 1000 to the stores; "
            "free some disk or shorten the retention"
        )
        disk.free = 1000
        assert put(journal, 2) == [1]


def test_a_record_that_does_not_fit_the_format_is_refused(tmp_path: Path) -> None:
    item = record(1)
    with FileJournal(tmp_path, FAST) as journal:
        refused = submit(journal, Record(item.signal, "x" * 2**16, 0, b"", item.keys))

        with pytest.raises(TooLarge, match="a tenant's name has 65536 bytes"):
            refused.result(timeout=0)


def test_a_callback_that_raises_costs_nobody_else_the_answer(tmp_path: Path) -> None:
    def raises(position: int, error: Exception | None) -> None:
        raise ZeroDivisionError

    with FileJournal(tmp_path, FAST) as journal:
        journal.append(record(1), raises)
        assert put(journal, 2) == [2]
        assert journal.counters().callback_errors == 1


def test_a_disk_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    disk = FailingDisk()
    with FileJournal(tmp_path, FAST, disk=disk) as journal:
        put(journal, 1)
        disk.failures = {"read": BROKEN}

        with pytest.raises(StorageError, match=r"the journal cannot be read: .*Input/output error"):
            list(journal.read(0))


@pytest.mark.parametrize("call", ["read", "sync", "sync_folder"])
def test_a_folder_that_cannot_be_made_durable_is_not_opened(tmp_path: Path, call: str) -> None:
    with FileJournal(tmp_path, FAST) as journal:
        put(journal, 1)
    disk = FailingDisk()
    disk.failures = {call: BROKEN}

    with pytest.raises(StorageError, match=r"cannot be opened: .*Input/output error"):
        FileJournal(tmp_path, FAST, disk=disk)
