"""
joblib, as far as scikit-learn's calls go through it: worker threads, model files, and pickles by value.

Workers do not inherit the caller's context, so what a forest or a cross-validation runs in them would look like calls
of its own. Tasks are marked before they are sent.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, Final

from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.identity import file_stem, note_origin
from monitorx.instrumentation.patch import Function, Patches, unwrapped
from monitorx.instrumentation.telemetry import is_inside, quiet

Task = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]  # Any: the task's own arguments

# What these modules send to workers is fitting and scoring, from functions that are no methods of an estimator.
TRAINING_MODULES: Final = ("sklearn.model_selection.", "sklearn.inspection.")


def patch(patches: Patches) -> None:
    """Follow joblib, now or when it is imported."""
    marks, notes = _parallel(patches), _load(patches)
    patches.on_import("joblib.parallel", lambda module: patches.replace(module.Parallel, "__call__", marks))
    patches.on_import("joblib", lambda module: patches.replace(module, "load", notes))
    for pickler in ("cloudpickle.cloudpickle", "joblib.externals.cloudpickle.cloudpickle"):
        patches.on_import(pickler, partial(_pickle_originals, patches))


class Quiet:
    """A task whose calls of models are no inferences. A class, since a process pool pickles it."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> object:  # Any: the task's own arguments
        with quiet():
            return self.function(*args, **kwargs)


def _parallel(patches: Patches) -> Callable[[Function], Function]:
    def wrap(function: Function) -> Function:
        def call(self: Any, iterable: Iterable[Task]) -> Any:  # Any: joblib's own object and result
            if not patches.active:
                return function(self, iterable)
            inside = is_inside()
            return function(self, (_mark(task, inside=inside) for task in iterable))

        return call

    return wrap


def _mark(task: Task, *, inside: bool) -> Task:
    try:
        function, args, kwargs = task
        if inside or str(getattr(function, "__module__", "")).startswith(TRAINING_MODULES):
            return Quiet(function), args, kwargs
    except Exception as error:  # what is no task is joblib's to complain about
        if not is_ours(error):
            raise
    return task


def _load(patches: Patches) -> Callable[[Function], Function]:
    def wrap(function: Function) -> Function:
        def load(filename: Any, *args: Any, **kwargs: Any) -> Any:  # Any: joblib's own arguments and result
            loaded = function(filename, *args, **kwargs)
            if patches.active:
                _note(loaded, filename)
            return loaded

        return load

    return wrap


def _note(loaded: object, filename: object) -> None:
    stem = file_stem(filename)
    if stem is None or not callable(getattr(type(loaded), "get_params", None)):  # not an estimator
        return
    with suppress(TypeError):  # no weak references: its class names it
        note_origin(loaded, name=stem)


def _pickle_originals(patches: Patches, module: ModuleType) -> None:
    """Classes pickled by value take the original methods along, so they load where there is no MonitorX."""

    def wrap(function: Function) -> Function:
        def reducer_override(self: Any, obj: Any) -> Any:  # Any: anything can be pickled
            reduced = function(self, obj)
            if reduced is NotImplemented or not isinstance(obj, FunctionType):
                return reduced  # by reference: it is the original that will be found there
            return function(self, unwrapped(obj))

        return reducer_override

    patches.replace(module.Pickler, "reducer_override", wrap)
