"""Features of which there are no values: they are told, and what does not fit the references is, too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.detector.build import SECOND, batch, reference
from tests.detector.world import SETTINGS, T0, UNIT, WINDOW, World, brief


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.state.close()


def test_a_feature_without_values_is_told_while_its_model_has_others(world: World) -> None:
    for window in range(4):
        world.send(window)
        world.close(window)
    world.only(4, "age")
    world.only(5, "age", model="other")

    with_age, without_any = world.close(4), world.close(5)

    (gone,) = [row for row in with_age if row.feature == "amount"]
    assert brief(with_age) == [("age", "ok", False), ("amount", "small", False)]
    assert (gone.events, gone.p, gone.score, gone.start_ns, gone.end_ns, gone.method, gone.reference[:7]) == (
        0.0,
        None,
        None,
        T0 + 4 * WINDOW,
        T0 + 5 * WINDOW,
        "rank_location",
        "frozen-",
    )
    assert [(row.model, row.feature) for row in without_any] == [("other", "age")]


def test_a_feature_that_has_had_no_reference_yet_is_told_too_and_its_score_stands_no_more(world: World) -> None:
    world.send(0)
    world.close(0)
    world.only(1, "amount")

    assert brief(world.close(1)) == [("amount", "no_reference", False), ("age", "small", False)]


def test_what_was_carried_waits_while_its_feature_has_no_values(world: World) -> None:
    world.send(0, n=200)
    world.close(0)
    world.only(1, "amount")
    world.close(1)
    world.send(2, n=200)

    (age,) = [row for row in world.close(2) if row.feature == "age"]

    assert (age.status, age.events) == ("no_reference", 400.0)


def test_a_feature_without_values_is_told_after_a_restart(world: World) -> None:
    world.send(0)
    world.close(0)
    world.drift.save(1, stored=0)
    world.state.close()
    world.begin(stored=2)
    world.position = 1
    world.only(1, "amount")

    assert brief(world.close(1)) == [("amount", "no_reference", False), ("age", "small", False)]


def test_a_fitted_feature_that_nobody_sends_is_told_within_the_bound_of_features(tmp_path: Path) -> None:
    normal = reference([np.random.default_rng(0).normal(size=400)], UNIT)
    versions = {"a": "", "b": "1", "c": "2", "d": ""}
    fitted = {("fraud", version, name, "input"): normal for name, version in versions.items()}
    world = World(tmp_path, replace(SETTINGS, features=3), fitted=fitted)
    world.only(0, "a")

    rows = world.close(0)

    assert [(row.feature, row.status, row.events, row.reference) for row in rows] == [
        ("a", "ok", 400.0, "r"),
        ("b", "small", 0.0, "r"),
        ("d", "small", 0.0, "r"),
    ]
    world.only(0, "late", model="other")
    assert world.counted["monitorx_drift_dropped_total", "features"] == 1.0
    world.state.close()


def test_a_feature_that_a_fitted_reference_does_not_have_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    normal = reference([np.random.default_rng(0).normal(size=400)], UNIT)
    world = World(tmp_path, fitted={("fraud", "", name, "input"): normal for name in ("x0", "age")})
    for window in range(3):
        world.send(window)
        world.only(window, "amount", model="other")
        world.close(window)

    (told,) = [record.getMessage() for record in caplog.records]
    assert "fraud" in told
    assert "'amount'" in told
    assert "'x0'" in told
    assert "'age'" not in told
    world.state.close()


def test_a_feature_whose_values_are_all_missing_is_told(world: World) -> None:
    world.send(0)
    world.close(0)
    at_ns = T0 + WINDOW + SECOND
    values = {"age": np.full(400, np.nan), "amount": np.zeros(400)}
    sent = batch(values, at_ns=at_ns, anchors={"age": UNIT, "amount": UNIT})
    world.drift.add(sent, position=2, arrival_ns=at_ns)

    rows = world.close(1)

    assert [(row.feature, row.status, row.events) for row in rows] == [
        ("amount", "no_reference", 400.0),
        ("age", "small", 0.0),
    ]


@pytest.mark.parametrize(("sent", "warnings"), [("Fraud", 1), ("fraud", 0)])
def test_references_of_models_that_nobody_sends_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: str, warnings: int
) -> None:
    normal = reference([np.random.default_rng(0).normal(size=400)], UNIT)
    world = World(tmp_path, fitted={("fraud", "", "age", "input"): normal})
    for window in range(2):
        world.only(window, "age", model=sent)
        world.close(window)

    assert [record.getMessage() for record in caplog.records] == [
        "the fitted references are for 'fraud', and models that send values are 'Fraud': is a name another one?"
    ] * warnings
    world.state.close()
