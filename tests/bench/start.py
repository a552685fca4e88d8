"""Cold start and resident memory of `monitorx serve` on an empty folder."""

import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from tests.support.server import Server

ROUNDS = 7


def main() -> None:
    """Print medians."""
    ready_s, cpu_s, resident_mb = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder))
            began = time.monotonic()
            server.start()
            ready_s.append(time.monotonic() - began)
            time.sleep(1.0)
            process = psutil.Process(server.pid)
            times = process.cpu_times()
            cpu_s.append(times.user + times.system)
            resident_mb.append(process.memory_info().rss / 1e6)
            server.stop()
    print(
        f"`monitorx serve` is ready {np.median(ready_s):.2f} s after it was called ({min(ready_s):.2f} to "
        f"{max(ready_s):.2f}, {ROUNDS} runs; {np.median(cpu_s):.2f} s CPU), idle with {np.median(resident_mb):.0f} MB"
    )


if __name__ == "__main__":
    main()
