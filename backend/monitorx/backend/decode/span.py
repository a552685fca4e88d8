"""One whole span, read back out of a journalled request."""

import math
from collections.abc import Iterable
from typing import TypeAlias

from google.protobuf.descriptor import EnumDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from monitorx.backend.decode.attribute import Value, attributes_of

Json: TypeAlias = "str | bool | int | float | list[Json] | dict[str, Json] | None"


def find_span(body: bytes, trace_id: bytes, span_id: bytes) -> dict[str, Json] | None:
    """
    The span with these ids as JSON, with the resource and the scope it came from; None where it is not in *body*.

    *body* is a traces request that was accepted, so it can be read. Ids are lower-case hex, times integers in
    nanoseconds; attribute values that JSON does not know are written as text.
    """
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                if span.span_id == span_id and span.trace_id == trace_id:
                    return _described(resource, scope, span)
    return None


def _described(resource: ResourceSpans, scope: ScopeSpans, span: Span) -> dict[str, Json]:
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "trace_state": span.trace_state,
        "name": span.name,
        "kind": _name(Span.SpanKind.DESCRIPTOR, span.kind, "SPAN_KIND_"),
        "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": span.end_time_unix_nano,
        "status": {
            "code": _name(Status.StatusCode.DESCRIPTOR, span.status.code, "STATUS_CODE_"),
            "message": span.status.message,
        },
        "attributes": _attributes(span.attributes),
        "events": [
            {"name": event.name, "time_unix_nano": event.time_unix_nano, "attributes": _attributes(event.attributes)}
            for event in span.events
        ],
        "links": [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": _attributes(link.attributes)}
            for link in span.links
        ],
        "resource": {"attributes": _attributes(resource.resource.attributes), "schema_url": resource.schema_url},
        "scope": _scope(scope.scope, scope.schema_url),
    }


def _scope(scope: InstrumentationScope, schema_url: str) -> dict[str, Json]:
    return {
        "name": scope.name,
        "version": scope.version,
        "attributes": _attributes(scope.attributes),
        "schema_url": schema_url,
    }


def _attributes(items: Iterable[KeyValue]) -> dict[str, Json]:
    return {name: _json(value) for name, value in attributes_of(items).items()}


def _json(value: Value) -> Json:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _name(enum: EnumDescriptor, number: int, prefix: str) -> str:
    """An enum's value in small letters; the number itself where a newer sender knows more than we do."""
    described = enum.values_by_number.get(number)
    return str(number) if described is None else described.name.removeprefix(prefix).lower()
