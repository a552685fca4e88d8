"""
Inferences added up, interval by interval, before they leave the process.

An `Interval` holds counts, never calls: a few hundred bytes for each model, operation and error, however many calls.
Intervals merge exactly.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from monitorx.instrumentation.inference import Inference, Subject
from monitorx.processor import distribution
from monitorx.processor.distribution import Distribution, Distributions
from monitorx.semconv.attributes import ERROR_TYPE, METRIC_OVERFLOW
from monitorx.sketch import ExponentialHistogram

SERIES_KEPT = 2_000  # per interval; over it everything is counted under one overflow series

Point = tuple[tuple[str, str | bool], ...]  # the attributes of a data point
OVERFLOW: Point = ((METRIC_OVERFLOW, True),)


class Exemplar(NamedTuple):
    """One call of many, with the way to its trace."""

    duration_s: float
    time_ns: int
    trace_id: int
    span_id: int


class Series:
    """What is known of the calls that share one set of attributes. `newest` and `slowest` are sampled calls."""

    __slots__ = ("batch_size", "duration", "newest", "samples", "slowest")

    def __init__(self) -> None:
        self.duration = ExponentialHistogram()
        self.batch_size = ExponentialHistogram()
        self.samples = 0
        self.newest: Inference | None = None
        self.slowest: Inference | None = None

    def add(self, inferences: Sequence[Inference]) -> None:
        """Count some calls."""
        self.duration.record_all([inference.duration_s for inference in inferences])
        for batch_size, calls in Counter([inference.batch_size for inference in inferences]).items():
            if batch_size is not None:
                self.batch_size.record(batch_size, calls)
                self.samples += batch_size * calls
        for inference in inferences:
            span = inference.span_context
            if span is not None and span.trace_flags.sampled:
                self._show(inference)

    def merge(self, other: "Series") -> None:
        """Add *other*."""
        self.duration.merge(other.duration)
        self.batch_size.merge(other.batch_size)
        self.samples += other.samples
        for inference in (other.slowest, other.newest):
            if inference is not None:
                self._show(inference)

    @property
    def exemplars(self) -> list[Exemplar]:
        """At most two."""
        shown = {_exemplar(inference) for inference in (self.newest, self.slowest) if inference is not None}
        return sorted(exemplar for exemplar in shown if exemplar is not None)

    def _show(self, inference: Inference) -> None:
        if self.newest is None or inference.start_ns >= self.newest.start_ns:
            self.newest = inference
        if self.slowest is None or inference.duration_s > self.slowest.duration_s:
            self.slowest = inference


def _exemplar(inference: Inference) -> Exemplar | None:
    span = inference.span_context
    if span is None:
        return None
    end_ns = inference.start_ns + int(inference.duration_s * 1e9)
    return Exemplar(inference.duration_s, end_ns, span.trace_id, span.span_id)


class Interval:
    """
    All series of [start_ns, end_ns).

    `dropped` counts inferences that were lost before or after, by reason; `overflowed` those under the overflow series;
    `values_dropped` the values that are in no distribution, by reason. `is_alive`: the process goes on, or ends for
    good; a child that ends while its parent goes on does not announce itself with its last words.
    """

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = start_ns
        self.series: dict[Point, Series] = {}
        self.features: dict[distribution.Point, Distribution] = {}
        self.dropped: dict[str, int] = {}
        self.values_dropped: dict[str, int] = {}
        self.overflowed = 0
        self.is_alive = True

    @property
    def calls(self) -> int:
        """How many inferences it holds."""
        return sum(series.duration.count for series in self.series.values())

    @property
    def values(self) -> int:
        """How many values its distributions tell of."""
        return sum(found.count for found in self.features.values())

    def of(self, point: Point) -> Series:
        """The series of *point*, or the overflow series where there are too many."""
        series = self.series.get(point)
        if series is None:
            if len(self.series) >= SERIES_KEPT:
                point = OVERFLOW
            series = self.series.setdefault(point, Series())
        return series

    def merge(self, later: "Interval") -> None:
        """Add *later*, so that this one reaches to its end."""
        self.end_ns = max(self.end_ns, later.end_ns)
        self.overflowed += later.overflowed
        self.is_alive = self.is_alive or later.is_alive
        for point, series in later.series.items():
            self.of(point).merge(series)
        for feature, found in later.features.items():
            self.features.setdefault(feature, Distribution(found.anchor)).merge(found)
        _add(self.dropped, later.dropped)
        _add(self.values_dropped, later.values_dropped)


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for reason, count in more.items():
        counts[reason] = counts.get(reason, 0) + count


class Aggregator:
    """
    The sink of an attached process: adds inferences to the open interval. Not thread-safe: its buffer holds a lock.

    Args:
        now_ns: Since epoch, when the first interval begins.
        distributions: Counts what inferences carry of their inputs and outputs.
    """

    is_quick = True

    def __init__(self, now_ns: int, distributions: Distributions | None = None) -> None:
        self._distributions = distributions or Distributions()
        self._open(now_ns)

    def _open(self, now_ns: int) -> None:
        self._interval = Interval(now_ns)
        self._known: dict[tuple[Subject, str | None], Series] = {}

    def fold(self, inferences: Sequence[Inference]) -> None:
        """Add *inferences*."""
        alike: dict[tuple[Subject, str | None], list[Inference]] = {}
        for inference in inferences:
            key = inference.subject, inference.error_type
            found = alike.get(key)
            if found is None:
                found = alike[key] = []
            found.append(inference)
        for key, found in alike.items():
            series = self._known.get(key)
            if series is None:
                series = self._known[key] = self._interval.of(point_of(*key))
            series.add(found)
            seen = [inference for inference in found if inference.rows is not None or inference.output is not None]
            self._distributions.add(key[0], seen)
        self._distributions.fold_if_many()

    @property
    def calls(self) -> int:
        """How many inferences the open interval holds."""
        return self._interval.calls

    def take(self, now_ns: int, *, is_last: bool = False) -> Interval:
        """Close the open interval at *now_ns*, and open the next, unless this is the last of the process."""
        closed = self._interval
        closed.end_ns = now_ns
        overflow = closed.series.get(OVERFLOW)
        closed.overflowed = 0 if overflow is None else overflow.duration.count
        closed.features, closed.values_dropped = self._distributions.take(now_ns, is_last=is_last)
        self._open(now_ns)
        return closed

    def forget(self, now_ns: int) -> None:
        """Start with nothing: after a fork, what is here is the parent's to send."""
        self._distributions.forget()
        self._open(now_ns)


def point_of(subject: Subject, error_type: str | None) -> Point:
    """Attributes of the data points of these calls."""
    attributes = (
        subject.point_attributes if error_type is None else {**subject.point_attributes, ERROR_TYPE: error_type}
    )
    return tuple(attributes.items())
