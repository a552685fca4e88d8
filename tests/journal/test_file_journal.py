"""One folder over several lives of the process."""

import shutil
import struct
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.journal import FileJournal, Limits
from monitorx.backend.journal.frame import (
    SEGMENT_HEAD_BYTES,
    Packed,
    SegmentHead,
    pack,
    pack_head,
    pack_segment_head,
)
from tests.support.journal_records import content, expected, plain, put, record, submit

FAST = Limits(sync_interval=timedelta(0), free_bytes=0)
TINY_SEGMENTS = Limits(sync_interval=timedelta(0), free_bytes=0, segment_bytes=1)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def framed(packed: Packed, *, position: int, salt: int) -> bytes:
    return pack_head(packed, position, salt) + packed.label + packed.body


def test_a_folder_opened_again_goes_on_where_it_ended(tmp_path: Path) -> None:
    with FileJournal(tmp_path / "a" / "journal", FAST) as journal:
        put(journal, 1, 2)

    with FileJournal(tmp_path / "a" / "journal", FAST) as journal:
        assert (journal.end(), content(journal)) == (2, expected(1, 2))
        assert put(journal, 3) == [3]
        assert content(journal) == expected(1, 2, 3)

    assert len(segments(tmp_path / "a" / "journal")) == 1


def test_close_makes_what_waits_durable(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, FAST)
    futures = [submit(journal, record(number)) for number in range(100)]

    journal.close()

    assert [future.result(timeout=0) for future in futures] == list(range(1, 101))
    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(*range(100))


@pytest.mark.parametrize("zeros", [pytest.param(0, id="short"), pytest.param(1, id="zeros behind")])
def test_a_segment_cut_at_any_byte_of_its_last_record_loses_only_that(tmp_path: Path, zeros: int) -> None:
    source = tmp_path / "source"
    with FileJournal(source, FAST) as journal:
        put(journal, 1, 2)
        whole_bytes = segments(source)[0].stat().st_size
        put(journal, 4)
    content_bytes = segments(source)[0].read_bytes()

    for size in range(whole_bytes, len(content_bytes)):
        folder = tmp_path / str(size)
        folder.mkdir()
        # A crash leaves the file short, or long with zeros where pages never reached the disk.
        torn = content_bytes[:size] + bytes(len(content_bytes) - size) * zeros
        segments_path = folder / segments(source)[0].name
        segments_path.write_bytes(torn)
        with FileJournal(folder, FAST) as journal:
            assert content(journal) == expected(1, 2), size
            assert put(journal, 9) == [3]
        with FileJournal(folder, FAST) as journal:
            assert content(journal) == expected(1, 2, 9), size
            assert (journal.counters().damaged, journal.counters().cut_bytes) == (0, 0)
        shutil.rmtree(folder)


def test_a_flipped_bit_anywhere_in_the_last_record_takes_it_away_and_keeps_a_copy(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with FileJournal(source, FAST) as journal:
        put(journal, 1, 2)
        whole_bytes = segments(source)[0].stat().st_size
        put(journal, 4)
    content_bytes = segments(source)[0].read_bytes()

    for at in range(whole_bytes, len(content_bytes)):
        folder = tmp_path / str(at)
        folder.mkdir()
        flipped = bytearray(content_bytes)
        flipped[at] ^= 1 << at % 8
        (folder / segments(source)[0].name).write_bytes(flipped)
        with FileJournal(folder, FAST) as journal:
            assert content(journal) == expected(1, 2), at
            assert journal.counters().cut_bytes == len(content_bytes) - whole_bytes
        assert [path.read_bytes() for path in folder.glob("*.cut")] == [bytes(flipped[whole_bytes:])], at
        shutil.rmtree(folder)


@pytest.mark.parametrize("segment_bytes", [pytest.param(1, id="older segment"), pytest.param(2**20, id="last segment")])
def test_a_flipped_bit_in_the_middle_costs_one_record_and_is_counted(tmp_path: Path, segment_bytes: int) -> None:
    source = tmp_path / "source"
    with FileJournal(source, FAST) as journal:
        put(journal, 1)
        begin = segments(source)[0].stat().st_size
        put(journal, 4)
        end = segments(source)[0].stat().st_size
        put(journal, 3)
    if segment_bytes == 1:
        with FileJournal(source, TINY_SEGMENTS) as journal:
            put(journal, 5)
    content_bytes = segments(source)[0].read_bytes()
    kept = expected(1) + expected(3, first=3) + (expected(5, first=4) if segment_bytes == 1 else [])

    for at in range(begin, end):
        folder = tmp_path / str(at)
        shutil.copytree(source, folder)
        flipped = bytearray(content_bytes)
        flipped[at] ^= 1 << at % 8
        segments(folder)[0].write_bytes(flipped)
        with FileJournal(folder, FAST) as journal:
            assert content(journal) == kept, at
            assert content(journal) == kept, at
            assert (journal.counters().damaged, journal.counters().missing) == (1, 1), at
            assert segments(folder)[0].read_bytes() == bytes(flipped), "nothing is deleted"
            with pytest.raises(StorageError, match=r"record 2 in .* is damaged"):
                journal.record(2)
        shutil.rmtree(folder)


def test_records_missing_at_the_end_of_an_older_segment_are_counted(tmp_path: Path) -> None:
    with FileJournal(tmp_path, FAST) as journal:
        put(journal, 1)
        size = segments(tmp_path)[0].stat().st_size
        put(journal, 2, 3)
    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        put(journal, 4)
    first = segments(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:size])

    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(1) + expected(4, first=4)
        assert (journal.counters().damaged, journal.counters().missing) == (1, 2)


