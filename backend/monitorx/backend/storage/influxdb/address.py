"""
Where InfluxDB is, out of `--store`: which of its two ways of writing it understands, and as whom MonitorX comes.

    influxdb://HOST:PORT/ORG/BUCKET   2.x, 3.x and InfluxDB Cloud, with a token
    influxdb1://HOST:PORT/DATABASE    1.x, with a user and a password where it asks for them
    influxdbs://, influxdb1s://       the same over TLS

Secrets never stand in the address, which is logged and seen by everybody on the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from monitorx.alerting.secret import Secret
from monitorx.backend.errors import ConfigError

VARIABLES = (
    "MONITORX_INFLUXDB_TOKEN",
    "MONITORX_INFLUXDB_TOKEN_FILE",
    "MONITORX_INFLUXDB_USER",
    "MONITORX_INFLUXDB_PASSWORD",
    "MONITORX_INFLUXDB_PASSWORD_FILE",
)
_FORMS = {
    "influxdb": "influxdb://HOST:PORT/ORG/BUCKET",
    "influxdbs": "influxdbs://HOST:PORT/ORG/BUCKET",
    "influxdb1": "influxdb1://HOST:PORT/DATABASE",
    "influxdb1s": "influxdb1s://HOST:PORT/DATABASE",
}
SCHEMES = tuple(_FORMS)


@dataclass(frozen=True, slots=True)
class Target:
    """
    One database of one server.

    Attributes:
        url: `http://host:port`.
        org: Empty on 1.x.
        database: The bucket on 2.x.
        token: None on 1.x.
        user, password: None where 1.x asks for none.
    """

    scheme: str
    url: str
    org: str
    database: str
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None

    @property
    def is_v1(self) -> bool:
        """Whether it is written to at `/write`, not at `/api/v2/write`."""
        return self.scheme.startswith("influxdb1")

    def __str__(self) -> str:
        place = self.url.partition("://")[2]
        return "/".join([f"{self.scheme}://{place}", *([self.org] if self.org else []), self.database])


def parse(address: str, environ: Mapping[str, str]) -> Target:
    """
    The target that *address* and the environment name.

    Raises:
        ConfigError: The address has another form or holds a secret, or the token is missing.
    """
    parts = urlsplit(address)
    form = _FORMS.get(parts.scheme)
    if form is None:
        raise ConfigError(f"--store: an InfluxDB is written as one of {', '.join(_FORMS.values())}")
    if parts.username is not None or parts.password is not None or parts.query:
        # Not repeated here: a message is logged.
        raise ConfigError(
            f"--store: a secret does not belong into the address; write {form} and set {_secret_names(parts.scheme)}"
        )
    names = [unquote(name) for name in parts.path.strip("/").split("/")]
    port = _port(parts.netloc, address, form)
    if not parts.hostname or len(names) != form.count("/") - 2 or not all(names) or parts.fragment:
        raise ConfigError(f"--store: {address!r} cannot be used: {form} is expected")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{'https' if parts.scheme.endswith('s') else 'http'}://{host}:{port}"
    target = Target(parts.scheme, url, "" if len(names) == 1 else names[0], names[-1])
    return _known(target, environ)


def _known(target: Target, environ: Mapping[str, str]) -> Target:
    """*target* with what it needs to be let in."""
    place = (target.scheme, target.url, target.org, target.database)
    if target.is_v1:
        password = _secret("MONITORX_INFLUXDB_PASSWORD", environ)
        return Target(*place, user=environ.get("MONITORX_INFLUXDB_USER", ""), password=password)
    token = _secret("MONITORX_INFLUXDB_TOKEN", environ)
    if token is None:
        raise ConfigError(f"--store: {target} needs a token; set {_secret_names(target.scheme)}")
    return Target(*place, token=token)


def _secret(name: str, environ: Mapping[str, str]) -> Secret | None:
    """The secret in *name*, or in the file that *name*_FILE names."""
    value, file = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and file:
        raise ConfigError(f"{name} and {name}_FILE are both set; one of them is enough")
    if value:
        return Secret(value)
    if not file:
        return None
    secret = Secret.file(Path(file))
    try:
        secret.reveal()
    except OSError as error:
        raise ConfigError(f"{name}_FILE: {file} cannot be read: {error.strerror or error}") from None
    return secret


def _secret_names(scheme: str) -> str:
    if scheme.startswith("influxdb1"):
        return "MONITORX_INFLUXDB_USER and MONITORX_INFLUXDB_PASSWORD_FILE (or MONITORX_INFLUXDB_PASSWORD)"
    return "MONITORX_INFLUXDB_TOKEN_FILE (or MONITORX_INFLUXDB_TOKEN)"


def _port(netloc: str, address: str, form: str) -> int:
    port = netloc.rpartition("]")[2].rpartition(":")[2] if ":" in netloc.rpartition("]")[2] else "8086"
    if not port.isdecimal() or not 0 < int(port) <= 65535:
        raise ConfigError(f"--store: {address!r} cannot be used: {form} is expected")
    return int(port)
