"""
Which verdicts are worth keeping, and which rules cannot be judged.

Rules speak five times a second, and mostly say what they said before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog

from monitorx.backend.rule import Verdict
from monitorx.backend.rule.verdict import ERROR
from monitorx.backend.storage.store import VerdictRow
from monitorx.backend.window import PANE_NS

_MOST = 50_000  # rules times label sets that are remembered; beyond it the log begins anew
_MOST_WARNINGS = 10  # of one rule whose words change all the time, until it is judged again
_MOST_WORDS = 300  # characters

_log = structlog.get_logger(__name__)

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


class Failing:
    """
    The rules that cannot be judged; each is warned of when that begins, and when its words change.

    A rule is over it when it has judged something again: having nothing to judge proves nothing.

    Attributes:
        words: What stands in the way, by the rule's name; replaced as a whole.
    """

    def __init__(self) -> None:
        self.words: Mapping[str, str] = {}
        self._warnings: dict[str, int] = {}

    def note(self, rules: Collection[str], verdicts: Sequence[Verdict]) -> None:
        """Take what was said by all *rules* that there are, by name."""
        before = self.words
        failed = {each.rule: each.evidence.get(ERROR, "")[:_MOST_WORDS] for each in verdicts if each.state == "error"}
        if not failed and not before:
            return
        judged = {each.rule for each in verdicts if each.state in ("ok", "breached")}
        kept = {name: words for name, words in before.items() if name in rules and name not in judged}
        self.words = kept | failed
        for name, words in failed.items():
            if before.get(name) != words:
                self._warn(name, words)
        for name in before.keys() - self.words.keys():
            del self._warnings[name]
            _log.info("a rule is judged again, or gone", rule=name)

    def _warn(self, name: str, words: str) -> None:
        self._warnings[name] = self._warnings.get(name, 0) + 1
        if self._warnings[name] <= _MOST_WARNINGS:
            _log.warning("a rule cannot be judged: its alerts stay as they are", rule=name, error=words)
