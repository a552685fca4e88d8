"""Sketches of features as an application sends them."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from monitorx.sketch import Anchor, choose, fold
from monitorx.sketch.exponential import dense
from tests.support.otlp import attributes

Values = npt.NDArray[np.float64] | Sequence[float]


def sketches(
    features: Mapping[str, Values],
    *,
    model: str = "fraud",
    version: str = "1",
    at_ns: int | None = None,
    anchors: Mapping[str, Anchor] | None = None,
    instance: str = "i-1",
) -> ExportMetricsServiceRequest:
    """One point for each feature: its values in the five seconds before *at_ns* (now)."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(attributes({"service.name": "shop", "service.instance.id": instance}))
    metric = resource.scope_metrics.add().metrics.add(name="ml.feature.distribution", unit="1")
    metric.exponential_histogram.aggregation_temporality = 1
    end = at_ns or time.time_ns()
    for name, values in features.items():
        anchor = (anchors or {}).get(name) or choose(values)
        histogram = fold(values, anchor)
        point = metric.exponential_histogram.data_points.add(
            start_time_unix_nano=end - 5_000_000_000,
            time_unix_nano=end,
            count=histogram.count,
            sum=histogram.sum,
            min=histogram.min,
            max=histogram.max,
            scale=histogram.scale,
            zero_count=histogram.zero_count,
        )
        for buckets, counts in ((point.positive, histogram.positive), (point.negative, histogram.negative)):
            buckets.offset, filled = dense(counts)
            buckets.bucket_counts.extend(filled)
        known: dict[str, str | int | float] = {
            "ml.model.name": model,
            "ml.model.version": version,
            "ml.feature.name": name,
            "ml.feature.role": "input",
            "monitorx.anchor.center": float(anchor.center),
            "monitorx.anchor.scale": float(anchor.scale),
        }
        point.attributes.extend(attributes(known))
    return request
