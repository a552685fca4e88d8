"""What was found of drift is told as it is stored."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from monitorx.backend.storage.store import Commit, DriftRow
from tests.api.conftest import NOW, World
from tests.storage.sample import SECOND


def found(feature: str, *, ago_s: int = 60, status: str = "ok", **figures: float | None) -> DriftRow:
    end_ns = NOW - ago_s * SECOND
    plain = {"statistic": 8.5, "p": 1e-9, "score": 0.25, "psi": 0.5}
    return DriftRow(
        start_ns=end_ns - 300 * SECOND,
        end_ns=end_ns,
        tenant="default",
        model="fraud",
        version="1",
        feature=feature,
        role="input",
        method="rank_location",
        status=status,
        drifted=status == "ok",
        events=500.0,
        reference="frozen-1" if status == "ok" else "",
        **{**plain, **figures},
    )


def write(world: World, *rows: DriftRow) -> None:
    world.store.write(Commit(1, (), (), (), {}, drift=rows))


def test_a_finding_is_told_whole(world: World, client: TestClient) -> None:
    write(world, found("amount"))

    (finding,) = client.get("/api/v1/drift").json()["drift"]

    assert finding == {
        "start": finding["start"],
        "end": finding["end"],
        "model": "fraud",
        "version": "1",
        "feature": "amount",
        "role": "input",
        "method": "rank_location",
        "status": "ok",
        "drifted": True,
        "statistic": 8.5,
        "p": 1e-9,
        "score": 0.25,
        "psi": 0.5,
        "events": 500.0,
        "reference": "frozen-1",
    }
    assert finding["start"] < finding["end"]


def test_without_an_answer_the_figures_are_null(world: World, client: TestClient) -> None:
    write(world, found("amount", status="no_reference", statistic=None, p=None, score=None, psi=None))

    (finding,) = client.get("/api/v1/drift").json()["drift"]

    assert [finding[name] for name in ("drifted", "statistic", "p", "score", "psi")] == [False, None, None, None, None]


def test_a_version_that_is_not_known_is_null(world: World, client: TestClient) -> None:
    write(world, replace(found("amount"), version=""))

    assert [each["version"] for each in client.get("/api/v1/drift?version=").json()["drift"]] == [None]


@pytest.mark.parametrize(
    ("query", "features"),
    [
        pytest.param("", ["age", "amount", "old"], id="newest window first"),
        pytest.param("?feature=amount", ["amount"], id="feature"),
        pytest.param("?status=small", ["old"], id="status"),
        pytest.param("?drifted=true&limit=1", ["age"], id="drifted"),
        pytest.param("?drifted=false&limit=1", ["old"], id="not drifted"),
        pytest.param("?model=other", [], id="model"),
        pytest.param("?version=2", [], id="version"),
        pytest.param("?limit=1", ["age"], id="limit"),
        pytest.param("?start=-30m", ["age", "amount"], id="time"),
    ],
)
def test_findings_are_selected(world: World, client: TestClient, query: str, features: list[str]) -> None:
    write(world, found("amount"), found("age"), found("old", ago_s=7_200, status="small", p=None))

    assert [each["feature"] for each in client.get("/api/v1/drift" + query).json()["drift"]] == features


@pytest.mark.parametrize("query", ["?status=bad", "?limit=0", "?limit=1001", "?role=input", "?start=tomorrow"])
def test_a_bad_parameter_is_a_problem(client: TestClient, query: str) -> None:
    assert client.get("/api/v1/drift" + query).status_code == 400
