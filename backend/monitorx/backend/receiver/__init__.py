"""
Takes OTLP in, over HTTP and gRPC, and answers once the ingest step has kept it.

A request is judged by its head, read within bounds and deadlines, handed on still compressed, and answered in words
that make the sender keep its data where it may come again, and drop it where it never will be taken.
"""

from monitorx.backend.receiver.admission import Accepted, Encoding, Ingest, Request
from monitorx.backend.receiver.compression import decompress
from monitorx.backend.receiver.grpc import GrpcReceiver, GrpcSettings
from monitorx.backend.receiver.http import HttpReceiver, HttpSettings

__all__ = [
    "Accepted",
    "Encoding",
    "GrpcReceiver",
    "GrpcSettings",
    "HttpReceiver",
    "HttpSettings",
    "Ingest",
    "Request",
    "decompress",
]
