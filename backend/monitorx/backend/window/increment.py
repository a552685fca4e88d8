"""Data points as what they add: delta points as they are, cumulative ones by the difference to the point before."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from monitorx.backend.window.bucket import Floats, Ints
from monitorx.backend.window.cumulative import NO_BUCKETS, Cursors, Point, explicit_shape, exponential_shape
from monitorx.backend.window.group import codes

MOST_COUNT = 1e12  # a point adds no more: nobody has a trillion calls between two exports
_MOST_EXACT = 2.0**53  # a cumulative point counts no more: float64 tells no larger whole numbers apart

Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Buckets:
    """Bucket counts of n rows, one after the other; `lengths` (n,) says how many each row has."""

    flat: Floats
    lengths: Ints

    def views(self) -> list[Floats]:
        """Those of each row."""
        ends = np.cumsum(self.lengths).tolist()
        return [self.flat[end - length : end] for end, length in zip(ends, self.lengths.tolist(), strict=True)]

    def of(self, rows: Ints) -> "Buckets":
        """Those of some rows."""
        if rows.size == self.lengths.size:
            return self
        is_kept = np.zeros(self.lengths.size, bool)
        is_kept[rows] = True
        return Buckets(self.flat[np.repeat(is_kept, self.lengths)], self.lengths[rows])

    @classmethod
    def joined(cls, views: list[Floats]) -> "Buckets":
        """The opposite of `views`."""
        return cls(np.concatenate([np.zeros(0), *views]), np.array([view.size for view in views], np.int64))


@dataclass(slots=True)
class Increments:
    """
    What n rows of `METRIC_SCHEMA` add. All arrays have shape (n,).

    Attributes:
        is_counted: False where a row adds nothing: no recorded value, a baseline, out of order.
        is_level: Gauges, and sums that go up and down: `sum` is the value then and `count` is 1.
        count, sum, zero: Observations (the value itself for sums), their sum, those in the zero bucket.
        min, max: NaN where unknown.
        is_exponential: Which of the two bucket columns a histogram has.
        explicit, exponential: Their buckets; empty for other rows.
        absurd: How many rows are not counted since they tell more than anything can have counted.
    """

    is_counted: Bools
    is_level: Bools
    count: Floats
    sum: Floats
    zero: Floats
    min: Floats
    max: Floats
    is_exponential: Bools
    explicit: Buckets
    exponential: Buckets
    absurd: int = 0

    def refuse(self, is_absurd: Bools) -> None:
        """Leave rows out."""
        is_absurd = is_absurd & self.is_counted
        self.absurd += int(is_absurd.sum())
        self.is_counted &= ~is_absurd


def increments(rows: pa.RecordBatch, cursors: Cursors, arrival_ns: int) -> Increments:
    """What *rows* add; cumulative series move their cursors on."""
    is_histogram, is_exponential = is_text(rows, "type", "histogram"), is_text(rows, "type", "exponential_histogram")
    is_sum, is_gauge = is_text(rows, "type", "sum"), is_text(rows, "type", "gauge")
    is_cumulative = is_text(rows, "temporality", "cumulative")
    is_monotonic = rows.column("monotonic").to_numpy(zero_copy_only=False)
    is_bucketed = is_histogram | is_exponential
    is_level = is_gauge | (is_sum & ~is_monotonic & is_cumulative)
    value = _numbers(rows, "value")
    count = np.where(is_bucketed, _numbers(rows, "count"), np.where(is_level, 1.0, value))
    added = Increments(
        is_counted=(is_bucketed & np.isfinite(count) & (count >= 0)) | ((is_sum | is_gauge) & np.isfinite(value)),
        is_level=is_level,
        count=count,
        sum=np.where(is_bucketed, np.nan_to_num(_numbers(rows, "sum"), posinf=0.0, neginf=0.0), value),
        zero=np.nan_to_num(_numbers(rows, "zero_count")),
        min=_numbers(rows, "min"),
        max=_numbers(rows, "max"),
        is_exponential=is_exponential,
        explicit=_explicit(rows, is_histogram, count),
        exponential=_lists(rows, "positive"),
    )
    added.refuse(is_bucketed & _is_above(added, np.where(is_cumulative, _MOST_EXACT, MOST_COUNT)))
    moving = np.flatnonzero(added.is_counted & is_cumulative & ~is_level)
    if moving.size:
        _advance(added, rows, moving, cursors, arrival_ns)
        added.refuse(is_bucketed & _is_above(added, np.full(rows.num_rows, MOST_COUNT)))
    return added


def _is_above(added: Increments, most: Floats) -> Bools:
    """Where a count, or that of a bucket, is larger than *most*."""
    is_above: Bools = (added.count > most) | (added.zero > most)
    for buckets in (added.explicit, added.exponential):
        if buckets.flat.size and buckets.flat.max() > most.min():
            of = np.repeat(np.arange(most.size), buckets.lengths)
            is_above[of[buckets.flat > most[of]]] = True
    return is_above


def is_text(rows: pa.RecordBatch, column: str, text: str) -> Bools:
    """Where a dictionary column says *text*."""
    array = rows.column(column)
    where = array.dictionary.index(text).as_py()
    return codes(array) == where if where >= 0 else np.zeros(len(array), bool)


def bounds(rows: pa.RecordBatch) -> Buckets:
    """The explicit bounds of each row."""
    return _lists(rows, "bounds")


def _advance(added: Increments, rows: pa.RecordBatch, moving: Ints, cursors: Cursors, arrival_ns: int) -> None:
    """Replace the state of cumulative rows by what they add, in the order of their times."""
    explicit, exponential = added.explicit.views(), added.exponential.views()
    shapes, offsets = _shapes(rows, added)
    times = rows.column("time_ns").to_numpy()
    starts, times_ns = rows.column("start_ns").to_numpy().tolist(), times.tolist()
    series = rows.column("series_key").to_numpy().tolist()
    count, total, zero, largest = (each.tolist() for each in (added.count, added.sum, added.zero, added.max))
    kept = added.is_exponential.tolist()
    for row in moving[np.argsort(times[moving], kind="stable")].tolist():
        own = exponential if kept[row] else explicit
        point = Point(
            starts[row],
            times_ns[row],
            count[row],
            total[row],
            zero[row],
            largest[row],
            shapes[row],
            offsets[row],
            own[row],
        )
        difference = cursors.advance(series[row], point, arrival_ns)
        if difference is None:
            added.is_counted[row] = False
            continue
        if difference is not point:
            own[row] = difference.buckets
            count[row], total[row], zero[row] = difference.count, difference.sum, difference.zero
            largest[row] = difference.max
            added.min[row] = np.nan
    added.count, added.sum, added.zero, added.max = (np.array(each) for each in (count, total, zero, largest))
    added.explicit, added.exponential = Buckets.joined(explicit), Buckets.joined(exponential)


def _shapes(rows: pa.RecordBatch, added: Increments) -> tuple[list[bytes], list[int]]:
    known: dict[bytes, bytes] = {}
    shapes: list[bytes] = []
    scales = rows.column("scale").fill_null(0).to_pylist()
    for view, scale, is_exponential in zip(bounds(rows).views(), scales, added.is_exponential.tolist(), strict=True):
        if is_exponential:
            shapes.append(exponential_shape(scale))
            continue
        raw = view.tobytes()
        if raw not in known:
            known[raw] = explicit_shape(view) if raw else NO_BUCKETS
        shapes.append(known[raw])
    return shapes, rows.column("positive_offset").fill_null(0).to_pylist()


def _explicit(rows: pa.RecordBatch, is_histogram: Bools, count: Floats) -> Buckets:
    """The explicit buckets; a histogram without any has all its count in one."""
    buckets = _lists(rows, "buckets")
    is_bare = is_histogram & (buckets.lengths == 0) & np.isfinite(count)
    if not is_bare.any():
        return buckets
    pairs = zip(buckets.views(), is_bare.tolist(), count, strict=True)
    return Buckets.joined([np.array([total]) if bare else view for view, bare, total in pairs])


def _numbers(rows: pa.RecordBatch, name: str) -> Floats:
    """A column of numbers as a fresh array, NaN for null."""
    return np.array(rows.column(name).to_numpy(zero_copy_only=False), np.float64)


def _lists(rows: pa.RecordBatch, name: str) -> Buckets:
    column = rows.column(name)
    if column.null_count == len(column):
        return Buckets(np.zeros(0), np.zeros(len(column), np.int64))
    lengths = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return Buckets(np.nan_to_num(flat, posinf=0.0, neginf=0.0), lengths)
