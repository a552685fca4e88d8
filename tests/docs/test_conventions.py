"""The page of names and the package of names say the same, and so do the entry points."""

import re
import tomllib
from pathlib import Path

from monitorx.semconv import SCHEMA_URL, attributes, events, metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/semantic-conventions.md").read_text()
MENTIONED = set(re.findall(r"`([a-z_.]+)`", PAGE))


def names(module: object) -> set[str]:
    return {value for key, value in vars(module).items() if key.isupper() and isinstance(value, str)}


def test_every_name_is_documented() -> None:
    assert names(attributes) | names(metrics) | names(events) <= MENTIONED


def test_the_schema_url_is_the_documented_one() -> None:
    assert f"`{SCHEMA_URL}`" in PAGE


def test_every_entry_point_is_documented() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]

    assert set(groups) <= MENTIONED
    assert set(groups["opentelemetry_instrumentor"]) <= MENTIONED


def test_the_code_has_no_name_of_its_own() -> None:
    """A key of ours is written in one place; elsewhere it is imported."""
    own = re.compile(r"[\"'](ml\.[a-z_.]+|monitorx\.anchor\.[a-z]+)[\"']")
    allowed = {"alias.py"}  # what others call things is that file's subject
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for root in ("instrumentation", "processor", "backend", "alerting")
        for path in (ROOT / root).rglob("*.py")
        if "semconv" not in path.parts and path.name not in allowed
        for name in own.findall(path.read_text())
    }

    assert found == set()
