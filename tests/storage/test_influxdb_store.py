"""What is special to the InfluxDB store: it follows the local one, and the answers of both are the same."""

import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitorx.backend.errors import StorageError
from monitorx.backend.storage.duckdb import DuckDBStore
from monitorx.backend.storage.influxdb import InfluxDBStore, parse
from monitorx.backend.storage.influxdb.wire import connect
from monitorx.backend.storage.store import Commit, Store
from monitorx.backend.window.pane import METRIC, PANE_NS, SPAN
from tests.storage.conftest import OpenStore, open_store
from tests.storage.sample import ALL_TIME, commit, finding, latency, later, pane, requests, step
from tests.support.fake_influxdb import FakeInfluxDB
from tests.support.influxd import Influxd
from tests.support.server import until


@pytest.fixture
def store(reopen: OpenStore) -> InfluxDBStore:
    return reopen()


def model_panes(server: FakeInfluxDB) -> dict[tuple[int, str], float]:
    """Requests by pane and model, as a dashboard reads them."""
    return {
        ((point.time_ns - later(0)) // PANE_NS, dict(point.tags)["model"]): float(point.fields["requests"])
        for point in server.points()
        if point.measurement == "ml_model"
    }


def told(server: FakeInfluxDB) -> list[tuple[object, ...]]:
    """Requests, input tokens, samples and cost of each pane of a model, in the order of time."""
    names = ("requests", "input_tokens", "samples", "cost_usd")
    points = [point for point in server.points() if point.measurement == "ml_model"]
    return [
        tuple(point.fields[name] for name in names)
        for point in sorted(points, key=lambda each: (each.time_ns, each.tags))
    ]


def test_what_was_written_while_influxdb_was_away_comes_when_it_is_back(
    server: FakeInfluxDB, store: InfluxDBStore
) -> None:
    server.next_answers = [(503, "away")] * 1000
    for position in range(1, 6):
        store.write(commit(position, opened=[pane(durations=(0.1,) * position)], transitions=[step(later(position))]))
    until(lambda: store.trouble)
    with pytest.raises(StorageError, match="503: away"):
        store.models(ALL_TIME)
    assert store.restore(0).position == 5, "nothing waits for InfluxDB"

    server.next_answers = []

    until(lambda: not store.trouble)
    assert requests(store) == 5.0
    assert len(store.transitions(ALL_TIME, limit=10)) == 5


def test_what_an_earlier_process_did_not_bring_over_the_next_one_does(server: FakeInfluxDB, reopen: OpenStore) -> None:
    server.next_answers = [(503, "away")] * 1000
    reopen().write(commit(1, closed=[pane()], drift=[finding()]))
    store = reopen()
    assert store.trouble == "" or "503" in store.trouble

    server.next_answers = []

    until(lambda: not store.trouble)
    assert (requests(store), store.drift(ALL_TIME, limit=9)) == (1.0, [finding()])


def test_what_is_brought_over_is_not_sent_again(server: FakeInfluxDB, reopen: OpenStore) -> None:
    store = reopen()
    store.write(commit(1, closed=[pane()]))
    requests(store)
    sent = len(server.writes)

    requests(reopen())

    assert len(server.writes) == sent


def test_a_crash_before_the_place_was_noted_sends_the_same_again_and_changes_nothing(
    server: FakeInfluxDB, reopen: OpenStore
) -> None:
    store = reopen()
    store.write(commit(1, closed=[pane()], drift=[finding()], transitions=[step()]))
    requests(store)
    before = sorted(map(str, server.points()))
    store._local.follow(store._name, 0)

    assert requests(reopen()) == 1.0
    assert sorted(map(str, server.points())) == before


def test_a_bucket_that_was_deleted_is_made_and_filled_again(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    store.write(commit(1, closed=[pane()]))
    assert requests(store) == 1.0
    del server.buckets["b"]

    store.write(commit(2, closed=[pane(later(1))]))

    assert requests(store) == 2.0


def test_a_line_that_is_refused_is_counted_and_the_others_are_there(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    server.nameless = "model=bad,"
    store.write(commit(1, closed=[pane(), pane(model="bad"), pane(model="huge" * 20_000)]))

    assert [row.model for row in store.models(ALL_TIME)] == ["fraud"]
    assert (store.refused, store.trouble) == (4, ""), "a pane of each, and one of its model"


def test_a_pane_is_written_whole_each_time_it_changes(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    for position, change in enumerate(
        (
            {"opened": [pane(durations=(0.1,))]},
            {"opened": [pane(durations=(0.1, 0.2))]},
            {"closed": [pane(durations=(0.1, 0.2, 0.3))]},
            {"closed": [pane(durations=(0.4,))]},
            {"opened": [pane(durations=(0.5,))]},
        ),
        start=1,
    ):
        store.write(commit(position, **change))
        assert requests(store) == float(position)

    (found,) = [point for point in server.points() if point.measurement == "ml_model"]
    whole = latency(0.1, 0.2, 0.3, 0.4, 0.5)
    assert (found.fields["requests"], found.fields["p50_s"]) == (5.0, whole.quantile(0.5))


def test_a_model_is_counted_over_its_processes_and_each_call_once(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    told_twice = [pane(durations=(0.1,) * 4, source=SPAN), pane(durations=(0.1,) * 4, source=METRIC)]
    others = [pane(durations=(0.1,) * 20, instance="shop-2"), pane(model="b", durations=(0.1,) * 300)]
    store.write(commit(1, opened=[*told_twice, *others]))
    requests(store)

    assert model_panes(server) == {(0, "fraud"): 24.0, (0, "b"): 300.0}


def test_where_metrics_begin_what_spans_told_before_is_taken_back(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    spans = [pane(later(n), durations=(0.1,) * 4) for n in range(3)]
    store.write(commit(1, opened=spans))
    requests(store)
    assert model_panes(server) == {(n, "fraud"): 4.0 for n in range(3)}

    store.write(commit(2, opened=[pane(later(3), durations=(0.1,) * 12, source=METRIC)]))
    requests(store)

    assert model_panes(server) == {**{(n, "fraud"): 0.0 for n in range(3)}, (3, "fraud"): 12.0}


@pytest.mark.parametrize(
    ("metrics", "before", "after"),
    [
        pytest.param({"durations": (), "input_tokens": 9.0}, (4.0, 0.0, 3.0, 0.5), (0.0, 9.0, 0.0, 0.0), id="tokens"),
        pytest.param({"durations": (), "samples": 9.0}, (4.0, 7.0, 0.0, 0.5), (0.0, 0.0, 9.0, 0.0), id="samples"),
        pytest.param({"durations": (0.1,) * 5}, (0.0, 7.0, 3.0, 0.5), (5.0, 0.0, 0.0, 0.0), id="calls"),
        pytest.param({"durations": ()}, (4.0, 7.0, 3.0, 0.5), (0.0, 0.0, 0.0, 0.0), id="nothing"),
    ],
)
def test_metrics_take_back_of_a_model_only_what_they_tell_themselves(
    server: FakeInfluxDB,
    store: InfluxDBStore,
    metrics: dict[str, Any],
    before: tuple[float, ...],
    after: tuple[float, ...],
) -> None:
    store.write(commit(1, closed=[pane(durations=(0.1,) * 4, input_tokens=7.0, samples=3.0, cost_usd=0.5)]))
    requests(store)
    assert told(server) == [(4.0, 7.0, 3.0, 0.5)]

    store.write(commit(2, opened=[pane(later(1), source=METRIC, **metrics)]))
    requests(store)

    assert told(server) == [before, after]


def test_metrics_that_tell_of_more_later_take_back_that_too(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    store.write(commit(1, closed=[pane(durations=(0.1,) * 4, input_tokens=7.0, samples=3.0, cost_usd=0.5)]))
    store.write(commit(2, closed=[pane(later(1), source=METRIC, durations=(), input_tokens=9.0)]))
    requests(store)

    store.write(commit(3, opened=[pane(later(2), source=METRIC, durations=(0.1,) * 5)]))
    requests(store)

    assert told(server) == [(0.0, 0.0, 3.0, 0.5), (0.0, 9.0, 0.0, 0.0), (5.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize("seed", range(2))
def test_models_brought_over_in_parts_are_those_brought_over_at_once(
    server: FakeInfluxDB, reopen: OpenStore, seed: int
) -> None:
    store = reopen()
    for each in traffic(seed):
        store.write(each)
        requests(store)
    in_parts = told(server)

    store._local.follow(store._name, 0)
    requests(reopen())

    assert len(in_parts) > 100
    assert told(server) == [pytest.approx(each) for each in in_parts]


def test_spans_step_in_again_where_metrics_have_ended(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    store.write(commit(1, closed=[pane(source=METRIC), pane(later(30)), pane(later(31))]))
    requests(store)

    assert model_panes(server) == {(0, "fraud"): 1.0, (30, "fraud"): 0.0, (31, "fraud"): 1.0}


def test_many_changes_come_in_parts(server: FakeInfluxDB, store: InfluxDBStore) -> None:
    server.next_answers = [(503, "away")] * 1000
    for position in range(1, 5):
        store.write(commit(position, closed=[pane(later(n), model=f"m{position}") for n in range(1500)]))
    server.next_answers = []
    until(lambda: not store.trouble)

    assert requests(store) == 6_000.0
    assert max(len(lines) for lines in server.writes) <= 5000


def test_a_question_does_not_wait_for_ever(server: FakeInfluxDB, tmp_path: Path) -> None:
    target = parse(f"influxdb://127.0.0.1:{server.port}/o/b", {"MONITORX_INFLUXDB_TOKEN": "t"})
    store = InfluxDBStore(DuckDBStore(tmp_path / "store.duckdb"), connect(target), name=str(target), patience_s=0.0)
    store.write(commit(1, closed=[pane()]))

    assert requests(store) in (0.0, 1.0), "what is there, and no error"

    until(lambda: requests(store) == 1.0)
    store.close()


def test_questions_beside_a_writer_see_whole_commits_at_last(store: InfluxDBStore) -> None:
    thread = threading.Thread(
        target=lambda: [store.write(commit(position, closed=[pane(later(position))])) for position in range(1, 20)]
    )
    thread.start()
    while thread.is_alive():
        assert requests(store) <= 19.0
    thread.join()

    assert requests(store) == 19.0


def test_a_closed_store_says_so_and_may_be_closed_again(store: InfluxDBStore) -> None:
    store.close()
    store.close()

    with pytest.raises(StorageError, match="is closed"):
        store.write(commit(1))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "real", [pytest.param(True, id="influxdb 1.x", marks=pytest.mark.needs("influxdb")), pytest.param(False, id="fake")]
)
def test_the_same_traffic_gives_the_same_answers(tmp_path: Path, real: bool, seed: int) -> None:
    with Influxd(tmp_path / "influxd") if real else FakeInfluxDB() as server:
        address = f"influxdb1://127.0.0.1:{server.port}/d" if real else f"influxdb://127.0.0.1:{server.port}/o/d"
        store = open_store(tmp_path, address)
        embedded = DuckDBStore(tmp_path / "plain.duckdb", clock=lambda: later(1000))
        for each in traffic(seed):
            embedded.write(each)
            store.write(each)
            if each.position % 7 == 0:
                requests(store)  # lets it be brought over here and there, in parts

        expected, found = answers(embedded), answers(store)
        embedded.close()
        store.close()

    for question, answer in expected.items():
        assert texts(found[question]) == texts(answer), question
        assert numbers(found[question]) == pytest.approx(numbers(answer), rel=1e-9), question


def traffic(seed: int) -> Iterator[Commit]:
    """Commits as windows make them: panes open, grow, close, get late additions; metrics begin and end."""
    random_ = random.Random(seed)
    for position in range(1, 41):
        opened, closed = (
            [
                pane(
                    later(position // 4 + random_.randrange(-3, 2) + 20),
                    durations=[random_.lognormvariate(-3, 1) for _ in range(random_.randrange(6))],
                    errors=float(random_.randrange(2)),
                    model=random_.choice(["a", "b", 'c, "d\\']),
                    version=random_.choice(["", "1", "2"]),
                    service=random_.choice(["shop", ""]),
                    instance=random_.choice(["i-1", "i-2"]),
                    operation=random_.choice(["predict", "transform"]),
                    kind=random_.choice(["tabular", "llm"]),
                    source=random_.choice([SPAN, SPAN, METRIC]),
                    # Of these metrics tell some and not others, and so do spans.
                    input_tokens=random_.choice([0.0, 0.0, random_.random() * 1000]),
                    output_tokens=random_.choice([0.0, 0.0, random_.random() * 1000]),
                    cost_usd=random_.choice([0.0, random_.random()]),
                    samples=float(random_.choice([0, 0, 0, random_.randrange(50)])),
                )
                for _ in range(random_.randrange(8))
            ]
            for _ in range(2)
        )
        findings = [
            finding(
                later(position // 10 * 30),
                model=random_.choice("ab"),
                feature=random_.choice("xyz"),
                status=random_.choice(["ok", "low_resolution"]),
                drifted=random_.random() < 0.5,
                score=random_.random(),
            )
            for _ in range(random_.randrange(3))
        ]
        unique = {(each.key, each.start_ns): each for each in opened}
        yield commit(
            position, opened=list(unique.values()), closed=closed, drift=findings, transitions=[step(position)]
        )


def answers(store: Store) -> dict[str, list[Any]]:
    """What the store says to many questions, as flat lists that can be compared with a tolerance."""
    half = replace(ALL_TIME, start_ns=later(22), end_ns=later(27))
    selections = {
        "all": ALL_TIME,
        "half": half,
        "model": replace(ALL_TIME, equals={"model": 'c, "d\\'}),
        "unknown version": replace(half, equals={"version": "", "service": "shop"}),
    }
    found: dict[str, list[Any]] = {}
    for name, selection in selections.items():
        found[f"models of {name}"] = flat(store.models(selection))
        for by in ([], ["model"], ["model", "version", "instance"], ["kind", "service", "operation"]):
            for step_ns in (0, PANE_NS, 3 * PANE_NS):
                rows = store.aggregates(selection, step_ns=step_ns, by=by)
                found[f"aggregates of {name} by {by} in steps of {step_ns}"] = flat(rows)
    found["drift"] = flat(store.drift(ALL_TIME, limit=1000))
    found["some drift"] = flat(store.drift(replace(ALL_TIME, equals={"model": "a"}), limit=5))
    found["transitions"] = flat(store.transitions(ALL_TIME, limit=7))
    assert len(found["drift"]) > 100
    return found


def flat(rows: Sequence[Any]) -> list[Any]:
    """The values of *rows*, one behind the other."""
    return [getattr(row, name) for row in rows for name in row.__slots__]


def texts(values: list[Any]) -> list[str]:
    """All of *values*, numbers only as such: the stores add them up in different orders."""
    return ["number" if isinstance(value, float) else str(value) for value in values]


def numbers(values: list[Any]) -> list[float]:
    return [value for value in values if isinstance(value, float)]
