"""Closed panes: what is remembered of their sums is what adding all of them up would give."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.window import PANE_NS, SPAN, PaneKey, PanePartial
from monitorx.backend.window.closed import Closed, copied
from monitorx.backend.window.latency import LatencyHistogram
from tests.window.build import PANE

LENGTHS = (6, 9, 30)  # in panes


def pane(number: int, model: str = "fraud", requests: float = 1.0) -> PanePartial:
    key = PaneKey("t", "shop", "i1", model, "3", "tabular", "predict", SPAN)
    latency = LatencyHistogram(zero=requests, max_s=float(number))
    return PanePartial(key, PANE + number * PANE_NS, requests, 0.0, latency, cost_usd=0.5)


def told(panes: Any) -> dict[str, tuple[float, float, float]]:
    return {each.key.model: (each.requests, each.cost_usd, each.latency.max_s) for each in panes}


def added(panes: Sequence[PanePartial]) -> dict[str, tuple[float, float, float]]:
    sums: dict[str, PanePartial] = {}
    for each in panes:
        if each.key.model in sums:
            sums[each.key.model].merge(each)
        else:
            sums[each.key.model] = copied(each)
    return told(sums.values())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 40), st.sampled_from(["fraud", "churn"])),
        st.tuples(st.just("remove"), st.integers(0, 40), st.none()),
        st.tuples(st.just("drop"), st.integers(0, 15), st.none()),
        st.tuples(st.just("ask"), st.integers(0, 45), st.sampled_from(LENGTHS)),
    ),
    max_size=60,
)


@given(STEPS)
def test_sums_are_those_of_the_panes_that_there_are(steps: list[Any]) -> None:
    closed, kept = Closed(), []

    for step, number, more in steps:
        at = PANE + number * PANE_NS
        if step == "put":
            closed.put(pane(number, more))
            kept.append(pane(number, more))
        elif step == "remove":
            closed.remove(at)
            kept = [each for each in kept if each.start_ns != at]
        elif step == "drop":
            closed.drop(at)
            kept = [each for each in kept if each.start_ns >= at]
        else:
            begin = at - more * PANE_NS
            assert told(closed.sums(begin, at)) == added([each for each in kept if begin <= each.start_ns < at])
        assert len(closed) == len({(each.key, each.start_ns) for each in kept})


def test_what_is_read_of_a_sum_is_nobodys_pane() -> None:
    closed, mine = Closed(), pane(0)
    closed.put(mine)

    (total,) = closed.sums(PANE, PANE + PANE_NS)
    closed.put(pane(0))

    assert (mine.requests, total is mine) == (2.0, False)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_window_that_is_asked_for_again_is_not_added_up_again(length: int) -> None:
    closed = Closed()
    for number in range(60):
        closed.put(pane(number))
    begin, end = PANE, PANE + length * PANE_NS

    (first,) = closed.sums(begin, end)
    (again,) = closed.sums(begin, end)

    assert again is first
