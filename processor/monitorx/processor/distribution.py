"""
Distributions of features, interval by interval: counts around an anchor, never values.

An anchor is chosen once, from a feature's first values, and kept as long as the process lives; a reference file may
give it before. Until there are enough values they wait.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from monitorx.instrumentation.features import FEATURES_KEPT, Packed
from monitorx.instrumentation.inference import Inference, Subject
from monitorx.processor.columns import Column, columns_of
from monitorx.semconv.attributes import (
    ML_FEATURE_NAME,
    ML_FEATURE_ROLE,
    ML_MODEL_KIND,
    ML_MODEL_NAME,
    ML_MODEL_VERSION,
)
from monitorx.sketch import Anchor, ExponentialHistogram, choose, fold
from monitorx.sketch.anchor import ENOUGH, SAMPLE
from monitorx.sketch.fold import fold_into

ROWS_WAITING = 1_024  # folded at this many, or when an interval is closed
VALUES_WAITING = 32_768
FEATURES_IN_ALL = 2_000  # of all models of a process
PATIENCE_NS = 10 * 60 * 10**9  # so long do values wait for more of them, before an anchor is chosen from what is there

Point = tuple[tuple[str, str], ...]  # the attributes of a feature's data points, but for the anchor
Anchors = Mapping[tuple[str, str | None, str, str], Anchor]  # model, version (None: any), feature, role


class Distribution:
    """One feature in one interval. `histogram` is None while no anchor is chosen."""

    __slots__ = ("anchor", "histogram", "missing", "nonfinite")

    def __init__(self, anchor: Anchor | None) -> None:
        self.anchor = anchor
        self.histogram: ExponentialHistogram | None = None
        self.missing = 0
        self.nonfinite = 0

    @property
    def count(self) -> int:
        """How many values it tells of."""
        return self.missing + self.nonfinite + (0 if self.histogram is None else self.histogram.count)

    def add(self, values: Any) -> None:  # Any: float64, shape (n,), without NaN
        """Count *values*, none of them NaN."""
        if self.anchor is None:
            return
        if self.histogram is None:
            self.histogram = fold(values, self.anchor)
        else:
            fold_into(self.histogram, values, self.anchor)

    def merge(self, later: "Distribution") -> None:
        """Add *later*, of the same feature."""
        self.missing += later.missing
        self.nonfinite += later.nonfinite
        self.anchor = self.anchor or later.anchor
        if later.histogram is not None:
            if self.histogram is None:
                self.histogram = later.histogram
            else:
                self.histogram.merge(later.histogram)


class _Feature:
    """What lasts longer than an interval."""

    __slots__ = ("anchor", "early", "early_count", "since_ns")

    def __init__(self, anchor: Anchor | None) -> None:
        self.anchor = anchor
        self.forget()

    def forget(self) -> None:
        self.early: list[Any] = []  # Any: arrays, as in Distribution.add
        self.early_count = 0
        self.since_ns = 0


class Distributions:
    """
    All features of a process. Not thread-safe: its owner holds a lock.

    Args:
        anchors: Of a reference; they win over what the values say.
        features: Of all models together; further ones are left out, counted.
    """

    def __init__(self, anchors: Anchors | None = None, *, features: int = FEATURES_IN_ALL) -> None:
        self._anchors = anchors or {}
        self._most = features
        self._features: dict[Point, _Feature] = {}
        self._of_model: dict[Point, int] = {}
        self.forget()

    def forget(self) -> None:
        """Start with nothing but the anchors: after a fork, the counts are the parent's to send."""
        self._open: dict[Point, Distribution] = {}
        self._waiting: dict[Subject, list[Inference]] = {}
        self._rows = self._values = 0
        self._are_packed = True
        self._dropped: dict[str, int] = {}
        for feature in self._features.values():
            feature.forget()

    def add(self, subject: Subject, inferences: Sequence[Inference]) -> None:
        """Keep what *inferences* of *subject* carry, for the next fold."""
        if inferences:
            self._waiting.setdefault(subject, []).extend(inferences)
            self._rows += sum(inference.batch_size or 1 for inference in inferences)
            self._values += sum(_size(inference.rows) for inference in inferences)
            self._are_packed = self._are_packed and all(isinstance(i.rows, Packed) for i in inferences)

    def fold_if_many(self) -> None:
        """Fold what waits, if it is much, or takes time: the next to fold may be a caller, who should not wait."""
        if self._rows >= ROWS_WAITING or self._values >= VALUES_WAITING or not self._are_packed:
            self.fold()

    def fold(self) -> None:
        """Count what waits."""
        waiting, self._waiting = self._waiting, {}
        self._rows = self._values = 0
        self._are_packed = True
        for subject, inferences in waiting.items():
            for column in columns_of(subject.operation, inferences, self.drop):
                self._count(subject, column)
            for inference in inferences:  # some are kept for their trace, without what they carried
                inference.rows = inference.names = inference.output = None

    def take(self, now_ns: int, *, is_last: bool = False) -> tuple[dict[Point, Distribution], dict[str, int]]:
        """Distributions since the last time, and how many values were left out, by reason."""
        self.fold()
        for point, feature in self._features.items():
            if feature.early_count:
                feature.since_ns = feature.since_ns or now_ns
                if is_last or now_ns - feature.since_ns >= PATIENCE_NS:
                    self._settle(point, feature)
        taken, self._open = self._open, {}
        dropped, self._dropped = self._dropped, {}
        return taken, dropped

    def drop(self, reason: str, values: int) -> None:
        """Say that *values* were left out."""
        self._dropped[reason] = self._dropped.get(reason, 0) + values

    def _count(self, subject: Subject, column: Column) -> None:
        point = _point(subject, column)
        feature = self._features.get(point) or self._new(point, subject, column)
        if feature is None:
            self.drop("too_many_features", len(column.values))
            return
        distribution = self._open.get(point)
        if distribution is None:
            distribution = self._open[point] = Distribution(feature.anchor)
        values = column.values
        is_there = values == values  # noqa: PLR0124 - NaN is what does not equal itself
        if not is_there.all():
            values = values[is_there]
            distribution.missing += len(column.values) - len(values)
        is_finite = abs(values) != float("inf")
        if not is_finite.all():
            distribution.nonfinite += int((~is_finite).sum())
            values = values[is_finite]
        if not len(values):
            return
        if feature.anchor is not None:
            distribution.add(values)
            return
        feature.early.append(values)
        feature.early_count += len(values)
        if feature.early_count >= ENOUGH:
            self._settle(point, feature)

    def _new(self, point: Point, subject: Subject, column: Column) -> _Feature | None:
        model = point[:-2]
        if len(self._features) >= self._most or self._of_model.get(model, 0) >= FEATURES_KEPT + 3:
            return None  # the three are the scores, which come after the inputs
        self._of_model[model] = self._of_model.get(model, 0) + 1
        name, version = subject.model.name, subject.model.version
        anchor = self._anchors.get((name, version, *column[:2])) or self._anchors.get((name, None, *column[:2]))
        feature = self._features[point] = _Feature(anchor)
        return feature

    def _settle(self, point: Point, feature: _Feature) -> None:
        """Choose the anchor, from values at even steps over all that are there, and count what waited for it."""
        early = [value for values in feature.early for value in values.tolist()]
        feature.anchor = choose(early[:: max(len(early) // SAMPLE, 1)])
        distribution = self._open.setdefault(point, Distribution(feature.anchor))
        distribution.anchor = feature.anchor
        for values in feature.early:
            distribution.add(values)
        feature.forget()


def _point(subject: Subject, column: Column) -> Point:
    version = subject.model.version
    return (
        (ML_MODEL_NAME, subject.model.name),
        *(() if version is None else ((ML_MODEL_VERSION, version),)),
        (ML_MODEL_KIND, str(subject.kind)),
        (ML_FEATURE_NAME, column.name),
        (ML_FEATURE_ROLE, column.role),
    )


def _size(rows: Any) -> int:  # Any: an array, a frame, a list of rows, or None
    try:
        return int(rows.size)
    except AttributeError:
        return 0 if rows is None else len(rows) * len(rows[0])