def test_a_damaged_head_of_a_segment_costs_that_segment_only(tmp_path: Path) -> None:
    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        put(journal, 1, 2, 3)
    middle = segments(tmp_path)[1]
    middle.write_bytes(b"x" + middle.read_bytes()[1:])

    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        assert content(journal) == expected(1) + expected(3, first=3)
        assert (journal.counters().damaged, journal.counters().missing) == (1, 1)
        assert middle.exists()
        put(journal, 4)
        assert journal.trim(before_ns=10**9, upto=3) > 0
        assert [path.name for path in segments(tmp_path)] == [f"{4:020d}.journal"]


def test_a_damaged_head_of_the_last_segment_reuses_no_position(tmp_path: Path) -> None:
    with FileJournal(tmp_path, FAST) as journal:
        put(journal, 1, 2, 3)
    only = segments(tmp_path)[0]
    only.write_bytes(b"x" + only.read_bytes()[1:])

    with FileJournal(tmp_path, FAST) as journal:
        assert put(journal, 4)[0] > 3
        assert [item for _, item in content(journal)] == [plain(record(4))]
        assert journal.counters().damaged == 1


def test_a_frame_that_a_sender_put_into_a_body_is_never_read_as_a_record(tmp_path: Path) -> None:
    segment_head = pack_segment_head(SegmentHead(2, 1, 0, 0, 0))
    forged = framed(pack(record(9)), position=2, salt=1)
    hostile = replace(pack(record(1)), body=forged, body_crc=zlib.crc32(forged))
    honest = framed(pack(record(2)), position=2, salt=2)
    data = bytearray(segment_head + framed(hostile, position=1, salt=2) + honest)
    data[SEGMENT_HEAD_BYTES + 1] ^= 1
    (tmp_path / f"{1:020d}.journal").write_bytes(data)

    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(2, first=2)


def test_a_frame_that_lies_there_twice_is_read_once(tmp_path: Path) -> None:
    frames = [framed(pack(record(number)), position=position, salt=2) for position, number in ((1, 1), (2, 2), (1, 1))]
    (tmp_path / f"{1:020d}.journal").write_bytes(pack_segment_head(SegmentHead(2, 1, 0, 0, 0)) + b"".join(frames))

    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(1, 2)
        assert journal.counters().cut_bytes == len(frames[2])


def test_a_newer_format_is_refused_by_name_and_number(tmp_path: Path) -> None:
    with FileJournal(tmp_path, FAST) as journal:
        put(journal, 1)
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8, 2)
    path.write_bytes(data)

    with pytest.raises(ConfigError) as refusal:
        FileJournal(tmp_path, FAST)

    assert str(refusal.value) == (
        "journal: 00000000000000000001.journal has format version 2, and this release reads up to 1; "
        "start the release that wrote it, or give another data folder"
    )
    assert path.read_bytes() == bytes(data)


