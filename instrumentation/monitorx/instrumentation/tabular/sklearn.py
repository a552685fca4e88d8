"""
scikit-learn: every estimator and pipeline, those of libraries and applications that derive from `BaseEstimator` too.

A call of `predict`, `predict_proba`, `decision_function`, `score_samples` or `transform` is an inference where it is
the outermost one. What a fit or a cross-validation calls is none.

Methods are replaced where they are defined, in a class or a mixin: set on a subclass, an inherited one would hide what
stands between the two in the method resolution order (docs/decisions/010-how-estimators-are-patched.md).
"""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from monitorx.instrumentation import step
from monitorx.instrumentation.boundary import is_ours
from monitorx.instrumentation.features import names_of
from monitorx.instrumentation.identity import NAMED, Identity, identity_of
from monitorx.instrumentation.inference import Inference, Kind, Model, Subject
from monitorx.instrumentation.instrumentor import Instrumentor
from monitorx.instrumentation.patch import Function, Patches
from monitorx.instrumentation.tabular import joblib
from monitorx.instrumentation.tabular.task import REGRESSION, Tasks
from monitorx.instrumentation.telemetry import Emitter, outermost, quiet

INFERENCES: Final = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
TRAININGS: Final = ("fit", "fit_transform", "fit_predict", "partial_fit")

# Libraries whose estimators derive from scikit-learn's; all else is scikit-learn's own or the application's.
FRAMEWORKS: Final = {name: name for name in ("xgboost", "lightgbm", "catboost", "imblearn")}

SCORES: Final = ("predict_proba", "decision_function", "score_samples")

SUBJECTS_KEPT = 1_024  # over it a subject is made anew each call: slower, nothing is lost


class SklearnInstrumentor(Instrumentor):
    """Watches estimators and pipelines of scikit-learn."""

    libraries = ("scikit-learn >= 1.2",)

    def _patch(self, patches: Patches, emitter: Emitter) -> None:
        joblib.patch(patches)
        patches.on_import("sklearn.base", lambda base: _Estimators(patches, emitter, base.BaseEstimator).patch_all())


