"""
The two ways into InfluxDB: `/write` of 1.x over httpx, `/api/v2/write` of 2.x and 3.x by influxdb-client.

Both are asked at `/query`. Whatever goes wrong on the way becomes a `StorageError` without a secret in it.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.storage.influxdb.address import Target
from monitorx.backend.storage.influxdb.answer import Answer
from monitorx.backend.storage.influxdb.query import Series, answers, identifier

if TYPE_CHECKING:
    from influxdb_client.client.influxdb_client import InfluxDBClient

_CONNECT_S, _TIMEOUT_S = 3.0, 30.0
_QUESTION_S = 5.0  # somebody waits for the answer
_CHUNK_ROWS = 5_000


class Wire:
    """
    One database, written to at `/write`.

    Args:
        timeout_s: How long InfluxDB may be silent after a write.
        question_s: The same after a question.
    """

    def __init__(self, target: Target, *, timeout_s: float = _TIMEOUT_S, question_s: float = _QUESTION_S) -> None:
        self._target = target
        self._http = httpx.Client(base_url=target.url, timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S))
        self._patience = httpx.Timeout(question_s, connect=min(question_s, _CONNECT_S))

    def write(self, lines: Sequence[str]) -> Answer:
        """Send *lines*; what the server said."""
        body = gzip.compress("\n".join(lines).encode(), compresslevel=1)
        answer = self._asked(
            "POST",
            "/write",
            params={"db": self._target.database, "precision": "ns"},
            content=body,
            headers={"content-encoding": "gzip"},
        )
        return Answer(answer.status_code, _message(answer.content))

    def create(self) -> None:
        """Make the database; nothing happens where it is there."""
        answer = self._asked("POST", "/query", data={"q": f"CREATE DATABASE {identifier(self._target.database)}"})
        if not answer.is_success or _message(answer.content):
            raise StorageError(f"{self._target} cannot be made: {answer.status_code} {_message(answer.content)}")

    def query(self, statement: str) -> Iterator[tuple[int, Series]]:
        """
        The answer to *statement*, as it streams in: the number of each statement and its series.

        Raises:
            StorageError: It cannot be had.
        """
        request: dict[str, Any] = {  # Any: what httpx takes
            "params": {"db": self._target.database, "epoch": "ns", "chunked": "true", "chunk_size": str(_CHUNK_ROWS)},
            "data": {"q": statement},
            "timeout": self._patience,
        }
        with self._told(), self._http.stream("POST", "/query", **request, **self._identity()) as answer:
            if answer.status_code >= 400:
                message = _message(answer.read())
                if answer.status_code == 404:
                    return  # no database yet, so nothing in it
                raise StorageError(f"{self._target} cannot answer: {answer.status_code} {message}")
            yield from answers(answer.iter_lines())

    def close(self) -> None:
        """Release the connections. Safe twice."""
        self._http.close()

    def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:  # Any: what httpx takes
        with self._told():
            return self._http.request(method, path, **request, **self._identity())

    def _identity(self) -> dict[str, Any]:  # Any: what httpx takes
        """As whom MonitorX comes; read anew each time, so that a secret can be changed in its file."""
        target = self._target
        if target.token is not None:
            return {"headers": {"authorization": f"Token {target.token.reveal()}"}}
        if target.user:
            return {"auth": (target.user, target.password.reveal() if target.password else "")}
        return {}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise StorageError(f"{self._target} does not answer: {error or type(error).__name__}") from None
        except OSError as error:  # the file of a secret
            raise StorageError(f"{self._target}: the secret cannot be read: {error.strerror}") from None


class WireV2(Wire):
    """
    One bucket, written to at `/api/v2/write`.

    Raises:
        ConfigError: influxdb-client is not installed.
    """

    def __init__(self, target: Target, *, timeout_s: float = _TIMEOUT_S, question_s: float = _QUESTION_S) -> None:
        super().__init__(target, timeout_s=timeout_s, question_s=question_s)
        try:
            import influxdb_client  # noqa: F401  checked at the start, used at the first write
        except ModuleNotFoundError:
            raise ConfigError(
                "--store: influxdb:// needs the package influxdb-client; pip install 'monitorx[influxdb]' brings it"
            ) from None
        self._timeout_s = timeout_s
        self._client: InfluxDBClient | None = None
        self._token = ""

    def write(self, lines: Sequence[str]) -> Answer:
        """Send *lines*; what the server said."""
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.domain.write_precision import WritePrecision
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        with self._told():
            writer = self._alive().write_api(write_options=SYNCHRONOUS)
        try:
            precision: Any = WritePrecision.NS  # Any: a plain text, declared as what it is not
            writer.write(self._target.database, self._target.org, "\n".join(lines).encode(), precision)
        except ApiException as error:
            return Answer(error.status or 0, _message(error.body))
        except (HTTPError, OSError) as error:
            raise StorageError(f"{self._target} does not answer: {type(error).__name__}") from None
        return Answer(204)

    def create(self) -> None:
        """Make the bucket, which keeps what it holds for ever; nothing happens where it is there."""
        org = self._target.org
        found = self._asked("GET", "/api/v2/orgs", params={"org": org})
        ids = [each["id"] for each in _document(found.content).get("orgs", []) if each.get("name") == org]
        if not found.is_success or not ids:
            words = _message(found.content) or f"there is no organisation {org!r}"
            raise StorageError(f"{self._target} cannot be made: {found.status_code} {words}")
        bucket = {"orgID": ids[0], "name": self._target.database, "retentionRules": []}
        made = self._asked("POST", "/api/v2/buckets", json=bucket)
        if not made.is_success and made.status_code != 422:  # 422: it is there
            raise StorageError(f"{self._target} cannot be made: {made.status_code} {_message(made.content)}")

    def close(self) -> None:
        """Release the connections. Safe twice."""
        super().close()
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]  # untyped upstream
            self._client = None

    def _alive(self) -> "InfluxDBClient":
        """The client, made anew where the token has changed."""
        from influxdb_client.client.influxdb_client import InfluxDBClient

        assert self._target.token is not None  # noqa: S101  `address.parse` gives 2.x no target without one
        token = self._target.token.reveal()
        if self._client is None or token != self._token:
            if self._client is not None:
                self._client.close()  # type: ignore[no-untyped-call]  # untyped upstream
            self._token = token
            self._client = InfluxDBClient(
                self._target.url, token, org=self._target.org, timeout=int(self._timeout_s * 1000), enable_gzip=True
            )
        return self._client


def connect(target: Target) -> Wire:
    """The wire that *target* understands."""
    return Wire(target) if target.is_v1 else WireV2(target)


def _message(content: bytes | str | None) -> str:
    """What a refusal says; the text itself where it is not in InfluxDB's form."""
    document = _document(content)
    text = document.get("message") or document.get("error") or ""
    results = document.get("results") or [{}]
    if not text and isinstance(results[0], dict):
        text = results[0].get("error", "")
    if not text and not document and content:
        text = content.decode(errors="replace") if isinstance(content, bytes) else content
    return str(text).strip()


def _document(content: bytes | str | None) -> dict[str, Any]:  # Any: JSON
    try:
        document = json.loads(content or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
