"""A clock that is set back neither silences alerting nor hurries it, and what was before it went ahead stays."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from monitorx.alerting.alert import Alert, Condition, State
from monitorx.alerting.channel.channel import Delivery
from tests.alerting.scenario import Scenario, observation, policy

Make = Callable[..., Scenario]
OK = Condition.OK
HOUR = 3600.0


def lived(app: Scenario, *, set_back_at: float) -> tuple[object, ...]:
    """A day's work in which the clock is set back by an hour at a moment: what was told, what stands, what is kept."""
    waits, keeps = policy("Waits", held_for=60), policy("Keeps", keep=60)
    pushes = {
        0: [observation("Slow")],
        40: [observation("Slow"), observation(waits), observation(keeps)],
        90: [observation("Slow", OK), observation(waits), observation(keeps, OK)],
        100: [observation(waits), observation(keeps, OK), observation("Slow", labels={"model": "churn"})],
        140: [observation(waits), observation(keeps, OK)],
        151: [observation(waits), observation(keeps, OK)],
    }
    for at, observations in pushes.items():
        if set_back_at == at:
            app.until(at).set_back(HOUR)
        app.push(*observations, at=at)
    app.until(700)
    alerts = sorted((alert.labels["alertname"], *since(app, alert)) for alert in app.ledger.alerts())
    restored = app.store.restore()
    kept = sorted((alert.labels["alertname"], *since(app, alert)) for alert in restored.members.values())
    log = sorted((key, (entry.at - app.start).total_seconds()) for key, entry in restored.log.items())
    return app.told(), alerts, kept, log


def since(app: Scenario, alert: Alert) -> tuple[object, ...]:
    moments = (alert.active_at, alert.starts_at, alert.ends_at)
    return alert.state.value, *(None if at is None else (at - app.start).total_seconds() for at in moments)


@pytest.mark.parametrize("set_back_at", [0, 40, 90, 100, 140, 151])
def test_what_is_told_and_kept_is_the_same_when_the_clock_is_set_back(scenario: Make, set_back_at: float) -> None:
    assert lived(scenario(), set_back_at=set_back_at) == lived(scenario(), set_back_at=-1)


def times(app: Scenario) -> list[tuple[object, ...]]:
    return sorted((alert.labels["alertname"], *since(app, alert)) for alert in app.ledger.alerts())


def test_a_clock_that_is_ahead_for_a_while_moves_only_what_happened_meanwhile(scenario: Make) -> None:
    app, keeps = scenario(), policy("Keeps", keep=600)
    app.push(observation("Slow"), observation("Over"), observation(keeps), at=0)
    app.push(observation("Slow"), observation("Over", OK), observation(keeps, OK), at=60)
    app.set_back(-30 * HOUR)
    app.push(observation("Slow"), observation(keeps, OK), observation("Late"), at=70)

    app.set_back(30 * HOUR).turn()

    assert times(app) == [
        ("Keeps", "resolved", 0, 0, 70),
        ("Late", "firing", 70, 70, None),
        ("Slow", "firing", 0, 0, None),
    ]
    stored = [standing.alert for standing in app.store.restore().alerts.values()]
    assert sorted(stored, key=str) == sorted(app.ledger.alerts(), key=str)


def test_times_stay_in_their_order_when_only_the_later_ones_move(scenario: Make) -> None:
    app, waits = scenario(), policy("Waits", held_for=60)
    app.push(observation(waits), at=50).push(observation(waits), at=110).until(160)
    app.now -= timedelta(seconds=100)

    app.push(observation(waits, OK))

    assert times(app) == [("Waits", "resolved", 50, 50, 60)]


def test_an_end_that_is_given_up_while_the_clock_is_ahead_is_told_when_it_is_right_again(scenario: Make) -> None:
    app = scenario()
    app.push(observation("Slow"), at=0).push(observation("Slow", OK), at=100).until(200)
    app.holds = True
    app.until(400).set_back(-31 * HOUR)
    app.until(410)
    app.holds, app.delivery = False, Delivery.FAILED
    app.until(420).set_back(31 * HOUR).turn()

    app.delivery = Delivery.DELIVERED
    app.until(1000)

    assert app.told()[-1] == (700, "ops", "resolved", ["-fraud"])
    assert app.store.restore().members == {}


def test_a_breach_after_the_clock_was_set_back_is_told_after_the_group_s_wait(scenario: Make) -> None:
    app = scenario()
    app.push(observation("Slow"), at=0).until(60).set_back(HOUR)

    app.push(observation("Slow"), observation("Other"), at=70).until(200)

    assert [(at, who) for at, _, _, who in app.told()] == [(30, ["fraud"]), (100, ["fraud"])]


def test_a_clock_set_back_while_nobody_ran_holds_nothing_up(scenario: Make) -> None:
    app = scenario()
    rule = policy(held_for=60)
    app.push(observation(rule), observation("Other"), at=0).until(50)
    app.set_back(HOUR)
    app.crash()

    app.push(observation(rule), at=79)
    pending = sorted(alert.state for alert in app.ledger.alerts())
    app.push(observation(rule), at=80).until(329)

    # What is on disk was last changed at 30 s; it goes on from there.
    assert pending == [State.FIRING, State.PENDING]
    assert [(at, [a.labels["alertname"] for a in n.alerts]) for at, n in app.sent] == [(30, ["Other"]), (110, ["Slow"])]


def test_a_message_on_its_way_does_not_set_the_clock_back_again_at_each_start(
    scenario: Make, caplog: pytest.LogCaptureFixture
) -> None:
    app = scenario()
    app.holds = True
    app.push(observation(), at=0).until(60).set_back(HOUR)
    app.push(observation(), at=70)
    app.crash()
    app.crash()

    assert [record.getMessage() for record in caplog.records] == [
        "the clock went back by 3590 s: so do the times of alerts that are later"
    ]
    assert [row.what for row in app.store.audit()][:1] == ["clock_went_back"]


def test_a_clock_that_goes_back_a_little_moves_nothing(scenario: Make) -> None:
    app = scenario()
    app.push(observation(policy(held_for=60)), at=10)
    before = app.ledger.alerts()
    app.now -= timedelta(seconds=4)

    app.turn()

    assert app.ledger.alerts() == before
