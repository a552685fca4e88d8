"""The parameters of each path: what may be written, and the selection it means. An unknown parameter is refused."""

import base64
import binascii
from collections.abc import Mapping
from typing import Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from monitorx.alerting.alert import Alert
from monitorx.backend.api.hexadecimal import TraceId
from monitorx.backend.api.instant import LENGTH, MOMENT, SECOND_NS, parse_length_ns, parse_moment_ns
from monitorx.backend.api.problem import invalid
from monitorx.backend.storage.store import GROUPS, Place, Selection
from monitorx.backend.window.pane import PANE_NS

MAX_LIMIT = 1000
MAX_STEPS = 11_000  # per group; what a chart can show many times over

# A sender's clock may run ahead by this much; without an `end` such calls are answered, too.
_AHEAD_NS = 60 * SECOND_NS

_SEVERAL = frozenset({"state", "severity"})  # parameters that may be given several times


async def refuse_repeated(request: Request) -> None:
    """400 where a parameter that means one value is given more than once: the first would be passed over."""
    given = request.query_params
    for name in given:
        if name not in _SEVERAL and len(values := given.getlist(name)) > 1:
            raise invalid(name, values, "it may be given once")


class Span(BaseModel):
    """A stretch of time, [start, end)."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(None, max_length=40, description=f"First moment: {MOMENT}.")
    end: str | None = Field(None, max_length=40, description=f"Moment after the last: {MOMENT}. Default: now.")

    def range_ns(self, now_ns: int, *, default: str = "1h") -> tuple[int, int]:
        """Start and end; *default* is the length without a start. 400 where they make no sense."""
        end_ns = _moment("end", self.end, now_ns) if self.end else now_ns + _AHEAD_NS
        if self.start:
            start_ns = _moment("start", self.start, now_ns)
        else:
            start_ns = max(min(end_ns, now_ns) - parse_length_ns(default), 0)
        if start_ns >= end_ns:
            raise invalid("start", self.start, f"a moment before the end ({self.end or 'now'}) is expected")
        return start_ns, end_ns


class _Origin(Span):
    model: str | None = Field(None, description="Only this model.")
    version: str | None = Field(None, description="Only this version of a model.")
    service: str | None = Field(None, description="Only this service (service.name).")
    instance: str | None = Field(None, description="Only this process (service.instance.id).")

    def selection(self, tenant: str, now_ns: int, *, default: str = "1h") -> Selection:
        """What the store is asked about."""
        start_ns, end_ns = self.range_ns(now_ns, default=default)
        return Selection(tenant, start_ns, end_ns, self._equals())

    def _equals(self) -> Mapping[str, str]:
        """Every filter that was given: the parameters that are no part of the time or the paging."""
        given = self.model_dump(exclude_none=True, exclude={"start", "end", "limit", "cursor", "step", "by"})
        return {name: str(value) for name, value in given.items()}


class PaneQuery(_Origin):
    """Which panes."""

    kind: Literal["llm", "vision", "tabular"] | None = Field(None, description="Only this kind of model.")
    operation: str | None = Field(None, description="Only this operation (predict, chat, ...).")


class AggregateQuery(PaneQuery):
    """Which panes, and how they are put together."""

    step: str = Field(
        "0", max_length=40, description=f"Length of a step, a multiple of 10s: {LENGTH}. Default: 0, one step for all."
    )
    by: str = Field("", max_length=100, description=f"Groups, comma-separated, out of {', '.join(GROUPS)}.")

    def groups(self) -> list[str]:
        """What to group by. 400 where it is not a group."""
        names = [name.strip() for name in self.by.split(",") if name.strip()]
        if any(name not in GROUPS for name in names):
            raise invalid("by", self.by, f"some of {', '.join(GROUPS)} are expected, comma-separated")
        return list(dict.fromkeys(names))

    def step_ns(self, selection: Selection) -> int:
        """Length of a step. 400 where it is no multiple of a pane, or there would be too many."""
        try:
            step_ns = parse_length_ns(self.step)
        except ValueError:
            raise invalid("step", self.step, f"{LENGTH} is expected") from None
        if step_ns % PANE_NS:
            raise invalid("step", self.step, f"a multiple of {PANE_NS // SECOND_NS}s is expected")
        if step_ns and (selection.end_ns - selection.start_ns) // step_ns > MAX_STEPS:
            raise invalid("step", self.step, f"a longer step is expected: at most {MAX_STEPS} fit into an answer")
        return step_ns


class InferenceQuery(_Origin):
    """Which inferences, and which page of them."""

    kind: Literal["llm", "vision", "tabular"] | None = Field(None, description="Only this kind of model.")
    operation: str | None = Field(None, description="Only this operation (predict, chat, ...).")
    framework: str | None = Field(None, description="Only this framework or provider.")
    error: Literal["true", "false"] | None = Field(None, description="true: only calls that failed; false: the others.")
    error_type: str | None = Field(None, description="Only calls that failed with this error type.")
    trace_id: TraceId | None = Field(None, description="Only this trace, 32 hex digits.")
    limit: int = Field(100, ge=1, le=MAX_LIMIT, description=f"At most this many, up to {MAX_LIMIT}. Default: 100.")
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")

    def place(self) -> Place | None:
        """Where the page before ended."""
        return _decode_cursor(self.cursor) if self.cursor else None


class PointQuery(_Origin):
    """Which data points of metrics."""

    name: str | None = Field(None, description="Only this metric.")
    limit: int = Field(100, ge=1, le=MAX_LIMIT, description=f"At most this many, up to {MAX_LIMIT}. Default: 100.")


class DriftQuery(Span):
    """Which findings of drift."""

    model: str | None = Field(None, description="Only this model.")
    version: str | None = Field(None, description="Only this version of a model.")
    feature: str | None = Field(None, description="Only this feature.")
    status: Literal["ok", "small", "low_resolution", "no_reference"] | None = Field(None, description="Only this one.")
    drifted: Literal["true", "false"] | None = Field(None, description="true: only drift; false: only the others.")
    limit: int = Field(100, ge=1, le=MAX_LIMIT, description=f"At most this many, up to {MAX_LIMIT}. Default: 100.")

    def selection(self, tenant: str, now_ns: int) -> Selection:
        """What the store is asked about: windows that end in the time."""
        start_ns, end_ns = self.range_ns(now_ns, default="24h")
        given = self.model_dump(exclude_none=True, include={"model", "version", "feature", "status", "drifted"})
        return Selection(tenant, start_ns, end_ns, given)


class AlertQuery(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(extra="forbid")

    state: list[Literal["pending", "firing", "resolved"]] = Field(
        [], description="Only alerts in this state; may be given several times. Default: all."
    )
    severity: list[Literal["info", "warning", "error", "critical"]] = Field(
        [], description="Only alerts of this severity; may be given several times. Default: all."
    )
    model: str | None = Field(None, description="Only alerts with this label `model`; empty: those without one.")
    service: str | None = Field(None, description="Only alerts with this label `service`; empty: those without one.")

    def selects(self, alert: Alert) -> bool:
        """Whether *alert* is asked for."""
        if self.state and alert.state not in self.state:
            return False
        if self.severity and alert.severity not in self.severity:
            return False
        labels = {"model": self.model, "service": self.service}
        return all(value is None or alert.labels.get(name, "") == value for name, value in labels.items())


def encode_cursor(place: Place) -> str:
    """A place as one opaque word."""
    text = f"{place.time_ns}.{place.position}.{place.trace_id}.{place.span_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> Place:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        time_ns, position, trace_id, span_id = text.split(".")
        bytes.fromhex(trace_id + span_id)
        place = Place(int(time_ns), int(position), trace_id, span_id)
        if max(place.time_ns, place.position) >= 2**63:
            raise ValueError("out of range")
    except (ValueError, binascii.Error):
        raise invalid("cursor", cursor, "`next_cursor` of the page before is expected") from None
    return place


def _moment(parameter: str, text: str, now_ns: int) -> int:
    try:
        return parse_moment_ns(text, now_ns)
    except (ValueError, OverflowError):
        raise invalid(parameter, text, f"{MOMENT} is expected") from None
