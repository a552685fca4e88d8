"""Thresholds of models mean rules."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.alerting import template
from monitorx.backend.rule import longest_window
from monitorx.backend.rule.threshold import WINDOW, Thresholds, compiled


def test_a_threshold_means_the_rule_that_a_file_would_hold() -> None:
    rules = compiled({"fraud": Thresholds(latency_s=0.2, error_ratio=0.05)})

    assert [(rule.name, rule.expression.text) for rule in rules] == [
        ("ModelLatencyHigh", 'p95(latency{model="fraud"}[1m]) > 0.2 by (model)'),
        (
            "ModelErrorRateHigh",
            'ratio(errors{model="fraud"}[1m], requests{model="fraud"}[1m]) > 0.05 by (model)',
        ),
    ]


def test_models_with_the_same_threshold_share_a_rule() -> None:
    rules = compiled({"b.2": Thresholds(0.2), "a": Thresholds(0.2), "c": Thresholds(0.5)})

    assert [rule.expression.text for rule in rules] == [
        'p95(latency{model=~"a|b\\\\.2"}[1m]) > 0.2 by (model)',
        'p95(latency{model="c"}[1m]) > 0.5 by (model)',
    ]


def test_a_model_without_thresholds_means_no_rule() -> None:
    assert compiled({"fraud": Thresholds()}) == ()


def test_windows_keep_what_the_rules_look_at() -> None:
    assert longest_window(compiled({"fraud": Thresholds(1.0, 0.1)})) == WINDOW == timedelta(minutes=1)


def test_the_words_of_the_alerts_can_be_filled_in() -> None:
    texts = [text for rule in compiled({"a": Thresholds(1.0, 0.1)}) for text in rule.annotations.values()]

    assert [template.problems(text) for text in texts] == [[], []]


@pytest.mark.parametrize("others", [pytest.param([], id="alone"), pytest.param(["another"], id="with another")])
@given(name=st.text(min_size=1, max_size=20), limit=st.floats(1e-9, 1e6))
def test_any_name_and_any_limit_is_matched_exactly(others: list[str], name: str, limit: float) -> None:
    rules = compiled(dict.fromkeys([*others, name], Thresholds(limit)))

    (matcher,) = rules[0].expression.of.matchers
    assert rules[0].expression.threshold == limit
    assert matcher.matches({"model": name})
    assert not matcher.matches({"model": name + "x"}) or name + "x" in others
    assert not matcher.matches({"model": ""})
