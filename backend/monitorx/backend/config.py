"""
What an operator sets: flags of `monitorx serve`, and the same as MONITORX_* in the environment.

A flag wins over the environment, the environment over the default. Every setting is listed in `.env.example` and in
docs/reference/settings.md; a test compares the three.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from monitorx.backend.errors import ConfigError

MIB = 1 << 20
TIB = 1 << 40
CENTURY_HOURS = 876_000  # what is a time must fit into a timedelta, and nanoseconds into 64 bits
MAX_INT32 = 2**31 - 1  # gRPC's options are 32 bits wide
PREFIX = "MONITORX_"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        HOST:PORT, [IPv6]:PORT or :PORT (localhost).

        Raises:
            ValueError: It is none of these.
        """
        found = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^\[\]:]*)):(\d{1,5})", text)
        if found is None or int(found[3]) > 65535 or not (_is_ipv6(found[1]) if found[1] else _is_name(found[2])):
            raise ValueError("HOST:PORT is expected, for example 127.0.0.1:4318 or [::1]:4318")
        return cls(found[1] or found[2] or "127.0.0.1", int(found[3]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """Whether *host* can be looked up: sockets say of another that a codec failed."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _setting(default: Any, parse: Any, words: str, flag: str | None = None) -> Any:  # Any: dataclasses.field is untyped
    return field(default=default, metadata={"parse": parse, "help": words, "flag": flag})


def _choice(*allowed: str) -> Any:  # Any: a parser for _setting
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)} is expected")
        return text.lower()

    return parse


def _between(least: int | float, most: int) -> Any:  # Any: a parser for _setting
    def parse(text: str) -> int | float:
        value = type(least)(text)
        if not least <= value <= most:
            raise ValueError(f"a number from {least:g} to {most} is expected")
        return value

    return parse


def _path(text: str) -> Path:
    if not text.strip():
        raise ValueError("a path is expected")  # an empty one would be the current folder
    return Path(text)


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(map(Path, _words(text)))


def _url(text: str) -> str:
    if text and not _is_url(text):
        raise ValueError("http:// or https:// and a host is expected, for example https://monitorx.example.com")
    return text


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = parts.hostname is not None and _is_name(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets without an address
        return False
    return named and re.fullmatch(r"https?://[^\s?#]+", text, re.IGNORECASE) is not None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server runs. Everything has a default that is safe on a laptop."""

    data_dir: Path = _setting(Path("monitorx-data"), _path, "folder for journal, stores and state", "--data-dir")
    otlp_http: Address = _setting(
        Address("127.0.0.1", 4318), Address.parse, "where OTLP/HTTP is received, HOST:PORT", "--otlp-http"
    )
    otlp_grpc: Address = _setting(
        Address("127.0.0.1", 4317), Address.parse, "where OTLP/gRPC is received, HOST:PORT", "--otlp-grpc"
    )
    api: Address = _setting(
        Address("127.0.0.1", 8000), Address.parse, "where the REST API is served, HOST:PORT", "--api"
    )
    config: Path | None = _setting(None, _path, "YAML file with rules, routes and receivers", "--config")
    store: str = _setting("duckdb", str, "where results are kept: duckdb, or the address of an InfluxDB", "--store")
    log_level: str = _setting(
        "info", _choice("debug", "info", "warning", "error"), "debug, info, warning or error", "--log-level"
    )
    log_format: str = _setting(
        "auto", _choice("auto", "json", "console"), "json, console, or auto: console on a terminal", "--log-format"
    )
    max_body_bytes: int = _setting(64 * MIB, _between(1, MAX_INT32), "largest request after decompression, bytes")
    max_inflight_bytes: int = _setting(
        256 * MIB, _between(1, TIB), "requests held in memory before senders are told to wait, bytes"
    )
    decode_threads: int = _setting(2, _between(1, 256), "threads that decode requests")
    retention_hours: float = _setting(
        24.0 * 15, _between(1.0, CENTURY_HOURS), "how long rows, panes and the journal are kept, hours"
    )
    cors_origins: tuple[str, ...] = _setting(
        (), _words, "browser origins that may send OTLP, comma-separated; none by default"
    )
    reference: tuple[Path, ...] = _setting(
        (), _paths, "files of `monitorx reference fit`, comma-separated; without one references are frozen"
    )
    drift_window: float = _setting(
        300.0, _between(1.0, 500_000), "length of a window in which drift is judged, seconds"
    )
    reference_windows: int = _setting(
        12, _between(1, 500), "windows that a reference is frozen from, where no file gives one"
    )
    external_url: str = _setting("", _url, "the address of this server in alerts; the API's own by default")

    def __post_init__(self) -> None:
        if self.max_inflight_bytes < self.max_body_bytes:
            raise ConfigError(
                f"MONITORX_MAX_INFLIGHT_BYTES: {self.max_inflight_bytes} is less than MONITORX_MAX_BODY_BYTES, "
                f"{self.max_body_bytes}, and one request may have that; raise the first or lower the second"
            )

    @classmethod
    def load(cls, environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Self:
        """
        Settings from flags and the environment.

        Args:
            environ: The process environment.
            flags: Field name to text; None where a flag was not given.

        Raises:
            ConfigError: A value cannot be read, or a MONITORX_* name is none of ours.
        """
        _refuse_unknown(environ)
        values = {}
        for each in fields(cls):
            variable = PREFIX + each.name.upper()
            flag = flags.get(each.name)
            text = flag if flag is not None else environ.get(variable)
            if text is None or (text == "" and each.default is not MISSING and flag is None):
                continue
            try:
                values[each.name] = each.metadata["parse"](text)
            except ValueError as error:
                option = each.metadata["flag"] or "--" + each.name.replace("_", "-")
                name = option if flag is not None else variable
                raise ConfigError(f"{name}: {text!r} cannot be used: {_reason(error)}") from None
        return cls(**_paired(values))


# Read elsewhere: in instrumented applications, by a store (a secret is no flag), or by the tests.
OTHER_VARIABLES = frozenset(
    {
        "MONITORX_EXPORT_INTERVAL",
        "MONITORX_FEATURES",
        "MONITORX_INFLUXDB_TOKEN",
        "MONITORX_INFLUXDB_TOKEN_FILE",
        "MONITORX_INFLUXDB_USER",
        "MONITORX_INFLUXDB_PASSWORD",
        "MONITORX_INFLUXDB_PASSWORD_FILE",
        "MONITORX_REQUIRE",
        "MONITORX_OTELCOL",
        "MONITORX_CONFORMANCE",
    }
)


# Kubernetes gives every container such names for a service called `monitorx`.
_KUBERNETES = re.compile(r"MONITORX_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_.+)?)")


def _paired(values: dict[str, Any]) -> dict[str, Any]:  # Any: a value of a setting
    """*values*, with what one request may have and what all may, where only one of them was given."""
    body, inflight, usual = "max_body_bytes", "max_inflight_bytes", Settings()
    if inflight in values and body not in values:
        return values | {body: min(usual.max_body_bytes, values[inflight])}
    if body in values and inflight not in values:
        return values | {inflight: max(usual.max_inflight_bytes, values[body])}
    return values


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {PREFIX + each.name.upper() for each in fields(Settings)} | OTHER_VARIABLES
    unknown = sorted(
        name for name in environ if name.startswith(PREFIX) and name not in known and not _KUBERNETES.fullmatch(name)
    )
    if unknown:
        raise ConfigError(f"{unknown[0]} is not a setting; there are {', '.join(sorted(known - OTHER_VARIABLES))}")


def _reason(error: ValueError) -> str:
    words = str(error)
    if "invalid literal" in words or "Exceeds the limit" in words:  # of digits
        return "a whole number is expected"
    return "a number is expected" if "could not convert" in words else words
