"""
Putting functions in the place of others' functions, and taking them out again exactly.

Replacements are plain functions with `__wrapped__`, so signatures, documentation and pickles (which name functions)
stay as they were. Libraries that are not imported yet are patched when they are; loading this imports none of them.
"""

import copy
import functools
import inspect
import logging
import weakref
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, Final

from wrapt import when_imported

logger = logging.getLogger(__name__)

Function = Callable[..., Any]  # Any: a function of somebody else's, of any shape
Wrap = Callable[[Function], Function]

_ORIGINAL: Final = "_monitorx_original"
_ABSENT: Final = object()


class Patches:
    """
    The replacements of one instrumentor.

    `active` turns False when they are taken out; a replacement that somebody still holds then calls straight through.
    """

    def __init__(self) -> None:
        self.active = True
        # Weak, and without the originals: a method that uses super() refers to its class, which would live for ever.
        self._owners: weakref.WeakKeyDictionary[type | ModuleType, set[str]] = weakref.WeakKeyDictionary()

    def replace(self, owner: type | ModuleType, name: str, wrap: Wrap) -> bool:
        """
        Replace *owner*'s own function *name* by what *wrap* makes of it; a second time changes nothing.

        Understood are plain functions, static and class methods, and descriptors that keep a function in `fn`
        (scikit-learn's `available_if`, whose condition stays). Anything else is left alone: returns False.
        """
        original = vars(owner).get(name, _ABSENT)
        if original is _ABSENT or self._is_ours(owner, name):
            return False
        replacement = _replacement(original, wrap)
        if replacement is None:
            return False
        self._put(owner, name, replacement, original)
        return True

    def add(self, owner: type, name: str, attribute: object) -> None:
        """Set *name* on *owner*, which does not define it itself."""
        if name not in vars(owner):
            self._put(owner, name, attribute, _ABSENT)

    def undo(self) -> None:
        """Put every original back, unless somebody else has put something over ours since."""
        self.active = False
        for owner, names in list(self._owners.items()):
            for name in names:
                if self._is_ours(owner, name):
                    _restore(owner, name, _original_of(vars(owner)[name]))
        self._owners.clear()

    def on_import(self, module: str, hook: Callable[[ModuleType], object]) -> None:
        """Call *hook* with *module* once it is imported: now, if it is already. Its errors stay here."""

        def guarded(imported: ModuleType) -> None:
            if not self.active:
                return
            try:
                hook(imported)
            except Exception:
                logger.warning("%s could not be instrumented", module, exc_info=True)

        when_imported(module)(guarded)

    def _is_ours(self, owner: type | ModuleType, name: str) -> bool:
        return name in self._owners.get(owner, ()) and _original_of(vars(owner).get(name)) is not None

    def _put(self, owner: type | ModuleType, name: str, replacement: object, original: object) -> None:
        _mark(replacement, original)
        setattr(owner, name, replacement)
        self._owners.setdefault(owner, set()).add(name)


def unwrapped(function: object) -> object:
    """What *function* was before it was replaced; itself if it never was."""
    original = _original_of(function)
    return function if original in (None, _ABSENT) else original


def _replacement(original: object, wrap: Wrap) -> object | None:
    if isinstance(original, FunctionType):
        return functools.wraps(original)(wrap(original))
    if isinstance(original, staticmethod | classmethod):
        return type(original)(functools.wraps(original.__func__)(wrap(original.__func__)))
    function = getattr(original, "fn", None)
    if inspect.ismethoddescriptor(original) and isinstance(function, FunctionType):
        replacement = copy.copy(original)
        inner = functools.wraps(function)(wrap(function))
        _mark(inner, function)
        replacement.fn = inner  # type: ignore[attr-defined]  # seen just above
        return replacement
    return None


def _mark(replacement: object, original: object) -> None:
    vars(_marked(replacement))[_ORIGINAL] = original


def _original_of(attribute: object) -> object | None:
    return getattr(_marked(attribute), "__dict__", {}).get(_ORIGINAL)


def _marked(attribute: object) -> object:
    return attribute.__func__ if isinstance(attribute, staticmethod | classmethod) else attribute


def _restore(owner: type | ModuleType, name: str, original: object) -> None:
    if original is _ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, original)
