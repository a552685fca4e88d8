from datetime import datetime, timedelta

import pytest

from monitorx.alerting.alert import Alert, Condition, NoData, Observation, Severity, State
from monitorx.alerting.state import (
    RESOLVED_KEPT,
    Standing,
    Transition,
    identity,
    is_expired,
    no_data_identity,
    step,
    step_no_data,
    vanish,
)
from tests.alerting.scenario import NOON, observation, policy

BREACHED, OK, NO_DATA, ERROR = Condition.BREACHED, Condition.OK, Condition.NO_DATA, Condition.ERROR


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def run(rule: object, *conditions: tuple[float, Condition]) -> list[tuple[str, str]]:
    """The transition and the state after each observation."""
    standing: Standing | None = None
    seen = []
    for seconds, condition in conditions:
        found = observation(rule, condition)  # type: ignore[arg-type]  # a policy
        standing, transition = step(standing, found, identity(found.policy, found.labels), at(seconds))
        seen.append((transition.value, "inactive" if standing is None else standing.alert.state.value))
    return seen


@pytest.mark.parametrize(
    ("rule", "conditions", "expected"),
    [
        pytest.param(
            policy(), [(0, BREACHED), (1, BREACHED), (2, OK), (3, OK)],
            [("fired", "firing"), ("nothing", "firing"), ("resolved", "resolved"), ("nothing", "resolved")],
            id="without for it fires at once and resolves at once",
        ),
        pytest.param(
            policy(held_for=60), [(0, BREACHED), (59.9, BREACHED), (60, BREACHED)],
            [("pending", "pending"), ("waiting", "pending"), ("fired", "firing")],
            id="for is over exactly when it has passed",
        ),
        pytest.param(
            policy(held_for=60), [(0, BREACHED), (30, OK), (60, BREACHED), (120, BREACHED)],
            [("pending", "pending"), ("withdrawn", "inactive"), ("pending", "pending"), ("fired", "firing")],
            id="an interruption starts for anew",
        ),
        pytest.param(
            policy(keep=60), [(0, BREACHED), (10, OK), (69, OK), (70, OK)],
            [("fired", "firing"), ("cleared", "firing"), ("held_open", "firing"), ("resolved", "resolved")],
            id="keep_firing_for runs from the first ok",
        ),
        pytest.param(
            policy(keep=60), [(0, BREACHED), (10, OK), (60, BREACHED), (80, OK), (139, OK), (140, OK)],
            [
                ("fired", "firing"), ("cleared", "firing"), ("breached_again", "firing"), ("cleared", "firing"),
                ("held_open", "firing"), ("resolved", "resolved"),
            ],
            id="a breach starts keep_firing_for anew",
        ),
        pytest.param(
            policy(held_for=5), [(0, BREACHED), (5, BREACHED), (6, OK), (7, BREACHED)],
            [("pending", "pending"), ("fired", "firing"), ("resolved", "resolved"), ("pending", "pending")],
            id="after the end it begins again with pending",
        ),
        pytest.param(
            policy(held_for=5), [(0, BREACHED), (3, ERROR), (5, BREACHED), (6, ERROR), (7, NO_DATA)],
            [
                ("pending", "pending"), ("error_kept", "pending"), ("fired", "firing"), ("error_kept", "firing"),
                ("no_data_kept", "firing"),
            ],
            id="an error and no data keep what is",
        ),
        pytest.param(
            policy(no_data=NoData.OK), [(0, BREACHED), (1, NO_DATA)],
            [("fired", "firing"), ("resolved", "resolved")], id="no_data ok resolves",
        ),
        pytest.param(
            policy(held_for=5, no_data=NoData.ALERTING), [(0, NO_DATA), (5, NO_DATA)],
            [("pending", "pending"), ("fired", "firing")], id="no_data alerting counts as a breach",
        ),
        pytest.param(policy(), [(0, ERROR)], [("error_kept", "inactive")], id="an error raises nothing"),
        pytest.param(policy(), [(0, NO_DATA)], [("no_data_kept", "inactive")], id="keep_last raises nothing"),
    ],
)  # fmt: skip
def test_an_alert_goes_its_way(
    rule: object, conditions: list[tuple[float, Condition]], expected: list[tuple[str, str]]
) -> None:
    assert run(rule, *conditions) == expected


