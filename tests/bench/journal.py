"""
What the journal costs, beside writing the same bytes without a promise and with one promise a record.

Run `python -m tests.bench.journal [folder]`; the folder should lie on the disk that the journal will use. CPU is user
and system time of the whole process for one record; the ratios are to the plain write of the same run.
"""

import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

from monitorx.backend.batch import Signal
from monitorx.backend.dedup import Seen
from monitorx.backend.journal import FileJournal, Limits, Record

BODY_BYTES = 90_000
KEYS = 512
RECORDS = 2000
MODEST_A_SECOND = 200
MODEST_S = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """One way of writing: what passed in the time, and the CPU it took."""

    name: str
    records_a_second: float
    mb_a_second: float
    cpu_us: float


def bodies() -> list[bytes]:
    """Bodies that zstd makes about a third of, as it does of OTLP."""
    rng = np.random.default_rng(1)
    words = b"\x12\x3agen_ai.request.model some-model http://service.name"
    return [b"".join(rng.bytes(30) + words for _ in range(BODY_BYTES // (30 + len(words)))) for _ in range(64)]


def measured(name: str, records: int, size: int, work: Callable[[], None]) -> Cost:
    """Run one way of writing."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    took_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(name, records / took_s, records * size / took_s / 1e6, cpu_s / records * 1e6)


def plain(folder: Path, blocks: list[bytes], records: int, *, sync: bool) -> None:
    """Compress each body and write it, with or without a sync behind it."""
    compressor = zstandard.ZstdCompressor(level=1)
    fd = os.open(folder / f"plain-{sync}", os.O_WRONLY | os.O_CREAT)
    for number in range(records):
        os.write(fd, compressor.compress(blocks[number % len(blocks)]))
        if sync:
            os.fdatasync(fd)
    os.close(fd)


def journalled(folder: Path, blocks: list[bytes], records: int) -> None:
    """Append as fast as the journal takes, 64 at a time without an answer."""
    room = threading.Semaphore(64)
    keys = np.arange(KEYS, dtype=np.uint64)
    failures: list[Exception] = []

    def done(_position: int, error: Exception | None) -> None:
        if error is not None:
            failures.append(error)
        room.release()

    with FileJournal(folder, Limits(free_bytes=0)) as journal:
        for number in range(records):
            room.acquire()
            journal.append(Record(Signal.TRACES, "t", number, blocks[number % len(blocks)], keys), done)
    if failures:
        raise failures[0]


def latencies_ms(folder: Path, blocks: list[bytes]) -> list[float]:
    """From append to `done`, at a steady modest rate."""
    keys = np.arange(KEYS, dtype=np.uint64)
    took_ms: list[float] = []
    with FileJournal(folder, Limits(free_bytes=0)) as journal:
        begin = time.perf_counter()
        for number in range(MODEST_A_SECOND * MODEST_S):
            time.sleep(max(begin + number / MODEST_A_SECOND - time.perf_counter(), 0))
            start = time.perf_counter()
            record = Record(Signal.TRACES, "t", number, blocks[number % len(blocks)], keys)
            journal.append(record, lambda *_, start=start: took_ms.append((time.perf_counter() - start) * 1000))
    return sorted(took_ms)


def readings(folder: Path) -> str:
    """How fast a start reads records and keys back."""
    with FileJournal(folder, Limits(free_bytes=0)) as journal:
        start = time.process_time()
        size = sum(len(record.body) for _, record in journal.read(0))
        read_s = time.process_time() - start
        start = time.process_time()
        keys = sum(len(keys.keys) for keys in journal.keys(0, journal.end()))
        keys_s = time.process_time() - start
        start = time.process_time()
        for position in range(1, 201):
            journal.record(position)
        record_s = (time.process_time() - start) / 200
    return (
        f"read back {size / read_s / 1e6:.0f} MB/s of bodies, {keys / keys_s / 1e6:.1f} M keys/s without bodies, "
        f"one record {record_s * 1e6:.0f} us (CPU)"
    )


def seen_rate(batch: int, total: int = 4_000_000) -> float:
    """New keys a second of CPU time, in millions, with eight million held at most."""
    keys = np.random.default_rng(2).integers(0, 2**64, total, dtype=np.uint64)
    seen = Seen()
    start = time.process_time()
    for at in range(0, total, batch):
        seen.add(keys[at : at + batch], at)
    return total / (time.process_time() - start) / 1e6


def main(folder: Path) -> None:
    """Print the table."""
    blocks = bodies()
    few = RECORDS // 10
    costs = [
        measured("plain write", RECORDS, BODY_BYTES, lambda: plain(folder, blocks, RECORDS, sync=False)),
        measured("one sync a record", few, BODY_BYTES, lambda: plain(folder, blocks, few, sync=True)),
        measured("journal", RECORDS, BODY_BYTES, lambda: journalled(folder / "fast", blocks, RECORDS)),
    ]
    print(f"{RECORDS} records of {BODY_BYTES} bytes and {KEYS} keys")
    for cost in costs:
        print(
            f"{cost.name:20} {cost.records_a_second:8.0f} records/s {cost.mb_a_second:7.0f} MB/s "
            f"{cost.cpu_us:6.0f} us CPU a record  x{cost.cpu_us / costs[0].cpu_us:.2f}"
        )
    took_ms = latencies_ms(folder / "modest", blocks)
    print(
        f"ack at {MODEST_A_SECOND} records/s: p50 {took_ms[len(took_ms) // 2]:.2f} ms, "
        f"p99 {took_ms[len(took_ms) * 99 // 100]:.2f} ms"
    )
    print(readings(folder / "fast"))
    print(
        f"keys seen: {seen_rate(512):.1f} M/s in batches of 512, {seen_rate(10_000):.1f} M/s in batches of 10,000 (CPU)"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        main(Path(made))
