"""
Which model an object is: an explicit name, else where it was loaded from, else nothing (then its class names it).

Names are kept beside the objects, by identity and for as long as they live, so a model's attributes, copies and
pickles do not change.
"""

import os
import weakref
from typing import NamedTuple


class Identity(NamedTuple):
    """What is known of a model object beyond its class."""

    name: str
    version: str | None = None


_explicit: dict[int, Identity] = {}
_loaded: dict[int, Identity] = {}
NAMED: dict[int, "weakref.ref[object]"] = {}  # all of which something is known, by id


def name_model(model: object, *, name: str, version: str | None = None) -> None:
    """
    Say under which name, and optionally version, the inferences of *model* appear.

    Raises:
        TypeError: *model* cannot be referred to weakly, so its name could not be forgotten with it.
        ValueError: *name* is empty.
    """
    if not name:
        raise ValueError(f"name_model: name is {name!r}; it must say something")
    _remember(model, _explicit, Identity(str(name), None if version is None else str(version)))


def note_origin(model: object, *, name: str, version: str | None = None) -> None:
    """Remember what the place *model* was loaded from says of it; an explicit name wins over it."""
    _remember(model, _loaded, Identity(name, version))


def identity_of(model: object) -> Identity | None:
    """What is known of *model*, or None."""
    if not NAMED:
        return None
    key = id(model)
    return _explicit.get(key) or _loaded.get(key)


def file_stem(path: object) -> str | None:
    """Name of the file without folder and ending, of a path or an open file; None where there is none."""
    path = getattr(path, "name", path) if not isinstance(path, str | bytes | os.PathLike) else path
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    return os.path.splitext(os.path.basename(os.fsdecode(path)))[0] or None


# No lock: every step is one dictionary operation, and a finaliser may run in the middle of any of them.
def _remember(model: object, names: dict[int, Identity], identity: Identity) -> None:
    key = id(model)
    if key not in NAMED:
        try:
            NAMED[key] = weakref.ref(model, lambda _: _forget(key))
        except TypeError:
            raise TypeError(f"a {type(model).__name__} cannot be named: it does not allow weak references") from None
    names[key] = identity


def _forget(key: int) -> None:
    for names in (_explicit, _loaded, NAMED):
        names.pop(key, None)
