"""Settings: read from flags and the environment, refused in words, and listed where an operator looks for them."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from monitorx.backend.config import MIB, OTHER_VARIABLES, PREFIX, Address, Settings
from monitorx.backend.errors import ConfigError

ROOT = Path(__file__).parents[2]
NAMES = {PREFIX + each.name.upper() for each in fields(Settings)}
MISSPELT = {"MONITORX_FEATURE"}  # in a test of what is said of it
OF_TESTS = {"MONITORX_REQUIRE", "MONITORX_OTELCOL", "MONITORX_CONFORMANCE"}


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_env_example_lists_every_setting() -> None:
    assert example().keys() == NAMES | (OTHER_VARIABLES - OF_TESTS)


def test_env_example_shows_the_defaults() -> None:
    shown = {name: text for name, text in example().items() if name in NAMES}

    assert Settings.load(shown, {}) == Settings()


def test_the_reference_lists_every_setting() -> None:
    listed = set(re.findall(r"^\| `(MONITORX_\w+)`", (ROOT / "docs/reference/settings.md").read_text(), re.M))

    assert listed == NAMES | OTHER_VARIABLES


def test_every_variable_in_the_code_is_a_known_one() -> None:
    read = {
        name
        for root in ("instrumentation", "processor", "backend", "alerting", "tests")
        for path in (ROOT / root).rglob("*.py")
        if path != Path(__file__)
        for name in re.findall(r"[\"'](MONITORX_[A-Z][A-Z_]*[A-Z])[\"']", path.read_text())
    }

    assert read <= NAMES | OTHER_VARIABLES | MISSPELT


def test_a_flag_wins_over_the_environment() -> None:
    settings = Settings.load({"MONITORX_API": "127.0.0.1:1"}, {"api": "127.0.0.1:2"})

    assert settings.api == Address("127.0.0.1", 2)


@pytest.mark.parametrize(
    ("environ", "flags", "words"),
    [
        pytest.param({"MONITORX_API": "8000"}, {}, "MONITORX_API: '8000' cannot be used: HOST:PORT", id="no port"),
        pytest.param({}, {"api": "x:99999"}, "--api: 'x:99999' cannot be used: HOST:PORT", id="port too high"),
        pytest.param({"MONITORX_LOG_LEVEL": "loud"}, {}, "one of debug, info, warning, error", id="level"),
        pytest.param({}, {"api": "[::1"}, "--api: '[::1' cannot be used: HOST:PORT", id="bracket open"),
        pytest.param({}, {"api": "[x]:1"}, "--api: '[x]:1' cannot be used: HOST:PORT", id="brackets without IPv6"),
        pytest.param({}, {"api": "::1"}, "--api: '::1' cannot be used: HOST:PORT", id="IPv6 without brackets"),
        pytest.param({}, {"data_dir": ""}, "--data-dir: '' cannot be used: a path is expected", id="empty folder"),
        pytest.param({}, {"config": ""}, "--config: '' cannot be used: a path is expected", id="empty file"),
        pytest.param(
            {}, {"max_body_bytes": "1e9"}, "--max-body-bytes: '1e9' cannot be used: a whole number is", id="not whole"
        ),
        pytest.param({"MONITORX_DECODE_THREADS": "two"}, {}, "a whole number is expected", id="not a whole number"),
        pytest.param({"MONITORX_DRIFT_WINDOW": "two"}, {}, "a number is expected", id="not a number"),
        pytest.param(
            {"MONITORX_RETENTION_HOURS": "1e-9"},
            {},
            "MONITORX_RETENTION_HOURS: '1e-9' cannot be used: a number from 1 to 876000 is expected",
            id="everything would be deleted",
        ),
        pytest.param({}, {"retention_hours": "1e308"}, "a number from 1 to 876000", id="no time is that long"),
        pytest.param({"MONITORX_RETENTION_HOURS": "nan"}, {}, "a number from 1 to 876000", id="not a number at all"),
        pytest.param({"MONITORX_DRIFT_WINDOW": "1e308"}, {}, "a number from 1 to 500000", id="no window is that long"),
        pytest.param({"MONITORX_DECODE_THREADS": "257"}, {}, "a number from 1 to 256", id="too many threads"),
        pytest.param(
            {"MONITORX_MAX_INFLIGHT_BYTES": "9" * 30}, {}, "a number from 1 to 1099511627776", id="no memory has that"
        ),
        pytest.param({"MONITORX_DECODE_THREADS": "9" * 5000}, {}, "a whole number is", id="more digits than are read"),
        pytest.param(
            {"MONITORX_MAX_BODY_BYTES": "2147483648"},
            {},
            "MONITORX_MAX_BODY_BYTES: '2147483648' cannot be used: a number from 1 to 2147483647 is expected",
            id="more than gRPC can say",
        ),
        pytest.param({"MONITORX_MAX_BODY_BYTES": "0"}, {}, "a number from 1 to 2147483647", id="nothing fits"),
        pytest.param(
            {"MONITORX_OTLP_HTTP": f"{'a' * 70}:4318"},
            {},
            f"MONITORX_OTLP_HTTP: '{'a' * 70}:4318' cannot be used: HOST:PORT is expected",
            id="a name that no host can have",
        ),
        pytest.param(
            {"MONITORX_MAX_INFLIGHT_BYTES": "1", "MONITORX_MAX_BODY_BYTES": "67108864"},
            {},
            "MONITORX_MAX_INFLIGHT_BYTES: 1 is less than MONITORX_MAX_BODY_BYTES, 67108864, and one request may have "
            "that; raise the first or lower the second",
            id="no request would ever be taken",
        ),
        pytest.param(
            {"MONITORX_EXTERNAL_URL": "nonsense"},
            {},
            "MONITORX_EXTERNAL_URL: 'nonsense' cannot be used: http:// or https:// and a host is expected",
            id="no address",
        ),
        *(
            pytest.param({}, {"external_url": text}, "--external-url: ", id=f"as address {text}")
            for text in ("localhost:8000", "ftp://a", "http://", "http://:80", "http://a:x", "http://a b", "http://a?b")
        ),
        pytest.param({"MONITORX_APPI": "127.0.0.1:1"}, {}, "MONITORX_APPI is not a setting", id="misspelt"),
    ],
)
def test_a_bad_setting_is_refused_by_name(environ: dict[str, str], flags: dict[str, str | None], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        Settings.load(environ, flags)


@pytest.mark.parametrize("url", ["", "http://localhost:8000", "https://a.example/monitorx/", "http://[::1]:8000"])
def test_an_address_for_alerts_is_taken_as_it_is_written(url: str) -> None:
    assert Settings.load({}, {"external_url": url}) == Settings(external_url=url)


def test_what_kubernetes_sets_for_a_service_named_monitorx_is_passed_over() -> None:
    environ = {"MONITORX_SERVICE_HOST": "10.0.0.1", "MONITORX_PORT": "tcp://10.0.0.1:80", "MONITORX_PORT_80_TCP": "x"}

    assert Settings.load(environ, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("127.0.0.1:4318", Address("127.0.0.1", 4318), id="ipv4"),
        pytest.param("[::1]:4318", Address("::1", 4318), id="ipv6"),
        pytest.param(":4318", Address("127.0.0.1", 4318), id="port alone is localhost"),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, (64 * MIB, 256 * MIB), id="neither"),
        pytest.param({"MONITORX_MAX_INFLIGHT_BYTES": "33554432"}, (32 * MIB, 32 * MIB), id="little memory"),
        pytest.param({"MONITORX_MAX_INFLIGHT_BYTES": "134217728"}, (64 * MIB, 128 * MIB), id="less memory"),
        pytest.param({"MONITORX_MAX_BODY_BYTES": "536870912"}, (512 * MIB, 512 * MIB), id="large requests"),
    ],
)
def test_what_one_request_and_all_may_have_follow_one_another(given: dict[str, str], expected: tuple[int, int]) -> None:
    settings = Settings.load(given, {})

    assert (settings.max_body_bytes, settings.max_inflight_bytes) == expected
