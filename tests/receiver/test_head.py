"""From the head alone: which requests are read, and why the others are not."""

from http import HTTPStatus

import pytest

from monitorx.backend.batch import Signal
from monitorx.backend.receiver.admission import Encoding
from monitorx.backend.receiver.answer import Refusal
from monitorx.backend.receiver.bound import HttpSettings
from monitorx.backend.receiver.head import Admitted, Preflight, admit

SETTINGS = HttpSettings(max_body_bytes=1000, cors_origins=frozenset({"https://a.example"}))
PROTOBUF = {b"content-type": b"application/x-protobuf"}


@pytest.mark.parametrize(
    "target", [b"/v1/logs", b"/v1/logs?tenant=a", b"http://host:4318/v1/logs", b"http://host/v1/logs?x=1"]
)
def test_a_path_is_known_with_a_query_and_in_a_whole_url(target: bytes) -> None:
    assert admit(b"POST", target, PROTOBUF, SETTINGS) == Admitted(Signal.LOGS, Encoding.PROTOBUF, "")


@pytest.mark.parametrize(
    "target", [b"/", b"//v1/logs", b"/v1/logs/", b"/v1%2flogs", b"/v1/../v1/logs", b"*", b"http://[", b"v1/logs", b""]
)
def test_other_paths_are_not_found(target: bytes) -> None:
    refused = admit(b"POST", target, PROTOBUF, SETTINGS)

    assert isinstance(refused, Refusal)
    assert refused.http_status is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("compression", ["identity", "gzip", "deflate", "zstd", "snappy", "lz4"])
def test_every_compression_is_known_in_any_case(compression: str) -> None:
    headers = PROTOBUF | {b"content-encoding": f" {compression.upper()} ".encode()}

    assert admit(b"POST", b"/v1/logs", headers, SETTINGS) == Admitted(Signal.LOGS, Encoding.PROTOBUF, compression)


@pytest.mark.parametrize(
    ("headers", "status", "field"),
    [
        pytest.param({}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type", id="no media type"),
        pytest.param({b"content-type": b"text/plain"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type", id="text"),
        pytest.param(
            PROTOBUF | {b"content-encoding": b"br"},
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "content-encoding",
            id="brotli",
        ),
        pytest.param(PROTOBUF | {b"content-length": b"1001"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body", id="length"),
        pytest.param(
            PROTOBUF | {b"transfer-encoding": b"gzip, chunked"}, HTTPStatus.BAD_REQUEST, "transfer-encoding", id="gzip"
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_header_that_says_so(
    headers: dict[bytes, bytes], status: HTTPStatus, field: str
) -> None:
    refused = admit(b"POST", b"/v1/traces", headers, SETTINGS)

    assert isinstance(refused, Refusal)
    assert (refused.http_status, refused.field, refused.retry_after_s) == (status, field, None)


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"),
    [
        pytest.param({"https://a.example"}, b"https://a.example", True, id="named"),
        pytest.param({"*"}, b"https://b.example", True, id="all"),
        pytest.param({"https://a.example"}, b"https://a.example.evil", False, id="longer"),
        pytest.param(set(), b"https://a.example", False, id="none"),
    ],
)
def test_a_preflight_is_answered_for_allowed_origins_only(origins: set[str], origin: bytes, is_allowed: bool) -> None:
    settings = HttpSettings(cors_origins=frozenset(origins))

    verdict = admit(b"OPTIONS", b"/v1/traces", {b"origin": origin}, settings)

    assert isinstance(verdict, Preflight) == is_allowed
