"""A whole span, read back."""

import json
import math

from monitorx.backend.decode import find_span
from tests.decode.build import NOW, SECOND, TRACE, span, traces


def test_a_span_is_read_back_whole() -> None:
    wanted = span({"n": 1, "b": b"\x00\xff", "l": ["x", None], "nan": math.nan}, 2, name="chat", kind=3)
    wanted.parent_span_id, wanted.trace_state = bytes([9] * 8), "a=b"
    wanted.status.code, wanted.status.message = 2, "boom"
    wanted.events.add(name="exception", time_unix_nano=NOW).attributes.add(key="k").value.bool_value = True
    wanted.links.add(trace_id=TRACE, span_id=bytes([3] * 8))
    request = traces(span({}, 1), wanted, resource={"service.name": "shop"})
    scope = request.resource_spans[0].scope_spans[0]
    scope.scope.name, scope.scope.version, scope.schema_url = "lib", "1.0", "https://example.org/1"

    found = find_span(request.SerializeToString(), TRACE, wanted.span_id)

    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "trace_id": TRACE.hex(),
        "span_id": "0000000000000002",
        "parent_span_id": "09" * 8,
        "trace_state": "a=b",
        "name": "chat",
        "kind": "client",
        "start_time_unix_nano": NOW,
        "end_time_unix_nano": NOW + SECOND // 2,
        "status": {"code": "error", "message": "boom"},
        "attributes": {"n": 1, "b": "00ff", "l": ["x", None], "nan": "nan"},
        "events": [{"name": "exception", "time_unix_nano": NOW, "attributes": {"k": True}}],
        "links": [{"trace_id": TRACE.hex(), "span_id": "03" * 8, "attributes": {}}],
        "resource": {"attributes": {"service.name": "shop"}, "schema_url": ""},
        "scope": {"name": "lib", "version": "1.0", "attributes": {}, "schema_url": "https://example.org/1"},
    }


def test_a_kind_that_we_do_not_know_is_its_number() -> None:
    request = traces(span({}, kind=77))

    assert (find_span(request.SerializeToString(), TRACE, bytes([0] * 7 + [1])) or {})["kind"] == "77"


def test_a_span_of_another_trace_is_not_it() -> None:
    body = traces(span({}, 1)).SerializeToString()

    assert find_span(body, bytes(16), bytes([0] * 7 + [1])) is None
