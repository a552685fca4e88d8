"""Data points of all five kinds, and sketches."""

import math
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogram, Histogram, Metric, Sum, Summary

from monitorx.backend.batch import BatchKind
from monitorx.backend.decode import Decoder
from tests.decode.build import NOW, SECOND, attributes, column, decoded, gauge, metrics, rows

POINT, SKETCH = BatchKind.METRIC, BatchKind.SKETCH
ORIGIN = {"tenant": "t", "service": "shop", "instance": "i-1"}


def only(metric: Metric) -> dict[str, Any]:
    [row] = rows(decoded(metrics(metric)), POINT)
    assert row.pop("key") > 0
    assert row.pop("series_key") > 0
    assert row.pop("series") == 1
    return row


def histogram(bounds: list[float], buckets: list[int], **fields: Any) -> Metric:
    metric = Metric(name="h", histogram=Histogram(aggregation_temporality=1))
    metric.histogram.data_points.add(time_unix_nano=NOW, explicit_bounds=bounds, bucket_counts=buckets, **fields)
    return metric


def distribution(told: dict[str, Any], **fields: Any) -> Metric:
    metric = Metric(
        name="ml.feature.distribution", exponential_histogram=ExponentialHistogram(aggregation_temporality=1)
    )
    point = metric.exponential_histogram.data_points.add(
        time_unix_nano=NOW, start_time_unix_nano=NOW - SECOND, attributes=attributes(told), **fields
    )
    point.positive.offset = -3
    point.positive.bucket_counts.extend([1, 2])
    return metric


def test_a_gauge() -> None:
    assert only(gauge("queue", [{"zone": "b", "a": 1}])) == {
        **ORIGIN,
        "time_ns": NOW,
        "start_ns": 0,
        "name": "queue",
        "unit": "1",
        "type": "gauge",
        "temporality": "unspecified",
        "monotonic": False,
        "value": 1.5,
        "attributes": '{"a":1,"zone":"b"}',
    }


def test_a_sum_of_integers_that_speaks_of_a_model() -> None:
    metric = Metric(name="ml.inference.samples", unit="{sample}")
    metric.sum.CopyFrom(Sum(aggregation_temporality=2, is_monotonic=True))
    told = {"ml.model.name": "fraud", "ml.model.version": "3", "ml.operation.name": "predict", "error.type": "E"}
    metric.sum.data_points.add(
        as_int=2**60, time_unix_nano=NOW, start_time_unix_nano=NOW - SECOND, attributes=attributes(told)
    )

    assert only(metric) == {
        **ORIGIN,
        "model": "fraud",
        "version": "3",
        "kind": "tabular",
        "operation": "predict",
        "error_type": "E",
        "time_ns": NOW,
        "start_ns": NOW - SECOND,
        "name": "ml.inference.samples",
        "unit": "{sample}",
        "type": "sum",
        "temporality": "cumulative",
        "monotonic": True,
        "value": 2.0**60,
        "attributes": '{"error.type":"E","ml.model.name":"fraud","ml.model.version":"3","ml.operation.name":"predict"}',
    }


def test_a_histogram() -> None:
    row = only(histogram([1.0, 2.0], [1, 0, 2**64 - 1], count=3, sum=4.5, min=0.5, max=3.0))

    assert {name: row[name] for name in ("count", "sum", "min", "max", "bounds", "buckets")} == {
        "count": 3.0,
        "sum": 4.5,
        "min": 0.5,
        "max": 3.0,
        "bounds": [1.0, 2.0],
        "buckets": [1.0, 0.0, 2.0**64],
    }
    assert (row["type"], row["temporality"], "value" in row, "scale" in row) == ("histogram", "delta", False, False)


def test_a_histogram_may_have_one_bucket_or_none() -> None:
    one, none = only(histogram([], [7], count=7)), only(histogram([], [], count=7))

    assert (one["bounds"], one["buckets"], "sum" in one) == ([], [7.0], False)
    assert (none["count"], "bounds" in none, "buckets" in none) == (7.0, False, False)


