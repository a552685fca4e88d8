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

_MOST = 50_000  # rules times label sets that are remembered
_MOST_WARNINGS = 10  # of one rule whose words change all the time, until it is judged again
_MOST_WORDS = 300  # characters

_log = structlog.get_logger(__name__)

_Place = tuple[str, tuple[tuple[str, str], ...]]


class VerdictLog:
    """
    Lets through what changed within a pane of ten seconds, and each word once a pane.

    What label sets beyond the bound said is not remembered: they are let through once a pane, at its first evaluation.
    """

    def __init__(self, tenant: str, *, most: int = _MOST) -> None:
        self._tenant, self._most = tenant, most
        self._pane = -1
        self._last: dict[_Place, str] = {}  # what was said in this pane

    def news(self, verdicts: Iterable[Verdict], now_ns: int) -> list[VerdictRow]:
        """The verdicts of *now_ns* that are to be kept."""
        is_first = now_ns // PANE_NS != self._pane
        if is_first:
            self._pane = now_ns // PANE_NS
            self._last.clear()
        rows = []
        for verdict in verdicts:
            place = (verdict.rule, tuple(sorted(verdict.labels.items())))
            if self._last.get(place) == verdict.state:
                continue
            has_room = place in self._last or len(self._last) < self._most
            if has_room:
                self._last[place] = verdict.state
            if has_room or is_first:
                rows.append(self._row(verdict, now_ns))
        return rows

    def _row(self, verdict: Verdict, now_ns: int) -> VerdictRow:
        return VerdictRow(
            now_ns, self._tenant, verdict.rule, verdict.labels, verdict.state, verdict.value, verdict.threshold
        )


class Failing:
    """
    The rules that cannot be judged, or not for all groups; each is warned of when that begins, and when words change.

    A rule is over it when it has judged something again and has not fallen silent on the group that the words are
    about: having nothing to judge proves nothing.

    Attributes:
        words: What stands in the way, by the rule's name; replaced as a whole.
    """

    def __init__(self) -> None:
        self.words: Mapping[str, str] = {}
        self._labels: dict[str, Mapping[str, str]] = {}  # of the group that the words are about
        self._warnings: dict[str, int] = {}

    def note(self, rules: Collection[str], verdicts: Sequence[Verdict]) -> None:
        """Take what was said by all *rules* that there are, by name."""
        before = self.words
        failed: dict[str, Verdict] = {}
        for verdict in verdicts:
            if verdict.state == "error":
                failed.setdefault(verdict.rule, verdict)
        if not failed and not before:
            return
        over = self._over(verdicts)
        kept = {name: words for name, words in before.items() if name in rules and name not in over}
        self.words = kept | {name: _words(verdict) for name, verdict in failed.items()}
        self._labels |= {name: verdict.labels for name, verdict in failed.items()}
        for name in failed:
            if before.get(name) != self.words[name]:
                self._warn(name, self.words[name])
        for name in before.keys() - self.words.keys():
            del self._warnings[name], self._labels[name]
            _log.info("a rule is judged again, or gone", rule=name)

    def _over(self, verdicts: Sequence[Verdict]) -> set[str]:
        judged = {each.rule for each in verdicts if each.state in ("ok", "breached")}
        return judged - {each.rule for each in verdicts if self._is_silent(each)}

    def _is_silent(self, verdict: Verdict) -> bool:
        return verdict.state == "no_data" and verdict.labels == self._labels.get(verdict.rule)

    def _warn(self, name: str, words: str) -> None:
        self._warnings[name] = self._warnings.get(name, 0) + 1
        if self._warnings[name] <= _MOST_WARNINGS:
            _log.warning("a rule cannot be judged: its alerts stay as they are", rule=name, error=words)


def _words(verdict: Verdict) -> str:
    """Why *verdict* is none, and for which group where there are several."""
    labels = ", ".join(f'{name}="{value}"' for name, value in verdict.labels.items())
    return (verdict.evidence.get(ERROR, "") + (f" (for {labels})" if labels else ""))[:_MOST_WORDS]
