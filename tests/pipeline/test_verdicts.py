"""What is made of verdicts: what changed is kept, and each word once a pane; rules that fail are told of once."""

from collections.abc import Mapping
from typing import Any, Literal

from structlog.testing import capture_logs

from monitorx.backend.rule import Verdict
from monitorx.backend.verdicts import Failing, VerdictLog

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


def test_label_sets_beyond_the_bound_are_kept_once_a_pane() -> None:
    log = VerdictLog("default", most=2)
    all_ok = [verdict(model, "ok") for model in "abcd"]

    assert kept(log, 0, *all_ok) == [("a", "ok"), ("b", "ok"), ("c", "ok"), ("d", "ok")]
    assert kept(log, 1, *all_ok, verdict("e", "ok")) == []
    assert kept(log, 2, verdict("b", "breached"), verdict("d", "breached")) == [("b", "breached")]
    assert kept(log, PANE_NS, *reversed(all_ok)) == [("d", "ok"), ("c", "ok"), ("b", "ok"), ("a", "ok")]
    assert kept(log, PANE_NS + 1, *all_ok) == []


def test_what_was_said_in_an_earlier_pane_takes_no_room() -> None:
    log = VerdictLog("default", most=1)
    kept(log, 0, verdict("old", "ok"))
    kept(log, PANE_NS, verdict("a", "ok"))

    assert kept(log, PANE_NS + 1, verdict("a", "breached"), verdict("old", "ok")) == [("a", "breached")]


def failed(rule: str, words: str) -> Verdict:
    return Verdict(rule, {}, None, 0.5, "error", (0, PANE_NS), {"error": words})


def judged(rule: str, state: Literal["ok", "breached", "no_data"]) -> Verdict:
    return Verdict(rule, {"model": "a"}, 1.0, 0.5, state, (0, PANE_NS))


def told(failing: Failing, *rounds: list[Verdict], rules: frozenset[str] = frozenset({"Slow", "Hot"})) -> list[Any]:
    """What the log says in each round."""
    said = []
    for verdicts in rounds:
        with capture_logs() as entries:
            failing.note(rules, verdicts)
        said.append([{name: each[name] for name in each if name != "event"} for each in entries])
    return said


def warning(rule: str, words: str) -> Mapping[str, str]:
    return {"rule": rule, "error": words, "log_level": "warning"}


def over(rule: str) -> Mapping[str, str]:
    return {"rule": rule, "log_level": "info"}


def test_a_rule_that_cannot_be_judged_is_warned_of_once_until_its_words_change() -> None:
    failing = Failing()

    said = told(
        failing,
        [judged("Slow", "ok"), failed("Hot", "a gauge")],
        [judged("Slow", "ok"), failed("Hot", "a gauge")],
        [judged("Slow", "ok"), failed("Hot", "a bug")],
    )

    assert said == [[warning("Hot", "a gauge")], [], [warning("Hot", "a bug")]]
    assert failing.words == {"Hot": "a bug"}


def test_a_rule_is_over_it_when_it_has_judged_something_and_not_by_silence() -> None:
    failing = Failing()

    said = told(
        failing,
        [failed("Hot", "a gauge")],
        [judged("Hot", "no_data")],
        [],
        [judged("Hot", "breached")],
        [failed("Hot", "a gauge")],
    )

    assert said == [[warning("Hot", "a gauge")], [], [], [over("Hot")], [warning("Hot", "a gauge")]]


def of(service: str, state: Literal["ok", "no_data", "error"]) -> Verdict:
    evidence = {"error": "a gauge"} if state == "error" else {}
    return Verdict("Hot", {"service": service}, None, 0.5, state, (0, PANE_NS), evidence)


def test_a_rule_that_cannot_be_judged_for_one_group_is_told_of_with_the_group() -> None:
    failing = Failing()

    said = told(failing, [of("cart", "ok"), of("toy", "error"), of("trial", "error")])

    assert said == [[warning("Hot", 'a gauge (for service="toy")')]]
    assert failing.words == {"Hot": 'a gauge (for service="toy")'}


def test_a_rule_is_over_one_group_when_that_is_judged_or_gone_and_not_by_its_silence() -> None:
    failing = Failing()

    said = told(
        failing,
        [of("cart", "ok"), of("toy", "error")],
        [of("cart", "ok"), of("toy", "no_data")],
        [of("cart", "ok"), of("toy", "error")],
        [of("cart", "ok"), of("toy", "ok")],
        [of("cart", "ok"), of("toy", "error")],
        [of("cart", "ok")],
    )

    words = 'a gauge (for service="toy")'
    assert said == [[warning("Hot", words)], [], [], [over("Hot")], [warning("Hot", words)], [over("Hot")]]


def test_a_rule_that_is_gone_fails_no_more() -> None:
    failing = Failing()
    told(failing, [failed("Hot", "a gauge")])

    said = told(failing, [], rules=frozenset({"Slow"}))

    assert (said, failing.words) == ([[over("Hot")]], {})


def test_of_two_rules_with_one_name_the_one_that_fails_is_told_of() -> None:
    failing = Failing()

    told(failing, [failed("Hot", "a gauge"), judged("Hot", "ok")], [judged("Hot", "ok"), failed("Hot", "a gauge")])

    assert failing.words == {"Hot": "a gauge"}


def test_words_that_never_stand_still_are_warned_of_ten_times() -> None:
    said = told(Failing(), *([failed("Hot", f"place {number}")] for number in range(20)))

    assert [len(each) for each in said] == [1] * 10 + [0] * 10
