"""
Reads OTLP requests into columns.

Takes a request's bytes, gives a `Decoded` with at most one batch of each kind, keeps bounded caches of what it saw.
"""

from monitorx.backend.decode.decoded import Decoded
from monitorx.backend.decode.decoder import Decoder
from monitorx.backend.decode.otlp_json import json_to_protobuf
from monitorx.backend.decode.span import find_span

__all__ = ["Decoded", "Decoder", "find_span", "json_to_protobuf"]