def test_an_alert_says_everything_when_it_fires() -> None:
    rule = policy(
        held_for=60,
        labels={"severity": "critical", "team": "risk"},
        annotations={"summary": "{{ $labels.model }} takes {{ $value }}s, over {{ $threshold }}"},
    )
    labels = identity(rule, {"model": "fraud"})
    standing, _ = step(None, Observation(rule, {"model": "fraud"}, BREACHED, 2.0, 1.0), labels, at(0))
    evidence = {"events": "7"}

    standing, _ = step(standing, Observation(rule, {"model": "fraud"}, BREACHED, 3.0, 1.0, evidence), labels, at(60))

    assert standing == Standing(
        Alert(
            labels={"alertname": "Slow", "severity": "critical", "team": "risk", "model": "fraud"},
            annotations={"summary": "fraud takes 3s, over 1"},
            state=State.FIRING,
            active_at=at(0),
            starts_at=at(60),
            ends_at=None,
            severity=Severity.CRITICAL,
            value=3.0,
            evidence=evidence,
        )
    )


def test_words_stay_when_it_ends_without_a_number() -> None:
    rule = policy(no_data=NoData.OK, annotations={"summary": "at {{ $value }}"})
    labels = identity(rule, {})
    standing, _ = step(None, Observation(rule, {}, BREACHED, 3.0, 1.0), labels, at(0))

    standing, _ = step(standing, Observation(rule, {}, NO_DATA, None, 1.0), labels, at(9))

    assert standing is not None
    assert (standing.alert.annotations, standing.alert.value, standing.alert.ends_at) == (
        {"summary": "at 3"}, None, at(9),
    )  # fmt: skip


def test_a_rule_may_want_an_alert_about_missing_data() -> None:
    rule = policy("Slow", no_data=NoData.NO_DATA)
    labels = no_data_identity(rule, {"model": "fraud"})

    standing, began = step_no_data(None, observation(rule, NO_DATA, None), labels, at(0))
    _, kept = step_no_data(standing, observation(rule, ERROR, None), labels, at(1))
    _, ended = step_no_data(standing, observation(rule, BREACHED), labels, at(2))

    assert (began, kept, ended) == (Transition.FIRED, Transition.ERROR_KEPT, Transition.RESOLVED)
    assert labels == {
        "alertname": "DatasourceNoData", "rulename": "Slow", "severity": "warning", "model": "fraud",
    }  # fmt: skip


def test_the_rule_s_labels_win_and_empty_ones_are_none() -> None:
    rule = policy("Slow", labels={"model": "", "alertname": "Other", "severity": "info"})

    assert identity(rule, {"model": "fraud", "severity": "critical", "version": "2"}) == {
        "alertname": "Slow", "severity": "info", "version": "2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("severity", "expected"),
    [pytest.param("error", Severity.ERROR, id="known"), pytest.param("page", Severity.WARNING, id="unknown")],
)
def test_severity_comes_from_the_labels(severity: str, expected: Severity) -> None:
    rule = policy(labels={"severity": severity})
    standing, _ = step(None, observation(rule), identity(rule, {}), at(0))

    assert standing is not None
    assert standing.alert.severity is expected


def test_what_is_no_longer_mentioned_ends() -> None:
    firing, _ = step(None, observation(), {"alertname": "Slow"}, at(0))
    pending, _ = step(None, observation(policy(held_for=9)), {"alertname": "Slow"}, at(0))
    assert firing is not None
    assert pending is not None

    gone, _ = vanish(firing, at(300))

    assert gone is not None
    assert (gone.alert.state, gone.alert.ends_at) == (State.RESOLVED, at(300))
    assert gone.alert.evidence["ended"] == "nothing was said of it any more; it may not be over"
    assert vanish(pending, at(300)) == (None, Transition.VANISHED)
    assert vanish(gone, at(301)) == (gone, Transition.NOTHING)


def test_a_resolved_alert_is_shown_for_a_quarter_of_an_hour() -> None:
    firing, _ = step(None, observation(), {}, at(0))
    assert firing is not None
    resolved, _ = step(firing, observation(condition=OK), {}, at(10))
    assert resolved is not None

    assert not is_expired(firing, at(10_000))
    assert not is_expired(resolved, at(10) + RESOLVED_KEPT - timedelta(microseconds=1))
    assert is_expired(resolved, at(10) + RESOLVED_KEPT)
