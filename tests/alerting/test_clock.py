"""A clock that is set back neither silences alerting nor hurries it: everything goes on from where it was."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from monitorx.alerting.alert import Alert, Condition, State
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
        "the clock went back by 3590 s: so do the times of alerts"
    ]
    assert [row.what for row in app.store.audit()][:1] == ["clock_went_back"]


def test_a_clock_that_goes_back_a_little_moves_nothing(scenario: Make) -> None:
    app = scenario()
    app.push(observation(policy(held_for=60)), at=10)
    before = app.ledger.alerts()
    app.now -= timedelta(seconds=4)

    app.turn()

    assert app.ledger.alerts() == before
