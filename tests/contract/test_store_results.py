"""What every store promises about findings of drift and steps of alerts, whatever stands behind it."""

from dataclasses import replace

import pytest

from monitorx.backend.storage.store import DriftRow, Selection, Store
from tests.contract.conftest import OpenStore
from tests.storage.sample import ALL_TIME, T0, commit, finding, later, pane, requests, step, verdict


def test_findings_are_read_back_whole_newest_first(reopen: OpenStore) -> None:
    cannot_tell = dict.fromkeys(("statistic", "p", "score", "psi"))
    findings = [
        finding(later(2), feature="b", drifted=False, score=0.0),
        finding(later(2), feature="c", status="small", drifted=False, **cannot_tell),
        finding(later(2), model="other", version=""),
        finding(later(1)),
        finding(later(1), role="score"),
    ]
    reopen().write(commit(1, drift=findings[::-1]))

    assert reopen().drift(ALL_TIME, limit=10) == findings


def test_steps_of_alerts_are_read_back_whole_newest_first(reopen: OpenStore) -> None:
    hostile = {"alertname": "Slow", "model": 'a"b\\', "x": "line\nbreak, = ü"}
    steps = [
        step(later(2), after="resolved", before="firing", value=None, labels=hostile),
        step(later(1), rule="A"),
        step(later(1), rule="B", fingerprint="f1"),
        step(later(1), rule="B", fingerprint="f2", severity=""),
        step(later(0)),
    ]
    reopen().write(commit(1, transitions=steps[::-1], verdicts=[verdict(), verdict(labels=hostile, value=None)]))

    assert reopen().transitions(ALL_TIME, limit=10) == steps


def test_results_are_kept_also_where_the_position_is_stored_already(store: Store) -> None:
    store.write(commit(5, closed=[pane()], transitions=[step()]))

    store.write(commit(5, closed=[pane()], transitions=[step(later(1), after="resolved")], drift=[finding()]))

    assert [row.after for row in store.transitions(ALL_TIME, limit=10)] == ["resolved", "firing"]
    assert store.drift(ALL_TIME, limit=10) == [finding()]
    assert (store.restore(0).position, requests(store)) == (5, 1.0)


def test_the_same_result_again_changes_nothing(store: Store) -> None:
    results = {"drift": [finding(), finding()], "verdicts": [verdict()], "transitions": [step(), step()]}
    for position in (1, 1, 2):
        store.write(commit(position, **results))

    assert store.drift(ALL_TIME, limit=10) == [finding()]
    assert store.transitions(ALL_TIME, limit=10) == [step()]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_a_limit_takes_the_newest_and_among_equals_the_first(store: Store, limit: int) -> None:
    names = ("a", "b", "c", "d")
    store.write(commit(1, drift=[finding(feature=name) for name in names] + [finding(later(0))]))
    store.write(commit(2, transitions=[step(later(1), fingerprint=name) for name in names] + [step(later(0))]))

    assert [row.feature for row in store.drift(ALL_TIME, limit=limit)] == [*names, "age"][:limit]
    assert [row.fingerprint for row in store.transitions(ALL_TIME, limit=limit)] == [*names, "f1"][:limit]


@pytest.mark.parametrize("name", ["model", "version", "feature", "status"])
def test_findings_are_selected_by_what_they_equal(store: Store, name: str) -> None:
    wanted = finding(**{name: "another"})
    store.write(commit(1, drift=[finding(), wanted, finding(tenant="b", **{name: "another"})]))

    assert store.drift(replace(ALL_TIME, equals={name: "another"}), limit=10) == [wanted]


def test_findings_are_selected_by_their_verdict_before_they_are_limited(store: Store) -> None:
    findings = [finding(later(1), drifted=False), finding(later(0)), finding(later(0), feature="b", drifted=False)]
    store.write(commit(1, drift=findings))

    def told(drifted: str, limit: int = 10, **equals: str) -> list[DriftRow]:
        return list(store.drift(replace(ALL_TIME, equals={"drifted": drifted, **equals}), limit=limit))

    assert told("true", limit=1) == [findings[1]]
    assert told("false") == [findings[0], findings[2]]
    assert told("false", feature="b") == [findings[2]]


@pytest.mark.parametrize("name", ["rule", "severity", "after"])
def test_steps_are_selected_by_what_they_equal(store: Store, name: str) -> None:
    wanted = step(**{name: "another"})
    store.write(commit(1, transitions=[step(), wanted, step(tenant="b", **{name: "another"})]))

    assert store.transitions(replace(ALL_TIME, equals={name: "another"}), limit=10) == [wanted]


def test_a_finding_belongs_to_the_time_its_window_ends_in(store: Store) -> None:
    store.write(commit(1, drift=[finding(later(1))], transitions=[step(later(1))]))

    for start, end, number in ((later(1), later(2), 1), (later(0), later(1), 0), (T0 - 10**12, later(1) + 1, 1)):
        selection = Selection("default", start, end)
        assert len(store.drift(selection, limit=10)) == number
        assert len(store.transitions(selection, limit=10)) == number


def test_a_name_that_results_cannot_be_selected_by_is_refused(store: Store) -> None:
    selection = replace(ALL_TIME, equals={"tenant": "x"})

    for ask in (store.drift, store.transitions):
        with pytest.raises(ValueError, match="cannot be selected by"):
            ask(selection, limit=1)


def test_a_store_in_order_has_nothing_to_say(store: Store) -> None:
    store.write(commit(1, closed=[pane()], drift=[finding()], transitions=[step()], verdicts=[verdict()]))
    store.models(ALL_TIME)

    assert (store.trouble, store.refused) == ("", 0)
