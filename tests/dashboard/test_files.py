"""What is committed for Grafana: what the description says, and nothing that Grafana would refuse."""

import json
import re
from copy import deepcopy
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitorx.backend.dashboard.__main__ import FILES, main
from monitorx.backend.dashboard.grafana import DATASOURCE_UID
from monitorx.backend.storage.influxdb.measurement import MEASUREMENTS, PANE_S
from tests.support.grafana import loaded, panels, questions

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "docs/grafana/provisioning"
FOLDER = PROVISIONING / "dashboards/monitorx"
DASHBOARDS = [pytest.param(loaded(path), id=path.stem) for path in sorted(FOLDER.glob("*.json"))]
DATASOURCES = sorted((PROVISIONING / "datasources").glob("*.yaml"))
# As Grafana writes them: @grafana/data, valueFormats/categories.ts.
UNITS = {"s", "percentunit", "reqps", "currencyUSD", "short"}
OURS = {"pane", "product", "weight"}


def datasource(path: Path) -> dict[str, Any]:
    """The only data source of a file."""
    (found,) = yaml.safe_load(path.read_text())["datasources"]
    assert isinstance(found, dict)
    return found


def test_the_committed_dashboards_are_those_of_the_descriptions(tmp_path: Path) -> None:
    main(tmp_path)

    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert made == committed, "run: python -m monitorx.backend.dashboard docs/grafana/provisioning/dashboards/monitorx"
    assert set(made) == set(FILES)


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_a_dashboard_is_one_of_the_schema_that_grafana_11_reads(dashboard: dict[str, Any]) -> None:
    written = deepcopy(dashboard)
    read = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))

    # What the schema does not know is what belongs to a data source.
    for annotation in (*read["annotations"]["list"], *written["annotations"]["list"]):
        del annotation["target"]
    for panel in (*read["panels"], *written["panels"]):
        panel.pop("targets", None)
    assert read == written
    assert dashboard["schemaVersion"] >= 36
    assert 8 <= len(dashboard["uid"]) <= 40


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_everything_asks_the_one_data_source(dashboard: dict[str, Any]) -> None:
    asking = [*panels(dashboard), *dashboard["annotations"]["list"], *dashboard["templating"]["list"]]
    targets = [target for panel in panels(dashboard) for target in panel["targets"]]

    named = [each["datasource"] for each in (*asking, *targets)]
    assert named == [{"type": "influxdb", "uid": DATASOURCE_UID}] * len(named)
    assert all(target["rawQuery"] is True for target in targets)
    assert all(annotation["target"]["fromAnnotations"] for annotation in dashboard["annotations"]["list"])


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_panels_have_units_ids_and_places_of_their_own(dashboard: dict[str, Any]) -> None:
    shown = panels(dashboard)
    numbers = [panel["id"] for panel in dashboard["panels"]]
    titles = [panel["title"] for panel in shown]

    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in shown} <= UNITS
    assert (len(set(numbers)), len(set(titles))) == (len(numbers), len(titles))
    assert [panel["title"] for panel in shown if not panel["description"]] == []
    for one, other in combinations([panel["gridPos"] for panel in dashboard["panels"]], 2):
        assert not _overlap(one, other), (one, other)


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_no_step_is_shorter_than_a_pane(dashboard: dict[str, Any]) -> None:
    assert {panel["interval"] for panel in panels(dashboard)} == {f"{PANE_S}s"}
    assert {datasource(path)["jsonData"]["timeInterval"] for path in DATASOURCES} == {f"{PANE_S}s"}


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_only_what_is_written_is_asked_for(dashboard: dict[str, Any]) -> None:
    known = {
        measurement.name: {*measurement.tags, *(field.name for field in measurement.fields)}
        for measurement in MEASUREMENTS
    }

    for question in questions(dashboard):
        (measurement,) = set(re.findall(r'FROM "(\w+)"', question.query))
        named = set(re.findall(r'"(\w+)"', question.query)) - {measurement} - OURS
        assert named <= known[measurement], question


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_every_choice_reaches_every_panel_whose_measurement_has_it(dashboard: dict[str, Any]) -> None:
    tags = {measurement.name: measurement.tags for measurement in MEASUREMENTS}
    names = [variable["name"] for variable in dashboard["templating"]["list"]]

    for panel in panels(dashboard):
        for target in panel["targets"]:
            (measurement,) = set(re.findall(r'FROM "(\w+)"', target["query"]))
            expected = {name for name in names if name in tags[measurement]}
            assert set(re.findall(r"\$\{(\w+):regex\}", target["query"])) == expected


def test_there_is_one_data_source_for_each_generation_under_one_uid() -> None:
    found = [datasource(path) for path in DATASOURCES]

    assert [path.stem for path in DATASOURCES] == ["influxdb1", "influxdb2", "influxdb3"]
    assert [(each["uid"], each["name"], each["type"], each["access"]) for each in found] == [
        (DATASOURCE_UID, "MonitorX", "influxdb", "proxy")
    ] * 3
    assert [each["jsonData"]["version"] for each in found] == ["InfluxQL"] * 3


def test_secrets_of_data_sources_come_out_of_the_environment() -> None:
    told = [datasource(path)["secureJsonData"] for path in DATASOURCES]

    assert told == [
        {"password": "$INFLUXDB_PASSWORD"},
        {"httpHeaderValue1": "Token $INFLUXDB_TOKEN"},
        {"httpHeaderValue1": "Bearer $INFLUXDB_TOKEN"},
    ]


def test_compose_gives_grafana_every_file_and_every_variable() -> None:
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in grafana["volumes"] if volume.startswith("./"))
    (chosen,) = [ROOT / path for path in mounted if "datasources" in path]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/monitorx.yaml").read_text())["providers"]

    assert set(re.findall(r"\$(\w+)", _settings(chosen))) <= set(grafana["environment"])
    assert mounted[f"./{(PROVISIONING / 'dashboards').relative_to(ROOT)}"] + "/monitorx" == provider["options"]["path"]
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def _settings(path: Path) -> str:
    """A file without its comments."""
    return re.sub(r"#.*", "", path.read_text())


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)
