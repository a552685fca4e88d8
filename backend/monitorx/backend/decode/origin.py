"""Who sent a request: the resource, read once."""

from dataclasses import dataclass
from typing import Final

from monitorx.backend.decode.attribute import Value, attributes_in, canonical, cut
from monitorx.backend.decode.identity import hash64
from monitorx.backend.decode.view import View
from monitorx.semconv import attributes as attribute

UNKNOWN_SERVICE: Final = "unknown_service"  # the name that OTel's specification gives it
_LIMIT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Origin:
    """
    A resource.

    Attributes:
        service: service.name.
        instance: service.instance.id, or a hash of the resource where it is missing.
        text: All attributes in canonical JSON: what tells this resource from others.
    """

    service: str
    instance: str
    text: bytes


class Origins:
    """
    A cache of resources by the bytes of their attributes.

    When it is full it is emptied (`emptied` counts that): processes come and go, and a miss costs microseconds.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self.emptied = 0
        self._limit = limit
        self._known: dict[tuple[bytes, ...], Origin] = {}

    def of(self, resource: View) -> Origin:
        """The origin that *resource* names."""
        raw = tuple(resource.attributes)
        origin = self._known.get(raw)
        if origin is None:
            origin = _read(attributes_in(raw))
            if len(self._known) >= self._limit:
                self._known.clear()
                self.emptied += 1
            self._known[raw] = origin
        return origin


def _read(attributes: dict[str, Value]) -> Origin:
    text = canonical(attributes)
    service = _text(attributes.get(attribute.SERVICE_NAME)) or UNKNOWN_SERVICE
    instance = _text(attributes.get(attribute.SERVICE_INSTANCE_ID)) or f"{hash64(text):016x}"
    return Origin(service, instance, text)


def _text(value: Value) -> str:
    return "" if value is None or isinstance(value, bytes | list | dict) else cut(str(value))
