"""
How late a thread is that wakes 50 times a second beside a loop of one-row predicts, and what the loop pays for it.

    python -m tests.bench.turns [--calls 40000]

Plain, and watched: a watched loop gives a turn to who waits (docs/decisions/016-a-turn-for-those-who-wait.md). Lateness
is elapsed time, the cost of a call is CPU time of the whole process.
"""

import argparse
import multiprocessing
import threading
import time
from multiprocessing.connection import Connection
from statistics import median
from typing import Final

from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor
from tests.bench import predict

WAYS: Final = ("plain", "no tracer", predict.SAMPLED)
SLEEP_S: Final = 0.02


def work(way: str, calls: int, pipe: Connection) -> None:
    """Send lateness of each waking, ms, and CPU microseconds a call."""
    watcher, _ = predict.emitter(way, calls)
    if watcher is not None:
        SklearnInstrumentor().instrument(emitter=watcher)
    model, row = predict.model_and_row()
    late: list[float] = []
    is_done = threading.Event()

    def wake_again_and_again() -> None:
        while not is_done.is_set():
            start = time.perf_counter()
            time.sleep(SLEEP_S)
            late.append((time.perf_counter() - start - SLEEP_S) * 1e3)

    waking = threading.Thread(target=wake_again_and_again)
    waking.start()
    start = time.process_time_ns()
    for _ in range(calls):
        model.predict(row)
    cost = (time.process_time_ns() - start) / calls / 1e3
    is_done.set()
    waking.join()
    pipe.send((late, cost))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=40_000)
    options = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    print(f"{'way':<14}{'wakings':>8}{'late, median ms':>17}{'latest, ms':>12}{'µs a call':>11}")
    for way in WAYS:
        ours, theirs = processes.Pipe()
        processes.Process(target=work, args=(way, options.calls, theirs), daemon=True).start()
        late, cost = ours.recv()
        print(f"{way:<14}{len(late):>8}{median(late):>17.0f}{max(late):>12.0f}{cost:>11.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