def test_the_format_on_disk_is_the_documented_one(tmp_path: Path) -> None:
    with FileJournal(tmp_path, FAST, salt=lambda: 7) as journal:
        put(journal, 4)
    data = segments(tmp_path)[0].read_bytes()
    item = record(4)

    magic, version, salt, first, *_ = struct.unpack_from("<8sIIqqqq", data)
    crc, position, arrival_ns, keys, body_bytes, raw_bytes, label_crc, body_crc, signal, tenant_bytes = (
        struct.unpack_from("<IqqIIIIIHH", data, 52 + 4)
    )
    label = data[52 + 48 : 52 + 48 + tenant_bytes + 8 * keys]

    assert (magic, version, salt, first) == (b"MXJRNL\r\n", 1, 7, 1)
    assert data[48:52] == struct.pack("<I", zlib.crc32(data[:48]))
    assert (position, arrival_ns, keys, raw_bytes, signal) == (1, 4000, 4, 100, 2)
    assert crc == zlib.crc32(data[52 + 8 : 52 + 48], 7)
    assert label == b"tenant-1" + item.keys.tobytes()
    assert label_crc == zlib.crc32(label)
    assert body_crc == zlib.crc32(data[-body_bytes:])
    assert len(data) == 52 + 48 + len(label) + body_bytes


def test_positions_begin_above_what_the_sinks_hold(tmp_path: Path) -> None:
    with FileJournal(tmp_path, FAST, after=500) as journal:
        assert journal.end() == 500
        assert put(journal, 1) == [501]

    with FileJournal(tmp_path, FAST, after=900) as journal:
        assert put(journal, 2) == [901]
    with FileJournal(tmp_path, FAST) as journal:
        assert content(journal) == expected(1, first=501) + expected(2, first=901)
        assert journal.counters().damaged == 0, "a gap that was left on purpose is no loss"


def test_a_segment_closes_by_size_and_by_age(tmp_path: Path) -> None:
    limits = Limits(
        sync_interval=timedelta(0), free_bytes=0, segment_bytes=4000, segment_age=timedelta(microseconds=100)
    )
    with FileJournal(tmp_path, limits) as journal:
        put(journal, 1, 2, 3, size=1500)
        assert len(segments(tmp_path)) == 1
        put(journal, 4, size=1500)
        assert len(segments(tmp_path)) == 2
        put(journal, 105)
        assert len(segments(tmp_path)) == 3


def test_what_is_known_of_old_segments_survives_a_restart(tmp_path: Path) -> None:
    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        put(journal, *range(1, 7))

    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        assert [keys.position for keys in journal.keys(4000, 5)] == [4, 5]
        assert [plain(item) for n in range(1, 7) if (item := journal.record(n))] == [
            p for _, p in expected(*range(1, 7))
        ]
        assert journal.trim(before_ns=3000, upto=6) > 0
        assert [position for position, _ in journal.read(0)] == [3, 4, 5, 6]


def test_a_record_is_found_in_a_long_segment_written_by_an_earlier_process(tmp_path: Path) -> None:
    with FileJournal(tmp_path, FAST) as journal:
        for future in [submit(journal, record(number)) for number in range(1, 301)]:
            future.result(timeout=10)
    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        put(journal, 301)

    with FileJournal(tmp_path, FAST) as journal:
        found = [journal.record(position) for position in (300, 1, 32, 33, 150, 301)]

    assert [plain(item) for item in found if item] == [plain(record(number)) for number in (300, 1, 32, 33, 150, 301)]


def test_a_read_goes_on_over_segments_that_are_deleted_under_it(tmp_path: Path) -> None:
    with FileJournal(tmp_path, TINY_SEGMENTS) as journal:
        put(journal, 1, 2, 3)
        reading = journal.read(0)
        assert next(reading)[0] == 1

        journal.trim(before_ns=10**9, upto=2)

        assert [position for position, _ in reading] == [3]
        assert journal.counters().damaged == 0


def test_leftovers_of_an_unfinished_segment_are_removed(tmp_path: Path) -> None:
    (tmp_path / f"{1:020d}.journal.new").write_bytes(b"MX")

    with FileJournal(tmp_path, FAST) as journal:
        assert put(journal, 1) == [1]

    assert [path.name for path in tmp_path.iterdir()] == [f"{1:020d}.journal"]


def test_a_folder_that_is_a_file_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")

    with pytest.raises(StorageError, match=r"journal: .*/journal cannot be opened: "):
        FileJournal(tmp_path / "journal", FAST)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        pytest.param({"segment_bytes": 0}, "journal.segment_bytes: 0 is less", id="no segment"),
        pytest.param({"queued_bytes": -5}, "journal.queued_bytes: -5 is less", id="no queue"),
        pytest.param({"free_bytes": -1}, "journal.free_bytes: -1 is negative", id="floor"),
        pytest.param({"segment_age": timedelta(0)}, "journal.segment_age: 0:00:00 is not", id="age"),
        pytest.param({"sync_interval": timedelta(seconds=2)}, "journal.sync_interval: 0:00:02 is not", id="interval"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, int | timedelta], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Limits(**limits)  # type: ignore[arg-type]  # the table mixes the types of the fields
