"""An emitter whose clock, timer and ids count up, and everything that it emitted."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.sdk.trace import IdGenerator, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.inference import Inference
from monitorx.instrumentation.instrumentor import Instrumentor
from monitorx.instrumentation.telemetry import Emitter

START_NS = 1_000_000_000_000
SECOND_NS = 1_000_000_000


class CountingIds(IdGenerator):
    """Span ids 1, 2, 3, …; trace ids likewise."""

    def __init__(self) -> None:
        self._spans = itertools.count(1)
        self._traces = itertools.count(1)

    def generate_span_id(self) -> int:
        return next(self._spans)

    def generate_trace_id(self) -> int:
        return next(self._traces)


class Kept:
    """A sink that keeps what it is given."""

    is_quick = False

    def __init__(self) -> None:
        self.inferences: list[Inference] = []

    def fold(self, inferences: Sequence[Inference]) -> None:
        self.inferences.extend(inferences)


class Watch:
    """Starts at START_NS; the clock advances a second a reading, the timer half a second."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(id_generator=CountingIds())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.sink = Kept()
        self.buffer = Buffer(self.sink, capacity=capacity, fold_every_s=3600)
        clock, timer = itertools.count(START_NS, SECOND_NS), itertools.count(0, SECOND_NS // 2)
        self.emitter = Emitter(self.provider, self.buffer, clock=lambda: next(clock), timer=lambda: next(timer))

    @property
    def inferences(self) -> list[Inference]:
        """All that have finished."""
        self.buffer.flush()
        return self.sink.inferences

    @property
    def calls(self) -> list[tuple[str, str, int | None, str | None]]:
        """Operation, model, batch size and error of each finished inference."""
        return [(i.operation, i.model.name, i.batch_size, i.error_type) for i in self.inferences]

    @property
    def spans(self) -> list[dict[str, Any]]:
        """All that have ended, as plain values."""
        return [
            {
                "name": span.name,
                "kind": span.kind.name,
                "trace_id": span.context.trace_id,
                "span_id": span.context.span_id,
                "parent": span.parent.span_id if span.parent else None,
                "start_ns": span.start_time,
                "end_ns": span.end_time,
                "status": span.status.status_code.name,
                "events": len(span.events),
                "attributes": dict(span.attributes or {}),
            }
            for span in self.exporter.get_finished_spans()
        ]


def watched(instrumentor: Instrumentor) -> Iterator[Watch]:
    """What a fixture yields while *instrumentor* is on; nothing of ours may have failed by its end."""
    watch = Watch()
    instrumentor.instrument(emitter=watch.emitter)
    yield watch
    instrumentor.uninstrument()
    assert watch.emitter.faults == 0
