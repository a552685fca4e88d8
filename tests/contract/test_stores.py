"""What every store promises about what is written, whatever stands behind it."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitorx.backend.batch import BatchKind
from monitorx.backend.storage.store import Restored, Selection, Store
from monitorx.backend.window.pane import METRIC, PANE_NS, SPAN, PanePartial
from tests.contract.conftest import OpenStore, duckdb_store
from tests.storage.sample import ALL_TIME, calls, columns, commit, later, pane, requests, starts

HOSTILE = [
    pytest.param("'; DROP TABLE pane; --", id="SQL"),
    pytest.param('a"b\\c`d$1%s{x}', id="quotes"),
    pytest.param("nul\x00inside", id="NUL"),
    pytest.param("Zürich 東京 🦆\u202e", id="unicode"),
    pytest.param("line\nbreak\ttab\r", id="control characters"),
    pytest.param("x" * 10_000, id="long"),
]


def test_an_empty_store_has_no_position_and_no_answers(store: Store) -> None:
    assert store.restore(0) == Restored(0, [], [], {})
    assert store.models(ALL_TIME) == []
    assert store.inferences(ALL_TIME, limit=10) == []
    assert store.aggregates(ALL_TIME, step_ns=0, by=[]) == []
    assert store.points(ALL_TIME, limit=10) == []


def test_what_was_committed_is_read_back_after_a_restart(reopen: OpenStore) -> None:
    opened = [pane(later(2), durations=(0.5, 0.25), errors=1.0, input_tokens=7.0)]
    closed = [pane(later(1), durations=(0.1,), cost_usd=0.25), pane(later(0), model="other")]
    cursors = {2**64 - 1: b"\x00last", 5: b""}
    reopen().write(commit(7, opened=opened, closed=closed, cursors=cursors))

    restored = reopen().restore(0)

    assert restored == Restored(7, opened, closed, cursors)


def test_closed_panes_before_the_time_asked_for_stay_where_they_are(store: Store) -> None:
    old, new, still_open = pane(later(0)), pane(later(1)), pane(later(0), model="slow")
    store.write(commit(1, opened=[still_open], closed=[old, new]))

    assert store.restore(later(1)) == Restored(1, [still_open], [new], {})


def test_keys_are_told_with_their_newest_pane(store: Store) -> None:
    closed = [pane(later(0)), pane(later(1)), pane(later(0), model="old")]
    store.write(commit(1, opened=[pane(later(2)), pane(later(3), model="new")], closed=closed))

    assert store.keys(later(1)) == {pane().key: later(2), pane(model="new").key: later(3)}


@pytest.mark.parametrize("position", [pytest.param(5, id="the same"), pytest.param(4, id="an earlier one")])
def test_a_replayed_commit_changes_nothing(store: Store, position: int) -> None:
    first = commit(5, calls({}), opened=[pane(later(1))], closed=[pane()], cursors={1: b"a"})
    store.write(first)
    before = store.restore(0)

    store.write(replace(first, position=position))

    assert store.restore(0) == before
    assert len(store.inferences(ALL_TIME, limit=10)) == 1


def test_a_commit_that_fails_leaves_no_trace(store: Store) -> None:
    if not store.capabilities.transactional:
        pytest.skip("the store does not promise it")
    store.write(commit(1, calls({}), closed=[pane()]))
    before = store.restore(0)
    broken = pane(later(1))
    broken.key = broken.key._replace(model=None)  # type: ignore[arg-type]  # what must never be

    with pytest.raises(Exception, match=r"(?i)null"):
        store.write(commit(2, calls({}), opened=[pane(later(2))], closed=[broken], cursors={1: b"x"}))

    assert store.restore(0) == before
    assert len(store.inferences(ALL_TIME, limit=10)) == 1


def test_the_store_takes_commits_after_one_that_failed(store: Store) -> None:
    broken = pane()
    broken.key = broken.key._replace(model=None)  # type: ignore[arg-type]  # what must never be
    with pytest.raises(Exception, match=r"(?i)null"):
        store.write(commit(1, closed=[broken]))

    store.write(commit(2, closed=[pane()]))

    assert requests(store) == 1.0


def test_an_open_pane_replaces_the_one_that_was_stored(store: Store) -> None:
    store.write(commit(1, opened=[pane(durations=(0.1,)), pane(model="other")]))
    store.write(commit(2, opened=[pane(durations=(0.1, 0.2, 0.3))]))

    assert sorted(store.restore(0).open_panes, key=lambda each: each.key) == [
        pane(durations=(0.1, 0.2, 0.3)),
        pane(model="other"),
    ]
    assert requests(store) == 4.0


def test_a_pane_that_closes_leaves_the_open_ones(store: Store) -> None:
    store.write(commit(1, opened=[pane(durations=(0.1,)), pane(later(1))]))
    store.write(commit(2, closed=[pane(durations=(0.1, 0.2))]))

    assert store.restore(0) == Restored(2, [pane(later(1))], [pane(durations=(0.1, 0.2))], {})


def test_what_comes_late_is_added_to_a_closed_pane(store: Store) -> None:
    store.write(commit(1, closed=[pane(durations=(0.1, 0.2), errors=1.0)]))
    store.write(commit(2, closed=[pane(durations=(0.4,), samples=3.0)]))

    assert store.restore(0).closed_panes == [pane(durations=(0.1, 0.2, 0.4), errors=1.0, samples=3.0)]
    assert requests(store) == 3.0


def test_cursors_are_replaced_one_by_one(store: Store) -> None:
    store.write(commit(1, cursors={1: b"a", 2: b"b"}))
    store.write(commit(2, cursors={2: b"c", 3: b"d"}))

    assert store.restore(0).cursors == {1: b"a", 2: b"c", 3: b"d"}


def test_tenants_never_see_each_other(store: Store) -> None:
    for position, tenant in enumerate("ab", start=1):
        origin = {"tenant": tenant, "model": tenant}
        store.write(commit(position, calls(origin), columns(BatchKind.METRIC, origin), closed=[pane(**origin)]))
    selection = replace(ALL_TIME, tenant="a")

    assert [row.model for row in store.models(selection)] == ["a"]
    assert [row.labels["model"] for row in store.inferences(selection, limit=10)] == ["a"]
    assert [row.group["model"] for row in store.aggregates(selection, step_ns=0, by=["model"])] == ["a"]
    assert len(store.points(selection, limit=10)) == 1
    assert store.models(replace(ALL_TIME, tenant="c")) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(reopen: OpenStore, text: str) -> None:
    store = reopen()
    labels = dict.fromkeys(("tenant", "service", "instance", "model", "version", "operation"), text)
    store.write(commit(1, calls({**labels, "error_type": text}), closed=[pane(**labels)], opened=[pane(later(1))]))
    store = reopen()
    selection = Selection(text, 0, 2**63 - 1, {"model": text, "service": text})

    (row,) = store.inferences(selection, limit=10)
    assert (row.labels["model"], row.error_type) == (text, text)
    assert [row.model for row in store.models(selection)] == [text]
    assert [row.group for row in store.aggregates(selection, step_ns=0, by=["model"])] == [{"model": text}]
    assert store.restore(0).closed_panes == [pane(**labels)]
    assert [each.model for each in store.models(ALL_TIME)] == ["fraud"]


def test_trim_takes_what_is_older_and_leaves_the_rest(reopen: OpenStore) -> None:
    store = reopen()
    rows = [{"time_ns": later(n)} for n in range(4)]
    others = (BatchKind.METRIC, BatchKind.SKETCH, BatchKind.FEEDBACK)
    batches = [calls(*rows), *(columns(kind, *rows) for kind in others)]
    store.write(commit(1, *batches, closed=[pane(later(n)) for n in range(4)], cursors={1: b"x"}))

    assert store.trim(later(2)) == 2 * 4 + 2, "two of four rows in four tables, and two panes"

    store = reopen()
    assert starts(store) == [30, 20]
    assert [row.time_ns for row in store.points(ALL_TIME, limit=10)] == [later(3), later(2)]
    assert store.restore(0) == Restored(1, [], [pane(later(2)), pane(later(3))], {1: b"x"})
    assert store.trim(later(2)) == 0


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_however_panes_are_cut_into_commits_the_totals_are_the_same(data: st.DataObject) -> None:
    parts = data.draw(
        st.lists(
            st.builds(
                pane,
                st.integers(0, 3).map(later),
                durations=st.lists(st.floats(0.0, 100.0), max_size=3),
                model=st.sampled_from("ab"),
                source=st.sampled_from([SPAN, METRIC]),
            ),
            min_size=1,
            max_size=12,
        )
    )
    cut = data.draw(st.integers(0, len(parts)))

    assert _totals([parts]) == _totals([parts[cut:], parts[:cut]])


def _totals(commits: list[list[PanePartial]]) -> list[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        store = duckdb_store(Path(folder))
        for position, closed in enumerate(commits, start=1):
            store.write(commit(position, closed=closed))
        rows = store.aggregates(ALL_TIME, step_ns=PANE_NS, by=["model"])
        store.close()
    return [(row.start_ns, row.group, row.requests, row.p50_s, row.p95_s, row.p99_s, row.max_s) for row in rows]