class _Estimators:
    """Patches the classes that exist, and each later one when it is made."""

    def __init__(self, patches: Patches, emitter: Emitter, root: type) -> None:
        self._patches = patches
        self._emitter = emitter
        self._root = root
        self._tasks = Tasks()
        self._hooked: list[type] = []

    def patch_all(self) -> None:
        # The mixin that wraps `transform` does so in its own __init_subclass__, after that of BaseEstimator. Both are
        # hooked and the outer one patches, so that ours is the outermost function and can be taken off again.
        for cls in (self._root, *_set_output_mixins()):
            self._hook(cls)
        for cls in _subclasses(self._root):
            self.patch(cls)

    def patch(self, cls: type) -> None:
        """Replace the methods of *cls* and of its mixins."""
        for owner in cls.__mro__[:-1]:
            for name in INFERENCES:
                if not isinstance(vars(owner).get(name), staticmethod | classmethod):  # is called without an estimator
                    self._patches.replace(owner, name, self._inference)
            for name in TRAININGS:
                self._patches.replace(owner, name, self._training)

    def _hook(self, cls: type) -> None:
        self._hooked.append(cls)

        def hook(made: type, before: Callable[[], object]) -> None:
            before()
            if self._patches.active and self._root in made.__mro__ and cls is self._first_hooked(made):
                try:
                    self.patch(made)
                except Exception:  # noqa: BLE001 - an error here would make the application's class statement fail
                    self._emitter.count_fault("instrumenting a new estimator class")

        if "__init_subclass__" in vars(cls):

            def wrap(function: Function) -> Function:
                return lambda made, **options: hook(made, lambda: function(made, **options))

            self._patches.replace(cls, "__init_subclass__", wrap)
            return

        root: Any = cls  # Any: a class, which mypy does not take as super()'s first argument

        def init_subclass(made: Any, /, **options: Any) -> None:  # Any: a class, and options of classes further up
            hook(made, lambda: super(root, made).__init_subclass__(**options))

        self._patches.add(cls, "__init_subclass__", classmethod(init_subclass))

    def _first_hooked(self, made: type) -> type | None:
        return next((base for base in made.__mro__[1:] if base in self._hooked), None)

    def _inference(self, function: Function) -> Function:
        patches, emitter, root = self._patches, self._emitter, self._root
        operation, tasks = function.__name__, self._tasks
        subjects: dict[tuple[type, Identity | None, str | None], Subject] = {}
        of_class: dict[type, Subject] = {}  # where all objects of a class have one, unless one is named
        gives_scores = operation in SCORES

        def subject_of(model: object) -> Subject | None:
            try:
                return made_or_kept(model)
            except Exception as error:
                if not is_ours(error):
                    raise
                emitter.count_fault("reading what a model is")
                return None

        def made_or_kept(model: object) -> Subject:
            cls = type(model)
            key = cls, identity_of(model), tasks.of(model)
            subject = subjects.get(key)
            if subject is None:
                subject = _subject(operation, *key)
                if len(subjects) < SUBJECTS_KEPT:
                    subjects[key] = subject
                    if key[1] is None and not tasks.differ(cls):
                        of_class[cls] = subject
            return subject

        way = step.way_of(function)
        if way is not step.of_function:  # `call`, below, is the quick way of a plain method, and looks at values too
            return way(function, self._start(subject_of))

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:  # Any: the method's own arguments and result
            context = outermost()
            if context is None or not patches.active or not isinstance(self, root):
                return function(self, *args, **kwargs)
            subject = None if NAMED else of_class.get(type(self))
            if subject is None:
                subject = subject_of(self)
                if subject is None:
                    return function(self, *args, **kwargs)
            data = args[0] if args else kwargs.get("X")
            intake = emitter.buffer.intake
            rows = None if intake is None else intake.copy(data)  # before the call, which may change it
            samples, features = sizes(data)
            inference = None
            try:
                inference = emitter.start(subject, samples, context, features)
                result = function(self, *args, **kwargs)
                if inference is not None:
                    if intake is not None:
                        inference.rows, inference.names = rows, names_of(self)
                        if gives_scores or (operation == "predict" and subject.task == REGRESSION):
                            inference.output = intake.copy(result)
                    inference.stop()
            except BaseException as error:
                if inference is not None:
                    inference.fail(error)
                raise
            return result

        return call

    def _start(self, subject_of: Callable[[object], Subject | None]) -> step.Start:
        """The start of an inference by a method in several steps."""
        patches, emitter, root = self._patches, self._emitter, self._root

        def start(args: tuple[object, ...], kwargs: dict[str, object], *, is_current: bool = True) -> Inference | None:
            model, *rest = args or (None,)
            if outermost() is None or not patches.active or not isinstance(model, root):
                return None
            subject = subject_of(model)
            if subject is None:
                return None
            samples, features = sizes(rest[0] if rest else kwargs.get("X"))
            return emitter.start(subject, samples, feature_count=features, is_current=is_current)

        return start

    def _training(self, function: Function) -> Function:
        patches = self._patches

        def call(*args: Any, **kwargs: Any) -> Any:  # Any: the method's own arguments and result
            if not patches.active:
                return function(*args, **kwargs)
            with quiet():
                return function(*args, **kwargs)

        return call


def sizes(data: object) -> tuple[int | None, int | None]:
    """Rows, and columns, of an array, frame, sparse matrix or sequence; None where it does not say."""
    try:
        shape = getattr(data, "shape", None)
        if shape is not None:
            return int(shape[0]), int(shape[1]) if len(shape) == 2 else None
        rows = len(data)  # type: ignore[arg-type]  # what has no length raises, and says None
        first = data[0] if rows and isinstance(data, list | tuple) else None
        return rows, len(first) if isinstance(first, list | tuple) else None
    except Exception as error:  # *data* is whatever the application passed
        if not is_ours(error):
            raise
        return None, None


def _subject(operation: str, cls: type, identity: Identity | None, task: str | None) -> Subject:
    library = cls.__module__.partition(".")[0]
    module = library if library in FRAMEWORKS else "sklearn"
    name, version = identity or (cls.__name__, None)
    return Subject(
        operation,
        Model(name, version, f"{cls.__module__}.{cls.__qualname__}"),
        Kind.TABULAR,
        framework=FRAMEWORKS.get(library, "scikit-learn"),
        framework_version=getattr(sys.modules.get(module), "__version__", None),
        task=task,
    )


def _set_output_mixins() -> Iterator[type]:
    module: ModuleType | None = sys.modules.get("sklearn.utils._set_output")
    mixin = getattr(module, "_SetOutputMixin", None)
    if isinstance(mixin, type):
        yield mixin


def _subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclass: type
    for subclass in cls.__subclasses__():
        yield from _subclasses(subclass)
