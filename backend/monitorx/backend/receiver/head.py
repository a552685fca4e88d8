"""
Decides from a request's line and headers alone whether its body is worth reading.

Pure: takes what the parser saw, gives an `Admitted`, a `Preflight` or a `Refusal` with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import httptools

from monitorx.backend.batch import Signal
from monitorx.backend.receiver.admission import Encoding
from monitorx.backend.receiver.answer import Code, Outcome, Refusal, malformed, too_large
from monitorx.backend.receiver.bound import HttpSettings
from monitorx.backend.receiver.compression import ENCODINGS, FIELD, KNOWN

PATHS = {b"/v1/traces": Signal.TRACES, b"/v1/metrics": Signal.METRICS, b"/v1/logs": Signal.LOGS}

_MEDIA_TYPES = {encoding.value.encode(): encoding for encoding in Encoding}


@dataclass(frozen=True, slots=True)
class Admitted:
    """An export call whose body may come."""

    signal: Signal
    encoding: Encoding
    compression: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """A browser asks, before it posts, whether it may."""

    headers: bytes


def admit(
    method: bytes,
    target: bytes,
    headers: Mapping[bytes, bytes],
    settings: HttpSettings,
) -> Admitted | Preflight | Refusal:
    """
    What becomes of a request with this head.

    Args:
        method: In capitals.
        target: As in the request line.
        headers: Names in lower case.
        settings: Bounds and allowed origins.
    """
    signal = PATHS.get(_path(target))
    if signal is None:
        return _refused(HTTPStatus.NOT_FOUND, "there is nothing here; post to /v1/traces, /v1/metrics or /v1/logs")
    if method == b"OPTIONS" and allowed_origin(headers, settings.cors_origins):
        return Preflight(_preflight_headers(headers))
    if method != b"POST":
        return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is understood here")
    if headers.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
        return malformed("Transfer-Encoding: only chunked is understood", field="transfer-encoding")
    length = headers.get(b"content-length", b"0")
    if int(length) > settings.max_body_bytes:
        return too_large(f"the body has {int(length)} bytes, more than {settings.max_body_bytes}")
    return _admit_body(signal, headers)


def _admit_body(signal: Signal, headers: Mapping[bytes, bytes]) -> Admitted | Refusal:
    encoding = media_type(headers)
    if encoding is None:
        return _refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type: use {' or '.join(Encoding)}",
            field="content-type",
        )
    compression = headers.get(b"content-encoding", b"").strip().lower().decode("latin-1")
    if compression not in ENCODINGS:
        return _refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Encoding: {compression[:40]!r} is not known; use {KNOWN}",
            field=FIELD,
        )
    return Admitted(signal, encoding, compression)


def media_type(headers: Mapping[bytes, bytes]) -> Encoding | None:
    """How the body is written; None where that is not said or not known."""
    return _MEDIA_TYPES.get(headers.get(b"content-type", b"").partition(b";")[0].strip().lower())


def allowed_origin(headers: Mapping[bytes, bytes], cors_origins: frozenset[str]) -> bytes | None:
    """The request's Origin where it is one of those allowed."""
    origin = headers.get(b"origin")
    if origin is None or not cors_origins:
        return None
    return origin if "*" in cors_origins or origin.decode("latin-1") in cors_origins else None


def _path(target: bytes) -> bytes:
    if target.startswith(b"/"):
        return target.partition(b"?")[0]
    try:
        return httptools.parse_url(target).path or b""  # http://host/v1/traces: proxies write the whole URL
    except httptools.HttpParserInvalidURLError:
        return b""


def _preflight_headers(headers: Mapping[bytes, bytes]) -> bytes:
    wanted = headers.get(b"access-control-request-headers", b"content-type, content-encoding")
    return (
        b"Access-Control-Allow-Methods: POST\r\nAccess-Control-Max-Age: 7200\r\n"
        b"Access-Control-Allow-Headers: %b\r\n" % wanted
    )


def _refused(status: HTTPStatus, message: str, *, field: str = "") -> Refusal:
    code = Code.INVALID_ARGUMENT if field else Code.UNIMPLEMENTED
    return Refusal(Outcome.ERROR, status, code, message, field)
