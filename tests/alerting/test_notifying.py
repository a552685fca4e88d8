"""Grouping, timers and dedup, told as scenarios: seconds after noon."""

from collections.abc import Callable

import pytest

from monitorx.alerting.alert import Condition, NoData
from monitorx.alerting.channel.channel import Delivery
from monitorx.alerting.notify import Pipeline
from tests.alerting.scenario import Scenario, config, observation, policy

Make = Callable[..., Scenario]
OK = Condition.OK


def of(model: str, condition: Condition = Condition.BREACHED, rule: str = "Slow") -> object:
    return observation(rule, condition, labels={"model": model})


def test_the_first_message_waits_for_company(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud"), at=0).push(of("churn"), at=20).until(60)

    assert app.told() == [(30, "ops", "firing", ["fraud", "churn"])]


def test_later_news_wait_for_the_interval(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud"), at=0).push(of("churn"), at=40).until(329)
    before = app.told()
    app.until(330)

    assert before == [(30, "ops", "firing", ["fraud"])]
    assert app.told()[1:] == [(330, "ops", "firing", ["fraud", "churn"])]


def test_the_end_is_told_once(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(90_000)

    assert app.told() == [(30, "ops", "firing", ["fraud"]), (330, "ops", "resolved", ["-fraud"])]


def test_the_end_of_one_is_told_beside_the_others(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud"), of("churn"), at=0).push(of("fraud", OK), at=100).until(1000)

    assert app.told() == [(30, "ops", "firing", ["churn", "fraud"]), (330, "ops", "firing", ["churn", "-fraud"])]


def test_nobody_hears_of_what_was_over_before_they_were_told(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud"), at=0).push(of("fraud", OK), at=10).until(1000)

    assert app.told() == []


def test_pending_is_told_to_nobody(scenario: Make) -> None:
    app = scenario()
    rule = policy(held_for=3600)

    app.push(observation(rule), at=0).until(3000)

    assert app.told() == []


def test_what_goes_on_is_repeated(scenario: Make) -> None:
    app = scenario(config("receiver: ops\ngroup_wait: 0s\ngroup_interval: 1m\nrepeat_interval: 1h\n"))

    app.push(of("fraud"), at=0).until(7300)

    assert app.told() == [(at, "ops", "firing", ["fraud"]) for at in (0, 3600, 7200)]


def test_fired_again_before_the_end_was_told_is_no_news(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).push(of("fraud"), at=200).until(3000)

    assert app.told() == [(30, "ops", "firing", ["fraud"])]


def test_pending_again_does_not_hide_the_end(scenario: Make) -> None:
    app = scenario()
    rule = policy(held_for=3600)
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100)

    app.push(observation(rule), at=110).until(330)

    assert app.told()[1:] == [(330, "ops", "resolved", ["-fraud"])]


def test_a_channel_that_does_not_want_ends_hears_the_next_beginning(scenario: Make) -> None:
    app = scenario(config(send_resolved=False))

    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(400)
    app.push(of("fraud"), at=500).until(600)

    assert app.told() == [(30, "ops", "firing", ["fraud"]), (530, "ops", "firing", ["fraud"])]


def test_the_tree_decides_who_is_told(scenario: Make) -> None:
    app = scenario(
        config("""
receiver: ops
group_wait: 10s
routes:
  - matchers: [alertname=~".*"]
    receiver: log
    continue: true
    group_wait: 0s
  - matchers: [model="fraud"]
    receiver: night
    group_wait: 5s
""")
    )

    app.push(of("fraud"), of("churn"), at=0).until(60)

    assert app.told() == [
        (0, "log", "firing", ["churn", "fraud"]),
        (5, "night", "firing", ["fraud"]),
    ]


def test_each_alert_is_a_group_when_grouped_by_everything(scenario: Make) -> None:
    app = scenario(config("receiver: ops\ngroup_by: ['...']\ngroup_wait: 0s\n"))

    app.push(of("fraud"), of("churn"), at=0).until(10)

    assert sorted(who for _, _, _, who in app.told()) == [["churn"], ["fraud"]]


def test_without_a_route_alerts_are_kept_and_nobody_is_told(scenario: Make) -> None:
    from monitorx.alerting.config import AlertingConfig

    app = scenario(AlertingConfig())

    app.push(of("fraud"), at=0).until(1000)

    assert [alert.labels["model"] for alert in app.ledger.alerts()] == ["fraud"]
    assert app.told() == []


def test_a_stage_can_hold_alerts_back(scenario: Make) -> None:
    app = scenario(pipeline=Pipeline(silence=lambda alerts, now: [a for a in alerts if a.labels["model"] != "fraud"]))

    app.push(of("fraud"), of("churn"), at=0).until(60)

    assert app.told() == [(30, "ops", "firing", ["churn"])]


def test_while_a_message_is_on_its_way_news_wait_and_are_told_together(scenario: Make) -> None:
    app = scenario()
    app.holds = True
    app.push(of("fraud"), at=0).push(of("churn"), at=40).push(of("fraud", OK), at=400).until(700)
    on_the_way = [row.notification.id for row in app.ledger.on_the_way]

    app.holds = False
    app.turn()

    assert on_the_way == ["id-1"]
    assert app.told() == [(700, "ops", "firing", ["fraud"]), (700, "ops", "firing", ["churn", "-fraud"])]


def test_what_was_refused_is_told_again_after_the_interval(scenario: Make) -> None:
    app = scenario()
    app.delivery = Delivery.FAILED
    app.push(of("fraud"), at=0).until(100)
    app.delivery = Delivery.DELIVERED
    app.until(400)

    assert app.told() == [(30, "ops", "firing", ["fraud"]), (330, "ops", "firing", ["fraud"])]


def test_an_end_that_was_refused_does_not_hide_the_next_beginning(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(200)
    app.delivery = Delivery.FAILED
    app.until(400)
    app.delivery = Delivery.DELIVERED
    app.push(of("fraud"), at=1000).until(1100)

    assert app.told()[2:] == [(630, "ops", "resolved", ["-fraud"]), (1030, "ops", "firing", ["fraud"])]


def test_an_end_that_was_refused_is_told_again_after_the_interval_also_after_a_crash(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(200)
    app.delivery = Delivery.FAILED
    app.until(400)
    app.delivery = Delivery.DELIVERED
    app.crash()
    app.until(90_000)

    assert app.told() == [
        (30, "ops", "firing", ["fraud"]), (330, "ops", "resolved", ["-fraud"]), (400, "ops", "resolved", ["-fraud"]),
    ]  # fmt: skip
    assert app.store.restore().members == {}


def test_an_end_is_kept_until_its_message_is_delivered(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(300)
    app.holds = True
    app.until(400)
    before = [alert.state.value for alert in app.store.restore().members.values()]

    app.holds = False
    app.turn()

    assert before == ["resolved"]
    assert app.store.restore().members == {}


def test_an_end_that_nobody_takes_is_given_up_after_a_day_and_the_next_beginning_is_told(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(200)
    app.delivery = Delivery.FAILED
    app.until(100 + 24 * 3600 + 600)
    tried, left = app.told()[-1], app.store.restore()

    app.until(100 + 30 * 3600)
    app.delivery = Delivery.DELIVERED
    app.push(of("fraud"), at=40 * 3600).until(41 * 3600)

    assert tried == (86_730, "ops", "resolved", ["-fraud"])
    assert (left.members, left.log, left.outbox) == ({}, {}, ())
    assert app.told()[-2:] == [tried, (40 * 3600 + 30, "ops", "firing", ["fraud"])]


def test_an_end_whose_message_is_given_up_after_a_day_is_told_once_more(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(300)
    app.holds = True
    app.until(330 + 24 * 3600)
    app.holds, app.delivery = False, Delivery.FAILED
    app.until(48 * 3600)

    assert app.told()[1:] == [(87_030, "ops", "resolved", ["-fraud"]), (87_330, "ops", "resolved", ["-fraud"])]
    left = app.store.restore()
    assert (left.members, left.log, left.outbox) == ({}, {}, ())


def test_a_repeat_that_was_refused_is_told_again_after_the_interval(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).until(14_000)
    app.delivery = Delivery.FAILED
    app.until(14_500)
    app.delivery = Delivery.DELIVERED
    app.until(15_000)

    assert [at for at, *_ in app.told()] == [30, 14430, 14730]


def test_what_one_channel_refused_is_told_again_to_that_channel_only(scenario: Make) -> None:
    app = scenario(
        config("receiver: ops\ngroup_wait: 10s\nroutes:\n- receiver: log\n  continue: true\n- receiver: night\n")
    )
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=100).until(309)
    app.refuses = {"log"}
    app.until(400)
    app.refuses = set()

    app.until(2000)

    assert app.told()[2:] == [
        (310, "log", "resolved", ["-fraud"]), (310, "night", "resolved", ["-fraud"]),
        (610, "log", "resolved", ["-fraud"]),
    ]  # fmt: skip


def test_a_channel_that_is_gone_is_left_alone(scenario: Make) -> None:
    app = scenario()
    app.delivery = Delivery.GONE
    app.push(of("fraud"), at=0).push(of("churn"), at=100).until(10_000)

    assert len(app.told()) == 1
    assert app.ledger.gone == {"ops/fake[0]"}


def test_missing_data_has_an_alert_of_its_own(scenario: Make) -> None:
    app = scenario()
    rule = policy("Slow", no_data=NoData.NO_DATA)

    app.push(observation(rule), at=0)
    app.push(observation(rule, Condition.NO_DATA, None), at=10)
    both = sorted(alert.labels["alertname"] for alert in app.ledger.alerts())
    app.push(observation(rule), at=20)

    assert both == ["DatasourceNoData", "Slow"]
    assert sorted((a.labels["alertname"], a.state.value) for a in app.ledger.alerts()) == [
        ("DatasourceNoData", "resolved"), ("Slow", "firing"),
    ]  # fmt: skip


def test_labels_that_vanish_resolve_while_others_are_mentioned(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), of("churn"), at=0)

    for seconds in range(30, 301, 30):
        app.push(of("churn"), at=seconds)

    assert sorted((a.labels["model"], a.state.value) for a in app.ledger.alerts()) == [
        ("churn", "firing"), ("fraud", "resolved"),
    ]  # fmt: skip


def test_nothing_vanishes_while_no_rule_is_evaluated(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), of("churn"), at=0)

    app.push(of("churn"), at=3600)

    assert [alert.state.value for alert in app.ledger.alerts()] == ["firing", "firing"]


def test_errors_are_counted_and_raise_nothing(scenario: Make) -> None:
    app = scenario()

    app.push(of("fraud", Condition.ERROR), at=0)

    assert app.ledger.alerts() == []
    assert app.counted == {"steps_total[error_kept]": 1}


def test_an_alert_that_cannot_be_judged_stays_as_it_is_while_others_are_judged(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), of("churn"), at=0)

    for at in range(10, 3600, 10):
        app.push(of("fraud", Condition.ERROR), of("churn", OK), at=at)

    assert [(alert.labels["model"], alert.state.value) for alert in app.ledger.alerts()] == [("fraud", "firing")]


def test_a_resolved_alert_leaves_the_list(scenario: Make) -> None:
    app = scenario()
    app.push(of("fraud"), at=0).push(of("fraud", OK), at=10)

    shown = [alert.state.value for alert in app.ledger.alerts()]
    app.until(10 + 15 * 60)

    assert shown == ["resolved"]
    assert app.ledger.alerts() == []


def test_label_sets_that_are_one_alert_do_not_end_each_other(scenario: Make, caplog: pytest.LogCaptureFixture) -> None:
    app = scenario()
    rule = policy(labels={"model": "all"}, no_data=NoData.NO_DATA)
    slow, fast = observation(rule, labels={"model": "slow"}), observation(rule, OK, labels={"model": "fast"})
    still = observation(rule, Condition.NO_DATA, None, labels={"model": "still"})

    app.push(slow, fast, at=0).push(fast, slow, at=10).push(fast, slow, still, at=20).until(60)
    both = [(alert.labels["alertname"], alert.state.value) for alert in app.ledger.alerts()]
    app.push(fast, fast, at=70).until(400)

    assert both == [("Slow", "firing"), ("DatasourceNoData", "firing")]
    assert app.told()[0] == (30, "ops", "firing", ["all"])
    assert app.told()[-2:] == [(330, "ops", "resolved", ["-all"]), (350, "ops", "resolved", ["-all"])]
    assert app.counted == {
        "steps_total[fired]": 2, "steps_total[resolved]": 2, "steps_total[nothing]": 4, "steps_total[merged]": 10,
        "notifications_total[first]": 2, "notifications_total[resolved]": 2,
    }  # fmt: skip
    assert [record.getMessage() for record in caplog.records] == [
        "rule Slow: a label of the rule takes the place of one that `by` selects, so several of its label sets are one "
        "alert, which fires while one of them is in breach; rename the label: "
        "{'severity': 'warning', 'model': 'all', 'alertname': 'Slow'}"
    ]
