"""
What is asked of the store, answered out of InfluxDB: panes added up, findings, steps of alerts.

Panes come as they were written, and the source rule is applied to them here, by the `Meters` that choose for the rules,
over the selected time. Histograms are merged here, bucket by bucket, so that quantiles over any span of time are as
exact as those of one pane.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitorx.backend.storage.influxdb.line import tag_text
from monitorx.backend.storage.influxdb.measurement import ALERT, DRIFT, INFERENCE, Measurement
from monitorx.backend.storage.influxdb.query import Series, columns, condition, identifier, rows
from monitorx.backend.storage.store import GROUPS, AggregateRow, DriftRow, ModelRow, Selection, TransitionRow
from monitorx.backend.window.latency import LatencyHistogram
from monitorx.backend.window.pane import METRIC, PaneKey, PanePartial
from monitorx.backend.window.totals import Meters, Totals

Ask = Callable[[str], Iterator[tuple[int, Series]]]
Tags = Mapping[str, str]

_MOST_UNMERGED = 10_000  # histograms
_TOTALS = ("requests", "errors", "input_tokens", "output_tokens", "cost_usd", "samples")
_FLAGS = {"true": 1.0, "false": 0.0}  # as the field is written
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
    parts: tuple[dict[PaneKey, Mapping[str, Any]], ...] = ({}, {}, {})  # Any: fields
    for number, series in ask(statement):
        (parts[number][_key(series)],) = rows(series)
    sums, first, last = parts
    panes = [_sums(key, row) for key, row in sums.items()]
    meters = _meters(panes)
    found: dict[tuple[str, str], list[PaneKey]] = {}
    totals: dict[tuple[str, str], Totals] = {}
    for pane in panes:
        model = pane.key.model, pane.key.version
        found.setdefault(model, []).append(pane.key)
        meters.add(totals.setdefault(model, Totals()), pane)
    return [
        ModelRow(
            *model,
            min(key.kind for key in keys),
            sorted({key.service for key in keys}),
            sorted({key.operation for key in keys}),
            totals[model].requests,
            totals[model].errors,
            min(first[key]["time"] for key in keys),
            max(last[key]["time"] for key in keys),
        )
        for model, keys in sorted(found.items())
    ]


def aggregates(ask: Ask, selection: Selection, step_ns: int, by: Sequence[str]) -> list[AggregateRow]:
    """See `Store.aggregates`."""
    unknown = [name for name in by if name not in GROUPS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} cannot be grouped by; there are {', '.join(GROUPS)}")
    where = condition(selection, GROUPS)
    meters = _meters(_sums(_key(series), row) for series, row in _sums_of_metrics(ask, where))
    fields = columns([*_TOTALS, "latency"])
    groups: dict[tuple[int, tuple[str, ...]], Totals] = {}
    with_calls: set[tuple[int, tuple[str, ...]]] = set()
    unmerged: list[Totals] = []
    for _, series in ask(f"SELECT {fields} {_FROM} WHERE {where} {_BY_SERIES}"):
        key = _key(series)
        group = tuple(getattr(key, name) for name in by)
        has_calls = _has_calls(meters, key)
        for row in rows(series):
            step = row["time"] // step_ns * step_ns if step_ns else selection.start_ns
            total = groups.get((step, group))
            if total is None:
                total = groups[step, group] = Totals()
            meters.add(total, _pane(key, row, has_latency=has_calls))
            if has_calls:
                with_calls.add((step, group))
            unmerged.append(total)
            if len(unmerged) >= _MOST_UNMERGED:
                _merge(unmerged)
    return [
        _aggregate(step, dict(zip(by, group, strict=True)), total)
        for (step, group), total in sorted(groups.items(), key=lambda item: item[0])
        # Where metrics come once a minute, the steps between have spans and nothing of them that counts: no row.
        if (step, group) in with_calls or any(getattr(total, name) for name in _TOTALS)
    ]


def drift(ask: Ask, selection: Selection, limit: int) -> list[DriftRow]:
    """See `Store.drift`."""
    tags = {name: text for name, text in selection.equals.items() if name != "drifted"}
    where = condition(replace(selection, equals=tags), ("model", "version", "feature", "status"))
    if "drifted" in selection.equals:
        where += f" AND {identifier('drifted')} = {_FLAGS[selection.equals['drifted']]}"
    found = _newest(ask, DRIFT, where, limit)
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


def _sums_of_metrics(ask: Ask, where: str) -> Iterator[tuple[Series, Mapping[str, Any]]]:  # Any: fields
    """What each series of metrics adds up to."""
    sums = ", ".join(f"sum({identifier(name)}) AS {identifier(name)}" for name in _TOTALS)
    for _, series in ask(f"SELECT {sums} {_FROM} WHERE {where} AND \"source\" = '{METRIC}' {_BY_SERIES}"):
        yield from ((series, row) for row in rows(series))


def _meters(panes: Iterable[PanePartial]) -> Meters:
    """What metrics told of, out of all their panes."""
    meters = Meters()
    for pane in panes:
        meters.see(pane)
    return meters


def _has_calls(meters: Meters, key: PaneKey) -> bool:
    """Whether calls of the panes of *key* count."""
    call = Totals()
    meters.add(call, PanePartial(key, 0, 1.0, 0.0, LatencyHistogram()))
    return call.requests > 0


def _merge(totals: list[Totals]) -> None:
    """Merge the latencies of *totals*, which come one a pane, and forget the list: a million would not fit."""
    for total in totals:
        _ = total.latency
    totals.clear()


def _key(series: Series) -> PaneKey:
    return PaneKey("", *(tag_text(series.tags.get(name)) for name in INFERENCE.tags if name != "tenant"))


def _sums(key: PaneKey, row: Mapping[str, Any]) -> PanePartial:  # Any: fields
    """All panes of a series as one, as far as they were asked for."""
    totals = {name: float(row.get(name) or 0.0) for name in _TOTALS}
    return PanePartial(key, 0, latency=LatencyHistogram(), **totals)


def _pane(key: PaneKey, row: Mapping[str, Any], *, has_latency: bool) -> PanePartial:  # Any: fields
    """One pane; its histogram is unpacked only where it counts, as most of the time goes there."""
    latency = LatencyHistogram.from_bytes(base64.b64decode(row["latency"])) if has_latency else LatencyHistogram()
    return PanePartial(key, row["time"], latency=latency, **{name: float(row[name]) for name in _TOTALS})


def _aggregate(start_ns: int, group: Tags, total: Totals) -> AggregateRow:
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
