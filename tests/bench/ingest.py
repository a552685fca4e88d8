"""
Received → decoded → journalled → windowed → judged → stored: points and spans a second, beside four others.

N is the plain walk over the same bytes in one thread, nothing kept. R is the faster of the OpenTelemetry Collector and
rotel, receiving and discarding. D is the Collector queueing on disk with fsync. CPU seconds are the receiver's own
(user and system); the wall clock is shared with the sender.
"""

import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitorx.backend.batch import Signal
from tests.bench import load, peers
from tests.bench.plain_walk import plain_walk
from tests.support.server import Server, until

ROUNDS = 3
RULES = """
groups:
  - name: bench
    rules:
      - alert: Slow
        expr: p95(latency[1m]) > 10 by (model)
      - alert: Failing
        expr: ratio(errors[1m], requests[1m]) > 50% by (model)
      - alert: Hot
        expr: max(bench.metric.1[1m]) > 1000000
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """Items a second of the wall clock and of one core."""

    per_s: float
    per_core_s: float


def main() -> None:
    """Print the table."""
    loads = {"spans": load.spans, "points": load.points}
    requests = {"spans": 200, "points": 60}
    figures: dict[str, dict[str, list[Figure]]] = {}
    for _ in range(ROUNDS):
        for name, figure in _round({signal: make(requests[signal]) for signal, make in loads.items()}):
            for signal, each in figure.items():
                figures.setdefault(name, {}).setdefault(signal, []).append(each)
    _print(figures)


def _round(loads: dict[str, load.Load]) -> Iterator[tuple[str, dict[str, Figure]]]:
    yield "N, plain walk", {signal: _walk(each) for signal, each in loads.items()}
    others: list[Callable[[Path], AbstractContextManager[peers.Peer]]] = [peers.rotel]
    if peers.has_otelcol():
        others += [
            lambda folder: peers.collector(folder, queue=False),
            lambda folder: peers.collector(folder, queue=True),
        ]
    for start in others:
        with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as peer:
            yield peer.name, {signal: _sent(each, peer) for signal, each in loads.items()}
    with monitorx() as (server, peer):
        yield "MonitorX, stored", {signal: _stored(each, server, peer) for signal, each in loads.items()}


@contextmanager
def monitorx() -> Iterator[tuple[Server, peers.Peer]]:
    """The server with rules that look at what comes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Server(folder, config=RULES))
        yield server, peers.Peer("MonitorX", server.http, server.pid)


def _walk(each: load.Load) -> Figure:
    began, wall = time.process_time(), time.monotonic()
    for body in each.bodies:
        plain_walk(Signal(each.signal), body)
    return Figure(each.total / (time.monotonic() - wall), each.total / (time.process_time() - began))


def _sent(each: load.Load, peer: peers.Peer) -> Figure:
    cpu, wall = peer.cpu_s(), time.monotonic()
    load.send(each, peer.address)
    return Figure(each.total / (time.monotonic() - wall), each.total / (peer.cpu_s() - cpu))


def _stored(each: load.Load, server: Server, peer: peers.Peer) -> Figure:
    before = _rows(server)
    cpu, wall = peer.cpu_s(), time.monotonic()
    load.send(each, peer.address)
    until(lambda: _rows(server) >= before + each.total, 120)
    return Figure(each.total / (time.monotonic() - wall), each.total / (peer.cpu_s() - cpu))


def _rows(server: Server) -> float:
    """Rows that the store has committed."""
    with urllib.request.urlopen(f"http://{server.api}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("monitorx_store_rows_total{"))


def _print(figures: dict[str, dict[str, list[Figure]]]) -> None:
    best = {
        name: {signal: max(each, key=lambda f: f.per_core_s) for signal, each in row.items()}
        for name, row in figures.items()
    }
    ours = best["MonitorX, stored"]
    print("| who | spans/s | a core-second | MonitorX is | points/s | a core-second | MonitorX is |")
    print("|---|---|---|---|---|---|---|")
    for name, row in best.items():
        cells = []
        for signal in ("spans", "points"):
            ratio = ours[signal].per_core_s / row[signal].per_core_s
            cells += [f"{row[signal].per_s:,.0f}", f"{row[signal].per_core_s:,.0f}", f"{ratio:.2f} of it"]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
