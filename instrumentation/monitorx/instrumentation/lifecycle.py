"""Having a method called in a forked child, or at the end of the process, for as long as its object lives."""

import atexit
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from wrapt import when_imported


def after_fork(method: Callable[[], None]) -> None:
    """Call *method* in each child that this process forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_weakly(method))


def at_exit(method: Callable[[], None]) -> None:
    """Call *method* when the process ends; a child that `multiprocessing` forked does so in another way."""
    atexit.register(_weakly(method))


def at_exit_of_child(method: Callable[[], None]) -> None:
    """Call *method* when a child ends that `multiprocessing` made."""
    call, owner = _weakly(method), weakref.ref(method.__self__)  # type: ignore[attr-defined]  # of a method

    def keep(util: Any) -> None:  # Any: the module
        # A forked one ends without what is registered at its end, but for what multiprocessing itself keeps.
        live = owner()
        if live is not None:
            util.register_after_fork(live, lambda _: util.Finalize(None, call, exitpriority=0))
        if sys.modules["multiprocessing.process"].parent_process() is not None:  # we are in such a child already
            util.Finalize(None, call, exitpriority=0)

    when_imported("multiprocessing.util")(keep)


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    # Registrations cannot be taken back; a strong one would keep the object for ever.
    reference = weakref.WeakMethod(method)

    def call() -> None:
        live = reference()
        if live is not None:
            live()

    return call
