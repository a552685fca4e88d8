"""The seam between the receivers and what stands behind them: a request goes in, an answer comes out."""

from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from monitorx.backend.batch import Signal


class Encoding(StrEnum):
    """How a request's body is written."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """
    One OTLP export call as it came from the wire.

    Attributes:
        signal: Traces, metrics or logs.
        encoding: Protobuf or JSON.
        compression: Content-Encoding of `body`, lower case; "" for none.
        body: As received, still compressed.
        tenant: Whose data it is.
        arrival_ns: When it was complete, ns since epoch.
    """

    signal: Signal
    encoding: Encoding
    compression: str
    body: bytes
    tenant: str
    arrival_ns: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The request is durable.

    Attributes:
        rejected: Items refused (spans, data points or log records), 0 in full success.
        message: Why they were refused; "" where none was.
    """

    rejected: int = 0
    message: str = ""


class Ingest(Protocol):
    """
    What a receiver hands its requests to.

    `submit` never blocks for longer than a memory copy and never raises. The future gives `Accepted` once the data is
    durable, or raises `Malformed`, `TooLarge`, `Overloaded` or `StorageError` (monitorx.backend.errors); anything else
    that comes out of it is a fault of ours, answered 503 / UNAVAILABLE so that no client drops its data.
    """

    def submit(self, request: Request) -> "Future[Accepted]": ...
