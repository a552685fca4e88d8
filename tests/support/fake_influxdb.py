"""
A fake InfluxDB 2.x: a real HTTP server in this process that answers as a real 2.9.1 was seen to.

It reads line protocol strictly (`fake_lines`), answers InfluxQL of the few shapes that MonitorX asks with
(`fake_influxql`), and can be told to misbehave. What it does not show: speed, memory, and what nobody asked the real
one.
"""

import gzip
import http.server
import json
import threading
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support import fake_influxql
from tests.support.fake_lines import Point, Unparsable, lines, parse

_KINDS = {float: "float", int: "integer", str: "string", bool: "boolean"}
_Answer = tuple[int, dict[str, Any] | None]


@dataclass
class Bucket:
    """What one bucket holds; `types` are those of its fields, which never change."""

    points: dict[tuple[str, tuple[tuple[str, str], ...], int], Point] = field(default_factory=dict)
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    oldest_ns: int | None = None

    def take(self, point: Point) -> str:
        """Store *point*; why not, in words."""
        if self.oldest_ns is not None and point.time_ns < self.oldest_ns:
            return "dropped 1 points outside retention policy of duration 1h0m0s"
        for name, value in point.fields.items():
            known = self.types.get((point.measurement, name), _KINDS[type(value)])
            if known != _KINDS[type(value)]:
                return (
                    f'field type conflict: input field "{name}" on measurement "{point.measurement}"'
                    f" is type {_KINDS[type(value)]}, already exists as type {known}"
                )
        for name, value in point.fields.items():
            self.types[point.measurement, name] = _KINDS[type(value)]
        place = (point.measurement, point.tags, point.time_ns)
        before = self.points[place].fields if place in self.points else {}
        self.points[place] = Point(point.measurement, point.tags, before | point.fields, point.time_ns)
        return ""


class FakeInfluxDB:
    """
    One server with one organisation `o` and one token.

    Attributes:
        buckets: By name.
        next_answers: Status and words that the next writes get, before anything is looked at.
        poison: A text; a body with a line that holds it is answered 500, whatever else is in it.
        nameless: A text; a line that holds it is refused, with 400 and words that do not name it.
        max_bytes: A body over it is answered 413.
        writes: The lines of every write, whether it was taken or not.
    """

    def __init__(self, *buckets: str, token: str = "t") -> None:
        self.token = token
        self.buckets = {name: Bucket() for name in buckets}
        self.next_answers: list[tuple[int, str]] = []
        self.poison = self.nameless = ""
        self.max_bytes = 1 << 40
        self.writes: list[list[str]] = []
        self.lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        """Where it answers, on 127.0.0.1."""
        return self._server.server_port

    def points(self, bucket: str = "b") -> list[Point]:
        """What a bucket holds."""
        return list(self.buckets[bucket].points.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> _Answer:
        """Status and JSON."""
        path = urlsplit(url).path
        arguments = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if path in ("/ping", "/health", "/ready"):
            return 204 if path == "/ping" else 200, None
        if headers.get("authorization") not in (f"Token {self.token}", f"Bearer {self.token}"):
            return _refusal(401, "unauthorized", "unauthorized access")
        with self.lock:
            match method, path:
                case "POST", "/api/v2/write":
                    return self._write(arguments, headers, body)
                case "GET", "/api/v2/orgs":
                    found = [{"id": "0", "name": "o"}] if arguments.get("org", "o") == "o" else []
                    return (200, {"orgs": found}) if found else _refusal(404, "not found", "organization not found")
                case "POST", "/api/v2/buckets":
                    return self._create(json.loads(body))
                case _, "/query":
                    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                    return self._query({**arguments, **form})
        return _refusal(404, "not found", "path not found")

    def _write(self, arguments: dict[str, str], headers: Any, body: bytes) -> _Answer:
        if self.next_answers:
            status, words = self.next_answers.pop(0)
            return _refusal(status, "made up", words)
        if len(body) > self.max_bytes:
            return _refusal(413, "request too large", "unable to read data: points batch is too large")
        if "org" not in arguments:
            return _refusal(400, "invalid", "Please provide either orgID or org")
        if arguments.get("precision", "ns") not in ("ns", "us", "ms", "s"):
            return _refusal(400, "invalid", "invalid precision; valid precision units are ns, us, ms, and s")
        if arguments["org"] != "o":
            return _refusal(404, "not found", f'organization name "{arguments["org"]}" not found')
        bucket = self.buckets.get(arguments["bucket"])
        if bucket is None:
            return _refusal(404, "not found", f'bucket "{arguments["bucket"]}" not found')
        try:
            text = (gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body).decode()
        except gzip.BadGzipFile:
            return _refusal(500, "internal error", "internal error")
        found = lines(text)
        self.writes.append(found)
        return self._take(bucket, found)

    def _take(self, bucket: Bucket, found: list[str]) -> _Answer:
        if self.poison and any(self.poison in line for line in found):
            return _refusal(500, "internal error", "internal error")
        if self.nameless and any(self.nameless in line for line in found):
            return _refusal(400, "invalid", "something about one of them is not right")
        read, unreadable = [], []
        for line in found:
            try:
                read.append(parse(line))
            except Unparsable as error:
                unreadable.append(f"unable to parse '{line}': {error}")
        if unreadable:
            return _refusal(400, "invalid", "\n".join(unreadable))
        faults = [fault for point in read if (fault := bucket.take(point))]
        if faults:
            words = f"failure writing points to database: partial write: {faults[0]} dropped={len(faults)}"
            return _refusal(422, "unprocessable entity", words)
        return 204, None

    def _create(self, wanted: dict[str, Any]) -> _Answer:
        if wanted["name"] in self.buckets:
            return _refusal(422, "conflict", f"bucket with name {wanted['name']} already exists")
        self.buckets[wanted["name"]] = Bucket()
        return 201, {"id": "1", "orgID": wanted["orgID"], "name": wanted["name"]}

    def _query(self, arguments: dict[str, str]) -> _Answer:
        bucket = self.buckets.get(arguments["db"])
        if bucket is None:
            words = f"database not found: {arguments['db']}"
            return 200, {"results": [{"statement_id": 0, "error": words}]}
        try:
            results = [
                {"statement_id": number, "series": fake_influxql.run(statement, bucket.points.values())}
                for number, statement in enumerate(fake_influxql.split(arguments["q"]))
            ]
        except fake_influxql.SyntaxFault as error:
            return _refusal(400, "invalid", str(error))
        return 200, {"results": results}


def _refusal(status: int, code: str, message: str) -> _Answer:
    return status, {"code": code, "message": message}


def _handler(fake: FakeInfluxDB) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer in one packet: the second would wait for an acknowledgement

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            status, document = fake.answer(self.command, self.path, self.headers, body)
            data = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
