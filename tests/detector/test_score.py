"""`drift_score` in a rule: it alarms where the detector says drift, names model and feature, and ends with it."""

from datetime import timedelta

import pytest

from monitorx.backend.detector.reference import FeatureKey
from monitorx.backend.detector.score import Scores
from monitorx.backend.rule import Rule, evaluate, watched_metrics
from monitorx.backend.rule.expression import parse
from monitorx.backend.storage.store import DriftRow
from monitorx.backend.window import Bounds, Windows

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
LENGTH = 60 * SECOND


def row(feature: str, *, drifted: bool = False, status: str = "ok", score: float | None = 0.3) -> DriftRow:
    return DriftRow(
        start_ns=T0,
        end_ns=T0 + LENGTH,
        tenant="default",
        model="fraud",
        version="1",
        feature=feature,
        role="input",
        method="rank_location",
        status=status,
        drifted=drifted,
        statistic=1.0,
        p=0.5,
        score=score,
        psi=0.1,
        events=500.0,
        reference="r",
    )


def verdicts(expression: str, *rows: DriftRow, after_s: float = 5.0) -> list[tuple[dict[str, str], str, float | None]]:
    """What a rule says *after_s* after the end of the window."""
    rule = Rule("Drifts", parse(expression))
    windows = Windows(Bounds(retain=timedelta(hours=1)), watch=watched_metrics([rule]))
    last = {FeatureKey(each.tenant, each.model, each.version, each.feature, each.role): each for each in rows}
    scores, now_ns = Scores(LENGTH), T0 + LENGTH + int(after_s * SECOND)
    windows.add_readings(scores.readings(last, now_ns))
    return [(dict(each.labels), each.state, each.value) for each in evaluate(rule, windows, now_ns)]


def test_above_nothing_is_where_the_detector_says_drift() -> None:
    rows = [row("age", drifted=True), row("amount")]

    assert verdicts("max(drift_score[10s]) > 0 by (model, feature)", *rows) == [
        ({"model": "fraud", "feature": "age"}, "breached", 0.3),
        ({"model": "fraud", "feature": "amount"}, "ok", 0.0),
    ]


def test_a_threshold_asks_for_more_distance() -> None:
    assert verdicts("max(drift_score[10s]) > 0.4 by (feature)", row("age", drifted=True)) == [
        ({"feature": "age"}, "ok", 0.3)
    ]


def test_matchers_choose_models_versions_features_and_roles() -> None:
    expression = (
        'max(drift_score{model="fraud", version="1", feature=~"a.*", role="input"}[10s]) > 0 by (version, role)'
    )

    assert verdicts(expression, row("age", drifted=True), row("other", drifted=True)) == [
        ({"version": "1", "role": "input"}, "breached", 0.3)
    ]


@pytest.mark.parametrize("status", ["small", "low_resolution", "no_reference"])
def test_without_an_answer_there_is_no_score(status: str) -> None:
    assert verdicts("max(drift_score[10s]) > 0 by (feature)", row("age", status=status, score=None)) == []


@pytest.mark.parametrize(
    ("after_s", "stands"), [pytest.param(179.0, True, id="two windows on"), pytest.param(181.0, False, id="later")]
)
def test_a_score_stands_for_two_more_windows(after_s: float, stands: bool) -> None:
    found = verdicts("max(drift_score[10s]) > 0 by (feature)", row("age", drifted=True), after_s=after_s)

    assert bool(found) is stands


def test_a_score_is_told_once_a_pane() -> None:
    scores, key = Scores(LENGTH), FeatureKey("default", "fraud", "1", "age", "input")
    told = [len(list(scores.readings({key: row("age")}, T0 + LENGTH + second * SECOND))) for second in range(25)]

    assert (sum(told), told[0]) == (3, 1)
