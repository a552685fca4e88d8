"""Answers as bytes of HTTP/1.1."""

import math
from dataclasses import dataclass
from http import HTTPStatus

from monitorx.backend.batch import Signal
from monitorx.backend.receiver.admission import Accepted, Encoding
from monitorx.backend.receiver.answer import EMPTY, Refusal, status_of, success, write

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Response:
    """
    One answer, all but the end of its head, which depends on whether the connection stays.

    Attributes:
        head: Status line and headers, each with its line end.
        body: What follows the head.
    """

    head: bytes
    body: bytes

    def written(self, *, close: bool) -> bytes:
        """The bytes for the wire."""
        return b"%b%b%b" % (self.head, b"Connection: close\r\n\r\n" if close else b"\r\n", self.body)

    def with_origin(self, origin: bytes) -> "Response":
        """The same, readable for a browser's page from *origin*."""
        return Response(b"%bAccess-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % (self.head, origin), self.body)

    def without_body(self) -> "Response":
        """The same for HEAD, which wants to know only what the head says."""
        return Response(self.head, b"")


def accepted(signal: Signal, encoding: Encoding, outcome: Accepted) -> Response:
    """200: what was sent is durable."""
    if not outcome.rejected:
        return _FULL[encoding]
    return _response(HTTPStatus.OK, encoding, success(signal, encoding, outcome))


def refused(refusal: Refusal, encoding: Encoding | None) -> Response:
    """The status of *refusal* with a `google.rpc.Status`; JSON where the request's own encoding is not known."""
    spoken = encoding or Encoding.JSON
    extra = b""
    if refusal.retry_after_s is not None:
        extra = b"Retry-After: %d\r\n" % max(1, math.ceil(refusal.retry_after_s))
    if refusal.http_status is HTTPStatus.METHOD_NOT_ALLOWED:
        extra = b"Allow: POST\r\n"
    return _response(refusal.http_status, spoken, write(status_of(refusal), spoken), extra)


def preflight(headers: bytes) -> Response:
    """204: a browser may post."""
    return Response(b"HTTP/1.1 204 No Content\r\n" + headers, b"")


def _response(status: HTTPStatus, encoding: Encoding, body: bytes, extra: bytes = b"") -> Response:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {encoding}\r\nContent-Length: {len(body)}\r\n"
    return Response(head.encode() + extra, body)


_FULL = {encoding: _response(HTTPStatus.OK, encoding, EMPTY[encoding]) for encoding in Encoding}
