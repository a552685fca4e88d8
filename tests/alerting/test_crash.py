"""What a crash may cost: nothing that was decided, and at most the messages that were being tried."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitorx.alerting.alert import Alert, Condition, State
from monitorx.alerting.channel.channel import Delivery
from tests.alerting.scenario import NOON, Scenario, config, observation, policy

Make = Callable[..., Scenario]
QUICK = "receiver: ops\ngroup_by: [alertname]\ngroup_wait: 10s\ngroup_interval: 20s\nrepeat_interval: 1h\n"
MODELS = {"fraud": 0, "churn": 0, "chat": 15}  # and how long each must be bad before it fires


def test_for_goes_on_where_it_was(scenario: Make) -> None:
    app = scenario()
    rule = policy(held_for=60)
    app.push(observation(rule), at=0)
    app.crash()

    app.push(observation(rule), at=60)

    assert [(alert.state, alert.active_at) for alert in app.ledger.alerts()] == [(State.FIRING, NOON)]


def test_keep_firing_for_goes_on_where_it_was(scenario: Make) -> None:
    app = scenario()
    rule = policy(keep=60)
    app.push(observation(rule), at=0).push(observation(rule, Condition.OK), at=10)
    app.crash()

    app.push(observation(rule, Condition.OK), at=70)

    assert [alert.state for alert in app.ledger.alerts()] == [State.RESOLVED]


def test_group_wait_goes_on_where_it_was(scenario: Make) -> None:
    app = scenario()
    app.push(observation(), at=0).until(20)
    app.crash()

    app.until(100)

    assert [at for at, *_ in app.told()] == [30]


def test_what_was_told_is_not_told_again(scenario: Make) -> None:
    app = scenario()
    app.push(observation(), at=0).until(60)
    app.crash()
    app.push(observation(labels={"model": "churn"}), at=100).until(1000)

    assert app.told() == [(30, "ops", "firing", ["fraud"]), (330, "ops", "firing", ["fraud", "churn"])]


def test_an_end_nobody_was_told_of_yet_is_told_after_a_crash(scenario: Make) -> None:
    app = scenario()
    app.push(observation(), at=0).push(observation(condition=Condition.OK), at=100)
    app.push(observation(policy(held_for=9999)), at=110)
    app.crash()

    app.until(400)

    assert app.told()[1:] == [(330, "ops", "resolved", ["-fraud"])]


def test_a_message_that_was_not_marked_is_sent_again_as_the_same(scenario: Make) -> None:
    app = scenario()
    app.holds = True
    app.push(observation(), at=0).until(40)
    app.crash()
    app.holds = False

    app.until(50)

    assert [notification.id for _, notification in app.sent] == ["id-1"]


def test_positions_before_the_last_are_a_replay_and_change_nothing(scenario: Make) -> None:
    app = scenario()
    app.push(observation(), at=0)
    app.push(observation(condition=Condition.OK), at=1)
    app.crash()

    changed = app.ledger.observe([observation()], 1, app.now)

    assert not changed
    assert app.ledger.position == 2
    assert [alert.state for alert in app.ledger.alerts()] == [State.RESOLVED]


def test_a_position_alone_is_written_within_seconds(scenario: Make) -> None:
    app = scenario()
    app.push(observation(condition=Condition.OK), at=1).push(observation(condition=Condition.OK), at=3)
    app.crash()

    assert app.ledger.position == 2


def test_a_route_that_is_gone_leaves_nothing_behind(scenario: Make) -> None:
    app = scenario()
    app.push(observation(), at=0).until(60)
    app.settings = config("receiver: night\ngroup_wait: 0s\n")
    app.crash()

    app.until(70)
    restored = app.store.restore()

    assert app.told()[1:] == [(60, "night", "firing", ["fraud"])]
    assert list(restored.log) == [("{}:{}", "night/fake[0]")]


conditions = st.sampled_from([*[Condition.OK, Condition.BREACHED] * 4, Condition.NO_DATA, Condition.ERROR])
pushes = st.tuples(st.just("push"), st.sampled_from(sorted(MODELS)), conditions, st.integers(0, 12))
waits = st.tuples(st.just("wait"), st.integers(1, 40))
turns = st.tuples(st.sampled_from(["crash", "crash before the mark", "hold", "release", "release"]))
troubles = st.tuples(st.sampled_from(["refuse", "accept", "full disk", "room again"]))
steps = st.lists(st.one_of(pushes, pushes, pushes, pushes, waits, turns, troubles), min_size=25, max_size=60)


class History(Scenario):
    """Notes what fired, what was committed, and what each crash could repeat."""

    def __init__(self, path: Path) -> None:
        self.fired: set[str] = set()
        self.committed: list[str] = []
        super().__init__(path, config(QUICK))

    def turn(self) -> None:
        self.fired |= {a.labels["model"] for a in self.ledger.alerts() if a.state is State.FIRING}
        super().turn()

    def write(self, commit: object) -> None:
        self.committed += [row.notification.id for row in commit.sent]  # type: ignore[attr-defined]  # a Commit
        super().write(commit)  # type: ignore[arg-type]  # a Commit

    def crash_before_the_mark(self) -> int:
        """Everything that waits is sent, and the process dies before that is on disk."""
        rows, self.waiting = self.waiting, []
        self.sent += [((self.now - self.start).total_seconds(), row.notification) for row in rows]
        self.crash()
        return len(rows)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        yield Path(name)


def play(app: History, history: list[tuple[object, ...]]) -> int:
    """Do what *history* says; gives how many messages crashes could repeat."""
    repeatable, at = 0, 0.0
    for what, *details in history:
        if what == "push":
            model, condition, later = details
            at += later  # type: ignore[operator]  # an integer
            app.push(observation(policy(held_for=MODELS[model]), condition, labels={"model": model}), at=at)  # type: ignore[arg-type, dict-item]
        elif what == "wait":
            at += details[0]  # type: ignore[operator]  # an integer
            app.until(at)
        elif what in ("refuse", "accept"):
            app.delivery = Delivery.FAILED if what == "refuse" else Delivery.DELIVERED
        elif what in ("full disk", "room again"):
            app.is_full = what == "full disk"
            app.turn()
        elif what in ("hold", "release"):
            app.holds = what == "hold"
        elif app.is_full:
            continue  # what a crash costs then is another promise: told anew
        elif what == "crash":
            app.crash()
        else:
            repeatable += app.crash_before_the_mark()
    app.holds = app.is_full = False
    app.delivery = Delivery.DELIVERED
    app.turn()
    app.until(at + 100)
    return repeatable


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_any_history_tells_the_truth(folder: Path, history: list[tuple[object, ...]]) -> None:
    path = folder / "history.db"
    for old in folder.iterdir():
        old.unlink()
    app = History(path)
    try:
        repeatable = play(app, history)
        believed: dict[str, bool] = {}
        seen: set[str] = set()
        for _, notification in app.sent:
            if notification.id in seen:
                continue  # the same message once more: its receiver drops it by the id
            seen.add(notification.id)
            if notification.id in app.refused:
                continue  # nobody heard it
            for alert in notification.alerts:
                model = alert.labels["model"]
                is_firing = alert.state is State.FIRING
                assert is_firing or believed.get(model), "an end is only told to who was told the beginning"
                believed[model] = is_firing

        sent = [notification.id for _, notification in app.sent]
        now_firing = {a.labels["model"] for a in app.ledger.alerts() if a.state is State.FIRING}
        assert set(believed) <= app.fired, "only what fired is told"
        assert set(sent) == set(app.committed), "nothing that was decided is lost, nothing undecided is sent"
        assert len(sent) - len(set(sent)) <= repeatable, "doubles come from crashes only"
        assert {model for model, firing in believed.items() if firing} == now_firing, "in the end receivers know"
        left = app.store.restore()
        assert {alert.labels["model"] for alert in left.members.values()} == now_firing, "what is over is forgotten"
        assert left.outbox == ()
    finally:
        app.store.close()


def test_a_commit_that_could_not_be_written_is_written_later(scenario: Make) -> None:
    app = scenario()
    app.ledger.observe([observation()], 1, NOON)
    lost = app.ledger.turn(NOON)
    assert lost is not None
    app.ledger.put_back(lost)
    app.ledger.observe([observation(condition=Condition.OK)], 2, NOON + timedelta(seconds=1))

    again = app.ledger.turn(NOON + timedelta(seconds=1))

    assert again is not None
    app.store.write(again)
    states: dict[str, Alert] = {key: one.alert for key, one in app.store.restore().alerts.items()}
    assert [alert.state for alert in states.values()] == [State.RESOLVED]
    assert [row.what for row in reversed(app.store.audit())] == ["fired", "resolved"]
