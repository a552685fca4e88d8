"""Line protocol: what is written is read back as it was, whatever it is made of."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitorx.backend.storage.influxdb.line import MAX_TIME_NS, line, tag_text, tag_value
from monitorx.backend.storage.influxdb.measurement import DRIFT, INFERENCE, MEASUREMENTS, MODEL, VERDICT
from monitorx.backend.storage.influxdb.point import (
    alert_line,
    drift_line,
    inference_line,
    model_line,
    verdict_line,
)
from tests.storage.sample import T0, finding, pane, step, verdict
from tests.support.fake_lines import lines, parse

ROOT = Path(__file__).parents[2]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.floats(), TEXTS), min_size=1, max_size=3))
@example([("%41", "\\", 0.1, 'a"\n\\'), ("a\\,b", "%\n", -0.0, "\\"), ("100%", " ", 1e300, "")])
def test_what_is_written_is_read_back(rows: list[tuple[str, str, float, str]]) -> None:
    written = [
        line(
            VERDICT,
            {"tenant": "t", "rule": rule, "model": model},
            {"value": value, "labels": text, "threshold": 1.0},
            5,
        )
        for rule, model, value, text in rows
    ]

    read = [parse(each) for each in lines("\n".join(each or "" for each in written))]

    for point, (rule, model, value, text) in zip(read, rows, strict=True):
        tags = {name: tag_text(stored) for name, stored in point.tags}
        assert tags == {name: said for name, said in (("tenant", "t"), ("rule", rule), ("model", model)) if said}
        number = {"value": value} if math.isfinite(value) else {}
        assert point.fields == {**number, "labels": text, "threshold": 1.0}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        pytest.param("gpt-4o, v=1", "gpt-4o, v=1", id="what is only escaped stays as it is"),
        pytest.param("Zürich 東京", "Zürich 東京", id="unicode"),
        pytest.param("100% sure", "100% sure", id="a percent sign that is only that"),
        pytest.param("%41", "%2541", id="one that looks like ours"),
        pytest.param("a\\b\n", "a%5Cb%0A", id="what InfluxDB does not take"),
    ],
)
def test_tags_stay_readable(text: str, stored: str) -> None:
    assert (tag_value(text), tag_text(stored)) == (stored, text)


def test_what_is_no_number_and_what_is_empty_is_left_out() -> None:
    fields = {"drifted": 1.0, "score": math.nan, "psi": math.inf, "statistic": None, "reference": ""}

    assert line(DRIFT, {"tenant": "t", "version": ""}, fields, 7) == 'ml_drift,tenant=t drifted=1.0,reference="" 7'


@pytest.mark.parametrize(
    ("tags", "fields", "time_ns"),
    [
        pytest.param({}, {"score": math.nan}, 0, id="no field"),
        pytest.param({"model": "x" * 65_000}, {"score": 1.0}, 0, id="tags too long"),
        pytest.param({}, {"score": 1.0}, MAX_TIME_NS + 1, id="time beyond the calendar"),
    ],
)
def test_what_no_line_can_hold_is_none(tags: dict[str, str], fields: dict[str, float], time_ns: int) -> None:
    assert line(DRIFT, tags, fields, time_ns) is None


def test_a_name_that_is_not_in_the_description_is_a_fault() -> None:
    for tags, fields in (({"shoe": "1"}, {"score": 1.0}), ({}, {"shoe": 1.0})):
        with pytest.raises(KeyError, match="ml_drift has no tag or field 'shoe'"):
            line(DRIFT, tags, fields, 0)


def test_every_result_fills_what_is_described() -> None:
    calls = pane(input_tokens=1.0, version="2")
    written = {
        INFERENCE.name: inference_line(calls),
        MODEL.name: model_line(calls),
        DRIFT.name: drift_line(finding()),
        VERDICT.name: verdict_line(verdict(labels={"model": "a", "version": "1", "service": "s", "feature": "f"})),
        "ml_alert": alert_line(step(labels={"model": "a", "version": "1", "service": "s", "feature": "f"})),
    }

    read = {name: parse(text or "") for name, text in written.items()}

    assert {name: (tuple(sorted(dict(point.tags))), sorted(point.fields)) for name, point in read.items()} == {
        each.name: (tuple(sorted(each.tags)), sorted(field.name for field in each.fields)) for each in MEASUREMENTS
    }
    assert {type(value) for point in read.values() for value in point.fields.values()} == {float, str}


def test_a_model_pane_says_its_quantiles() -> None:
    point = parse(model_line(pane(durations=(0.1, 0.2, 0.3), errors=1.0)) or "")

    latency = pane(durations=(0.1, 0.2, 0.3)).latency
    assert (point.measurement, point.time_ns) == ("ml_model", T0)
    assert point.fields == {
        "requests": 3.0,
        "errors": 1.0,
        **dict.fromkeys(("input_tokens", "output_tokens", "cost_usd", "samples"), 0.0),
        "latency_sum_s": latency.sum_s,
        "latency_max_s": 0.3,
        "p50_s": latency.quantile(0.5),
        "p95_s": latency.quantile(0.95),
        "p99_s": latency.quantile(0.99),
    }


def test_the_page_lists_what_is_written() -> None:
    page = (ROOT / "docs/operate/influxdb.md").read_text()
    listed = {
        name: (re.findall(r"`(\w+)`", tags), re.findall(r"`(\w+)` \(([^)]*)\)", fields))
        for name, tags, fields in re.findall(r"^\| `(ml_\w+)` \|[^|]*\|[^|]*\|([^|]*)\|([^|]*)\|$", page, re.M)
    }

    assert listed == {
        each.name: (list(each.tags), [(field.name, field.unit) for field in each.fields]) for each in MEASUREMENTS
    }
