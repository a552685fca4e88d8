"""
The series that were seen: an attribute set is decoded and hashed once, then found by its bytes.

What it keeps: at most two generations. One ends when it is full or an hour old; its rows are carried into the next when
they are seen again, so a series keeps its number while it lives, and dead ones are forgotten.

Each metric of a tenant has room for a number of series in a generation. The points of further ones belong to one
overflow series of their stream, but keep the identity of their own, so that two of them at one time are not taken for
one that was sent twice.
"""

import math
from threading import Lock
from typing import Final

from monitorx.backend.decode.alias import Field
from monitorx.backend.decode.attribute import Value, attributes_in, canonical, column_text
from monitorx.backend.decode.generation import Feature, Generation, Raw, Stream, StreamKey
from monitorx.backend.decode.identity import hash64
from monitorx.backend.decode.label import NO_LABELS, Found, fields_in, labels_of, text_of
from monitorx.semconv.attributes import METRIC_OVERFLOW

_FEATURE_FIELDS: Final = frozenset({Field.FEATURE, Field.CENTER, Field.ANCHOR})
GENERATION_NS: Final = 3_600_000_000_000


class SeriesCache:
    """
    Rows of series by the bytes of their attributes, for any number of threads. Only adding takes the lock.

    Attributes:
        overflowed: Points that went to an overflow series.
        generations: How many tables were begun.
    """

    def __init__(self, *, series_per_metric: int, limit: int) -> None:
        self.overflowed = 0
        self.generations = 1
        self._series_per_metric = series_per_metric
        self._limit = limit
        self._lock = Lock()
        self._series = 0
        self._current: Generation | None = None

    def generation(self, now_ns: int) -> Generation:
        """The table to decode a request with: a new one where the last is full or old."""
        with self._lock:
            current = self._current
            if current is None:
                current = self._current = Generation(now_ns)
            elif current.entries >= self._limit or now_ns - current.born_ns > GENERATION_NS:
                current.previous = None
                current = self._current = Generation(now_ns, current)
                self.generations += 1
            return current

    def stream(self, table: Generation, key: StreamKey) -> Stream:
        """The stream of *key*."""
        stream = table.streams.get(key)
        if stream is None:
            with self._lock:
                stream = table.streams.setdefault(key, Stream(key, key.seed()))
                table.entries += 1
        return stream

    def row(self, table: Generation, stream: Stream, raw: Raw) -> tuple[int, int | None]:
        """
        The row for attributes that `stream.rows` does not have.

        Returns:
            The series' row and None; or the overflow series' row and the identity of the point's own series.
        """
        attributes = attributes_in(raw)
        text = canonical(attributes)
        identity = hash64(stream.seed, text)
        with self._lock:
            row = stream.by_identity.get(identity)
            if row is None:
                place = (stream.key.tenant, stream.key.name)
                used = table.admitted.get(place, 0)
                if used >= self._series_per_metric:
                    self.overflowed += 1
                    return self._overflow_row(table, stream), identity
                table.admitted[place] = used + 1
                row = self._add(table, stream, identity, attributes, text)
            stream.rows[raw] = row
            table.entries += 1
            return row, None

    def _add(self, table: Generation, stream: Stream, identity: int, attributes: dict[str, Value], text: bytes) -> int:
        found = fields_in(attributes)
        series = self._number(table, stream, identity)
        row = table.add(series, identity, labels_of(found), column_text(attributes, text))
        stream.by_identity[identity] = row
        if not found.keys().isdisjoint(_FEATURE_FIELDS):
            table.features[row] = _feature(found)
        return row

    def _overflow_row(self, table: Generation, stream: Stream) -> int:
        if stream.overflow_row is None:
            text = canonical({METRIC_OVERFLOW: True})
            identity = hash64(stream.seed, text)
            series = self._number(table, stream, identity)
            stream.overflow_row = table.add(series, identity, NO_LABELS, text.decode())
            stream.by_identity[identity] = stream.overflow_row
            table.entries += 1
        return stream.overflow_row

    def _number(self, table: Generation, stream: Stream, identity: int) -> int:
        """The number that the series had in the generation before, or a new one."""
        before = table.previous.streams.get(stream.key) if table.previous else None
        if table.previous and before and identity in before.by_identity:
            return int(table.previous.series[before.by_identity[identity]])
        self._series += 1
        return self._series


def _feature(found: Found) -> Feature:
    return Feature(
        name=text_of(found, Field.FEATURE),
        role=text_of(found, Field.ROLE) or "input",
        center=_finite(found, Field.CENTER, 0.0),
        anchor=_finite(found, Field.ANCHOR, 1.0),
        is_anchored=Field.CENTER in found or Field.ANCHOR in found,
    )


def _finite(found: Found, field: Field, default: float) -> float | None:
    value = found.get(field, (0, default))[1]
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type] # is_number says that it is one
