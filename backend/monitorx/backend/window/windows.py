"""
The panes of the last minutes in memory: what arrives is added, rules read totals, the store is told what changed.

Takes batches in the order of the journal, from one thread. A pane is open until `lateness` after its end, on the
server's clock; the store keeps open panes whole and adds up closed ones. What arrives for a pane after its process has
itself moved on by `lateness` is late: it goes to the store and not to the rules. Panes stay for `retain`, the longest
window of the rules. Every number is bounded: panes, keys (further ones are counted as model `__other__`), series.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from monitorx.alerting.matcher import Matcher, all_match
from monitorx.backend.batch import BatchKind, ColumnBatch
from monitorx.backend.count import Count, uncounted
from monitorx.backend.window import inference, metric, series
from monitorx.backend.window.closed import Closed, Panes, add, copied
from monitorx.backend.window.cumulative import Cursors
from monitorx.backend.window.key import Keys
from monitorx.backend.window.pane import METRIC, PANE_NS, PaneKey, PanePartial
from monitorx.backend.window.recent import Recent
from monitorx.backend.window.totals import Meters, Totals

Group = tuple[str, ...]
_Place = tuple[PaneKey, int]
KNOWN = timedelta(hours=1)  # how long it is known, at least, that there was a group
RETURN = timedelta(minutes=1)  # senders may be on their way back after a start: nothing is missing yet
_METERED = timedelta(minutes=5)  # metrics come once a minute by default: spans do not step in between two of them
_LATELY = timedelta(minutes=10)  # how long it is said of a sender that it does something wrong


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    What windows may keep.

    Attributes:
        lateness: How long a pane stays open after its end.
        retain: How far back rules may look.
        panes: In memory; the oldest go first.
        keys: Models on processes; what finds no room is counted as model `__other__` of its service.
        share: How many of them a service keeps when others need room.
        series: Cumulative series whose last point is kept, and series of metrics that rules name.
    """

    lateness: timedelta = timedelta(seconds=30)
    retain: timedelta = timedelta(hours=1)
    panes: int = 200_000
    keys: int = 10_000
    share: int = 2_000
    series: int = 100_000


