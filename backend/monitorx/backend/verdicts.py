"""Which verdicts are worth keeping: rules speak five times a second, and mostly say what they said before."""

from collections.abc import Iterable

from monitorx.backend.rule import Verdict
from monitorx.backend.storage.store import VerdictRow
from monitorx.backend.window import PANE_NS

_MOST = 50_000  # rules times label sets that are remembered; beyond it the log begins anew

_Place = tuple[str, tuple[tuple[str, str], ...]]


class VerdictLog:
    """Remembers the last word on each label set; lets through what changed, and each word once a pane."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._last: dict[_Place, tuple[str, int]] = {}

    def news(self, verdicts: Iterable[Verdict], now_ns: int) -> list[VerdictRow]:
        """The verdicts of *now_ns* that are to be kept."""
        pane = now_ns // PANE_NS
        rows = []
        for verdict in verdicts:
            place = (verdict.rule, tuple(sorted(verdict.labels.items())))
            said = (verdict.state, pane)
            if self._last.get(place) != said:
                if len(self._last) >= _MOST:
                    self._last.clear()
                self._last[place] = said
                rows.append(self._row(verdict, now_ns))
        return rows

    def _row(self, verdict: Verdict, now_ns: int) -> VerdictRow:
        return VerdictRow(
            now_ns, self._tenant, verdict.rule, verdict.labels, verdict.state, verdict.value, verdict.threshold
        )
