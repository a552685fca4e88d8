"""The OpenTelemetry Collector with each recipe of collector-config/, between senders and the real backend."""

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.carried import RESOURCE, Arrived, Request, feedback, grains, other_metrics, sketches
from tests.support.collector import CONFIGS, Collector, opentelemetry_collector, otelcol, taken, wait_until_quiet
from tests.support.line import Line
from tests.support.otlp import spans
from tests.support.server import Server, free_port, until

RECIPES = sorted(CONFIGS.glob("*.yaml"))
LONGEST_RETRY_S = 8.0  # max_interval of gateway.yaml and half as much again, by chance
VARIABLE = re.compile(r"\$\{env:(\w+):-([^}]*)\}")

SCRIPT = """
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
for _ in range(30):
    model.predict([[0.5]])
"""


def pipelines(recipe: Path) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(recipe.read_text())["service"]["pipelines"]
    return found


@pytest.mark.needs("otelcol")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_is_valid_and_uses_nothing_deprecated(recipe: Path) -> None:
    done = subprocess.run([otelcol(), "validate", "--config", str(recipe)], capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_memory_is_limited_first_in_every_pipeline(recipe: Path) -> None:
    assert {each["processors"][0] for each in pipelines(recipe).values()} == {"memory_limiter"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_nothing_is_held_in_memory_or_changed_on_the_way_to_monitorx(recipe: Path) -> None:
    ways = {
        name: each["processors"]
        for name, each in pipelines(recipe).items()
        if any("monitorx" in exporter or "next" in exporter for exporter in each["exporters"])
    }

    assert ways == {signal: ["memory_limiter"] for signal in ("traces", "metrics", "logs")}


def test_the_readme_lists_every_variable_with_its_default_in_each_recipe() -> None:
    used = {(recipe.name, *found) for recipe in RECIPES for found in VARIABLE.findall(recipe.read_text())}
    listed = set()
    for line in (CONFIGS / "README.md").read_text().splitlines():
        if match := re.match(r"\| `(\w+)` \| (.*?) \| `(.*?)` \|", line):
            name, recipes, default = match.groups()
            listed |= {(recipe, name, default) for recipe in re.findall(r"`(\w+\.yaml)`", recipes)}

    assert listed == used


def test_no_variable_is_taken_for_a_setting_of_the_server() -> None:
    names = {name for recipe in RECIPES for name, _ in VARIABLE.findall(recipe.read_text())}

    assert [name for name in names if name.startswith("MONITORX_")] == []


@pytest.mark.needs("otelcol")
@pytest.mark.needs("sklearn")
@pytest.mark.parametrize(
    ("exporter", "with_agent"),
    [
        pytest.param("otlp_http/monitorx", True, id="agent, gateway, HTTP"),
        pytest.param("otlp_grpc/monitorx", False, id="gateway, gRPC"),
    ],
)
def test_a_script_and_every_bit_are_carried(tmp_path: Path, exporter: str, with_agent: bool) -> None:
    now = time.time_ns()
    sent = {
        "traces": spans([os.urandom(8) for _ in range(50)], model="fraud"),
        "metrics": sketches(now),
        "logs": feedback(["p1", "p2", "p3"], now),
    }
    sent["metrics"].MergeFrom(other_metrics(now))

    with Server(tmp_path) as server, ExitStack() as collectors:
        to = {"BACKEND_HTTP": f"http://{server.http}", "BACKEND_GRPC": server.grpc, "BACKEND_EXPORTER": exporter}
        first = collectors.enter_context(opentelemetry_collector("gateway.yaml", tmp_path / "gateway", **to))
        if with_agent:
            to = {"BACKEND_HTTP": f"http://{first.http}"}
            first = collectors.enter_context(opentelemetry_collector("agent.yaml", tmp_path / "agent", **to))
        assert [first.post(signal, each.SerializeToString()) for signal, each in sent.items()] == [200] * 3
        run_script(tmp_path, first)
        models = until(lambda: both_models(server))
        until(lambda: taken(server)["feedback"] == 3.0)

    arrived = Arrived(tmp_path)
    assert models == {"LogisticRegression": 30.0, "fraud": 50.0}
    for signal, request in sent.items():
        assert Counter(grains(request)) - arrived.grains(signal) == Counter(), f"{signal}: lost or changed"
        assert set(arrived.grains(signal).values()) == {1}, f"{signal}: doubled"
    assert sketch_rows(arrived) == expected_sketch_rows(now)
    assert arrived.rows("SELECT prediction_id, event FROM feedback ORDER BY prediction_id") == [
        (prediction, "ml.feedback") for prediction in ("p1", "p2", "p3")
    ]


@pytest.mark.needs("otelcol")
def test_kill_9_of_either_side_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    with Line(server.http) as line:
        to = {"BACKEND_HTTP": f"http://{line.address}"}
        with opentelemetry_collector("gateway.yaml", tmp_path / "collector", **to) as collector:
            sender = Sender(collector)
            sender.start()
            time.sleep(1.5)
            # What is in the Collector's queue has arrived, and the Collector does not know.
            line.loses_answers.set()
            until(lambda: line.lost >= 3)
            collector.kill()
            line.loses_answers.clear()
            time.sleep(5)
            collector.start()
            time.sleep(1.5)
            server.kill()
            time.sleep(15)
            server.start()
            sender.stop()
            wait_until_quiet(server, LONGEST_RETRY_S)
            rows = counted(server)
            requests = sum(each["requests"] for each in server.get("/api/v1/aggregates?start=-1h")["aggregates"])
            collector.stop()
    server.stop()

    arrived = Arrived(tmp_path)
    assert sender.refused > 0, "no request met a dead Collector: nothing was tested"
    assert (rows, requests) == (len(sender.spans), len(sender.spans))
    for signal, acknowledged in sender.acknowledged.items():
        assert set(arrived.grains(signal)) == set(acknowledged), signal
    assert arrived.rows("SELECT hex(span_id) FROM inference ORDER BY 1") == sorted(
        (each.hex().upper(),) for each in sender.spans
    )
    assert arrived.rows("SELECT count(*), count(DISTINCT (feature, start_ns, time_ns)) FROM sketch") == [
        (4 * sender.rounds, 4 * sender.rounds)
    ]
    assert arrived.rows("SELECT count(*), count(DISTINCT prediction_id) FROM feedback") == [
        (3 * sender.rounds, 3 * sender.rounds)
    ]
    assert came_in_other_batches(arrived) > 0, "nothing came twice: nothing was tested"


@pytest.mark.needs("otelcol")
def test_a_full_queue_turns_senders_away_so_that_they_keep_what_they_have(tmp_path: Path) -> None:
    nobody = {"BACKEND_HTTP": f"http://127.0.0.1:{free_port()}", "COLLECTOR_QUEUE_BYTES": str(2 << 20)}
    with opentelemetry_collector("gateway.yaml", tmp_path, **nobody) as collector:
        body = spans([os.urandom(8) for _ in range(3_000)]).SerializeToString()
        answers = [collector.post("traces", body) for _ in range(10)]

    taken_in = answers.count(200)
    assert 0 < taken_in * len(body) <= 2 << 20
    assert answers == [200] * taken_in + [503] * (10 - taken_in)


class Sender(threading.Thread):
    """Rounds of all three signals, each request sent until the Collector has acknowledged it."""

    def __init__(self, collector: Collector) -> None:
        super().__init__(daemon=True)
        self.spans: list[bytes] = []
        self.acknowledged: dict[str, list[bytes]] = {"traces": [], "metrics": [], "logs": []}
        self.rounds = 0
        self.refused = 0
        self._collector = collector
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(0.03):
            now = time.time_ns()
            ids = [os.urandom(8) for _ in range(5)]
            self._send("traces", spans(ids, end_ns=now))
            self._send("metrics", sketches(now))
            self._send("logs", feedback([f"{self.rounds}.{number}" for number in range(3)], now))
            self.spans += ids
            self.rounds += 1

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopping.set()
        self.join(30)
        assert not self.is_alive()

    def _send(self, signal: str, request: Request) -> None:
        body = request.SerializeToString()
        while self._collector.post(signal, body) != 200:
            self.refused += 1
            time.sleep(0.1)
        self.acknowledged[signal] += grains(request)


def run_script(folder: Path, collector: Collector) -> None:
    script = folder / "app.py"
    script.write_text(SCRIPT)
    subprocess.run(
        [sys.executable, "-m", "monitorx.backend.cli", "run", "--", sys.executable, str(script)],
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.http}"},
        check=True,
        timeout=60,
    )


def both_models(server: Server) -> dict[str, float] | None:
    found = {each["model"]: each["requests"] for each in server.get("/api/v1/models")["models"]}
    return found if found.get("LogisticRegression") == 30.0 and found.get("fraud") == 50.0 else None


def counted(server: Server) -> int:
    """Stored spans, page by page."""
    total, cursor = 0, ""
    while True:
        page = server.get(f"/api/v1/inferences?start=-1h&limit=1000{cursor}")
        total += len(page["inferences"])
        if not page.get("next_cursor"):
            return total
        cursor = f"&cursor={page['next_cursor']}"


def came_in_other_batches(arrived: Arrived) -> int:
    """Items that lie in two journalled requests which are not the same request sent twice."""
    found: dict[bytes, set[tuple[bytes, ...]]] = {}
    for _, items in arrived.records:
        batch = tuple(sorted(items))
        for each in items:
            found.setdefault(each, set()).add(batch)
    return sum(len(batches) > 1 for batches in found.values())


def sketch_rows(arrived: Arrived) -> list[tuple[Any, ...]]:  # Any: a row of a database
    return arrived.rows(
        "SELECT service, instance, model, version, start_ns, time_ns, feature, role, center, anchor, count, sum, min,"
        " max, scale, zero_count, zero_threshold, positive_offset, positive, negative_offset, negative"
        " FROM sketch WHERE model = 'fraud' ORDER BY feature"
    )


def expected_sketch_rows(end_ns: int) -> list[tuple[Any, ...]]:  # Any: a row of a database
    """The columns of what was sent, number by number."""
    rows: list[tuple[Any, ...]] = []
    for point in sketches(end_ns).resource_metrics[0].scope_metrics[0].metrics[0].exponential_histogram.data_points:
        known = {each.key: each.value for each in point.attributes}
        rows.append(
            (
                *(RESOURCE["service.name"], RESOURCE["service.instance.id"], "fraud", "1"),
                *(point.start_time_unix_nano, point.time_unix_nano, known["ml.feature.name"].string_value, "input"),
                known["monitorx.anchor.center"].double_value,
                known["monitorx.anchor.scale"].double_value,
                *(point.count, point.sum, point.min, point.max, point.scale, point.zero_count, point.zero_threshold),
                *(point.positive.offset, list(point.positive.bucket_counts)),
                *(point.negative.offset, list(point.negative.bucket_counts)),
            )
        )
    return rows
