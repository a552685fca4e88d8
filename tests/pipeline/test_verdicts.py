"""The log of verdicts: what changed, and each word once a pane."""

from typing import Literal

from monitorx.backend.rule import Verdict
from monitorx.backend.verdicts import VerdictLog

PANE_NS = 10**10


def verdict(model: str, state: Literal["ok", "breached", "no_data", "error"]) -> Verdict:
    return Verdict("Slow", {"model": model}, 1.0, 0.5, state, (0, PANE_NS))


def kept(log: VerdictLog, now_ns: int, *verdicts: Verdict) -> list[tuple[str, str]]:
    return [(row.labels["model"], row.state) for row in log.news(verdicts, now_ns)]


def test_a_word_is_kept_when_it_changes_and_once_a_pane() -> None:
    log = VerdictLog("default")

    assert kept(log, 0, verdict("a", "ok"), verdict("b", "ok")) == [("a", "ok"), ("b", "ok")]
    assert kept(log, 1, verdict("a", "ok"), verdict("b", "ok")) == []
    assert kept(log, 2, verdict("a", "breached"), verdict("b", "ok")) == [("a", "breached")]
    assert kept(log, 3, verdict("a", "ok"), verdict("b", "ok")) == [("a", "ok")]
    assert kept(log, PANE_NS, verdict("a", "ok"), verdict("b", "ok")) == [("a", "ok"), ("b", "ok")]
