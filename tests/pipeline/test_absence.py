"""An alert that says that data is missing stands until data comes, or for a day after everything else forgot it."""

from datetime import timedelta
from typing import Any

import pytest

from monitorx.alerting.alert import NoData
from monitorx.alerting.board import Board
from monitorx.alerting.record import moment
from monitorx.backend.absence import Absences
from monitorx.backend.rule import Rule, evaluate, observation, parse
from monitorx.backend.window import Bounds, Windows
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
        self.board = Board({}, self.moment)
        self.windows, self.absences = Windows(Bounds(retain=timedelta(minutes=5))), Absences()
        self.said: list[tuple[int, str, str]] = []  # after how many minutes what happened to which alert

    @property
    def moment(self) -> Any:
        return moment(self.now_ns // 1000)

    def call(self, model: str = "fraud", times: int = 100) -> None:
        row = {"model": model, "end_ns": self.now_ns, "weight": float(times)}
        add(self.windows, spans(row), arrival_ns=self.now_ns)

    def run(self, minutes: int, *, others: bool = True) -> None:
        for minute in range(minutes):
            if others and minute % 4 == 0:
                self.call("other")
            self.windows.close(self.now_ns)
            verdicts = self.absences.complete(self.rule, evaluate(self.rule, self.windows, self.now_ns), self.now_ns)
            for change in self.board.observe([observation(self.rule, each) for each in verdicts], self.moment):
                after = (self.now_ns - NOW) // MINUTE
                self.said.append((after, change.alert.labels["alertname"], change.transition.value))
            self.now_ns += MINUTE

    def restart(self, *, down_minutes: int = 0) -> None:
        """Nothing is left but alerts."""
        self.now_ns += down_minutes * MINUTE
        self.windows = Windows(Bounds(retain=timedelta(minutes=5)))
        self.absences = Absences(self.board.alerts(), now_ns=self.now_ns)


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

    assert world.said == [(6, name, "fired"), (6 + 24 * 60 + 4, name, "vanished")]


def test_what_says_nothing_of_absence_is_forgotten_after_the_hour() -> None:
    world = World(NoData.KEEP_LAST, "rate(requests[5m]) > 0.1 by (model)")
    world.call()

    world.run(80, others=False)
    world.call("other")
    world.run(10)

    assert [what for _, _, what in world.said if what == "vanished"] == ["vanished"]


def test_an_alert_that_began_with_data_is_kept_for_a_day_from_the_restart() -> None:
    world = World(NoData.ALERTING)
    world.call(times=1)
    world.run(10 * 60)

    world.restart()
    world.run(23 * 60)

    assert world.said == [(0, "Silent", "fired")]
