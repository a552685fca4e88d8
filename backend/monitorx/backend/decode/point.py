"""The walk over the data points of one metric, into lists: a list a column, nothing a point."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import pyarrow as pa

from monitorx.backend.batch import MEASURE
from monitorx.backend.decode.column import Lists
from monitorx.backend.decode.generation import Generation, Stream
from monitorx.backend.decode.origin import Origin
from monitorx.backend.decode.rejection import Rejections
from monitorx.backend.decode.series import SeriesCache
from monitorx.backend.decode.view import View

NO_RECORDED_VALUE: Final = 1  # DataPointFlags: the series has no value at this time
ANCHORED_ZERO_THRESHOLD: Final = 2.0**-6  # what our sketches use; the SDK's exporter cannot carry it


class Run(NamedTuple):
    """What the next `length` points have in common."""

    origin: Origin
    stream: Stream
    length: int


class Distributions:
    """The columns that only histograms and summaries fill, with a row for each of those."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[float | None]] = {
            name: [] for name in ("count", "sum", "min", "max", "zero_count", "zero_threshold")
        }
        self.integers: dict[str, list[int | None]] = {
            name: [] for name in ("scale", "positive_offset", "negative_offset")
        }
        self.lists = {name: Lists() for name in ("bounds", "buckets", "positive", "negative")}
        self.size = 0

    def add(self, **values: float | Sequence[float] | None) -> None:
        """A row; what is not named is null."""
        for name, numbers in self.numbers.items():
            numbers.append(values.get(name))  # type: ignore[arg-type] # these names hold single numbers
        for name, integers in self.integers.items():
            integers.append(values.get(name))  # type: ignore[arg-type] # these names hold single integers
        for name, lists in self.lists.items():
            items = values.get(name)
            if items is None:
                lists.add_null()
            else:
                lists.add(items)  # type: ignore[arg-type] # these names hold sequences
        self.size += 1

    def columns(self) -> dict[str, pa.Array]:
        """All of them, `size` long."""
        return {
            **{name: pa.array(values, MEASURE) for name, values in self.numbers.items()},
            **{name: pa.array(values, pa.int32()) for name, values in self.integers.items()},
            **{name: values.column() for name, values in self.lists.items()},
        }


class Points:
    """
    Points of any metrics, in the order in which they came.

    Attributes:
        times, starts: Nanoseconds as sent, uint64.
        rows: In the generation's table.
        values: Of gauges and sums.
        runs: Whose points they are; their lengths add up to all points.
        own: Identity by index, for points in an overflow series.
        refused: Indices of points that make no sense.
        distributed: Indices of the points that have a row in `distributions`, in its order.
    """

    def __init__(self, table: Generation, series: SeriesCache, rejections: Rejections) -> None:
        self.times: list[int] = []
        self.starts: list[int] = []
        self.rows: list[int] = []
        self.values: list[float | None] = []
        self.runs: list[Run] = []
        self.own: dict[int, int] = {}
        self.refused: list[int] = []
        self.distributed: list[int] = []
        self.distributions = Distributions()
        self.table = table
        self._series = series
        self._rejections = rejections

    def add(self, origin: Origin, stream: Stream, points: Sequence[View]) -> None:
        """All points of a metric."""
        begin = len(self.times)
        self.times += [point.time_unix_nano for point in points]
        self.starts += [point.start_time_unix_nano for point in points]
        self._add_rows(stream, points)
        self.runs.append(Run(origin, stream, len(points)))
        read = _READERS.get(stream.key.type)
        if read is None:
            self._add_values(points, begin)
        else:
            self._add_distributions(points, begin, read)

    def refuse(self, index: int, reason: str) -> None:
        """The point at *index* is not kept."""
        self.refused.append(index)
        self._rejections.add(reason)

    def _add_rows(self, stream: Stream, points: Sequence[View]) -> None:
        row_of = stream.rows.get
        rows = [row_of(tuple(point.attributes)) for point in points]
        if None in rows:
            begin = len(self.rows)
            for index, row in enumerate(rows):
                if row is None:
                    rows[index], own = self._series.row(self.table, stream, tuple(points[index].attributes))
                    if own is not None:
                        self.own[begin + index] = own
        self.rows += rows  # type: ignore[arg-type] # no None is left

    def _add_values(self, points: Sequence[View], begin: int) -> None:
        values: list[float | None] = [point.as_double or float(point.as_int) for point in points]
        if 0.0 in values:
            self._check_zeros(points, values, begin)
        flags = [point.flags & NO_RECORDED_VALUE for point in points]
        if any(flags):
            values = [None if flag else value for flag, value in zip(flags, values, strict=True)]
        self.values += values

    def _check_zeros(self, points: Sequence[View], values: list[float | None], begin: int) -> None:
        """An unset value reads as 0 too."""
        for index, value in enumerate(values):
            if value == 0.0 and points[index].WhichOneof("value") is None:
                values[index] = None
                if not points[index].flags & NO_RECORDED_VALUE:
                    self.refuse(begin + index, "the point has no value and no flag that says so")

    def _add_distributions(self, points: Sequence[View], begin: int, read: "Reader") -> None:
        self.values += [None] * len(points)
        self.distributed += range(begin, begin + len(points))
        for index, point in enumerate(points):
            if point.flags & NO_RECORDED_VALUE:
                self.distributions.add()
                continue
            fault = read(self, point, self.rows[begin + index])
            if fault:
                self.distributions.add()
                self.refuse(begin + index, fault)


Reader = Callable[[Points, View, int], str]


def _read_histogram(points: Points, point: View, row: int) -> str:
    bounds, buckets = list(point.explicit_bounds), list(point.bucket_counts)
    if (buckets or bounds) and len(buckets) != len(bounds) + 1:
        return "a histogram needs one more bucket_counts than explicit_bounds"
    if not all(low < high for low, high in pairwise([-math.inf, *bounds])):
        return "the explicit_bounds of a histogram must be numbers that rise"
    points.distributions.add(**_summary(point), bounds=bounds if buckets else None, buckets=buckets or None)
    return ""


def _read_exponential(points: Points, point: View, row: int) -> str:
    zero_threshold = point.zero_threshold
    feature = points.table.features.get(row)
    if zero_threshold == 0.0 and feature is not None and feature.is_anchored:
        zero_threshold = ANCHORED_ZERO_THRESHOLD
    points.distributions.add(
        **_summary(point),
        scale=point.scale,
        zero_count=float(point.zero_count),
        zero_threshold=zero_threshold,
        positive_offset=point.positive.offset,
        positive=point.positive.bucket_counts,
        negative_offset=point.negative.offset,
        negative=point.negative.bucket_counts,
    )
    return ""


def _read_summary(points: Points, point: View, row: int) -> str:
    quantiles = list(point.quantile_values)
    points.distributions.add(
        count=float(point.count),
        sum=point.sum,
        bounds=[item.quantile for item in quantiles],
        buckets=[item.value for item in quantiles],
    )
    return ""


def _summary(point: View) -> dict[str, float | None]:
    return {
        "count": float(point.count),
        "sum": point.sum if point.HasField("sum") else None,
        "min": point.min if point.HasField("min") else None,
        "max": point.max if point.HasField("max") else None,
    }


_READERS: Final[dict[str, Reader]] = {
    "histogram": _read_histogram,
    "exponential_histogram": _read_exponential,
    "summary": _read_summary,
}
