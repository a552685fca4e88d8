"""Retention: what a clock that is wrong must not delete."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitorx.backend.batch import BatchKind
from monitorx.backend.retention import Retention, SureClock, newest_ns
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.store import Commit
from tests.storage.sample import ALL_TIME, columns, commit, later, pane

DAY_S, HOUR_S = 86_400, 3_600
KNOWN_S = 1_700_000_000


class Machine:
    """A machine with a clock that can be set."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.up_s, self.ahead_s = 100.0, ahead_s
        self.clock = SureClock(self.time_ns, lambda: self.up_s, known_ns=KNOWN_S * 10**9)

    def time_ns(self) -> int:
        return int((KNOWN_S + self.up_s - 100.0 + self.ahead_s) * 1e9)

    def after(self, passed_s: float, *, ahead_s: float | None = None) -> float:
        """Seconds from what was known to what is certain after some time."""
        self.up_s += passed_s
        self.ahead_s = self.ahead_s if ahead_s is None else ahead_s
        return self.clock.now_ns() / 1e9 - KNOWN_S


def test_a_clock_that_goes_on_is_believed() -> None:
    machine = Machine()

    assert [machine.after(0), machine.after(600), machine.after(7 * DAY_S)] == [0, 600, 600 + 7 * DAY_S]


@pytest.mark.parametrize("ahead_s", [pytest.param(20 * DAY_S, id="days"), pytest.param(HOUR_S + 1, id="hours")])
def test_a_clock_that_is_ahead_at_a_start_is_believed_after_an_hour(ahead_s: float) -> None:
    machine = Machine(ahead_s=ahead_s)

    found = [machine.after(0), machine.after(HOUR_S - 1), machine.after(1), machine.after(600)]

    assert found == [0, HOUR_S - 1, HOUR_S + ahead_s, HOUR_S + 600 + ahead_s]


def test_a_clock_that_is_put_right_has_done_no_harm() -> None:
    machine = Machine(ahead_s=20 * DAY_S)

    assert [machine.after(0), machine.after(600, ahead_s=0), machine.after(DAY_S)] == [0, 600, 600 + DAY_S]


def test_a_clock_that_leaps_while_it_is_doubted_is_doubted_anew() -> None:
    machine = Machine(ahead_s=2 * DAY_S)

    found = [machine.after(0), machine.after(HOUR_S - 1, ahead_s=20 * DAY_S), machine.after(HOUR_S - 1)]

    assert found == [0, HOUR_S - 1, 2 * (HOUR_S - 1)]


def test_a_clock_that_leaps_later_is_doubted_too() -> None:
    machine = Machine()

    assert [machine.after(0), machine.after(600, ahead_s=DAY_S), machine.after(600)] == [0, 600, 1200]


def test_where_nothing_is_held_the_clock_is_all_there_is() -> None:
    clock = SureClock(lambda: 5, lambda: 0.0, known_ns=None)

    assert clock.now_ns() == 5


@pytest.mark.parametrize(
    ("arrived_ns", "expected"),
    [
        pytest.param(None, later(3), id="no journal"),
        pytest.param(later(2), later(3), id="a journal that ends before the store"),
        pytest.param(later(9), later(9), id="a journal that is ahead of the store"),
    ],
)
@pytest.mark.parametrize(
    "held",
    [
        pytest.param(commit(1, closed=[pane(later(3))], opened=[pane(later(2))]), id="closed panes"),
        pytest.param(commit(1, closed=[pane(later(2))], opened=[pane(later(3))]), id="open panes"),
        pytest.param(commit(1, columns(BatchKind.METRIC, {"time_ns": later(3)}, {"time_ns": later(1)})), id="points"),
    ],
)
def test_the_newest_time_is_that_of_the_journal_or_of_the_store(
    tmp_path: Path, held: Commit, arrived_ns: int | None, expected: int
) -> None:
    with closing(DuckDBStore(tmp_path / "s.duckdb")) as store:
        store.write(held)

        assert newest_ns(store, arrived_ns, tenant=ALL_TIME.tenant) == expected


def test_where_nothing_is_held_there_is_no_newest_time(tmp_path: Path) -> None:
    with closing(DuckDBStore(tmp_path / "s.duckdb")) as store:
        assert newest_ns(store, None, tenant=ALL_TIME.tenant) is None


class Kept:
    """A journal and a store in one: notes what it is told to delete."""

    def __init__(self) -> None:
        self.trimmed: list[tuple[int, ...]] = []
        self.error: Exception | None = None

    def trim(self, *args: int) -> int:
        if self.error is not None:
            raise self.error
        self.trimmed.append(args)
        return 7


def test_what_is_old_is_deleted_from_both_and_counted() -> None:
    journal: Any = Kept()  # Any: what is asked of a journal
    store: Any = Kept()  # Any: what is asked of a store
    counts: list[Any] = []
    clock = SureClock(lambda: 100 * 10**9, lambda: 0.0, known_ns=None)
    retention = Retention(
        store, journal, lambda: 42, clock, keep=timedelta(seconds=10), count=lambda *what: counts.append(what)
    )

    retention.trim()
    store.error = OSError("the disk is full")
    retention.trim()

    assert (journal.trimmed[0], store.trimmed) == ((90 * 10**9, 42), [(90 * 10**9,)])
    assert counts == [
        ("monitorx_journal_trimmed_bytes_total", {}, 7.0),
        ("monitorx_store_trimmed_rows_total", {}, 7.0),
        ("monitorx_store_errors_total", {"operation": "trim"}, 1.0),
    ]
