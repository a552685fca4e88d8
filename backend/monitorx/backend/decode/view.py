"""
OTLP messages in which attributes are left as bytes.

The classes are built from the official descriptors with one change: a field that holds `KeyValue` messages holds their
bytes. The wire format is the same, so the same request parses; an attribute set is then a tuple of bytes that can be
looked up in a dict, and is decoded once however often it comes back. Whether the bytes are good OTLP is decided by
the official classes (`OFFICIAL`), which parse every request first.
"""

from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from monitorx.backend.batch import Signal
from monitorx.backend.errors import Malformed

View: TypeAlias = Any  # a message of a class made at run time: its fields are unknown to a type checker

OFFICIAL: dict[Signal, type[Message]] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceRequest,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest,
}
_FILES = (
    common_pb2,
    resource_pb2,
    trace_pb2,
    metrics_pb2,
    logs_pb2,
    trace_service_pb2,
    metrics_service_pb2,
    logs_service_pb2,
)
# Never read from the columns, so not worth a message each; an official parse has checked them.
_OPAQUE = frozenset({"Span.events", "Span.links", "HistogramDataPoint.exemplars", "NumberDataPoint.exemplars"})


def parse(signal: Signal, body: bytes) -> View:
    """
    A request as a view, after the official classes have accepted every byte of it.

    Raises:
        Malformed: The bytes are not such a request; `field` says how far they were readable.
    """
    official = OFFICIAL[signal]
    try:
        official.FromString(body)
    except DecodeError as error:
        raise _malformed(signal, body) from error
    return _VIEWS[signal].FromString(body)


def _malformed(signal: Signal, body: bytes) -> Malformed:
    name = OFFICIAL[signal].DESCRIPTOR.name
    try:
        _VIEWS[signal].FromString(body)
    except DecodeError:
        return Malformed(f"the body is not a readable {name} in binary protobuf", field=name)
    return Malformed(
        f"an attribute in the {name} is unreadable: it is cut off, not UTF-8, or nested too deep", field="attributes"
    )


def _build() -> dict[Signal, View]:
    pool = descriptor_pool.DescriptorPool()
    for module in _FILES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            for field in message.field:
                if _is_left_as_bytes(message.name, field):
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                    field.ClearField("type_name")
        pool.Add(file)
    return {
        signal: message_factory.GetMessageClass(pool.FindMessageTypeByName(official.DESCRIPTOR.full_name))
        for signal, official in OFFICIAL.items()
    }


def _is_left_as_bytes(message: str, field: descriptor_pb2.FieldDescriptorProto) -> bool:
    holds_attributes = field.type_name == f".{common_pb2.KeyValue.DESCRIPTOR.full_name}" and message != "KeyValueList"
    return holds_attributes or f"{message}.{field.name}" in _OPAQUE


_VIEWS = _build()
