"""Numbers that no model can have counted."""

from datetime import timedelta
from typing import Any

import pytest

from monitorx.backend.window import Windows
from tests.window.build import NOW, SECOND, add, durations, points, spans

TOKENS = {"name": "gen_ai.client.token.usage", "unit": "{token}", "attributes": '{"gen_ai.token.type":"input"}'}
SAMPLES = {"name": "ml.inference.samples", "type": "sum", "monotonic": True}
EXPONENTIAL = {"type": "exponential_histogram", "scale": 5, "positive_offset": 0, "count": 1.0, "sum": 1.0}


def counted_by(*rows: Any) -> Any:
    dropped: dict[str, float] = {}

    def count(name: str, labels: Any, value: float) -> None:
        dropped[labels["reason"]] = dropped.get(labels["reason"], 0.0) + value

    windows = Windows(count=count)
    add(windows, points(*rows))
    panes = windows.take()[0]
    return [(pane.requests, pane.input_tokens, pane.samples) for pane in panes], dropped


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(durations(0, 2.0**63, 0), id="a count"),
        pytest.param({**durations(0, 1, 0), "count": 1e13}, id="a count that its buckets do not have"),
        pytest.param({**durations(0, 2.0**63, 0), "count": 1.0}, id="a bucket"),
        pytest.param({**EXPONENTIAL, "positive": [2.0**63], "zero_count": 0.0}, id="an exponential bucket"),
        pytest.param({**EXPONENTIAL, "positive": [1.0], "zero_count": 2.0**63}, id="a zero bucket"),
        pytest.param({**durations(0, 2.0**60, 0), "temporality": "cumulative"}, id="a cumulative count"),
        pytest.param({**durations(0, 2.0**50, 0), "temporality": "cumulative"}, id="a first cumulative count"),
        pytest.param({**TOKENS, "count": 1.0, "sum": 1e15}, id="tokens"),
        pytest.param({**SAMPLES, "value": 1e15}, id="samples"),
    ],
)
def test_an_absurd_number_is_left_out_and_counted(row: Any) -> None:
    panes, dropped = counted_by({**row, "series_key": 2}, durations(0, 3, 0))

    assert panes == [(3.0, 0.0, 0.0)]
    assert dropped == {"absurd": 1.0}


def test_the_largest_number_that_may_be_is_counted() -> None:
    assert counted_by(durations(0, 1e12, 0)) == ([(1e12, 0.0, 0.0)], {})


def test_a_series_that_has_counted_long_goes_on() -> None:
    windows = Windows()
    row = {"temporality": "cumulative", "start_ns": 0}

    add(windows, points(durations(0, 5e12, 0, **row)), points(durations(0, 5e12 + 2, 0, time_ns=NOW + SECOND, **row)))

    assert [pane.requests for pane in windows.take()[0]] == [2.0]


def test_a_large_number_that_counts_no_calls_is_read() -> None:
    windows = Windows(watch=["disk.io"])
    row = {"name": "disk.io", "type": "sum", "monotonic": True, "value": 1e15}

    add(windows, points(row))

    assert windows.readings("disk.io", [], [], window=timedelta(minutes=1), now_ns=NOW)[()].sum == 1e15


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "cost_usd", "batch_size"])
@pytest.mark.parametrize("value", [1.7e308, -1.7e308, 2.0**63, 1e13])
def test_an_absurd_number_of_a_span_is_left_out_and_counted(name: str, value: float) -> None:
    dropped: list[tuple[str, Any, float]] = []
    windows = Windows(count=lambda *what: dropped.append(what))

    add(windows, spans({name: value}, {name: value}, {name: 3.0, "model": "other"}))

    panes = {
        each.key.model: (each.requests, each.input_tokens + each.output_tokens + each.cost_usd + each.samples)
        for each in windows.take()[0]
    }
    assert panes == {"fraud": (2.0, 0.0), "other": (1.0, 3.0)}
    assert dropped == [("monitorx_window_dropped_total", {"reason": "absurd"}, 2.0)]
