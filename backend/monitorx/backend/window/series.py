"""Any metric by its name: readings of the series that rules mention, in panes of ten seconds."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from monitorx.alerting.matcher import Matcher, all_match
from monitorx.backend.window.bucket import added as add
from monitorx.backend.window.group import group, pane_starts
from monitorx.backend.window.increment import Increments
from monitorx.backend.window.inference import LABELS
from monitorx.backend.window.metric import named
from monitorx.backend.window.pane import PANE_NS
from monitorx.semconv import attributes as attribute

MAX_SERIES = 50_000
SeriesKey = tuple[str, ...]  # name, LABELS, attributes as JSON
_COLUMNS = ("name", *LABELS, "attributes")
_MODEL_KEYS = (attribute.ML_MODEL_NAME, attribute.GEN_AI_RESPONSE_MODEL, attribute.GEN_AI_REQUEST_MODEL)


@dataclass(slots=True)
class Reading:
    """
    What was seen of some series in some time.

    Attributes:
        is_level: A gauge, or a sum that goes up and down: its values stand for themselves. Else they add up.
        count: Values of a level or counter, observations of a histogram.
        sum: Of the values, increments or observations.
        min, max: NaN where unknown.
        last, last_ns: The latest value and its time; for a histogram the mean of its latest observations.
        total: Of a level over several series, the sum of their latest values; else the same as `sum`.
    """

    is_level: bool
    count: float
    sum: float
    min: float
    max: float
    last: float
    last_ns: int
    total: float = 0.0

    def merge(self, other: "Reading") -> None:
        """Add *other*; `total` is left alone. Together with a level nothing adds up."""
        self.is_level = self.is_level or other.is_level
        self.count += other.count
        self.sum += other.sum
        self.min, self.max = _smaller(self.min, other.min), -_smaller(-self.max, -other.max)
        if other.last_ns >= self.last_ns:
            self.last, self.last_ns = other.last, other.last_ns


class StoredPoint(Protocol):
    """What a store gives back of a point."""

    @property
    def time_ns(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def instance(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, object]: ...
    @property
    def value(self) -> float | None: ...


class Series:
    """Panes of the watched metrics. Series over the limit are left out (`refused` counts their readings)."""

    def __init__(self, limit: int = MAX_SERIES) -> None:
        self.refused = 0
        self._limit = limit
        self._labels: dict[SeriesKey, dict[str, str]] = {}
        self._newest: dict[SeriesKey, int] = {}
        self._panes: dict[int, dict[SeriesKey, Reading]] = {}

    def add(self, readings: Iterable[tuple[SeriesKey, int, Reading]]) -> None:
        """Add readings, each with its series and the start of its pane."""
        for key, start, reading in readings:
            if key not in self._labels:
                if len(self._labels) >= self._limit:
                    self.refused += 1
                    continue
                self._labels[key] = _labels(key)
            self._newest[key] = max(start, self._newest.get(key, 0))
            pane = self._panes.setdefault(start, {})
            if key in pane:
                pane[key].merge(reading)
            else:
                pane[key] = reading

    def restore(self, points: Iterable[StoredPoint], tenant: str) -> None:
        """Begin with stored gauges. Counters and histograms fill their windows anew: their steps are not stored."""
        for point in points:
            if point.type != "gauge" or point.value is None:
                continue
            model = next((str(point.attributes[key]) for key in _MODEL_KEYS if key in point.attributes), "")
            labels = (tenant, point.service, point.instance, model, "", "", "")
            text = json.dumps(point.attributes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            value = point.value
            reading = Reading(True, 1.0, value, value, value, value, point.time_ns)
            self.add([((point.name, *labels, text), point.time_ns // PANE_NS * PANE_NS, reading)])

    def drop(self, before_ns: int, known_before_ns: int) -> None:
        """Forget panes that start before a time, and series that had nothing since another."""
        for start in [start for start in self._panes if start < before_ns]:
            del self._panes[start]
        for key in [key for key, newest in self._newest.items() if newest < known_before_ns]:
            del self._newest[key], self._labels[key]

    def known(self, name: str, matchers: Sequence[Matcher], by: Sequence[str]) -> set[tuple[str, ...]]:
        """The groups of one metric, whether or not they have values now."""
        return {
            tuple(labels.get(label, "") for label in by)
            for key, labels in self._labels.items()
            if key[0] == name and all_match(matchers, labels)
        }

    def read(
        self, name: str, matchers: Sequence[Matcher], by: Sequence[str], start_ns: int, end_ns: int
    ) -> dict[tuple[str, ...], Reading]:
        """The readings of one metric in [start, end), by the values of labels."""
        each: dict[SeriesKey, Reading] = {}
        for start in sorted(start for start in self._panes if start_ns <= start < end_ns):
            for key, reading in self._panes[start].items():
                if key[0] == name and all_match(matchers, self._labels[key]):
                    _merge_into(each, key, reading)
        groups: dict[tuple[str, ...], Reading] = {}
        for key, reading in each.items():
            labels = self._labels[key]
            values = tuple(labels.get(label, "") for label in by)
            total = groups[values].total if values in groups else 0.0
            _merge_into(groups, values, reading)
            groups[values].total = total + (reading.last if reading.is_level else reading.sum)
        return groups


def readings(
    rows: pa.RecordBatch, added: Increments, names: frozenset[str], arrival_ns: int
) -> Iterator[tuple[SeriesKey, int, Reading]]:
    """The readings in rows of `METRIC_SCHEMA`, one for each series and pane."""
    keep = np.flatnonzero(added.is_counted & named(rows, names))
    if not keep.size:
        return
    times = rows.column("time_ns").to_numpy()[keep]
    starts, _ = pane_starts(times, arrival_ns)
    groups = group(rows.take(pa.array(keep)), _COLUMNS, starts)
    size = len(groups.texts)
    count, total = added.count[keep], added.sum[keep]
    is_bucketed = (added.is_exponential | (added.explicit.lengths > 0))[keep]
    # A counter's increments are its observations; its `count` column holds their sum.
    observations = np.where(is_bucketed, count, 1.0)
    value = np.where(is_bucketed, total / np.maximum(count, 1.0), total)
    low = np.where(is_bucketed, added.min[keep], total)
    high = np.where(is_bucketed, added.max[keep], total)
    smallest, largest = np.full(size, np.nan), np.full(size, np.nan)
    np.fmin.at(smallest, groups.of, low)
    np.fmax.at(largest, groups.of, high)
    order = np.argsort(times, kind="stable")
    latest, latest_ns, is_level = np.zeros(size), np.zeros(size, np.int64), np.zeros(size, bool)
    latest[groups.of[order]] = value[order]  # of equal places the last assignment stays
    latest_ns[groups.of[order]] = times[order]
    is_level[groups.of] = added.is_level[keep]
    columns = (is_level, add(groups.of, observations, size), add(groups.of, total, size), smallest, largest, latest)
    lists = (column.tolist() for column in (*columns, latest_ns))
    for key, start, *facts in zip(groups.texts, groups.starts, *lists, strict=True):
        yield key, start, Reading(*facts)


def _merge_into(target: dict[tuple[str, ...], Reading], key: tuple[str, ...], reading: Reading) -> None:
    if key in target:
        target[key].merge(reading)
    else:
        target[key] = replace(reading)


def _smaller(one: float, other: float) -> float:
    """The smaller; the other where one is NaN."""
    if math.isnan(one):
        return other
    return one if math.isnan(other) or one <= other else other


def _labels(key: SeriesKey) -> dict[str, str]:
    """What matchers and `by` may name: the labels, and the attributes of the point."""
    try:
        own = json.loads(key[-1])
    except ValueError:  # cut off by a bound on its length
        own = {}
    attributes = {name: value if isinstance(value, str) else json.dumps(value) for name, value in own.items()}
    return attributes | {label: text for label, text in zip(LABELS, key[1:-1], strict=True) if text}
