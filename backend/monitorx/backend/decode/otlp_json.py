"""
OTLP/JSON to binary protobuf, so that everything behind has one format to read.

The mapping is proto3 JSON with the differences that OTLP states: trace and span ids are hex of either case, enums are
integers (their names are taken too), keys are lowerCamelCase only, and what is unknown is ignored at every level. It is
driven by the official descriptors. `google.protobuf.json_format` reads ids as base64, so it cannot be used.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

import msgspec
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from monitorx.backend.batch import Signal
from monitorx.backend.decode.view import OFFICIAL
from monitorx.backend.errors import Malformed

Json: TypeAlias = Any  # what a JSON parser gives: each converter checks what it gets
Converter: TypeAlias = Callable[[Json, int], Json]

DEPTH_LIMIT: Final = 100  # messages within messages, the limit of the protobuf parser
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_ID_BYTES: Final = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LONGEST_NUMBER: Final = 64  # characters of a number written as a text
_LONGEST_PATH: Final = 150  # characters, in an answer


def json_to_protobuf(signal: Signal, body: bytes) -> bytes:
    """
    The same request in binary protobuf.

    Raises:
        Malformed: The body is not OTLP/JSON of this signal; `field` is the path to what is wrong.
    """
    try:
        document = msgspec.json.decode(body)
        message = _message(OFFICIAL[signal].DESCRIPTOR)(document, 0)
        encoded: bytes = message.SerializeToString()
    except _Unfit as error:
        path = error.path if len(error.path) <= _LONGEST_PATH else f"{error.path[:_LONGEST_PATH]}..."
        raise Malformed(f"{path or 'the body'}: {error.reason}", field=path) from None
    except RecursionError:
        raise Malformed("the JSON body is nested too deep", field="") from None
    except (msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise Malformed(f"the body is not JSON: {str(error)[:200]}", field="") from None
    return encoded


class _Unfit(Exception):
    """A value does not fit its field. The path grows from the leaf to the root as this passes through the levels."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def within(self, step: str) -> "_Unfit":
        joint = "" if not self.path or self.path.startswith("[") else "."
        self.path = f"{step}{joint}{self.path}"
        return self


@cache
def _message(descriptor: Descriptor) -> Converter:
    """The converter of JSON objects to messages of this type."""
    new = message_factory.GetMessageClass(descriptor)
    fields: dict[str, tuple[str, Converter]] = {}

    def convert(value: Json, depth: int) -> Message:
        if not fields:  # filled at first use, since AnyValue contains itself
            fields.update({field.json_name: (field.name, _field(field)) for field in descriptor.fields})
        if not isinstance(value, dict):
            raise _Unfit(f"an object is needed, not {_shown(value)}")
        if depth > DEPTH_LIMIT:
            raise _Unfit(f"it is nested deeper than {DEPTH_LIMIT} levels")
        values: dict[str, Json] = {}
        for key, item in value.items():
            known = fields.get(key)
            if known is not None and item is not None:
                name, converter = known
                try:
                    values[name] = converter(item, depth + 1)
                except _Unfit as error:
                    raise error.within(key) from None
        made: Message = new(**values)
        return made

    return convert


def _field(field: FieldDescriptor) -> Converter:
    return _repeated(_single(field)) if field.is_repeated else _single(field)


def _repeated(single: Converter) -> Converter:
    def convert(value: Json, depth: int) -> list[Json]:
        if not isinstance(value, list):
            raise _Unfit(f"an array is needed, not {_shown(value)}")
        items = []
        try:
            for item in value:
                items.append(single(item, depth))
        except _Unfit as error:
            raise error.within(f"[{len(items)}]") from None
        return items

    return convert


def _single(field: FieldDescriptor) -> Converter:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _message(field.message_type)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _id(_ID_BYTES[field.name]) if field.name in _ID_BYTES else _base64
    return _SCALARS[field.type]


def _integer(low: int, high: int) -> Converter:
    def convert(value: Json, depth: int) -> int:
        if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _Unfit(f"an integer from {low} to {high} is needed, not {_shown(value)}")
        return value

    return convert


def _enum(field: FieldDescriptor) -> Converter:
    number = _integer(-(2**31), 2**31 - 1)
    named = {item.name: item.number for item in field.enum_type.values} if field.enum_type else {}

    def convert(value: Json, depth: int) -> Json:
        if isinstance(value, str) and value in named:
            return named[value]
        return number(value, depth)

    return convert


def _id(length: int) -> Converter:
    def convert(value: Json, depth: int) -> bytes:
        if value == "":
            return b""
        if isinstance(value, str) and len(value) == 2 * length:
            try:
                return binascii.unhexlify(value)
            except ValueError:  # said below
                pass
        raise _Unfit(f"an id of {2 * length} hexadecimal digits is needed, not {_shown(value)}")

    return convert


def _base64(value: Json, depth: int) -> bytes:
    if isinstance(value, str):
        standard = value.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        except ValueError:  # said below
            pass
    raise _Unfit(f"base64 is needed, not {_shown(value)}")


def _double(value: Json, depth: int) -> float:
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        if value in _WORDS:
            return _WORDS[value]
        if _DECIMAL.fullmatch(value):
            return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit(f"a number is needed, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise _Unfit("the number is too large") from None


def _text(value: Json, depth: int) -> str:
    if not isinstance(value, str):
        raise _Unfit(f"a text is needed, not {_shown(value)}")
    return value


def _boolean(value: Json, depth: int) -> bool:
    if not isinstance(value, bool):
        raise _Unfit(f"true or false is needed, not {_shown(value)}")
    return value


def _shown(value: Json) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large number"
    return repr(value if not isinstance(value, str) else value[:40])


_INT32, _INT64 = _integer(-(2**31), 2**31 - 1), _integer(-(2**63), 2**63 - 1)
_UINT32, _UINT64 = _integer(0, 2**32 - 1), _integer(0, 2**64 - 1)

_SCALARS: Final[dict[int, Converter]] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _double,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}
