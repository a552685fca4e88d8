"""Every question of every dashboard, put as Grafana puts it, to a real InfluxDB that holds what a real server wrote."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitorx.backend.storage.influxdb import open_store
from monitorx.backend.storage.influxdb.line import line
from monitorx.backend.storage.influxdb.measurement import MODEL as MODELS
from monitorx.backend.storage.influxdb.point import model_line
from monitorx.backend.storage.store import Commit, DriftRow
from tests.storage import sample
from tests.support import otlp
from tests.support.grafana import ALL, asked, loaded, questions
from tests.support.influxd import Influxd
from tests.support.server import Server, until

pytestmark = [pytest.mark.needs("influxdb"), pytest.mark.timeout(180)]

DASHBOARD = loaded(Path(__file__).parents[2] / "docs/grafana/provisioning/dashboards/monitorx/model-overview.json")
QUESTIONS = list(questions(DASHBOARD))
RULES = """
groups:
  - name: models
    rules:
      - alert: TooBusy
        expr: rate(requests[10s]) > 0.1 by (model)
        no_data: ok
        labels: {severity: warning}
"""
# What a model may well be called; every sign in it means something in a regular expression or in InfluxQL.
MODEL = "org/fraud-7b (v1.0) it's $5 [x|y]"
SECOND = 1_000_000_000


QUANTILES = "Latency: p50, p95, p99, mean of the panes of a step"
WORST = "Latency: the worst pane and the longest call of a step"


OVER = "SELECT title FROM ml_alert WHERE after = 'resolved'"


class Place:
    """An InfluxDB with traffic in it; *start_ms* is when that began."""

    def __init__(self, influxd: Influxd, start_ms: int) -> None:
        self._influxd, self.start_ms = influxd, start_ms

    def answer(self, query: str, *, step_s: int = 10, now: bool = False, **variables: Any) -> list[dict[str, Any]]:
        """The series that answer a question of the dashboard."""
        chosen = {"service": ALL, "model": ALL, "version": ALL, **variables}
        end_ms = time.time_ns() // 1_000_000
        statement = asked(query, variables=chosen, start_ms=self.start_ms, end_ms=end_ms, step_s=step_s, now=now)
        return self.ask(statement)

    def ask(self, statement: str) -> list[dict[str, Any]]:
        """The series that answer a statement."""
        parameters = urllib.parse.urlencode({"db": "monitorx", "epoch": "ms", "q": statement})
        with urllib.request.urlopen(f"{self._influxd.url}/query", parameters.encode(), timeout=10) as answer:
            (result,) = json.load(answer)["results"]
        assert "error" not in result, f"{statement}: {result}"
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def has_database(self) -> bool:
        """Whether the server has made it: it does so when it has something to write."""
        return ["monitorx"] in [row for each in self.ask("SHOW DATABASES") for row in each.get("values", [])]

    def write(self, line: str) -> None:
        """Write one line."""
        with urllib.request.urlopen(f"{self._influxd.url}/write?db=monitorx", line.encode(), timeout=10) as answer:
            assert answer.status == 204


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("grafana")
    with Influxd(folder / "influxdb") as influxd:
        address = f"influxdb1://127.0.0.1:{influxd.port}/monitorx"
        start_ns = (time.time_ns() // SECOND - 120) // 10 * 10 * SECOND
        place = Place(influxd, start_ns // 1_000_000)
        with Server(folder, config=RULES, env={"MONITORX_STORE": address}) as server:
            _traffic(server, start_ns)
            # The rule fires on the calls of this moment, and is over when they have left its window.
            until(lambda: place.has_database() and place.ask(OVER), timeout_s=60)
        _drift(address, folder / "elsewhere")
        yield place


def query_of(place: str) -> str:
    """The question that stands there."""
    (found,) = [question.query for question in QUESTIONS if question.place == place]
    return found


def rows(series: list[dict[str, Any]]) -> list[list[Any]]:
    """All rows, without their times."""
    return [row[1:] for each in series for row in each["values"]]


def values(series: list[dict[str, Any]]) -> list[float]:
    """The first value of each row that has one."""
    return [row[0] for row in rows(series) if row[0] is not None]


def _traffic(server: Server, start_ns: int) -> None:
    """
    Ten panes with 20 calls of 0.1 s and 5 failed ones of 0.4 s each; a chat model in the first of them; and calls now.
    """
    for pane in range(10):
        end_ns = start_ns + pane * 10 * SECOND + SECOND
        for count, duration_s, error in ((20, 0.1, ""), (5, 0.4, "ValueError")):
            ids = [(pane * 100 + count + number).to_bytes(8, "big") for number in range(1, count + 1)]
            request = otlp.spans(ids, model=MODEL, duration_s=duration_s, end_ns=end_ns, error=error)
            assert server.post("traces", request.SerializeToString()) == 200
    chat = otlp.spans([b"chat%04d" % number for number in range(10)], model="chat", end_ns=start_ns + SECOND)
    for span in chat.resource_spans[0].scope_spans[0].spans:
        del span.attributes[:]
        span.attributes.extend(
            otlp.attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "chat",
                    "gen_ai.usage.input_tokens": 100,
                    "gen_ai.usage.output_tokens": 30,
                    "gen_ai.usage.cost": 0.02,
                }
            )
        )
    assert server.post("traces", chat.SerializeToString()) == 200
    assert (
        server.post("traces", otlp.spans([b"now%05d" % n for n in range(5)], model="busy").SerializeToString()) == 200
    )


def _drift(address: str, folder: Path) -> None:
    """Findings about two features, as the detector hands them to the store: *age* has drifted and *income* is small."""
    folder.mkdir()
    store = open_store(address, folder)
    end_ns = time.time_ns()
    known = {"tenant": "default", "model": MODEL, "version": "1", "role": "input", "method": "rank_location"}
    numbers = {"statistic": 9.0, "p": 1e-6, "score": 0.4, "psi": 0.3, "events": 500.0}
    nothing = {"statistic": None, "p": None, "score": None, "psi": None, "events": 12.0}
    rows = [
        DriftRow(
            start_ns=end_ns - 60 * SECOND,
            end_ns=end_ns - minutes * 30 * SECOND,
            feature=feature,
            status=status,
            drifted=status == "ok",
            reference="fitted",
            **known,
            **(numbers if status == "ok" else nothing),
        )
        for minutes, feature, status in ((1, "age", "ok"), (1, "income", "ok"), (0, "income", "small"))
    ]
    store.write(Commit(1, [], [], [], {}, drift=rows))
    store.close()


@pytest.mark.parametrize("now", [pytest.param(False, id="absolute"), pytest.param(True, id="until now")])
@pytest.mark.parametrize("step_s", [10, 15, 60])
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.place)
def test_every_question_is_answered_with_rows(question: Any, step_s: int, now: bool, place: Place) -> None:
    series = place.answer(question.query, step_s=step_s, now=now)

    assert any(value is not None for each in series for row in each["values"] for value in row[1:]), series


@pytest.mark.parametrize(
    "chosen", [pytest.param(MODEL, id="one"), pytest.param([MODEL, "no such model"], id="several")]
)
@pytest.mark.parametrize("title", ["Calls per second", "Error ratio", "Drift score of each feature", "Models"])
def test_a_choice_leaves_only_what_was_chosen(title: str, chosen: str | list[str], place: Place) -> None:
    series = place.answer(query_of(f"panel {title} A"), model=chosen, version="1", service="shop")

    assert {each["tags"]["model"] for each in series} == {MODEL}


@pytest.mark.parametrize("step_s", [10, 15, 20])
def test_calls_per_second_do_not_depend_on_the_step(step_s: int, place: Place) -> None:
    (series,) = place.answer(query_of("panel Calls per second A"), model=MODEL, step_s=step_s)
    called_until_ms = place.start_ms + 100_000

    # 25 calls in each of ten panes, then none.
    during = {rate for start, rate in series["values"] if place.start_ms <= start <= called_until_ms - step_s * 1000}
    after = {rate for start, rate in series["values"] if start >= called_until_ms}
    assert (during, after) == ({2.5}, {0})


def test_the_error_ratio_is_a_gap_where_nothing_was_called(place: Place) -> None:
    (series,) = place.answer(query_of("panel Error ratio A"), model=MODEL)

    found = [ratio for start, ratio in series["values"] if start >= place.start_ms]
    assert found[:10] == [0.2] * 10
    assert set(found[10:]) == {None}


def test_a_pane_without_calls_has_no_ratio_and_no_latency(place: Place) -> None:
    place.write(str(model_line(sample.pane(place.start_ms * 1_000_000, durations=(), model="idle", input_tokens=7.0))))

    for panel in ("Error ratio A", "Overall error ratio A", "Mean latency A", f"{QUANTILES} A"):
        assert values(place.answer(query_of(f"panel {panel}"), model="idle")) == [], panel
    assert rows(place.answer(query_of("panel Total calls A"), model="idle")) == [[0.0]]


def test_latency_is_that_of_the_calls(place: Place) -> None:
    quantiles = [values(place.answer(query_of(f"panel {QUANTILES} {each}"), model=MODEL, step_s=60)) for each in "ABC"]
    (mean,) = values(place.answer(query_of("panel Mean latency A"), model=MODEL))
    longest = values(place.answer(query_of(f"panel {WORST} B"), model=MODEL, step_s=60))

    # Of 25 calls 20 took 0.1 s and 5 took 0.4 s; a bucket is 2.2 % wide.
    assert [sorted({round(each, 1) for each in found}) for found in quantiles] == [[0.1], [0.4], [0.4]]
    assert mean == pytest.approx(0.16)
    assert longest == pytest.approx([0.4] * len(longest))


def test_quantiles_of_panes_count_as_often_as_there_were_calls(place: Place) -> None:
    minute_ns = -(-place.start_ms // 60_000) * 60 * SECOND
    told = ({"requests": 30.0, "p50_s": 0.1}, {"requests": 10.0, "p50_s": 0.5}, {"requests": 99.0})
    for number, fields in enumerate(told):
        place.write(str(line(MODELS, {"model": "uneven"}, fields, minute_ns + number * 10 * SECOND)))

    found = place.answer(query_of(f"panel {QUANTILES} A"), model="uneven", step_s=60)

    # The third pane does not say how long its calls took.
    assert values(found) == pytest.approx([0.2])


def test_tokens_and_cost_are_those_of_the_first_pane(place: Place) -> None:
    told = [
        values(place.answer(query_of(f"panel {panel}"), model="chat"))[0]
        for panel in ("Tokens per second A", "Tokens per second B", "Cost per hour A", "Total cost A")
    ]

    # Ten calls in ten seconds: 100 tokens in, 30 out and 2 cents each.
    assert told == pytest.approx([100.0, 30.0, 72.0, 0.2])


def test_drift_is_shown_by_feature_and_a_finding_without_score_is_none(place: Place) -> None:
    scores = place.answer(query_of("panel Drift score of each feature A"))
    newest = place.answer(query_of("panel Newest findings A"))

    assert {each["tags"]["feature"]: values([each]) for each in scores} == {"age": [0.4], "income": [0.4]}
    assert {each["tags"]["feature"]: rows([each]) for each in newest} == {
        "age": [[1, "ok", 0.4, 0.3, 1e-6, 500]],
        "income": [[0, "small", None, None, None, 12]],
    }


def test_an_alert_shows_at_its_model_and_at_every_version_of_it(place: Place) -> None:
    firing, over = (query_of(f"annotation {name}") for name in ("Alerts that began to fire", "Alerts that are over"))

    (event,) = rows(place.answer(firing, model="busy", version="1"))
    assert event[0] == "TooBusy is firing"
    assert event[1].startswith("alertname=TooBusy, model=busy, severity=warning: ")
    assert event[2:] == ["warning", "busy", None, None]
    assert [event[0] for event in rows(place.answer(over, model="busy", version="1"))] == ["TooBusy is resolved"]
    assert rows(place.answer(firing, model=MODEL)) == []


def test_variables_list_what_there_is_and_narrow_each_other_down(place: Place) -> None:
    def listed(name: str, **chosen: str) -> list[str]:
        return [row[0] for row in rows(place.answer(query_of(f"variable {name}"), **chosen))]

    assert listed("service") == ["shop"]
    assert set(listed("model")) >= {MODEL, "busy", "chat"}
    assert listed("model", service="elsewhere") == []
    assert (listed("version", model=MODEL), listed("version", model="chat")) == (["1"], [])
