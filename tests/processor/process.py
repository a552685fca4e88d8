"""An attached process on a clock of its own, and an exporter that answers as it is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.processor.attach import Attachment
from monitorx.processor.export import metrics_data
from monitorx.sketch import Anchor
from tests.support.watch import Kept

SUBJECT = Subject("predict", Model("fraud"), Kind.TABULAR)
RESOURCE = Resource({"service.name": "shop", "service.instance.id": "1"})
POINT = {"ml.operation.name": "predict", "ml.model.name": "fraud", "ml.model.kind": "tabular"}
SECOND_NS = 10**9


class Told(MetricExporter):
    """Answers each export as told, and keeps the data of all."""

    def __init__(self, *answers: bool | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.exports: list[dict[str, list[Any]]] = []
        self.shutdowns = 0
        self.before: Callable[[], object] = int

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        (resource,) = metrics_data.resource_metrics
        assert resource.resource == RESOURCE
        self.before()
        (scope,) = resource.scope_metrics
        self.exports.append({metric.name: list(metric.data.data_points) for metric in scope.metrics})
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return MetricExportResult.SUCCESS if answer else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.shutdowns += 1


class Process:
    """An attached process on a clock of its own."""

    def __init__(self, *answers: bool | Exception, capacity: int = 100, interval_s: float = 3600) -> None:
        self.now_ns = 100 * SECOND_NS
        self.exporter = Told(*answers)
        self.buffer = Buffer(Kept(), capacity=capacity, fold_every_s=3600)
        self.attachment = Attachment(
            self.buffer,
            lambda: self.exporter,
            lambda interval: metrics_data(interval, RESOURCE),
            interval_s=interval_s,
            anchors={("fraud", None, "x0", "input"): Anchor(10.0, 2.0)},
            clock=lambda: self.now_ns,
        )

    def call(self, *durations_s: float, batch_size: int | None = None, error_type: str | None = None) -> None:
        for duration_s in durations_s:
            inference = Inference(SUBJECT, self.now_ns, batch_size)
            inference.duration_s, inference.error_type = duration_s, error_type
            self.buffer.append(inference)

    def observe(self, rows: list[list[float]] | list[list[str]]) -> None:
        assert self.buffer.intake is not None
        inference = Inference(SUBJECT, self.now_ns, len(rows))
        inference.duration_s, inference.rows = 1.0, self.buffer.intake.copy(np.array(rows))
        self.buffer.append(inference)

    def export(self, after_s: float = 5) -> bool:
        self.now_ns += int(after_s * SECOND_NS)
        return self.attachment.export_once()

    def times(self) -> list[tuple[float, float, int]]:
        """Start and end (seconds) and count of each exported duration point."""
        return [
            (point.start_time_unix_nano / SECOND_NS, point.time_unix_nano / SECOND_NS, point.count)
            for export in self.exporter.exports
            for point in export.get("ml.inference.duration", [])
        ]
