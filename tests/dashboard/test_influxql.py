"""Questions of dashboards: each names only what is written, and says what it is asked to say."""

from collections.abc import Callable

import pytest

from monitorx.backend.dashboard.influxql import events, highest, newest, rate, ratio, total, values, weighted_mean
from monitorx.backend.storage.influxdb.measurement import ALERT, DRIFT, MODEL

CHOSEN = '"service" =~ /^${service:regex}$/ AND "model" =~ /^${model:regex}$/ AND "version" =~ /^${version:regex}$/'


def test_a_rate_is_the_mean_of_panes() -> None:
    assert rate(MODEL, "cost_usd", ["model"], per_s=3600) == (
        'SELECT mean("pane") * 3600 / 10 FROM (SELECT sum("cost_usd") AS "pane" FROM "ml_model"'
        f' WHERE $timeFilter AND {CHOSEN} GROUP BY time(10s), "model" fill(0))'
        ' WHERE $timeFilter GROUP BY time($__interval), "model" fill(null)'
    )


def test_a_ratio_is_of_sums_and_leaves_out_what_would_be_divided_by_zero() -> None:
    assert ratio(MODEL, "errors", "requests", ["model"]) == (
        f'SELECT sum("errors") / sum("requests") FROM "ml_model" WHERE $timeFilter AND {CHOSEN} AND "requests" > 0'
        ' GROUP BY time($__interval), "model" fill(null)'
    )


def test_a_mean_of_panes_leaves_out_those_without_the_field() -> None:
    assert weighted_mean(MODEL, "p95_s", "requests", ["model"]) == (
        'SELECT sum("product") / sum("weight") FROM (SELECT "p95_s" * "requests" AS "product", "requests" AS "weight"'
        f' FROM "ml_model" WHERE $timeFilter AND {CHOSEN}) WHERE $timeFilter AND "weight" > 0 AND "product" >= 0'
        ' GROUP BY time($__interval), "model" fill(null)'
    )


def test_an_alert_without_a_label_is_about_all_of_its_values() -> None:
    assert '("version" =~ /^${version:regex}$/ OR "version" = \'\')' in events(ALERT, ["title"], "after", "firing")


def test_values_are_narrowed_down_by_the_variables_named() -> None:
    assert values(MODEL, "version", where=["model"]) == (
        'SHOW TAG VALUES FROM "ml_model" WITH KEY = "version" WHERE "model" =~ /^${model:regex}$/'
    )


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: rate(MODEL, "no_such", ["model"]), id="rate of no field"),
        pytest.param(lambda: rate(MODEL, "requests", ["feature"]), id="rate by no tag"),
        pytest.param(lambda: ratio(MODEL, "errors", "model", ["model"]), id="ratio over a tag"),
        pytest.param(lambda: weighted_mean(MODEL, "p42_s", "requests", ["model"]), id="mean of no field"),
        pytest.param(lambda: highest(DRIFT, "requests", ["model"]), id="field of another measurement"),
        pytest.param(lambda: total(DRIFT, "cost_usd"), id="sum of no field"),
        pytest.param(lambda: newest(DRIFT, "drifted", ["no_such"], ["model"]), id="no such column"),
        pytest.param(lambda: events(ALERT, ["title"], "state", "firing"), id="events of no tag"),
        pytest.param(lambda: values(MODEL, "feature"), id="values of no tag"),
    ],
)
def test_what_is_not_written_cannot_be_asked_for(ask: Callable[[], str]) -> None:
    with pytest.raises(KeyError, match=r"has no (field|tag)"):
        ask()
