"""Having a method called in a forked child, or at the end of the process, for as long as its object lives."""

import atexit
import os
import weakref
from collections.abc import Callable


def after_fork(method: Callable[[], None]) -> None:
    """Call *method* in each child that this process forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_weakly(method))


def at_exit(method: Callable[[], None]) -> None:
    """Call *method* when the process ends."""
    atexit.register(_weakly(method))


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    # Registrations cannot be taken back; a strong one would keep the object for ever.
    reference = weakref.WeakMethod(method)

    def call() -> None:
        live = reference()
        if live is not None:
            live()

    return call