class Windows:
    """
    See the module.

    Args:
        watch: Names of metrics that rules read by name.
        count: Counts what was late, clamped or dropped.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        *,
        watch: Iterable[str] = (),
        count: Count = uncounted,
    ) -> None:
        bounds = bounds or Bounds()
        self._bounds, self._count = bounds, count
        self._lateness_ns, self._retain_ns = _ns(bounds.lateness), _ns(bounds.retain)
        self._watched = frozenset(watch)
        self._wanted = metric.CALL_METRICS | self._watched
        self._open: Panes = {}
        self._closed = Closed()
        self._whole_from_ns = self._judged_from_ns = 0
        self._changed: dict[int, PanePartial] = {}  # open panes by their id: keys are dear to hash
        self._leaving: dict[_Place, PanePartial] = {}  # closed or late since the last take
        self._keys = Keys(bounds.keys, bounds.share)
        self._recalled: dict[PaneKey, int] = {}  # of before a start, and had no pane since
        self._is_settled = False
        self._begun_ns = 0
        self._watermarks: dict[tuple[str, str, str], int] = {}
        self._groups: dict[tuple[tuple[Matcher, ...], Group], dict[PaneKey, Group | None]] = {}
        self._meters = Meters()
        self._cursors = Cursors(bounds.series)
        self._series = series.Series(bounds.series)
        self._counted: dict[tuple[str, str], int] = {}
        self._overflowing: Recent[str] = Recent()
        self._sharing: Recent[str] = Recent()
        self._lagging: Recent[tuple[str, str]] = Recent()

    def add(self, batch: ColumnBatch, *, arrival_ns: int) -> None:
        """Add the rows of a batch that came at *arrival_ns*. Sketches and feedback have no panes."""
        if batch.kind is BatchKind.INFERENCE:
            self._add_spans(batch, arrival_ns)
        elif batch.kind is BatchKind.METRIC and batch.rows.num_rows:
            self._add_metrics(batch, arrival_ns)

    def close(self, now_ns: int) -> None:
        """Close the panes whose lateness is over, drop those that no rule looks at any more."""
        for start in [start for start in self._open if start + PANE_NS + self._lateness_ns <= now_ns]:
            self._close(start)
        self._begun_ns = self._begun_ns or now_ns
        self._is_settled = now_ns - self._begun_ns >= _ns(RETURN)
        self._judged_from_ns, _ = self.span(self._bounds.retain, now_ns)
        before = now_ns - self._retain_ns - PANE_NS
        self._closed.drop(before)
        self._meters.drop(now_ns - max(self._retain_ns, _ns(_METERED)) - PANE_NS)
        known_before = now_ns - max(self._retain_ns, _ns(KNOWN)) - PANE_NS
        self._drop_keys(known_before)
        self._series.drop(before, known_before)
        for recent in (self._overflowing, self._sharing, self._lagging):
            recent.drop(now_ns - _ns(_LATELY))

    def take(self) -> tuple[list[PanePartial], list[PanePartial], dict[int, bytes]]:
        """
        What changed since the last take: open panes (whole), closed panes and late additions, cursors of series.

        Everything added is in exactly one of the closed panes ever taken or, until then, in the open ones.
        """
        changed = [copied(pane) for pane in self._changed.values()]
        leaving = list(self._leaving.values())
        self._changed, self._leaving = {}, {}
        return changed, leaving, self._cursors.take()

    def restore(
        self,
        open_panes: Iterable[PanePartial],
        closed_panes: Iterable[PanePartial],
        cursors: Mapping[int, bytes],
        keys: Mapping[PaneKey, int] | None = None,
    ) -> None:
        """Begin with what a store kept; *keys*: those that had a pane within `KNOWN`, with the start of the newest."""
        newest: dict[PaneKey, int] = {}
        for kept, put in ((open_panes, self._put_open), (closed_panes, self._closed.put)):
            for pane in kept:
                newest[pane.key] = max(pane.start_ns, newest.get(pane.key, 0))
                self._meters.see(pane)
                put(pane)
        self._keys.restore(newest)
        newer = sorted((keys or {}).items(), key=lambda item: item[1], reverse=True)
        self._recalled = dict(newer[: self._bounds.keys])
        self._cursors.restore(cursors)
        self._bound()

    def restore_points(self, points: Iterable[series.StoredPoint], *, tenant: str) -> None:
        """Begin with stored points of the watched metrics (gauges; others fill their windows anew)."""
        self._series.restore((point for point in points if point.name in self._watched), tenant)

    def totals(
        self, matchers: Sequence[Matcher], by: Sequence[str], *, window: timedelta, now_ns: int
    ) -> dict[Group, Totals]:
        """Calls in the panes of `span`, by the values of labels of `PaneKey`."""
        begin, end = self.span(window, now_ns)
        totals: dict[Group, Totals] = {}
        groups = self._groups_of(matchers, by)
        for pane in chain(self._closed.sums(begin, end), self._open_within(begin, end)):
            group = groups(pane.key)
            if group is not None:
                self._meters.add(totals.setdefault(group, Totals()), pane)
        return totals

    def known(self, matchers: Sequence[Matcher], by: Sequence[str]) -> set[Group]:
        """The groups that had calls in the last hour or longer, whether or not they have any now."""
        groups = self._groups_of(matchers, by)
        keys = chain(self._keys, self._recalled if self._is_settled else ())
        return {group for key in keys if (group := groups(key)) is not None}

    def readings(
        self, name: str, matchers: Sequence[Matcher], by: Sequence[str], *, window: timedelta, now_ns: int
    ) -> dict[Group, series.Reading]:
        """A watched metric in the same panes, by the values of labels or attributes."""
        return self._series.read(name, matchers, by, *self.span(window, now_ns))

    def add_readings(self, readings: Iterable[tuple[series.SeriesKey, int, series.Reading]]) -> None:
        """Add values that the server itself has found, as if they were points of a metric."""
        self._series.add(reading for reading in readings if reading[0][0] in self._watched)

    def known_series(self, name: str, matchers: Sequence[Matcher], by: Sequence[str]) -> set[Group]:
        """The groups of a watched metric that had values in the last hour or longer."""
        return self._series.known(name, matchers, by)

    def regroup(self) -> None:
        """Forget how keys were grouped: from now on other rules ask."""
        self._groups.clear()
        self._closed.forget_windows()

    @staticmethod
    def span(window: timedelta, now_ns: int) -> tuple[int, int]:
        """
        The panes [start, end) that are read at *now_ns*: those of a whole *window*, and the one that now is in.

        So whatever ended within *window* is among them, wherever in its pane now is.
        """
        current = now_ns // PANE_NS * PANE_NS
        return current - _ns(window), current + PANE_NS

    @property
    def pane_count(self) -> int:
        """Panes in memory."""
        return sum(map(len, self._open.values())) + len(self._closed)

    @property
    def unseen_s(self) -> float:
        """How much of the longest window rules do not see, since its panes found no room; 0 while they see all."""
        return max(0, self._whole_from_ns - self._judged_from_ns) / 1e9 if self._judged_from_ns else 0.0

    @property
    def series_count(self) -> int:
        """Cumulative series in memory."""
        return len(self._cursors)

    @property
    def overflowing(self) -> Mapping[str, int]:
        """Services with too many models on processes, lately, and how many additions had no name of their own."""
        return {service: int(figure) for service, figure in self._overflowing.figures().items()}

    @property
    def sharing(self) -> Mapping[str, int]:
        """Services with processes that write the same cumulative series at once, lately, and how many points did."""
        return {service: int(figure) for service, figure in self._sharing.figures().items()}

    @property
    def lagging(self) -> Mapping[tuple[str, str], float]:
        """
        Processes (service, instance) all of whose data is too old for any rule when it arrives, and by how many
        seconds it is behind: their clock is slow, or what they send is held up. To within a pane.
        """
        return self._lagging.figures()

    def _groups_of(self, matchers: Sequence[Matcher], by: Sequence[str]) -> Callable[[PaneKey], Group | None]:
        """Which group a key belongs to; None where it does not match. Remembered, since few keys come anew."""
        remembered = self._groups.setdefault((tuple(matchers), tuple(by)), {})

        def group_of(key: PaneKey) -> Group | None:
            if key not in remembered:
                labels = key._asdict()
                remembered[key] = tuple(labels[label] for label in by) if all_match(matchers, labels) else None
            return remembered[key]

        return group_of

    def _add_spans(self, batch: ColumnBatch, arrival_ns: int) -> None:
        partials, clamped, absurd = inference.partials(batch.rows, arrival_ns)
        if absurd:
            self._count("monitorx_window_dropped_total", {"reason": "absurd"}, float(absurd))
        self._add_all(partials, clamped, arrival_ns)

    def _add_metrics(self, batch: ColumnBatch, arrival_ns: int) -> None:
        selected = metric.select(batch.rows, self._wanted, self._cursors, arrival_ns)
        if selected is None:
            return
        if selected[1].absurd:
            self._count("monitorx_window_dropped_total", {"reason": "absurd"}, float(selected[1].absurd))
        for service, shared in metric.by_service(selected[0], self._cursors.take_shared()).items():
            self._sharing.add(service, shared, arrival_ns)
        self._add_all(*metric.partials(*selected, arrival_ns), arrival_ns)
        if self._watched:
            self._series.add(series.readings(*selected, self._watched, arrival_ns))
        self._publish("monitorx_window_resets_total", "", self._cursors.resets)
        self._publish("monitorx_window_shared_total", "", self._cursors.shared)
        self._publish("monitorx_window_dropped_total", "writers", self._cursors.crowded)
        self._publish("monitorx_window_dropped_total", "unreadable", self._cursors.unreadable)
        self._publish("monitorx_window_dropped_total", "out_of_order", self._cursors.ignored)
        self._publish("monitorx_window_dropped_total", "baseline", self._cursors.baselines)
        self._publish("monitorx_window_dropped_total", "series", self._cursors.evicted + self._series.refused)

    def _add_all(self, partials: Sequence[PanePartial], clamped: int, arrival_ns: int) -> None:
        if clamped:
            self._count("monitorx_window_clamped_total", {}, clamped)
        self._note_lag(partials, arrival_ns)
        opened = [partial for partial in partials if self._add(partial, arrival_ns)]
        # After all of them: a batch is in no order, so its rows do not make each other late.
        for pane in opened:
            process, seen = pane.key[:3], min(pane.start_ns, arrival_ns)
            if seen > self._watermarks.get(process, 0):
                self._watermarks[process] = seen
        if opened:
            self._bound()

    def _note_lag(self, partials: Sequence[PanePartial], arrival_ns: int) -> None:
        """Count what no rule will look at, and whose it is, if they send nothing newer."""
        judged_ns, _ = self.span(self._bounds.retain, arrival_ns)
        unjudged = sum(partial.start_ns < judged_ns for partial in partials)
        if unjudged:
            self._count("monitorx_window_unjudged_total", {}, float(unjudged))
        elif not self._lagging:
            return
        newest: dict[tuple[str, str], int] = {}
        for partial in partials:
            process = partial.key.service, partial.key.instance
            newest[process] = max(partial.start_ns, newest.get(process, 0))
        for process, start_ns in newest.items():
            if start_ns < judged_ns:
                self._lagging.put(process, (arrival_ns - start_ns - PANE_NS) / 1e9, arrival_ns)
            else:
                self._lagging.remove(process)

    def _add(self, partial: PanePartial, arrival_ns: int) -> bool:
        """Add *partial* where it belongs; True if it opened a pane."""
        of_start = self._open.get(partial.start_ns)
        pane = of_start.get(partial.key) if of_start else None
        if pane is not None:
            self._merge(pane, partial)
            return False
        partial.key = self._admitted(partial.key, partial.start_ns, arrival_ns)
        place = partial.key, partial.start_ns
        self._meters.see(partial)
        if of_start and partial.key in of_start:  # its key was changed
            self._merge(of_start[partial.key], partial)
            return False
        if self._is_late(partial):
            self._count("monitorx_window_late_total", {}, 1.0)
            self._leave(partial)
            return False
        if place in self._leaving:
            # Closed and not yet taken: opened again, it would leave the store's open panes in the same commit.
            self._leave(partial)
            self._closed.put(copied(partial))
            return False
        pane = copied(partial)  # what came is a part of a whole batch
        self._open.setdefault(pane.start_ns, {})[pane.key] = pane
        self._changed[id(pane)] = pane
        return True

    def _put_open(self, pane: PanePartial) -> None:
        add(self._open.setdefault(pane.start_ns, {}), pane)

    def _merge(self, pane: PanePartial, partial: PanePartial) -> None:
        # Who sends metrics is noted when a pane first has any: looking it up for each addition would cost more than it.
        if partial.key.source == METRIC and (
            (partial.requests and not pane.requests)
            or (partial.samples and not pane.samples)
            or (partial.input_tokens + partial.output_tokens and not pane.input_tokens + pane.output_tokens)
        ):
            self._meters.see(partial)
        pane.merge(partial)
        self._changed[id(pane)] = pane

    def _is_late(self, partial: PanePartial) -> bool:
        watermark = self._watermarks.get(partial.key[:3], 0)
        return partial.start_ns + PANE_NS + self._lateness_ns <= watermark

    def _admitted(self, key: PaneKey, start_ns: int, arrival_ns: int) -> PaneKey:
        admitted = self._keys.admit(key, start_ns)
        if admitted != key:
            self._count("monitorx_window_dropped_total", {"reason": "keys"}, 1.0)
            self._overflowing.add(key.service, 1, arrival_ns)
        return admitted

    def _leave(self, partial: PanePartial) -> None:
        place = partial.key, partial.start_ns
        if place in self._leaving:
            self._leaving[place].merge(partial)
        else:
            self._leaving[place] = copied(partial)

    def _close(self, start: int) -> None:
        for pane in self._open.pop(start).values():
            self._changed.pop(id(pane), None)
            self._leave(pane)
            self._closed.put(pane)

    def _bound(self) -> None:
        """Drop the oldest panes where there are too many: rules see less then, the store does not."""
        while self.pane_count > self._bounds.panes:
            oldest = min(chain(self._open, self._closed.starts()))
            if oldest in self._open:
                self._close(oldest)
            self._whole_from_ns = max(self._whole_from_ns, oldest + PANE_NS)
            self._count("monitorx_window_dropped_total", {"reason": "panes"}, float(self._closed.remove(oldest)))

    def _drop_keys(self, before_ns: int) -> None:
        gone = [key for key, newest in self._recalled.items() if newest < before_ns]
        for key in gone:
            del self._recalled[key]
        if self._keys.drop(before_ns) or gone:
            self._groups.clear()
        for process in [process for process, seen in self._watermarks.items() if seen < before_ns]:
            del self._watermarks[process]

    def _open_within(self, begin: int, end: int) -> Iterator[PanePartial]:
        for start, of_start in self._open.items():
            if begin <= start < end:
                yield from of_start.values()

    def _publish(self, name: str, reason: str, value: int) -> None:
        before = self._counted.get((name, reason), 0)
        if value > before:
            self._count(name, {"reason": reason} if reason else {}, float(value - before))
            self._counted[name, reason] = value


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
