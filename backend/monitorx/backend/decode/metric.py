"""Metrics requests to METRIC and SKETCH columns."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitorx.backend.batch import MEASURE, BatchKind, ColumnBatch
from monitorx.backend.decode.alias import METRIC_NAME
from monitorx.backend.decode.attribute import cut
from monitorx.backend.decode.column import assemble, chosen, coded, constant, repeated, texts
from monitorx.backend.decode.generation import Feature, Generation, StreamKey
from monitorx.backend.decode.identity import U64, mixed
from monitorx.backend.decode.label import Labels
from monitorx.backend.decode.origin import Origins
from monitorx.backend.decode.point import Points
from monitorx.backend.decode.rejection import Rejections
from monitorx.backend.decode.series import SeriesCache
from monitorx.backend.decode.view import View
from monitorx.semconv import metrics as metric_name

TIME_LIMIT: Final = 2**63  # OTLP's times are uint64, the columns' int64: later than the year 2262 is refused

_TEMPORALITY: Final = {1: "delta", 2: "cumulative"}
_UNSPECIFIED: Final = "unspecified"
_NO_FEATURE: Final = Feature(None, "input", None, None, is_anchored=False)


def decode_metrics(
    request: View, tenant: str, arrival_ns: int, origins: Origins, series: SeriesCache, rejections: Rejections
) -> tuple[list[ColumnBatch], int]:
    """The batches of a request, and how many points it has."""
    table = series.generation(arrival_ns)
    metrics, sketches = Points(table, series, rejections), Points(table, series, rejections)
    items = 0
    for resource in request.resource_metrics:
        origin = origins.of(resource.resource)
        for scope in resource.scope_metrics:
            scope_words = (scope.scope.name, scope.scope.version, tuple(scope.scope.attributes))
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                data = getattr(metric, kind)
                points = list(data.data_points)
                items += len(points)
                if not metric.name:
                    rejections.add("the metric has no name", len(points))
                    continue
                key = _key(tenant, origin.text, scope_words, metric, kind, data)
                target = sketches if _is_sketch(key) else metrics
                target.add(origin, series.stream(table, key), points)
    _refuse_unanchored(sketches)
    batches = [
        _metric_batch(metrics, tenant, arrival_ns, rejections) if metrics.rows else None,
        _sketch_batch(sketches, tenant, arrival_ns, rejections) if sketches.rows else None,
    ]
    return [batch for batch in batches if batch is not None and batch.rows.num_rows], items


def _key(
    tenant: str, resource: bytes, scope: tuple[str, str, tuple[bytes, ...]], metric: View, kind: str, data: View
) -> StreamKey:
    name = metric.name
    return StreamKey(
        tenant,
        resource,
        *scope,
        METRIC_NAME.get(name, name),
        metric.unit,
        kind,
        _temporality(kind, data),
        kind == "sum" and data.is_monotonic,
    )


def _temporality(kind: str, data: View) -> str:
    if kind in ("gauge", "summary"):
        return _UNSPECIFIED
    return _TEMPORALITY.get(data.aggregation_temporality, _UNSPECIFIED)


def _is_sketch(key: StreamKey) -> bool:
    return key.type == "exponential_histogram" and key.name == metric_name.FEATURE_DISTRIBUTION


class _Identified(NamedTuple):
    """Columns that both kinds of batch have, and the rows of them that are kept."""

    columns: dict[str, pa.Array]
    keep: npt.NDArray[np.bool_] | None


def _metric_batch(points: Points, tenant: str, arrival_ns: int, rejections: Rejections) -> ColumnBatch:
    size = len(points.rows)
    rows = np.array(points.rows, dtype=np.int64)
    common = _common(points, rows, tenant, arrival_ns, rejections)
    counts = np.array([run.length for run in points.runs], dtype=np.int64)
    keys = [run.stream.key for run in points.runs]
    columns = {
        **common.columns,
        "name": repeated((cut(key.name) for key in keys), counts),
        "unit": repeated((cut(key.unit) for key in keys), counts),
        "type": repeated((key.type for key in keys), counts),
        "temporality": repeated((key.temporality for key in keys), counts),
        "monotonic": pa.array(np.repeat(np.array([key.monotonic for key in keys], dtype=bool), counts)),
        "value": pa.array(points.values, MEASURE),
        "attributes": _coded_by(points.table.text[rows], points.table.texts),
        "series": pa.array(points.table.series[rows]),
        "series_key": pa.array(points.table.identity[rows]),
        **_distributions(points, size),
    }
    return assemble(BatchKind.METRIC, columns, size, common.keep)


def _sketch_batch(points: Points, tenant: str, arrival_ns: int, rejections: Rejections) -> ColumnBatch:
    rows = np.array(points.rows, dtype=np.int64)
    common = _common(points, rows, tenant, arrival_ns, rejections)
    features = [points.table.features.get(row, _NO_FEATURE) for row in points.rows]
    columns = {
        **common.columns,
        "feature": texts(feature.name or "" for feature in features),
        "role": texts(feature.role for feature in features),
        "center": pa.array([feature.center or 0.0 for feature in features], MEASURE),
        "anchor": pa.array([feature.anchor or 1.0 for feature in features], MEASURE),
        **_distributions(points, len(rows)),
    }
    return assemble(BatchKind.SKETCH, columns, len(rows), common.keep)


def _refuse_unanchored(sketches: Points) -> None:
    """A sketch says of which feature it is, and on which scale."""
    for index, row in enumerate(sketches.rows):
        feature = sketches.table.features.get(row)
        if index in sketches.own:
            sketches.refuse(index, "there are more features than series are allowed for a metric")
        elif feature is None or feature.name is None:
            sketches.refuse(index, "ml.feature.distribution has no attribute ml.feature.name")
        elif feature.center is None or feature.anchor is None or feature.anchor <= 0.0:
            sketches.refuse(index, "monitorx.anchor.center must be a number and monitorx.anchor.scale one above 0")


def _common(
    points: Points, rows: npt.NDArray[np.int64], tenant: str, arrival_ns: int, rejections: Rejections
) -> _Identified:
    times, starts = np.array(points.times, dtype=np.uint64), np.array(points.starts, dtype=np.uint64)
    times[times == 0] = arrival_ns
    keep = _kept(points, times, starts, rejections)
    counts = np.array([run.length for run in points.runs], dtype=np.int64)
    columns = {
        "time_ns": pa.array(times.view(np.int64)),
        "start_ns": pa.array(starts.view(np.int64)),
        "tenant": constant(tenant, len(rows)),
        "service": repeated((run.origin.service for run in points.runs), counts),
        "instance": repeated((run.origin.instance for run in points.runs), counts),
        **_labels(points.table, rows),
        "key": pa.array(mixed(_identities(points, rows), starts, times)),
    }
    return _Identified(columns, keep)


def _kept(points: Points, times: U64, starts: U64, rejections: Rejections) -> npt.NDArray[np.bool_] | None:
    keep = (times < TIME_LIMIT) & (starts < TIME_LIMIT)
    keep[points.refused] = True  # counted already
    late = len(keep) - int(keep.sum())
    if late:
        rejections.add("a time is later than the year 2262", late)
    keep[points.refused] = False
    return None if keep.all() else keep


def _identities(points: Points, rows: npt.NDArray[np.int64]) -> U64:
    """Of each point's own series, also where it went to the overflow series."""
    identities = points.table.identity[rows]
    if points.own:
        identities[list(points.own)] = np.array(list(points.own.values()), dtype=np.uint64)
    return identities


def _labels(table: Generation, rows: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    present, place = np.unique(table.label[rows], return_inverse=True)
    labels = [table.labels[code] for code in present.tolist()]
    return {name: chosen((getattr(item, name) for item in labels), place) for name in Labels._fields}


def _coded_by(codes: npt.NDArray[np.int32], words: list[str]) -> pa.DictionaryArray:
    """A text column whose dictionary has only the words that occur."""
    present, place = np.unique(codes, return_inverse=True)
    return coded(place.astype(np.int32), [words[code] for code in present.tolist()])


def _distributions(points: Points, size: int) -> dict[str, pa.Array]:
    columns = points.distributions.columns()
    count = len(points.distributed)
    if count == 0:
        return {}
    if count == size:
        return columns
    place = np.full(size, -1, dtype=np.int32)
    place[points.distributed] = np.arange(count, dtype=np.int32)
    indices = pa.array(place, mask=place < 0)
    return {name: column.take(indices) for name, column in columns.items()}
