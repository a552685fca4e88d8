"""Which process sends: an id for resources that have none, so that replicas do not share a series."""

import os
import uuid
from collections.abc import Mapping
from typing import Any

from monitorx.semconv.attributes import SERVICE_INSTANCE_ID

_ids: dict[int, str] = {}  # process id to instance id, of this process and those it was forked from


def instance_id() -> str:
    """The id of this process: one as long as it lives, another one after a fork."""
    return _ids.setdefault(os.getpid(), str(uuid.uuid4()))


def with_identity(attributes: Mapping[str, Any]) -> dict[str, Any]:  # Any: whatever values a resource holds
    """*attributes* of a resource, with the id of this process where they have none, or one of before a fork."""
    current = attributes.get(SERVICE_INSTANCE_ID)
    if current and (current not in _ids.values() or current == instance_id()):
        return dict(attributes)
    return {**attributes, SERVICE_INSTANCE_ID: instance_id()}