def test_an_exponential_histogram() -> None:
    metric = Metric(name="e", exponential_histogram=ExponentialHistogram(aggregation_temporality=1))
    point = metric.exponential_histogram.data_points.add(time_unix_nano=NOW, count=9, scale=3, zero_count=2)
    point.positive.offset, point.negative.offset = -5, 2
    point.positive.bucket_counts.extend([1, 0, 2])
    point.negative.bucket_counts.append(4)
    row = only(metric)

    names = ("scale", "zero_count", "zero_threshold", "positive_offset", "positive", "negative_offset", "negative")
    assert [row[name] for name in names] == [3, 2.0, 0.0, -5, [1.0, 0.0, 2.0], 2, [4.0]]


def test_a_summary() -> None:
    metric = Metric(name="q", summary=Summary())
    point = metric.summary.data_points.add(time_unix_nano=NOW, count=2, sum=3.0)
    point.quantile_values.add(quantile=0.5, value=1.0)
    point.quantile_values.add(quantile=0.99, value=2.0)
    row = only(metric)

    assert (row["count"], row["sum"], row["bounds"], row["buckets"]) == (2.0, 3.0, [0.5, 0.99], [1.0, 2.0])
    assert (row["type"], row["temporality"]) == ("summary", "unspecified")


def test_kinds_mixed_in_one_request_keep_their_own_columns() -> None:
    result = decoded(metrics(gauge("a"), histogram([1.0], [1, 1], count=2), gauge("b"), histogram([], [3], count=3)))

    assert column(result, "value", POINT) == [1.5, None, 1.5, None]
    assert column(result, "count", POINT) == [None, 2.0, None, 3.0]
    assert column(result, "buckets", POINT) == [None, [1.0, 1.0], None, [3.0]]
    assert column(result, "name", POINT) == ["a", "h", "b", "h"]


def test_no_recorded_value_is_a_row_without_one() -> None:
    plain = gauge("g", [{}], flags=1)
    spread = histogram([], [], flags=1)
    unset = Metric(name="u")
    unset.gauge.data_points.add(time_unix_nano=NOW, flags=1)
    result = decoded(metrics(plain, spread, unset))

    assert (result.items, result.rejected) == (3, 0)
    assert [column(result, name, POINT) for name in ("value", "count", "buckets")] == [[None] * 3] * 3


def test_zero_is_a_value_and_unset_is_not() -> None:
    metric = Metric(name="g")
    metric.gauge.data_points.add(time_unix_nano=NOW, as_double=0.0)
    metric.gauge.data_points.add(time_unix_nano=NOW, as_int=0, attributes=attributes({"a": 1}))
    metric.gauge.data_points.add(time_unix_nano=NOW, attributes=attributes({"a": 2}))
    result = decoded(metrics(metric))

    assert column(result, "value", POINT) == [0.0, 0.0]
    assert (result.items, result.rejected, len(result.keys)) == (3, 1, 2)
    assert result.message == "1 rejected: the point has no value and no flag that says so"


@pytest.mark.parametrize("value", [math.inf, -math.inf, 5e-324, 1e308])
def test_any_double_is_a_value(value: float) -> None:
    assert column(decoded(metrics(gauge("g", value=value))), "value", POINT) == [value]


def test_nan_is_a_value_and_not_null() -> None:
    [value] = column(decoded(metrics(gauge("g", value=math.nan))), "value", POINT)

    assert math.isnan(value)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        pytest.param(
            histogram([1.0, 2.0], [1, 2]),
            "a histogram needs one more bucket_counts than explicit_bounds",
            id="bounds and buckets differ",
        ),
        pytest.param(
            histogram([2.0, 1.0], [1, 1, 1]),
            "the explicit_bounds of a histogram must be numbers that rise",
            id="bounds fall",
        ),
        pytest.param(
            histogram([math.nan], [1, 1]),
            "the explicit_bounds of a histogram must be numbers that rise",
            id="a bound is NaN",
        ),
        pytest.param(gauge(""), "the metric has no name", id="no name"),
        pytest.param(gauge("g", time_ns=2**63), "a time is later than the year 2262", id="late"),
    ],
)
def test_a_point_that_makes_no_sense_is_rejected_alone(metric: Metric, reason: str) -> None:
    result = decoded(metrics(gauge("good"), metric))

    assert (result.items, result.rejected, result.message) == (2, 1, f"1 rejected: {reason}")
    assert column(result, "name", POINT) == ["good"]
    assert len(result.keys) == 1


