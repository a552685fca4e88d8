"""MonitorX's results as lines: panes, panes of all processes together, drift findings, verdicts, alert transitions."""

import base64
import hashlib
import json
from collections.abc import Mapping

from monitorx.backend.storage.influxdb.line import line
from monitorx.backend.storage.influxdb.measurement import ALERT, DRIFT, INFERENCE, MODEL, VERDICT
from monitorx.backend.storage.store import DriftRow, TransitionRow, VerdictRow
from monitorx.backend.window.pane import PanePartial

_LABELS = ("model", "version", "service", "feature")  # tags out of the labels of a rule; the others are in the text


def inference_line(pane: PanePartial) -> str | None:
    """One pane, whole."""
    latency = base64.b64encode(pane.latency.to_bytes()).decode()
    return line(INFERENCE, pane.key._asdict(), {**_counts(pane), "latency": latency}, pane.start_ns)


def model_line(pane: PanePartial) -> str | None:
    """One pane of all processes together; of its key, `instance` and `source` are not said."""
    tags = {name: text for name, text in pane.key._asdict().items() if name in MODEL.tags}
    quantiles = {f"p{round(q * 100)}_s": pane.latency.quantile(q) for q in (0.5, 0.95, 0.99)}
    return line(MODEL, tags, {**_counts(pane), **quantiles}, pane.start_ns)


def drift_line(row: DriftRow) -> str | None:
    """One finding."""
    fields: dict[str, float | str | None] = {
        "drifted": float(row.drifted),
        "score": row.score,
        "psi": row.psi,
        "statistic": row.statistic,
        "p": row.p,
        "events": row.events,
        # A float holds the length of a window to the nanosecond, and not the time of its start.
        "window_s": (row.end_ns - row.start_ns) / 1e9,
        "reference": row.reference,
    }
    return line(DRIFT, {name: getattr(row, name) for name in DRIFT.tags}, fields, row.end_ns)


def verdict_line(row: VerdictRow) -> str | None:
    """One verdict. `series` keeps label sets apart of which the tags say the same."""
    labels = labels_json(row.labels)
    series = hashlib.sha256(labels.encode()).hexdigest()[:16]
    tags = {"tenant": row.tenant, "rule": row.rule, "series": series, **_label_tags(row.labels)}
    fields: dict[str, float | str | None] = {
        "state": row.state,
        "breached": float(row.state == "breached"),
        "value": row.value,
        "threshold": row.threshold,
        "labels": labels,
    }
    return line(VERDICT, tags, fields, row.time_ns)


def alert_line(row: TransitionRow) -> str | None:
    """One step of an alert."""
    tags = {name: getattr(row, name) for name in ("tenant", "rule", "severity", "after", "fingerprint")}
    labels = ", ".join(f"{name}={text}" for name, text in sorted(row.labels.items()))
    fields: dict[str, float | str | None] = {
        "before": row.before,
        "value": row.value,
        "firing": float(row.after == "firing"),
        "title": f"{row.rule} is {row.after}",
        "text": labels if row.value is None else f"{labels}: {row.value:g}",
        "labels": labels_json(row.labels),
    }
    return line(ALERT, {**tags, **_label_tags(row.labels)}, fields, row.time_ns)


def labels_json(labels: Mapping[str, str]) -> str:
    """*labels* as one text that is the same for the same labels."""
    return json.dumps(dict(labels), sort_keys=True)


def _label_tags(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: labels[name] for name in _LABELS if name in labels}


def _counts(pane: PanePartial) -> dict[str, float | str | None]:
    return {
        "requests": pane.requests,
        "errors": pane.errors,
        "input_tokens": pane.input_tokens,
        "output_tokens": pane.output_tokens,
        "cost_usd": pane.cost_usd,
        "samples": pane.samples,
        "latency_sum_s": pane.latency.sum_s,
        "latency_max_s": pane.latency.max_s,
    }
