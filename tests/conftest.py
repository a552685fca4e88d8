"""
What every test may ask for.

`@pytest.mark.needs("influxdb")` skips where that real part is missing, and fails where MONITORX_REQUIRE names it, so
that a run that is meant to have everything cannot pass by skipping.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest


def _module(name: str) -> str | None:
    return None if importlib.util.find_spec(name) else f"the Python package {name} is not installed"


def _program(name: str) -> str | None:
    return None if shutil.which(name) else f"the program {name} is not on the PATH"


def _file(variable: str) -> str | None:
    value = os.environ.get(variable, "")
    return None if value and Path(value).exists() else f"{variable} does not name a file"


def _otelcol() -> str | None:
    return None if not _file("MONITORX_OTELCOL") or shutil.which("otelcol") else "no otelcol: set MONITORX_OTELCOL"


# name: what is missing, or None
REAL_PARTS = {
    "sklearn": lambda: _module("sklearn"),
    "onnxruntime": lambda: _module("onnxruntime"),
    "pandas": lambda: _module("pandas"),
    "openai": lambda: _module("openai"),
    "aiosmtpd": lambda: _module("aiosmtpd"),
    "distro": lambda: _module("opentelemetry.distro"),
    "rotel": lambda: _module("rotel"),
    "influxdb": lambda: _program("influxd"),
    "openssl": lambda: _program("openssl"),
    "curl": lambda: _program("curl"),
    "node": lambda: _program("npm"),
    "go": lambda: _program("go"),
    "otelcol": _otelcol,
    "conformance": lambda: _file("MONITORX_CONFORMANCE"),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = {name.strip() for name in os.environ.get("MONITORX_REQUIRE", "").split(",") if name.strip()}
    if unknown := required - REAL_PARTS.keys():
        pytest.exit(f"MONITORX_REQUIRE: unknown {sorted(unknown)}; known are {sorted(REAL_PARTS)}", returncode=4)
    for mark in item.iter_markers("needs"):
        name = mark.args[0]
        missing = REAL_PARTS[name]()
        if missing and name in required:
            pytest.fail(f"MONITORX_REQUIRE names {name}, but {missing}")
        if missing:
            pytest.skip(missing)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own MONITORX_* and OTEL_* settings must not change what a test sees."""
    kept = {"MONITORX_REQUIRE", "MONITORX_OTELCOL", "MONITORX_CONFORMANCE"}
    for name in list(os.environ):
        if name.startswith(("MONITORX_", "OTEL_")) and name not in kept:
            monkeypatch.delenv(name)
