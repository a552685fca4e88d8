"""
What a sender is told, whatever it speaks: the outcome of a request and its `google.rpc.Status`.

The words decide whether telemetry is kept: exporters send again on what is said to be temporary and throw the data
away on everything else. So bad bytes get a final answer, and every trouble of ours, known or not, a temporary one.
"""

import json
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from http import HTTPStatus

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # it ships no types
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from monitorx.backend.batch import Signal
from monitorx.backend.errors import Malformed, Overloaded, StorageError, TooLarge
from monitorx.backend.receiver.admission import Accepted, Encoding

RETRY_AFTER_S = 5.0  # where nothing better is known
NOT_STORED = "the server cannot store data now; try again"
NO_ANSWER = "the server did not make the request durable in time; send it again"

_MESSAGE_CHARACTERS = 300  # gRPC's trailers hold it three times, escaped, and clients refuse trailers over 8 kB


class Outcome(StrEnum):
    """How a request ended, as it is counted."""

    OK = "ok"
    PARTIAL = "partial"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    ERROR = "error"


class Code(IntEnum):
    """Those of google.rpc.Code that we use."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A request that is not taken.

    Attributes:
        outcome: How it is counted.
        http_status: The status line over HTTP.
        code: The same over gRPC.
        message: For the person who reads the exporter's log.
        field: What was wrong in the request; "" where no one thing was.
        retry_after_s: When to send it again; None where that would not help.
    """

    outcome: Outcome
    http_status: HTTPStatus
    code: Code
    message: str
    field: str = ""
    retry_after_s: float | None = None


def refusal_of(error: BaseException) -> Refusal:
    """What the sender hears about *error*."""
    words = str(error)[:_MESSAGE_CHARACTERS]
    match error:
        case Malformed():
            return malformed(words, field=error.field)
        case TooLarge():
            return too_large(words)
        case Overloaded():
            return overloaded(words, error.retry_after_s)
        case StorageError():
            return unavailable(NOT_STORED)  # its words name folders: they are in our log and in the health answer
        case CancelledError():
            return unavailable(NO_ANSWER)
        case _:  # a fault of ours; its words are for our log, not for a stranger
            return unavailable("the request could not be handled now")


def malformed(message: str, *, field: str = "") -> Refusal:
    """Bytes that cannot be read: final."""
    return Refusal(Outcome.MALFORMED, HTTPStatus.BAD_REQUEST, Code.INVALID_ARGUMENT, message, field or "body")


def too_large(message: str) -> Refusal:
    """Over a limit: final, since it would be over it again."""
    return Refusal(
        Outcome.TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Code.RESOURCE_EXHAUSTED, message, field="body"
    )


def overloaded(message: str, retry_after_s: float) -> Refusal:
    """No room now: temporary."""
    return Refusal(
        Outcome.OVERLOADED,
        HTTPStatus.TOO_MANY_REQUESTS,
        Code.UNAVAILABLE,
        message,
        retry_after_s=retry_after_s,
    )


def unavailable(message: str) -> Refusal:
    """Trouble of ours: temporary."""
    return Refusal(
        Outcome.UNAVAILABLE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        Code.UNAVAILABLE,
        message,
        retry_after_s=RETRY_AFTER_S,
    )


def too_slow(part: str) -> Refusal:
    """A head or a body that trickles in; the connection ends with it."""
    message = f"the {part} of the request came too slowly"
    return Refusal(Outcome.ERROR, HTTPStatus.REQUEST_TIMEOUT, Code.DEADLINE_EXCEEDED, message)


def status_of(refusal: Refusal) -> status_pb2.Status:
    """The `google.rpc.Status` with its details: which field was bad, or when to come again."""
    status = status_pb2.Status(code=refusal.code, message=refusal.message)
    if refusal.retry_after_s is not None:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.FromMilliseconds(round(refusal.retry_after_s * 1000))
        status.details.add().Pack(info)
    elif refusal.field:
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field=refusal.field, description=refusal.message)
        status.details.add().Pack(bad)
    return status


def write(message: Message, encoding: Encoding) -> bytes:
    """*message* in the encoding of the request it answers."""
    if encoding is Encoding.JSON:
        return json_format.MessageToJson(message, indent=None).encode()
    return message.SerializeToString()


def success(signal: Signal, encoding: Encoding, accepted: Accepted) -> bytes:
    """
    The ExportXxxServiceResponse.

    A partial success is written only where something was rejected: senders take one with a message and no rejection
    for a failure.
    """
    if not accepted.rejected:
        return EMPTY[encoding]
    response, field = _RESPONSES[signal]
    message = accepted.message[:_MESSAGE_CHARACTERS] or f"{accepted.rejected} items were rejected"
    if encoding is Encoding.JSON:
        return _partial_json(field, accepted.rejected, message)
    return write(response(partial_success={field: accepted.rejected, "error_message": message}), encoding)


def _partial_json(field: str, rejected: int, message: str) -> bytes:
    # proto3 JSON writes 64-bit integers as strings and readers take both, but Rust's client reads a number only.
    head, *rest = field.split("_")
    name = head + "".join(word.title() for word in rest)
    return json.dumps({"partialSuccess": {name: rejected, "errorMessage": message}}).encode()


EMPTY = {Encoding.PROTOBUF: b"", Encoding.JSON: b"{}"}
_RESPONSES: dict[Signal, tuple[Callable[..., Message], str]] = {
    Signal.TRACES: (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    Signal.METRICS: (metrics_service_pb2.ExportMetricsServiceResponse, "rejected_data_points"),
    Signal.LOGS: (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
}
