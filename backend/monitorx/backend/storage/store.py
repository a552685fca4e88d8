"""The store's port: batches and panes are written together with the position they come from; questions are answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from monitorx.backend.batch import ColumnBatch
from monitorx.backend.window.pane import PaneKey, PanePartial

# What panes can be selected and grouped by.
GROUPS = ("model", "version", "service", "instance", "kind", "operation")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What a store promises.

    Attributes:
        transactional: Position, rows and panes become visible together or not at all. Without it writes are idempotent
            and the position is saved after them.
        rows: It keeps single inferences and data points, not only panes.
    """

    transactional: bool
    rows: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows and the journal position of the record they came in."""

    position: int
    columns: ColumnBatch


@dataclass(frozen=True, slots=True)
class DriftRow:
    """
    What one detector found for one feature of one model version over one window: [start_ns, end_ns).

    Attributes:
        role: input, output, score, ... as on the sketch.
        method: The detector, `rank_location` for one.
        status: ok, small, low_resolution or no_reference. Statistic, p and score are None unless it is ok.
        drifted: The verdict after correction over all features of the model and after the effect gate.
        score: The effect that `drift_score` is: Kolmogorov-Smirnov distance of current to reference, 0 to 1.
        psi: Debiased population stability index.
        events: Values in the window.
        reference: Which reference it was compared with.
    """

    start_ns: int
    end_ns: int
    tenant: str
    model: str
    version: str
    feature: str
    role: str
    method: str
    status: str
    drifted: bool
    statistic: float | None
    p: float | None
    score: float | None
    psi: float | None
    events: float
    reference: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One rule's word on one set of labels at *time_ns*, kept when its state changes and once a pane."""

    time_ns: int
    tenant: str
    rule: str
    labels: Mapping[str, str]
    state: str
    value: float | None
    threshold: float


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One alert's step from state to state."""

    time_ns: int
    tenant: str
    fingerprint: str
    rule: str
    severity: str
    labels: Mapping[str, str]
    before: str  # inactive, pending, firing
    after: str  # pending, firing, resolved, inactive
    value: float | None


@dataclass(frozen=True, slots=True)
class Commit:
    """
    All that changed up to one position, written as a unit.

    Attributes:
        position: The last journal position contained.
        batches: Rows, duplicates already taken out.
        open_panes: Every pane still open that changed since the last commit, whole: replaces what is stored for it.
        closed_panes: Panes that closed, whole, and additions that came late: added to what is stored. A pane that
            closes leaves the open ones.
        cursors: Cumulative series' last values, opaque to the store: series key to value; replaces what is stored.
        drift, verdicts, transitions: Results to keep, also where the position is stored already: alerts resolve and
            windows end while nothing arrives. The same row again changes nothing.
    """

    position: int
    batches: Sequence[Batch]
    open_panes: Sequence[PanePartial]
    closed_panes: Sequence[PanePartial]
    cursors: Mapping[int, bytes]
    drift: Sequence[DriftRow] = ()
    verdicts: Sequence[VerdictRow] = ()
    transitions: Sequence[TransitionRow] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What a start reads back: the state of the windows at `position`."""

    position: int
    open_panes: Sequence[PanePartial]
    closed_panes: Sequence[PanePartial]  # those that rules may still look at
    cursors: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What a question is about: [start_ns, end_ns), and columns that must equal a value.

    `equals` may name, for panes: `GROUPS`; for inferences also framework, error ("true" or "false"), error_type,
    trace_id and span_id (hex); for points: name, unit, type, service, instance, model, version. Another name is a
    ValueError. The empty string also means "not known".
    """

    tenant: str
    start_ns: int
    end_ns: int
    equals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """
    One model version that was seen, over the selected time.

    `first_seen_ns` and `last_seen_ns` are the starts of its first and its last pane.
    """

    model: str
    version: str
    kind: str
    services: Sequence[str]
    operations: Sequence[str]
    requests: float
    errors: float
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True, slots=True)
class InferenceRow:
    """One call, as stored; `position` finds its full attributes in the journal. `labels` are the other columns."""

    time_ns: int
    duration_s: float
    trace_id: str  # hex
    span_id: str  # hex
    error_type: str | None
    position: int
    labels: Mapping[str, str | float | None]

    @property
    def place(self) -> "Place":
        """Where it stands among others."""
        return Place(self.time_ns, self.position, self.trace_id, self.span_id)


class Place(NamedTuple):
    """Where an inference stands in the order of time; what one page ended with, the next one begins behind."""

    time_ns: int
    position: int
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class AggregateRow:
    """Totals of one group in one step: [start_ns, start_ns + step_ns). Quantiles in seconds, None without calls."""

    start_ns: int
    group: Mapping[str, str]
    requests: float
    errors: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    mean_s: float | None
    max_s: float | None
    input_tokens: float
    output_tokens: float
    cost_usd: float
    samples: float


@dataclass(frozen=True, slots=True)
class PointRow:
    """One data point of a metric: `value` of gauges and sums, the summary fields of histograms."""

    time_ns: int
    name: str
    unit: str
    type: str
    service: str
    instance: str
    attributes: Mapping[str, object]
    value: float | None
    count: float | None
    sum: float | None
    min: float | None
    max: float | None


class Store(Protocol):
    """
    Where results go. Any method may raise `StorageError`; `write` is called from one thread, questions from others.

    Of a commit at or below the stored position only the results are written, and those are idempotent: a replay is
    harmless.
    """

    capabilities: Capabilities

    @property
    def trouble(self) -> str:
        """Why what was written is not yet where it belongs, in words; "" while it is or soon will be."""
        ...

    @property
    def refused(self) -> int:
        """Results left out because they can never be stored."""
        ...

    def write(self, commit: Commit) -> None: ...

    def restore(self, since_ns: int) -> Restored:
        """The stored position, all open panes, and the closed ones that start at or after *since_ns*."""
        ...

    def keys(self, since_ns: int) -> dict[PaneKey, int]:
        """Whose panes there are that start at or after *since_ns*, and when their newest one starts."""
        ...

    def models(self, selection: Selection) -> list[ModelRow]: ...

    def inferences(self, selection: Selection, *, limit: int, before: Place | None = None) -> list[InferenceRow]:
        """By their start, newest first, at most *limit*; before *before* where given (the next page)."""
        ...

    def aggregates(self, selection: Selection, *, step_ns: int, by: Sequence[str]) -> list[AggregateRow]:
        """
        Oldest first; groups in the order of their values.

        Steps are multiples of *step_ns* since epoch; *step_ns* is a multiple of a pane, or 0 for one step that begins
        at the selection's start. A pane belongs to the step that its start lies in.
        """
        ...

    def points(self, selection: Selection, *, limit: int) -> list[PointRow]:
        """Data points of metrics, newest first."""
        ...

    def drift(self, selection: Selection, *, limit: int) -> list[DriftRow]:
        """
        Newest window first, then model, version, feature; `equals` may name model, version, feature, status, and
        drifted ("true" or "false").

        A finding belongs to the selection that the end of its window lies in.
        """
        ...

    def transitions(self, selection: Selection, *, limit: int) -> list[TransitionRow]:
        """Newest first; `equals` may name rule, severity, after."""
        ...

    def trim(self, before_ns: int) -> int:
        """Delete what is older than *before_ns*; rows deleted."""
        ...

    def close(self) -> None: ...
