"""kill -9 in the middle of appends: what was acknowledged is there, and nothing is there twice."""

import os
import random
import selectors
import subprocess
import sys
from pathlib import Path

from monitorx.backend.journal import FileJournal

KILLS = 5

# Appends from two threads without waiting, and prints each number once it is durable.
CHILD = """
import os, sys, threading
from datetime import timedelta
from pathlib import Path
import numpy as np
from monitorx.backend.batch import Signal
from monitorx.backend.journal import FileJournal, Limits, Record

journal = FileJournal(Path(sys.argv[1]), Limits(segment_bytes=200_000, queued_bytes=400_000, free_bytes=0))
room = threading.Semaphore(64)
life = int(sys.argv[2])

def append(number):
    def done(position, error):
        if error is None:
            os.write(1, f"{position} {number}\\n".encode())
        room.release()
    body = number.to_bytes(8, "little") * 50 + os.urandom(400)
    journal.append(Record(Signal.TRACES, "t", number, body, np.array([number], np.uint64)), done)

def run(thread):
    number = (life * 2 + thread) << 32
    while True:
        room.acquire()
        number += 1
        append(number)

for thread in (0, 1):
    threading.Thread(target=run, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


def test_what_was_acknowledged_before_kill_9_is_read_back_once(tmp_path: Path) -> None:
    rng = random.Random(5)
    acknowledged: dict[int, int] = {}

    for life in range(KILLS):
        lines = killed_after(tmp_path, life, rng.randint(300, 1500))
        told = dict(map(int, line.split()) for line in lines)
        assert not acknowledged.keys() & told.keys(), "a position was given twice"
        acknowledged |= told

    with FileJournal(tmp_path) as journal:
        held = {position: int(record.keys[0]) for position, record in journal.read(0)}
        bodies = {position: int.from_bytes(record.body[:8], "little") for position, record in journal.read(0)}
        assert journal.counters().damaged == 0
    assert len(acknowledged) >= KILLS * 300
    assert {position: held.get(position) for position in acknowledged} == acknowledged
    assert bodies == held
    assert len(set(held.values())) == len(held), "a record came twice"
    assert list(held) == list(range(1, len(held) + 1))


def killed_after(folder: Path, life: int, acknowledgements: int) -> list[bytes]:
    """The whole lines that a child printed before it was killed in full flight."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(life)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while output.count(b"\n") < acknowledgements:
            assert selector.select(timeout=20), "the child says nothing"
            chunk = os.read(child.stdout.fileno(), 65536)
            assert chunk, "the child ended by itself"
            output += chunk
    child.kill()
    output += child.stdout.read()
    child.wait()
    child.stdout.close()
    return output.split(b"\n")[:-1]
