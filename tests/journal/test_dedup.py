"""The set of keys seen, against one that a child would write."""

import itertools
import sys
from datetime import timedelta
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitorx.backend import dedup
from monitorx.backend.dedup import Seen, SeenState
from monitorx.backend.errors import ConfigError

SECOND_NS = 1_000_000_000
KEYS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1)), max_size=60)


def keys_of(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


def add(seen: Seen, numbers: list[int], arrival_ns: int = 0) -> list[bool]:
    return seen.add(keys_of(*numbers), arrival_ns).tolist()


def first_seen(held: set[int], numbers: list[int]) -> list[bool]:
    answers = []
    for number in numbers:
        answers.append(number not in held)
        held.add(number)
    return answers


@given(batches=st.lists(KEYS, max_size=20), salt=st.integers(0, 2**64 - 1))
def test_it_answers_as_a_set_does(batches: list[list[int]], salt: int) -> None:
    seen, held = Seen(salt=salt), set[int]()

    for batch in batches:
        assert add(seen, batch) == first_seen(held, batch)
    assert seen.state().keys == len(held)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), batch=st.integers(1, 40_000), pool=st.integers(1, 60_000))
def test_it_answers_as_a_set_does_while_it_grows(seed: int, batch: int, pool: int) -> None:
    generator = np.random.default_rng(seed)
    seen, held = Seen(salt=seed), set[int]()

    for _ in range(4):
        batch_keys = generator.integers(0, pool, batch, dtype=np.uint64) << np.uint64(40)
        assert seen.add(batch_keys, 0).tolist() == first_seen(held, batch_keys.tolist())
    assert seen.state().keys == len(held)


@example(gaps_s=[1] * 200)
@given(gaps_s=st.lists(st.integers(0, 40), max_size=40))
def test_no_key_is_forgotten_within_the_horizon(gaps_s: list[int]) -> None:
    seen, arrivals, now_s = Seen(horizon=timedelta(seconds=60)), dict[int, int](), 0

    for number, gap_s in enumerate(gaps_s):
        now_s += gap_s
        recent = [key for key, at_s in arrivals.items() if now_s - at_s <= 60]
        assert add(seen, [*recent, 10_000 + number], now_s * SECOND_NS) == [False] * len(recent) + [True]
        arrivals[10_000 + number] = now_s


def test_answers_depend_on_the_order_of_calls_only() -> None:
    generator = np.random.default_rng(3)
    batches = [generator.integers(0, 5000, 700, dtype=np.uint64) for _ in range(40)]

    def answers(salt: int) -> list[list[bool]]:
        seen = Seen(horizon=timedelta(seconds=10), max_keys=6000, salt=salt)
        return [seen.add(batch, number * SECOND_NS).tolist() for number, batch in enumerate(batches)]

    assert answers(salt=1) == answers(salt=2)


def test_it_never_holds_more_than_its_bound_and_says_how_far_back_it_sees() -> None:
    seen = Seen(horizon=timedelta(seconds=900), max_keys=3000, salt=1)

    for second in range(100):
        seen.add(np.arange(second * 100, second * 100 + 100, dtype=np.uint64), second * SECOND_NS)
        assert seen.state().keys <= 3000

    # Generations of 1000 keys, 10 s each: the last one dropped ended at 69 s.
    assert seen.state() == SeenState(
        keys=3000,
        memory_bytes=3 * 1024 * 65,
        horizon=timedelta(seconds=30),
        duplicates=0,
        forgotten=7000,
        forgotten_early=7000,
    )
    assert add(seen, [7000, 6999], 99 * SECOND_NS) == [False, True]
    assert seen.state().horizon == timedelta(seconds=20)


def test_what_is_older_than_the_horizon_goes_and_counts_as_such() -> None:
    seen = Seen(horizon=timedelta(seconds=60))
    add(seen, [1, 2, 2], arrival_ns=0)

    assert add(seen, [1], arrival_ns=60 * SECOND_NS) == [False]
    add(seen, [3], arrival_ns=100 * SECOND_NS)
    add(seen, [4], arrival_ns=500 * SECOND_NS)

    assert add(seen, [1, 4], arrival_ns=500 * SECOND_NS) == [True, False]
    state = seen.state()
    assert (state.keys, state.duplicates, state.forgotten, state.forgotten_early) == (2, 3, 3, 0)
    assert state.horizon == timedelta(seconds=60)


def test_a_clock_that_steps_back_forgets_nothing() -> None:
    seen = Seen(horizon=timedelta(seconds=60))
    add(seen, [1], arrival_ns=1000 * SECOND_NS)

    add(seen, [2], arrival_ns=0)

    assert add(seen, [1, 2], arrival_ns=1000 * SECOND_NS) == [False, False]


def test_one_batch_larger_than_the_bound_is_taken_in_order() -> None:
    seen = Seen(max_keys=30)

    assert seen.add(np.arange(100, dtype=np.uint64), 0).all()
    assert seen.state().keys <= 30
    assert add(seen, [99, 0]) == [False, True]


def test_no_keys_are_no_answer() -> None:
    seen = Seen()

    assert add(seen, []) == []
    assert seen.state().keys == 0


def test_it_begins_small_and_takes_less_than_16_bytes_a_key_when_full() -> None:
    seen = Seen(max_keys=300_000, salt=1)
    assert seen.state().memory_bytes < 100_000

    for start in range(0, 300_000, 5000):
        seen.add(np.arange(start, start + 5000, dtype=np.uint64), 0)

    assert seen.state().keys == 300_000
    assert seen.state().memory_bytes / 300_000 < 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"horizon": timedelta(0)}, "dedup.horizon: 0:00:00 is not", id="no horizon"),
        pytest.param({"max_keys": 2}, "dedup.max_keys: 2 is less than 3", id="no room"),
    ],
)
def test_bounds_that_cannot_be_are_refused(arguments: dict[str, int | timedelta], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Seen(**arguments)  # type: ignore[arg-type]  # the table mixes the types of the arguments


def test_the_state_is_told_while_another_thread_adds() -> None:
    seen, numbers = Seen(horizon=timedelta(seconds=60), salt=1), itertools.count(1)

    def turn() -> None:
        """A new generation begins, and the oldest one is forgotten."""
        number = next(numbers)
        add(seen, [number], number * 31 * SECOND_NS)

    def between_lines(frame: FrameType, event: str, arg: object) -> Any:  # Any: itself
        if frame.f_code.co_filename != dedup.__file__:
            return None
        turn()  # nothing is traced meanwhile
        return between_lines

    for _ in range(5):
        turn()
    tracing = sys.gettrace()
    sys.settrace(between_lines)
    try:
        state = seen.state()
    finally:
        sys.settrace(tracing)

    assert next(numbers) > 15
    assert (state.keys, state.horizon) == (2, timedelta(seconds=60))
