"""Which process sends: a name and an id for resources that have none, so that replicas do not share a series."""

import os
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from monitorx.semconv.attributes import SERVICE_INSTANCE_ID, SERVICE_NAME

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


def who(environ: Mapping[str, str], command: list[str], given: dict[str, Any]) -> dict[str, Any]:
    """
    Resource attributes of this process: *given*, and what neither that nor *environ* says.

    They are not put into the environment, where child processes would inherit one another's identity.
    """
    written = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    is_named = bool(environ.get("OTEL_SERVICE_NAME")) or f"{SERVICE_NAME}=" in written
    if not is_named and (name := program_name(command)):
        given = {SERVICE_NAME: name, **given}
    return given if f"{SERVICE_INSTANCE_ID}=" in written else with_identity(given)


def program_name(command: list[str]) -> str:
    """
    What a command line runs: the file or the module, without its ending; empty for `-c` and the prompt.

    >>> program_name(["python", "-X", "dev", "serve/app.py", "--port", "80"])
    'app'
    >>> program_name(["python", "-m", "uvicorn", "app:app"])
    'uvicorn'
    """
    words = iter(command[1:])
    for word in words:
        if word in ("-X", "-W", "--check-hash-based-pycs"):
            next(words, None)
        elif word == "-m":
            return next(words, "")
        elif word == "-" or word.startswith("-c"):
            return ""
        elif not word.startswith("-"):
            return PurePath(word).stem
    return ""
