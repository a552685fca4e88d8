"""The reference pages say what the code says."""

import re
from pathlib import Path

from fastapi.testclient import TestClient

from monitorx.backend.telemetry import METRICS

DOCS = Path(__file__).parents[2] / "docs" / "reference"
SOURCES = Path(__file__).parents[2]


def test_every_path_and_parameter_is_in_the_reference_and_no_other(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    served = {
        f"{method.upper()} {path}": {parameter["name"] for parameter in operation.get("parameters", [])}
        for path, operations in paths.items()
        for method, operation in operations.items()
    }

    assert _documented_paths() == served


def test_every_field_of_an_answer_is_in_the_reference(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    text = (DOCS / "rest.md").read_text()
    fields = {name for schema in schemas.values() for name in schema["properties"]}

    assert sorted(name for name in fields if f'"{name}"' not in text and f"`{name}`" not in text) == []


def test_every_route_says_in_a_few_words_what_it_does(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    summaries = [operation["summary"] for operations in paths.values() for operation in operations.values()]

    assert len(set(summaries)) == len(summaries)
    assert [words for words in summaries if len(words.split()) < 3 or words.endswith(".")] == []


def test_every_metric_of_the_server_is_in_the_reference_and_no_other() -> None:
    rows = re.findall(r"^\| `(monitorx_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", (DOCS / "metrics.md").read_text(), re.M)

    documented = [(name, kind, tuple(re.findall(r"`(\w+)`", labels)), words) for name, kind, labels, words in rows]
    assert documented == [(each.name, each.kind, each.labels, each.help) for each in METRICS]


def test_every_metric_that_the_code_counts_is_declared() -> None:
    declared = {each.name for each in METRICS}
    files = [path for root in ("backend", "alerting") for path in (SOURCES / root).rglob("*.py")]
    counted = {name for path in files for name in re.findall(r'"(monitorx_\w+_total)"', path.read_text())}

    assert counted - declared == set()


def _documented_paths() -> dict[str, set[str]]:
    documented: dict[str, set[str]] = {}
    path = ""
    for line in (DOCS / "rest.md").read_text().splitlines():
        if heading := re.fullmatch(r"### `((?:GET|POST|PUT|DELETE) .*)`", line):
            path = heading[1]
            documented[path] = set()
        elif path and line.startswith("| `"):
            documented[path] |= set(re.findall(r"`(\w+)`", line.split("|")[1]))
    return documented
