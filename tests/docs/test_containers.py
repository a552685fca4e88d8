"""Dockerfile and docker-compose.yml, as far as they can be checked without an engine."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitorx.backend.config import OTHER_VARIABLES, PREFIX, Address, Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
KNOWN = {PREFIX + each.name.upper() for each in fields(Settings)} | OTHER_VARIABLES


def copied() -> set[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
    return {source for line in lines for source in line.split()[:-1]}


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert copied() <= kept


def test_what_the_wheel_takes_in_is_copied() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = {package.split("/")[0] for package in wheel["packages"]} | set(wheel["force-include"])

    assert sources <= copied()


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_localhost_only(service: str) -> None:
    assert all(str(port).startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists(service: str) -> None:
    sources = [volume.split(":")[0] for volume in SERVICES[service].get("volumes", [])]

    assert [each for each in sources if each.startswith("./") and not (ROOT / each).exists()] == []
    assert {each for each in sources if not each.startswith("./")} <= set(COMPOSE["volumes"])


def test_settings_are_settings() -> None:
    in_image = dict(re.findall(r"(MONITORX_\w+)=(\S+)", DOCKERFILE))
    environment = SERVICES["monitorx"]["environment"]

    assert set(in_image) | set(environment) <= KNOWN
    assert Settings.load(in_image, {}).otlp_http == Address("0.0.0.0", 4318)


def test_the_rules_are_mounted_where_the_server_looks() -> None:
    mounted = [volume.split(":")[1] for volume in SERVICES["monitorx"]["volumes"]]

    assert SERVICES["monitorx"]["environment"]["MONITORX_CONFIG"] in mounted


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    assert re.findall(r"(?:TOKEN|PASSWORD): (?!\$\{)(.+)", text) == []
