"""
What is asked of the store, answered out of InfluxDB: panes added up, findings, steps of alerts.

Panes come as they were written, and the source rule is applied to them here, by the `Meters` that choose for the rules,
over the selected time. Histograms are merged here, bucket by bucket, so that quantiles over any span of time are as
exact as those of one pane.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from monitorx.backend.storage.influxdb.line import tag_text
from monitorx.backend.storage.influxdb.measurement import ALERT, DRIFT, INFERENCE, Measurement
from monitorx.backend.storage.influxdb.query import Series, columns, condition, identifier, rows
from monitorx.backend.storage.store import GROUPS, AggregateRow, DriftRow, ModelRow, Selection, TransitionRow
from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import METRIC, PaneKey, PanePartial

Ask = Callable[[str], Iterator[tuple[int, Series]]]
Tags = Mapping[str, str]

_TELLER = ("service", "instance", "model", "version", "operation")
_TOTALS = ("requests", "errors", "input_tokens", "output_tokens", "cost_usd", "samples")
_BY_SERIES = f"GROUP BY {columns(name for name in INFERENCE.tags if name != 'tenant')}"
_FROM = f"FROM {identifier(INFERENCE.name)}"


def models(ask: Ask, selection: Selection) -> list[ModelRow]:
    """See `Store.models`."""
    where = f"{_FROM} WHERE {condition(selection, GROUPS)} {_BY_SERIES}"
    # A selector alone tells the time of what it selects, so the first and the last are asked for one by one.
    statement = (
        f'SELECT sum("requests") AS "requests", sum("errors") AS "errors" {where};'
        f' SELECT first("requests") AS "requests" {where}; SELECT last("requests") AS "requests" {where}'
    )
    parts: tuple[dict[PaneKey, Any], ...] = ({}, {}, {})  # Any: totals of a series, then times
    for number, series in ask(statement):
        (row,) = rows(series)
        parts[number][_key(series)] = row if number == 0 else row["time"]
    totals, first, last = parts
    metered = {_teller(key) for key in totals if key.source == METRIC}
    found: dict[tuple[str, str], list[PaneKey]] = {}
    for key in totals:
        if key.source == METRIC or _teller(key) not in metered:
            found.setdefault((key.model, key.version), []).append(key)
    return [
        ModelRow(
            model,
            version,
            min(key.kind for key in keys),
            sorted({key.service for key in keys}),
            sorted({key.operation for key in keys}),
            float(sum(totals[key]["requests"] for key in keys)),
            float(sum(totals[key]["errors"] for key in keys)),
            min(first[key] for key in keys),
            max(last[key] for key in keys),
        )
        for (model, version), keys in sorted(found.items())
    ]


def aggregates(ask: Ask, selection: Selection, step_ns: int, by: Sequence[str]) -> list[AggregateRow]:
    """See `Store.aggregates`."""
    unknown = [name for name in by if name not in GROUPS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} cannot be grouped by; there are {', '.join(GROUPS)}")
    where = condition(selection, GROUPS)
    metered = _metered(ask, where)
    fields = columns([*_TOTALS, "latency"])
    groups: dict[tuple[int, tuple[str, ...]], PanePartial] = {}
    for _, series in ask(f"SELECT {fields} {_FROM} WHERE {where} {_BY_SERIES}"):
        key = _key(series)
        if key.source != METRIC and _teller(key) in metered:
            continue
        group = tuple(getattr(key, name) for name in by)
        for row in rows(series):
            pane = _pane(key, row)
            step = pane.start_ns // step_ns * step_ns if step_ns else selection.start_ns
            total = groups.setdefault((step, group), pane)
            if total is not pane:
                total.merge(pane)
    return [_aggregate(step, dict(zip(by, group, strict=True)), groups[step, group]) for step, group in sorted(groups)]


def drift(ask: Ask, selection: Selection, limit: int) -> list[DriftRow]:
    """See `Store.drift`."""
    found = _newest(ask, DRIFT, condition(selection, ("model", "version", "feature", "status")), limit)
    return sorted(map(_drift, found), key=lambda row: (-row.end_ns, *drift_order(row)))[:limit]


def drift_order(row: DriftRow) -> tuple[str, ...]:
    """The order of findings about the same time."""
    return (row.model, row.version, row.feature, row.role, row.method, row.status)


def transitions(ask: Ask, selection: Selection, limit: int) -> list[TransitionRow]:
    """See `Store.transitions`."""
    found = _newest(ask, ALERT, condition(selection, ("rule", "severity", "after")), limit)
    order = sorted(map(_transition, found), key=lambda row: (-row.time_ns, row.rule, row.fingerprint, row.after))
    return order[:limit]


def _newest(ask: Ask, measurement: Measurement, where: str, limit: int) -> list[Mapping[str, Any]]:  # Any: fields
    """The newest *limit* rows, and all that are as old as the oldest of them: in which order those come is ours."""
    if limit <= 0:
        return []
    names = columns([*measurement.tags, *(field.name for field in measurement.fields)])
    chosen = f"SELECT {names} FROM {identifier(measurement.name)} WHERE {where}"  # noqa: S608  as above
    newest = [row for _, series in ask(f"{chosen} ORDER BY time DESC LIMIT {limit}") for row in rows(series)]
    if len(newest) < limit:
        return newest
    oldest = min(row["time"] for row in newest)
    as_old = [row for _, series in ask(f"{chosen} AND time = {oldest}") for row in rows(series)]
    return [row for row in newest if row["time"] > oldest] + as_old


def _metered(ask: Ask, where: str) -> set[tuple[str, ...]]:
    """Who sent duration metrics within the selected time."""
    statement = f'SELECT last("requests") {_FROM} WHERE {where} AND "source" = \'{METRIC}\' {_BY_SERIES}'
    return {_teller(_key(series)) for _, series in ask(statement)}


def _key(series: Series) -> PaneKey:
    return PaneKey("", *(tag_text(series.tags.get(name)) for name in INFERENCE.tags if name != "tenant"))


def _teller(key: PaneKey) -> tuple[str, ...]:
    return tuple(getattr(key, name) for name in _TELLER)


def _pane(key: PaneKey, row: Mapping[str, Any]) -> PanePartial:  # Any: fields
    latency = LatencyHistogram.from_bytes(base64.b64decode(row["latency"]))
    return PanePartial(key, row["time"], latency=latency, **{name: float(row[name]) for name in _TOTALS})


def _aggregate(start_ns: int, group: Tags, total: PanePartial) -> AggregateRow:
    latency = total.latency
    calls = latency.count
    p50_s, p95_s, p99_s = (latency.quantile(q) if calls else None for q in (0.5, 0.95, 0.99))
    return AggregateRow(
        start_ns,
        group,
        total.requests,
        total.errors,
        p50_s,
        p95_s,
        p99_s,
        latency.mean if calls else None,
        latency.max_s if calls else None,
        total.input_tokens,
        total.output_tokens,
        total.cost_usd,
        total.samples,
    )


def _drift(row: Mapping[str, Any]) -> DriftRow:  # Any: fields
    texts = {name: tag_text(row[name]) for name in DRIFT.tags}
    numbers = {name: _number(row[name]) for name in ("statistic", "p", "score", "psi")}
    values: dict[str, Any] = {**texts, **numbers}  # Any: texts and numbers
    return DriftRow(
        start_ns=row["time"] - round(row["window_s"] * 1e9),
        end_ns=row["time"],
        drifted=row["drifted"] == 1.0,
        events=float(row["events"]),
        reference=row["reference"] or "",
        **values,
    )


def _transition(row: Mapping[str, Any]) -> TransitionRow:  # Any: fields
    return TransitionRow(
        time_ns=row["time"],
        **{name: tag_text(row[name]) for name in ("tenant", "fingerprint", "rule", "severity", "after")},
        labels=json.loads(row["labels"]),
        before=row["before"],
        value=_number(row["value"]),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
