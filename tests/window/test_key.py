"""Which models are counted under their own names when there are very many."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.window import OTHER, SPAN, Bounds, PaneKey, Windows
from monitorx.backend.window.key import Keys
from tests.window.build import NOW, PANE, SECOND, Store, add, spans

MINUTE = timedelta(minutes=1)
LATER = NOW + 600 * SECOND


def counts(windows: Windows, *by: str, now_ns: int = NOW) -> Any:
    totals = windows.totals([], by, window=MINUTE, now_ns=now_ns)
    return {group: total.requests for group, total in totals.items()}


def models(service: str, *names: object, end_ns: int = NOW) -> Any:
    return spans(*({"service": service, "model": str(name), "end_ns": end_ns} for name in names))


def test_ten_thousand_models_of_one_service_hide_no_new_model_of_another() -> None:
    windows = Windows()
    add(windows, models("noisy", *range(10_500)))

    add(windows, models("shop", "new"))

    found = counts(windows, "service", "model")
    assert found["shop", "new"] == 1.0
    assert found["noisy", OTHER] == 500.0
    assert sum(found.values()) == 10_501.0
    assert windows.overflowing == {"noisy": 500}


def test_a_service_has_all_the_room_while_nobody_else_needs_it() -> None:
    windows = Windows(Bounds(keys=4, share=2))

    add(windows, models("noisy", 0, 1, 2, 3, 4))

    assert counts(windows, "model") == {("0",): 1, ("1",): 1, ("2",): 1, ("3",): 1, (OTHER,): 1}


def test_keys_above_a_share_give_way_to_another_service_the_idle_longest_first() -> None:
    windows = Windows(Bounds(keys=4, share=2))
    add(windows, models("noisy", 0, 1, 2, 3))
    add(windows, models("noisy", 0, end_ns=NOW + 10 * SECOND))

    add(windows, models("shop", "a", "b", "c"))
    add(windows, models("noisy", 0, 1, end_ns=NOW + 20 * SECOND))

    found = counts(windows, "service", "model", now_ns=NOW + 20 * SECOND)
    assert found == {
        ("noisy", "0"): 3.0,
        ("noisy", "1"): 1.0,
        ("noisy", "2"): 1.0,
        ("noisy", "3"): 1.0,
        ("noisy", OTHER): 1.0,
        ("shop", "a"): 1.0,
        ("shop", "b"): 1.0,
        ("shop", OTHER): 1.0,
    }
    assert windows.overflowing == {"shop": 1, "noisy": 1}


def test_a_key_idle_for_ten_minutes_gives_way_to_a_new_one_within_its_share() -> None:
    windows = Windows(Bounds(keys=2, share=2))
    add(windows, models("shop", "a", "b"))

    add(windows, models("bank", "early", end_ns=NOW + 590 * SECOND), arrival_ns=LATER)
    add(windows, models("bank", "new", end_ns=LATER), arrival_ns=LATER)

    assert counts(windows, "service", "model", now_ns=LATER) == {("bank", OTHER): 1.0, ("bank", "new"): 1.0}
    assert windows.known([], ["model"]) == {(OTHER,), ("b",), ("new",)}


def test_a_key_that_gave_way_goes_on_in_the_pane_that_it_has() -> None:
    windows, store = Windows(Bounds(keys=2, share=1)), Store()
    add(windows, models("noisy", 0, 1), models("shop", "a"))

    add(windows, models("noisy", 0, 1))
    store.write(windows)

    assert counts(windows, "model") == {("0",): 2.0, ("1",): 2.0, ("a",): 1.0}
    assert sum(pane.requests for pane in store.panes()) == 5.0


def test_a_service_that_overflowed_is_forgotten_after_ten_minutes() -> None:
    windows = Windows(Bounds(keys=1))
    add(windows, models("shop", "a", "b"))

    windows.close(LATER - SECOND)
    before = windows.overflowing
    windows.close(LATER + SECOND)

    assert (before, windows.overflowing) == ({"shop": 1}, {})


def key(service: str, model: str = "m") -> PaneKey:
    return PaneKey("t", service, "i", model, "", "tabular", "predict", SPAN)


def test_names_of_services_beyond_a_bound_are_counted_together() -> None:
    keys = Keys(most=1, share=1, others=2)
    keys.admit(key("a"), PANE)

    admitted = [keys.admit(key(service), PANE).service for service in ("b", "c", "d", "b", "e")]

    assert admitted == ["b", "c", OTHER, "b", OTHER]


def test_restored_keys_are_bounded_too_and_the_newest_stay() -> None:
    keys = Keys(most=2, share=1)

    keys.restore(
        {
            key("a", "new"): PANE,
            key("a", "old"): 0,
            key("b"): 1,
            PaneKey("t", "c", OTHER, OTHER, "", "", OTHER, SPAN): 0,
        }
    )

    assert sorted(found.service for found in keys) == ["a", "b", "c"]
    assert key("a", "new") in set(keys)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 900)), max_size=60),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_no_more_keys_than_there_is_room_for_and_each_addition_stays_with_its_service(
    additions: list[tuple[str, int, int]], most: int, share: int
) -> None:
    keys = Keys(most, share)

    for service, model, at_s in additions:
        asked = key(service, str(model))
        admitted = keys.admit(asked, at_s * SECOND)
        assert admitted in {asked, PaneKey("t", service, OTHER, OTHER, "", "tabular", OTHER, SPAN)}
        assert admitted in set(keys)
        assert sum(found.model != OTHER for found in keys) <= most
        if at_s % 7 == 0:
            keys.drop((at_s - 300) * SECOND)

    assert keys.drop(1000 * SECOND) or not additions
    assert list(keys) == []
