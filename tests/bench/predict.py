"""
What watching adds to a one-row `LogisticRegression.predict`: CPU time of the whole process per call.

    python -m tests.bench.predict [--calls 2000] [--rounds 7] [--processes 3]

Each way has a process of its own, and another one after it: where its code and objects happen to lie makes a process
faster or slower by some µs for all its life. A round of it stands between two of the plain way and is compared with
their mean, so that a slow spell of the machine falls on all alike; "added" is the median of the differences, and
"undisturbed" their counterpart for the tenth of all rounds that took the least. The fold, and for spans the batch
processor with an exporter that discards, are within the measured time. "the SDK's span alone" is what a span with as
many attributes costs without MonitorX.

A thread that waits for the interpreter makes each predict that lets go of it for an instant cost more, whoever's it is
(docs/decisions/015-folding-on-the-callers-thread.md). "span sampled" is with the batch processor as it is by default,
whose thread is woken every 512 spans; "no worker woken" exports within the round, but on the caller's thread, and so
does "the SDK's span alone". "a thread that waits" is the plain way beside a thread that wants the interpreter 50 times
a second, and does nothing.
"""

import argparse
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from statistics import median, quantiles

import numpy as np
from opentelemetry import context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._base import LinearClassifierMixin  # where `predict` is defined

from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.features import Intake
from monitorx.instrumentation.sink import MetricsApi
from monitorx.instrumentation.tabular.sklearn import SklearnInstrumentor
from monitorx.instrumentation.telemetry import Emitter
from monitorx.processor.aggregate import Aggregator

BARE = "the SDK's span alone"
WITHOUT = "no tracer, features off"
WAITING = "a thread that waits"
SAMPLED, ALONE = "span sampled", "span sampled, no worker woken"
WAYS = (
    *("plain", "no tracer", WITHOUT, "span not sampled", SAMPLED, ALONE, BARE),
    *("no tracer, not attached", WAITING),
)
TARGETS_US = {"no tracer": 20.0, "span not sampled": 20.0, SAMPLED: 50.0}


Rows = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Discard(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def emitter(way: str, calls: int) -> tuple[Emitter | None, Callable[[], object]]:
    """How *way* is watched, and what finishes the work that is done off the caller's thread."""
    if way in ("plain", BARE, WAITING):
        return None, lambda: None
    if way in (SAMPLED, ALONE):
        sampled = TracerProvider()
        sampled.add_span_processor(batches(calls * 2, calls * 2 if way == ALONE else 512))
        return Emitter(sampled, attached()), sampled.force_flush
    if way == "span not sampled":
        return Emitter(TracerProvider(sampler=ALWAYS_OFF), attached()), lambda: None
    if way in ("no tracer", WITHOUT):
        return Emitter(NoOpTracerProvider(), attached(features=way != WITHOUT)), lambda: None
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    return Emitter(NoOpTracerProvider(), Buffer(MetricsApi(meters), fold_every_s=3600)), lambda: None


def batches(most: int, woken_at: int) -> BatchSpanProcessor:
    return BatchSpanProcessor(Discard(), max_queue_size=most, max_export_batch_size=woken_at)


def spanned(owner: type, calls: int) -> Callable[[], object]:
    """Put a plain SDK span around `predict`; returns what flushes it."""
    provider = TracerProvider()
    provider.add_span_processor(batches(calls * 2, calls * 2))
    tracer, predict = provider.get_tracer("bare"), vars(owner)["predict"]
    attributes = {f"ml.some.attribute.{number}": "a value" for number in range(7)}

    def call(self: object, *args: object) -> object:
        span = tracer.start_span("predict", attributes=attributes)
        token = context.attach(trace.set_span_in_context(span))
        result = predict(self, *args)
        context.detach(token)
        span.end()
        return result

    setattr(owner, "predict", call)  # noqa: B010 - the type of the class does not know it
    return provider.force_flush


def wait_again_and_again() -> None:
    while True:
        time.sleep(0.02)


def attached(*, features: bool = True) -> Buffer:
    buffer = Buffer(Aggregator(time.time_ns()), fold_every_s=3600)
    if features:
        buffer.observe(Intake())
    return buffer


def model_and_row() -> tuple[LogisticRegression, Rows]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 4))
    return LogisticRegression().fit(rows, (rows[:, 0] > 0).astype(int)), rows[:1]


def work(way: str, calls: int, pipe: Connection) -> None:
    """One process: for each word from *pipe* a round, answered by CPU microseconds a call."""
    watcher, settle = emitter(way, calls)
    if watcher is not None:
        SklearnInstrumentor().instrument(emitter=watcher)
    model, row = model_and_row()
    if way == WAITING:
        threading.Thread(target=wait_again_and_again, daemon=True).start()
    if way == BARE:
        settle = spanned(LinearClassifierMixin, calls)
    while pipe.recv():
        start = time.process_time_ns()
        for _ in range(calls):
            model.predict(row)
        settle()
        if watcher is not None:
            watcher.buffer.flush()
            if isinstance(watcher.buffer.sink, Aggregator):
                watcher.buffer.sink.take(time.time_ns())
        end = time.process_time_ns()
        pipe.send((end - start) / calls / 1e3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processes", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(options.processes):
        compare(options.calls, options.rounds, found)
    return report(found)


def compare(calls: int, rounds: int, found: dict[str, list[tuple[float, float]]]) -> None:
    """Add the rounds of one process of each way to *found*: their CPU time, and what is added to the plain way's."""
    processes = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for way in WAYS:
        pipes[way], theirs = processes.Pipe()
        processes.Process(target=work, args=(way, calls, theirs), daemon=True).start()
    for number in range(rounds + 2):
        before = measured(pipes["plain"])
        for way in WAYS[1:]:
            total = measured(pipes[way])
            after = measured(pipes["plain"])
            if number > 1:  # the first rounds warm up
                found["plain"].append((after, 0.0))
                found[way].append((total, total - (before + after) / 2))
            before = after
    for pipe in pipes.values():
        pipe.send(False)


def measured(pipe: Connection) -> float:
    pipe.send(True)
    result: float = pipe.recv()
    return result


def report(found: dict[str, list[tuple[float, float]]]) -> int:
    plain = undisturbed(found.pop("plain"))
    print(f"plain: {plain:.0f} µs a call")
    print(f"{'way':<32}{'added, µs':>10}{'undisturbed':>13}{'must':>8}")
    missed = 0
    for name, results in found.items():
        added, target = median(added for _, added in results), TARGETS_US.get(name)
        missed += target is not None and added > target
        must = "" if target is None else f"≤ {target:.0f}"
        print(f"{name:<32}{added:>10.1f}{undisturbed(results) - plain:>13.1f}{must:>8}")
    return int(missed > 0)


def undisturbed(results: list[tuple[float, float]]) -> float:
    return quantiles([total for total, _ in results], n=10)[0]


if __name__ == "__main__":
    raise SystemExit(main())
