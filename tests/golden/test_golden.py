"""Requests that real senders made, and the columns that must come out of them."""

import json
from pathlib import Path

import pytest

from monitorx.backend.batch import SCHEMAS
from tests.golden.capture import decoded, requests


@pytest.mark.parametrize("path", requests(), ids=lambda path: path.stem)
def test_a_captured_request_gives_its_rows(path: Path) -> None:
    assert json.loads(json.dumps(decoded(path))) == json.loads(path.with_suffix(".rows").read_text())


def test_the_captures_have_rows_of_three_kinds_and_every_column_that_senders_fill() -> None:
    filled = {
        (kind, name)
        for path in requests()
        for kind, rows in json.loads(path.with_suffix(".rows").read_text())["rows"].items()
        for row in rows
        for name in row
    }
    rare = {"cost_usd", "ttft_s", "score", "version", "span_id", "trace_id", "series"}

    missing = {(kind, field.name) for kind, schema in SCHEMAS.items() for field in schema} - filled
    assert {(kind, name) for kind, name in missing if kind != "sketch" and name not in rare} == set()
