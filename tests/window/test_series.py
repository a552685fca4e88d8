from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from monitorx.backend.window import Bounds, Reading, Windows
from tests.window.build import NOW, SECOND, add, gauge, points

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Point:
    value: float | None
    time_ns: int = NOW
    name: str = "temperature"
    type: str = "gauge"
    service: str = "shop"
    instance: str = "i1"
    attributes: dict[str, object] = field(default_factory=dict)


def read(windows: Windows, *by: str) -> Any:
    return windows.readings("temperature", [], by, window=MINUTE, now_ns=NOW)


def test_only_watched_metrics_are_kept() -> None:
    windows = Windows(watch=["humidity"])

    add(windows, points(gauge("temperature", 20.0)))

    assert read(windows) == {}


def test_a_reading_holds_the_summary_of_a_group() -> None:
    windows = Windows(watch=["temperature"])

    add(
        windows,
        points(gauge("temperature", 20.0), gauge("temperature", 10.0, time_ns=NOW - SECOND)),
        points(gauge("temperature", 40.0, instance="i2", time_ns=NOW - 11 * SECOND)),
    )

    assert read(windows) == {
        (): Reading(is_level=True, count=3.0, sum=70.0, min=10.0, max=40.0, last=20.0, last_ns=NOW, total=60.0)
    }
    assert {group: reading.last for group, reading in read(windows, "instance").items()} == {
        ("i1",): 20.0,
        ("i2",): 40.0,
    }


def test_reading_changes_nothing() -> None:
    windows = Windows(watch=["temperature"])
    add(windows, points(gauge("temperature", 20.0), gauge("temperature", 30.0, instance="i2")))

    assert read(windows) == read(windows)


def test_stored_gauges_fill_the_windows_of_a_new_start_under_the_same_labels() -> None:
    windows = Windows(watch=["temperature"])
    model = {"ml.model.name": "fraud", "room": "a"}

    windows.restore_points(
        [
            Point(20.0, attributes=model),
            Point(99.0, name="unwatched"),
            Point(None),
            Point(5.0, type="sum"),
        ],
        tenant="t",
    )

    assert {group: reading.last for group, reading in read(windows, "tenant", "model", "room", "instance").items()} == {
        ("t", "fraud", "a", "i1"): 20.0
    }


def test_series_beyond_the_bound_are_left_out_and_counted() -> None:
    counted: list[Any] = []
    windows = Windows(Bounds(series=1), watch=["temperature"], count=lambda *each: counted.append(each))

    add(windows, points(gauge("temperature", 20.0), gauge("temperature", 90.0, instance="i2")))

    assert list(read(windows, "instance")) == [("i1",)]
    assert counted == [("monitorx_window_dropped_total", {"reason": "series"}, 1.0)]


@pytest.mark.parametrize("gauge_first", [True, False])
def test_counters_together_with_a_gauge_have_no_rate_whichever_came_first(gauge_first: bool) -> None:
    windows = Windows(watch=["temperature"])
    counter = {"name": "temperature", "type": "sum", "monotonic": True, "value": 30.0, "instance": "i2"}
    rows = [gauge("temperature", 20.0), counter]

    add(windows, points(*(rows if gauge_first else reversed(rows))))

    assert {group: reading.is_level for group, reading in read(windows).items()} == {(): True}
