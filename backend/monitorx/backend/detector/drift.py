"""
The step: sketches in, a row of drift for each model, version, feature and window out.

Takes batches in the order of the journal, from one thread. Keeps open windows, references and last findings; all of it
is saved with the position that it belongs to, so that a start goes on where the last one was.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from monitorx.backend.batch import BatchKind, ColumnBatch
from monitorx.backend.count import Count, uncounted
from monitorx.backend.detector import codec
from monitorx.backend.detector.alignment import pooled
from monitorx.backend.detector.decision import drifted
from monitorx.backend.detector.expected import Expected, ModelKey
from monitorx.backend.detector.finding import Detector, Finding, Status
from monitorx.backend.detector.gather import CARRIED, Gathered
from monitorx.backend.detector.read import sketches as read_sketches
from monitorx.backend.detector.reference import FeatureKey, FittedKey, Reference, reference_of
from monitorx.backend.detector.score import Scores
from monitorx.backend.detector.sketch import Sketch, Unreadable
from monitorx.backend.detector.state import Change, SQLiteState
from monitorx.backend.storage.store import DriftRow
from monitorx.backend.window.series import Reading, SeriesKey

_FORGET = timedelta(days=1)  # not seen for so long, a feature makes room for another
_MOST_UNSAVED = 20_000  # findings, while the state cannot be written; the oldest are left out of it


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """
    How drift is watched.

    Attributes:
        window: Length of a window.
        lateness: How long a window waits after its end for what is on its way; at most a quarter of its length.
        smallest: Values that a window must have; with fewer of them it goes on into the next.
        reference_windows: A reference is frozen when a feature has so many windows without an alarm.
        features: Of all models together; further ones are left out.
    """

    window: timedelta = timedelta(minutes=5)
    lateness: timedelta = timedelta(seconds=10)
    smallest: int = 300
    reference_windows: int = 12
    features: int = 4_000


class Drift:
    """
    See the module.

    Args:
        state: Where all of it is kept over a restart.
        fitted: References from files; they go before frozen ones.
        stored: The store's position; findings since then are handed out again.
    """

    def __init__(
        self,
        detector: Detector,
        state: SQLiteState,
        settings: DriftSettings | None = None,
        *,
        fitted: Mapping[FittedKey, Reference] | None = None,
        stored: int = 0,
        count: Count = uncounted,
    ) -> None:
        self._settings = settings = settings or DriftSettings()
        self._detector, self._state, self._fitted, self._count = detector, state, fitted or {}, count
        self._expected = Expected(self._fitted)
        kept = state.read()
        lateness = min(settings.lateness, settings.window / 4)
        self._scores = Scores(_ns(settings.window))
        self._gathered = Gathered(_ns(settings.window), _ns(lateness), kept.closed_ns)
        for (start, key), found in kept.windows.items():
            if start == CARRIED:
                self._gathered.carried[key] = found
            else:
                self._gathered.windows.setdefault(start, {})[key] = found
        self._held = kept.position
        self._references: dict[FeatureKey, Reference | None] = {
            key: reference_of(reference_id, kept.collected.pop(key)) for key, reference_id in kept.references.items()
        }
        self._collected = kept.collected  # those on their way to a reference
        self._last: dict[FeatureKey, DriftRow] = {key_of(row): row for _, row in kept.findings}
        self._found: list[DriftRow] = [row for position, row in kept.findings if position >= stored]
        self._seen_ns: dict[FeatureKey, int] = dict.fromkeys(
            [*(key for _, key in kept.windows), *self._collected, *self._references, *self._last], kept.closed_ns
        )
        self._full_until_ns = 0
        self._unsaved_rows: deque[DriftRow] = deque(maxlen=_MOST_UNSAVED)
        self._unsaved_collected: dict[tuple[FeatureKey, int], Sketch] = {}
        self._unsaved_references: dict[FeatureKey, str] = {}
        self._discarded: list[FeatureKey] = []
        self._forgotten: list[FeatureKey] = []

    @property
    def position(self) -> int:
        """Up to which position of the journal everything is passed over, since it is contained."""
        return self._held

    def add(self, batch: ColumnBatch, *, position: int, arrival_ns: int) -> None:
        """Add the sketches of a batch, if it has any and was not added before."""
        if batch.kind is not BatchKind.SKETCH or position <= self._held:
            return
        for key, sketch in read_sketches(batch.rows):
            if isinstance(sketch, Unreadable):
                self._drop(sketch.reason)
            elif not self._admits(key, arrival_ns):
                self._drop("features")
            elif not self._gathered.add(key, sketch, arrival_ns):
                self._drop("anchors")

    def evaluate(self, now_ns: int) -> None:
        """Judge the windows that are over."""
        for start_ns, features in self._gathered.close(now_ns):
            end_ns = start_ns + self._gathered.length_ns
            models: dict[ModelKey, dict[FeatureKey, list[Sketch]]] = {}
            for key, sketches in features.items():
                models.setdefault(ModelKey._make(key[:3]), {})[key] = sketches
            had: dict[ModelKey, list[FeatureKey]] = {model: [] for model in models}
            for key in self._last:
                had.get(ModelKey._make(key[:3]), []).append(key)
            self._expected.look(models)
            for model, of_model in models.items():
                self._judge(of_model, end_ns)
                self._miss(self._expected.absent(model, of_model, had[model]), end_ns)

    def take(self) -> list[DriftRow]:
        """What was found since the last take."""
        found, self._found = self._found, []
        return found

    def scores(self, now_ns: int) -> Iterable[tuple[SeriesKey, int, Reading]]:
        """`drift_score` as it stands, for rules."""
        return self._scores.readings(self._last, now_ns)

    def resume(self, position: int) -> None:
        """Pass over what the journal tells again: everything up to *position* is contained."""
        self._held = max(self._held, position)
        self._scores = Scores(self._gathered.length_ns)  # windows were read from the store, which has none

    def save(self, position: int, *, stored: int) -> None:
        """
        Write what changed; called before the store is given *position*.

        Raises:
            StorageError: It could not be written; the next call tries again.
        """
        windows = self._gathered.take_changed()
        if not windows and not self._unsaved_rows:
            return
        change = Change(
            max(position, self._held),
            stored,
            self._gathered.closed_ns,
            self._gathered.gone,
            windows,
            self._unsaved_collected,
            self._unsaved_references,
            self._unsaved_rows,
            self._discarded,
            self._forgotten,
        )
        try:
            self._state.write(change)
        except BaseException:
            self._gathered.changed |= windows.keys()
            raise
        self._unsaved_rows.clear()
        self._gathered.gone.clear()
        self._unsaved_collected, self._unsaved_references = {}, {}
        self._discarded, self._forgotten = [], []

    def _judge(self, features: Mapping[FeatureKey, list[Sketch]], end_ns: int) -> None:
        """One window of one model version."""
        findings: dict[FeatureKey, tuple[Finding, float]] = {}
        candidates: dict[FeatureKey, Sketch] = {}
        for key, sketches in features.items():
            start_ns = min(end_ns - self._gathered.length_ns, *(sketch.start_ns for sketch in sketches))
            whole = pooled(sketches)
            events = sum(sketch.count for sketch in sketches)
            reference = self.reference(key)
            if events < self._settings.smallest:
                self._gathered.carry(key, sketches)
                status = Status.SMALL
            elif whole is None:
                status = Status.LOW_RESOLUTION
            elif reference is None:
                candidates[key] = whole.during(start_ns, end_ns)
                status = Status.NO_REFERENCE
            else:
                findings[key] = self._detector.compare(reference, whole.during(start_ns, end_ns)), events
                continue
            findings[key] = self._without(status, key, (start_ns, end_ns)), events
        is_drift = drifted([finding for finding, _ in findings.values()])
        for (key, (finding, events)), is_drifted in zip(findings.items(), is_drift, strict=True):
            self._tell(key, _row(key, finding, is_drifted, events))
        if not any(is_drift):  # a window in alarm never enters a reference
            self._collect(candidates)

    def _miss(self, absent: Iterable[FeatureKey], end_ns: int) -> None:
        """Tell of features without a value in a window in which their model has others."""
        for key in absent:
            # A feature of a file that was never sent takes a place like any other.
            if key not in self._seen_ns and len(self._seen_ns) >= self._settings.features:
                self._drop("features")
                continue
            self._seen_ns.setdefault(key, end_ns)
            finding = self._without(Status.SMALL, key, (end_ns - self._gathered.length_ns, end_ns))
            self._tell(key, _row(key, finding, is_drifted=False, events=0.0))

    def _without(self, status: Status, key: FeatureKey, window: tuple[int, int]) -> Finding:
        """A finding without an answer."""
        reference = self.reference(key)
        return Finding(status, self._detector.method, None, None, None, window, reference.id if reference else "")

    def reference(self, key: FeatureKey) -> Reference | None:
        """What *key* is compared with: from a file for this version, from a file for any, else the frozen one."""
        for version in (key.version, ""):
            fitted = self._fitted.get((key.model, version, key.feature, key.role))
            if fitted is not None:
                return fitted
        return self._references.get(key)

    def _collect(self, candidates: Mapping[FeatureKey, Sketch]) -> None:
        for key, sketch in candidates.items():
            windows = self._collected.setdefault(key, [])
            self._unsaved_collected[key, len(windows)] = sketch
            windows.append(sketch)
            if len(windows) < self._settings.reference_windows:
                continue
            self._freeze(key, self._collected.pop(key))

    def _freeze(self, key: FeatureKey, windows: list[Sketch]) -> None:
        reference_id = "frozen-" + hashlib.sha256(codec.dump(windows)).hexdigest()[:12]
        reference = reference_of(reference_id, windows)
        if reference is not None:
            self._references[key] = reference
            self._unsaved_references[key] = reference_id
            return
        # Anchors differ and cannot be brought together: the next windows may agree, as their senders started anew.
        self._drop("anchors")
        self._discarded.append(key)
        for number in range(len(windows)):
            self._unsaved_collected.pop((key, number), None)

    def _tell(self, key: FeatureKey, row: DriftRow) -> None:
        self._count("monitorx_drift_windows_total", {"status": row.status}, 1.0)
        self._last[key] = row
        self._found.append(row)
        self._unsaved_rows.append(row)

    def _admits(self, key: FeatureKey, arrival_ns: int) -> bool:
        if key not in self._seen_ns and len(self._seen_ns) >= self._settings.features:
            if arrival_ns < self._full_until_ns:
                return False
            longest = min(self._seen_ns, key=self._seen_ns.__getitem__)
            if self._seen_ns[longest] > arrival_ns - _ns(_FORGET):
                self._full_until_ns = self._seen_ns[longest] + _ns(_FORGET)
                return False
            self._forget(longest)
        self._seen_ns[key] = arrival_ns
        return True

    def _forget(self, key: FeatureKey) -> None:
        self._gathered.forget(key)
        for held in (self._seen_ns, self._collected, self._references, self._last, self._unsaved_references):
            held.pop(key, None)
        for place in [place for place in self._unsaved_collected if place[0] == key]:
            del self._unsaved_collected[place]
        self._forgotten.append(key)

    def _drop(self, reason: str) -> None:
        self._count("monitorx_drift_dropped_total", {"reason": reason}, 1.0)


def key_of(row: DriftRow) -> FeatureKey:
    """Whose finding it is."""
    return FeatureKey(row.tenant, row.model, row.version, row.feature, row.role)


def _row(key: FeatureKey, finding: Finding, is_drifted: bool, events: float) -> DriftRow:
    effects = finding.effects
    return DriftRow(
        *finding.window,
        *key,
        method=finding.method,
        status=finding.status,
        drifted=is_drifted,
        statistic=finding.statistic,
        p=finding.p,
        score=effects.ks if effects else None,
        psi=effects.psi if effects else None,
        events=events,
        reference=finding.reference_id,
    )


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
