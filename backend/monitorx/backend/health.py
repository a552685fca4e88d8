"""The health answer: each part of the server in a sentence, from figures that the parts already keep."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from monitorx.alerting.board import MAX_ALERTS
from monitorx.alerting.engine import Health as AlertingHealth
from monitorx.backend.api import Health, Part
from monitorx.backend.backlog import Backlog
from monitorx.backend.journal import FileJournal
from monitorx.backend.pipeline import Pipeline
from monitorx.backend.storage.store import Store
from monitorx.backend.window import OTHER, Windows
from monitorx.backend.writer import Writer

_MOST_COMPLAINTS = 10
_LATE_S = 10.0  # for how long a record may wait before it is said that rules are late


@dataclass(frozen=True, slots=True)
class Checkup:
    """Reads the parts when asked; holds nothing of its own."""

    journal: FileJournal
    backlog: Backlog
    pipeline: Pipeline
    writer: Writer
    store: Store
    alerting: Callable[[], AlertingHealth]
    receivers: Callable[[], str]
    clock: Callable[[], int]  # ns since epoch

    def health(self) -> Health:
        """How every part does."""
        return Health(
            parts={
                "receivers": Part(True, self.receivers()),
                "journal": self._journal(),
                "windows": self._windows(),
                "rules": self._rules(),
                "store": self._store(),
                "alerting": self._alerting(),
            },
            versions={
                name: version(name) for name in ("monitorx", "duckdb", "pyarrow", "grpcio", "opentelemetry-proto")
            }
            | {"python": platform.python_version()},
            dedup_horizon_s=self.pipeline.state.seen.state().horizon.total_seconds(),
        )

    def _journal(self) -> Part:
        counters = self.journal.counters()
        if counters.last_error:
            return Part(False, f"the last write failed: {counters.last_error}")
        size_mb = counters.disk_bytes / 1e6
        words = f"{counters.segments} segments, {size_mb:.1f} MB, up to position {self.journal.end()}"
        if not counters.damaged and not counters.missing:
            return Part(True, words)
        lost = f"damaged places passed over: {counters.damaged}, records that cannot be read: {counters.missing}"
        return Part(False, f"{words}; {lost}")

    def _windows(self) -> Part:
        lag = self.backlog.lag()
        if not self.pipeline.is_alive():
            return Part(False, "nothing is judged: the path behind the journal has ended; restart the server")
        if self.pipeline.trouble:
            return Part(False, f"nothing is judged; trying again: {self.pipeline.trouble}")
        if self.pipeline.is_detached:
            return Part(False, "what comes is judged and not kept: the store does not keep up; the journal has it")
        since_ns = self.backlog.waits_since()
        waits_s = (self.clock() - since_ns) / 1e9 if since_ns is not None else 0.0
        if self.backlog.is_behind and lag:
            words = [f"catching up from the journal: {lag} records to go; no rule is judged"]
        else:
            words = [*_complaints(self.pipeline.state.windows), f"{lag} records to go"]
        if waits_s > _LATE_S:
            words.insert(0, f"rules are late: a record has waited for {waits_s:.0f} s")
        return Part(len(words) == 1, "; ".join(words))

    def _rules(self) -> Part:
        failing = self.pipeline.failing.words
        words = [f"{name} cannot be judged: {why}" for name, why in sorted(failing.items())[:_MOST_COMPLAINTS]]
        if len(failing) > _MOST_COMPLAINTS:
            words.append(f"and {len(failing) - _MOST_COMPLAINTS} more rules")
        words += [
            f"the step {step} fails and is passed over: {why}" for step, why in self.pipeline.failing_steps.items()
        ]
        standing = sum(self.alerting().alerts.values())
        if standing >= MAX_ALERTS:
            words.append(f"{standing} alerts stand, and no more are taken: tell fewer groups apart in `by`")
        return Part(not words, "; ".join(words) or f"{self.pipeline.rule_count} rules")

    def _alerting(self) -> Part:
        found = self.alerting()
        states = ", ".join(f"{number} {state}" for state, number in found.alerts.items())
        return Part(found.ok, "; ".join(found.words) or f"{states}; {found.outbox} messages on their way")

    def _store(self) -> Part:
        if self.writer.trouble:
            return Part(False, f"does not take what was received; it waits in the journal: {self.writer.trouble}")
        if self.store.trouble:
            return Part(False, self.store.trouble)
        return Part(True, f"holds all up to position {self.writer.position}")


def _complaints(windows: Windows) -> list[str]:
    """What makes figures less than they could be."""
    words = []
    if windows.unseen_s:
        words.append(
            f"rules do not see the oldest {windows.unseen_s:.0f} s of the longest window: there are more panes than"
            " find room; ask for shorter windows, or name fewer models and processes"
        )
    words += [
        f"{service} names too many models: {number} additions are counted as `{OTHER}`"
        for service, number in windows.overflowing.items()
    ]
    words += [
        f"several processes of {service} send as one ({number} points): give each a service.instance.id"
        for service, number in windows.sharing.items()
    ]
    words += [
        f"{service} ({instance}) is not judged: its clock is slow or its data was held up, by {seconds:.0f} s"
        for (service, instance), seconds in windows.lagging.items()
    ]
    return words[:_MOST_COMPLAINTS]
