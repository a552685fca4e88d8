"""What may be asked for, path by path: the parameters of the REST API. Moments are datetimes or the API's own words."""

from datetime import datetime
from typing import Literal, TypedDict

Moment = str | datetime  # "2026-01-31T12:00:00Z", "-15m", or a datetime with a time zone
Kind = Literal["llm", "vision", "tabular"]


class Span(TypedDict, total=False):
    """A stretch of time, [start, end)."""

    start: Moment
    end: Moment


class ModelQuery(Span, total=False):
    """Which models."""

    model: str
    version: str
    service: str
    instance: str
    kind: Kind
    operation: str


class AggregateQuery(ModelQuery, total=False):
    """Which calls, and how they are put together: `step` as in "5m", `by` as in "model,version"."""

    step: str
    by: str


class DriftQuery(Span, total=False):
    """Which findings of drift."""

    model: str
    version: str
    feature: str
    status: Literal["ok", "small", "low_resolution", "no_reference"]
    drifted: bool
    limit: int


class AlertQuery(TypedDict, total=False):
    """Which alerts."""

    state: list[Literal["pending", "firing", "resolved"]]
    severity: list[Literal["info", "warning", "error", "critical"]]
    model: str
    service: str


def parameters(query: object) -> dict[str, str | list[str]]:
    """*query* as it is written in an address; what is None is left out."""
    assert isinstance(query, dict)  # noqa: S101  for mypy: a TypedDict is one, and mypy does not say so
    return {name: _written(value) for name, value in query.items() if value is not None}


def _written(value: object) -> str | list[str]:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | set | frozenset):
        return [str(each) for each in value]
    return str(value)