def test_a_request_of_which_nothing_is_left_has_no_batch() -> None:
    result = decoded(metrics(gauge("g", time_ns=2**64 - 1), Metric(name="no data")))

    assert (result.batches, result.items, result.rejected) == ((), 1, 1)


def test_a_point_without_a_time_came_now() -> None:
    assert column(decoded(metrics(gauge("g", time_ns=0)), arrival_ns=NOW + 7), "time_ns", POINT) == [NOW + 7]


@pytest.mark.parametrize(
    ("scale", "offset", "buckets"),
    [(2**31 - 1, 2**31 - 1, 2), (-(2**31), -(2**31), 2), (0, 2**31 - 1, 160), (3, 0, 100_000)],
)
def test_absurd_exponential_histograms_are_read_as_they_are(scale: int, offset: int, buckets: int) -> None:
    metric = Metric(name="e", exponential_histogram=ExponentialHistogram(aggregation_temporality=1))
    point = metric.exponential_histogram.data_points.add(time_unix_nano=NOW, count=buckets, scale=scale)
    point.positive.offset = offset
    point.positive.bucket_counts.extend([1] * buckets)
    row = only(metric)

    assert (row["scale"], row["positive_offset"], row["positive"]) == (scale, offset, [1.0] * buckets)


def test_renamed_metrics_of_generative_ai_have_one_name() -> None:
    assert only(gauge("gen_ai.client.inference.duration"))["name"] == "gen_ai.client.operation.duration"


def test_points_about_an_agent_speak_of_no_kind_of_model() -> None:
    told = {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}
    row = only(gauge("gen_ai.client.operation.duration", [told]))

    assert (row["operation"], "kind" in row) == ("invoke_agent", False)


def test_a_sketch_has_its_feature_and_its_anchor() -> None:
    told = {
        "ml.model.name": "fraud",
        "ml.model.version": "3",
        "ml.feature.name": "amount",
        "ml.feature.role": "output",
        "monitorx.anchor.center": 8,
        "monitorx.anchor.scale": 2.0,
    }
    [row] = rows(decoded(metrics(distribution(told, count=3, scale=6, zero_count=4))), SKETCH)

    assert row.pop("key") > 0
    assert row == {
        **ORIGIN,
        "model": "fraud",
        "version": "3",
        "time_ns": NOW,
        "start_ns": NOW - SECOND,
        "feature": "amount",
        "role": "output",
        "center": 8.0,
        "anchor": 2.0,
        "count": 3.0,
        "scale": 6,
        "zero_count": 4.0,
        "zero_threshold": 2.0**-6,
        "positive_offset": -3,
        "positive": [1.0, 2.0],
        "negative_offset": 0,
        "negative": [],
    }


def test_a_distribution_from_others_has_no_anchor_and_its_own_threshold() -> None:
    [row] = rows(decoded(metrics(distribution({"ml.feature.name": "x"}))), SKETCH)

    assert (row["role"], row["center"], row["anchor"], row["zero_threshold"]) == ("input", 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({}, id="no feature"),
        pytest.param({"ml.feature.name": "x", "monitorx.anchor.scale": 0.0}, id="no scale"),
        pytest.param({"ml.feature.name": "x", "monitorx.anchor.scale": math.nan}, id="scale is NaN"),
        pytest.param({"ml.feature.name": "x", "monitorx.anchor.center": "8"}, id="center is a text"),
    ],
)
def test_a_sketch_that_cannot_be_placed_is_rejected(told: dict[str, Any]) -> None:
    result = decoded(metrics(distribution(told), gauge("g")))

    assert (result.items, result.rejected, len(result.keys)) == (2, 1, 1)


def test_sketches_and_points_are_two_batches_with_one_list_of_keys() -> None:
    result = decoded(metrics(distribution({"ml.feature.name": "x"}), gauge("g")))

    assert [batch.kind for batch in result.batches] == [POINT, SKETCH]
    assert result.keys.tolist() == column(result, "key", POINT) + column(result, "key", SKETCH)


def test_the_decoder_takes_times_of_a_gauge_that_moves_its_start() -> None:
    decoder = Decoder()
    metric = gauge("g")
    keys = []
    for start in (1, 2):
        metric.gauge.data_points[0].start_time_unix_nano = start
        keys += column(decoded(metrics(metric), decoder), "series", POINT)

    assert keys == [1, 1]
