"""An alert that says that data is missing stands until data comes, or for a day after everything else forgot it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitorx.alerting.alert import NoData
from monitorx.alerting.board import Board
from monitorx.alerting.record import moment
from monitorx.backend.absence import Absences
from monitorx.backend.rule import Rule, evaluate, observation, parse
from monitorx.backend.window import Bounds, PaneKey, Windows
from tests.window.build import NOW, SECOND, add, spans

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND


either = pytest.mark.parametrize(
    ("no_data", "name"),
    [
        pytest.param(NoData.ALERTING, "Silent", id="alerting"),
        pytest.param(NoData.NO_DATA, "DatasourceNoData", id="no_data"),
    ],
)


class World:
    """Windows, one rule and alerts, on a clock of their own; a minute is a step."""

    def __init__(self, no_data: NoData, text: str = "rate(requests[5m]) < 0.1 by (model)") -> None:
        self.rule = Rule("Silent", parse(text), no_data=no_data)
        self.now_ns = NOW
        self.ahead_ns = 0  # how much the server's clock is ahead
        self.panes: dict[PaneKey, int] = {}  # in the store: the newest of each
        self.board = Board({}, self.moment)
        self.windows, self.absences = Windows(Bounds(retain=timedelta(minutes=5))), Absences(self.monotonic)
        self.kept = timedelta(days=15)
        self.said: list[tuple[int, str, str]] = []  # after how many minutes what happened to which alert

    @property
    def moment(self) -> Any:
        return moment((self.now_ns + self.ahead_ns) // 1000)

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def call(self, model: str = "fraud", times: int = 100, **labels: str) -> None:
        row = {"model": model, "end_ns": self.now_ns, "weight": float(times), **labels}
        add(self.windows, spans(row), arrival_ns=self.now_ns)
        self.panes |= {pane.key: pane.start_ns for pane in self.windows.take()[0]}

    def run(self, minutes: int, *, others: bool = True) -> None:
        for minute in range(minutes):
            if others and minute % 4 == 0:
                self.call("other")
            now_ns = self.now_ns + self.ahead_ns
            self.windows.close(now_ns)
            verdicts = self.absences.complete(self.rule, evaluate(self.rule, self.windows, now_ns), now_ns)
            for change in self.board.observe([observation(self.rule, each) for each in verdicts], self.moment):
                after = (self.now_ns - NOW) // MINUTE
                self.said.append((after, change.alert.labels["alertname"], change.transition.value))
            self.now_ns += MINUTE

    def restart(self, text: str = "", *, down_minutes: int = 0) -> None:
        """Nothing is left but alerts and what the store has; the rule may be another."""
        self.now_ns += down_minutes * MINUTE
        self.rule = replace(self.rule, expression=parse(text)) if text else self.rule
        self.windows = Windows(Bounds(retain=timedelta(minutes=5)))
        self.absences = Absences(self.monotonic)
        self.absences.recall([self.rule], self.board.alerts(), self.keys, self.now_ns, kept=self.kept)

    def keys(self, since_ns: int) -> dict[PaneKey, int]:
        return {key: start_ns for key, start_ns in self.panes.items() if start_ns >= since_ns}


@either
def test_it_is_said_for_a_day_after_the_hour_and_then_ends(no_data: NoData, name: str) -> None:
    world = World(no_data)
    world.call()

    world.run(27 * 60)

    # An hour known by windows, a day by us, and five minutes until alerting takes it for gone.
    assert world.said == [(6, name, "fired"), (60 + 24 * 60 + 4, name, "vanished")]


@either
def test_it_outlives_a_restart(no_data: NoData, name: str) -> None:
    world = World(no_data)
    world.call()
    world.run(10)

    world.restart(down_minutes=3)
    world.run(180)

    assert world.said == [(6, name, "fired")]


@either
def test_it_ends_when_data_comes(no_data: NoData, name: str) -> None:
    world = World(no_data)
    world.call()
    world.run(180)
    world.restart()
    world.run(10)

    world.call()
    world.run(3)

    assert world.said == [(6, name, "fired"), (190, name, "resolved")]


@either
def test_restarts_do_not_make_it_stand_for_ever(no_data: NoData, name: str) -> None:
    world = World(no_data)
    world.call()

    for _ in range(6):
        world.run(5 * 60)
        world.restart()

    # An hour and a day after the last call, and five minutes until alerting takes it for gone.
    assert world.said == [(6, name, "fired"), (60 + 24 * 60 + 4, name, "vanished")]


def test_what_says_nothing_of_absence_is_forgotten_after_the_hour() -> None:
    world = World(NoData.KEEP_LAST, "rate(requests[5m]) > 0.1 by (model)")
    world.call()

    world.run(80, others=False)
    world.call("other")
    world.run(10)

    assert [what for _, _, what in world.said if what == "vanished"] == ["vanished"]


def test_an_alert_that_began_with_data_is_kept_for_a_day_from_its_last_data() -> None:
    world = World(NoData.ALERTING)
    world.call(times=1)

    for _ in range(4):
        world.run(12 * 60)
        world.restart()

    assert world.said == [(0, "Silent", "fired"), (60 + 24 * 60 + 5, "Silent", "vanished")]


def test_a_store_that_keeps_little_dates_an_absence_as_far_back_as_it_tells() -> None:
    world = World(NoData.ALERTING, "rate(requests[5m]) < 10 by (model)")
    world.call(times=5)
    world.run(5 * 60, others=False)

    world.kept = timedelta(hours=3)
    world.restart()
    world.run(25 * 60, others=False)

    # Five hours, three of which the store tells of, an hour known by windows, a day by us, and five minutes.
    assert world.said == [(0, "Silent", "fired"), ((5 - 3 + 1 + 24) * 60 + 4, "Silent", "vanished")]


def test_an_alert_about_a_metric_that_began_with_data_is_kept_for_a_day_from_the_restart() -> None:
    world = World(NoData.ALERTING)
    world.call(times=1)
    world.run(10 * 60)

    world.restart("""last("queue.depth"[5m]) < 5 by (model)""")
    world.run(23 * 60)

    assert world.said == [(0, "Silent", "fired")]


@either
def test_senders_have_a_minute_to_come_back_after_a_start(no_data: NoData, name: str) -> None:
    world = World(no_data, "rate(requests[1m]) < 10 by (model)")
    world.call(times=6)
    world.run(1, others=False)
    world.restart(down_minutes=2)

    world.run(1, others=False)
    world.call(times=6)
    world.run(1, others=False)

    assert world.said == [(0, "Silent", "fired")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('rate(requests{model!="fraud"}[5m]) < 0.1 by (model)', id="the model is left out"),
        pytest.param('rate(requests{service="desk"}[5m]) < 0.1 by (model)', id="its service is left out"),
        pytest.param("rate(requests[5m]) < 0.1 by (model, version)", id="versions are told apart"),
        pytest.param('last("queue.depth"{model!="fraud"}[5m]) < 5 by (model)', id="a metric of other models"),
    ],
)
@either
def test_an_alert_that_the_rule_no_longer_asks_for_is_not_spoken_of(no_data: NoData, name: str, text: str) -> None:
    world = World(no_data)
    world.call(times=1)
    world.run(1)

    world.restart(text)
    for _ in range(20):
        world.call()
        world.run(1)

    # Five minutes until alerting takes it for gone.
    assert world.said == [(0, "Silent", "fired"), (5, "Silent", "vanished")]


def test_a_group_without_a_version_is_one_that_the_rule_asks_for() -> None:
    world = World(NoData.ALERTING, "rate(requests[5m]) < 0.1 by (model, version)")
    world.call(version="")
    world.run(3 * 60)

    world.restart()
    world.run(3 * 60)

    assert world.said == [(6, "Silent", "fired")]


@either
def test_a_clock_that_is_days_ahead_for_a_moment_ends_nothing(no_data: NoData, name: str) -> None:
    world = World(no_data)
    world.call()
    world.run(180)

    world.ahead_ns = 48 * HOUR
    world.run(10)
    world.ahead_ns = 0
    world.run(180)

    assert world.said == [(6, name, "fired")]
