"""
What an estimator is for, by the mixins of its class; a pipeline or search is for what its last step or estimator is.

It is asked on each call, so what a class says is remembered, and only classes that leave it to another object are asked
each time.
"""

from typing import Any, Final

from monitorx.instrumentation.boundary import is_ours

CLASSIFICATION: Final = "classification"
REGRESSION: Final = "regression"

TASKS: Final[dict[str, str | None]] = {  # the first that a class has: some clusterers transform as well
    "ClassifierMixin": CLASSIFICATION,
    "RegressorMixin": REGRESSION,
    "ClusterMixin": "clustering",
    "OutlierMixin": "outlier_detection",
    "DensityMixin": "density_estimation",
    "TransformerMixin": None,
}

CLASSES_KEPT = 1_024  # over it a class is looked at anew each call: slower, nothing is lost
DEPTH = 8  # of pipelines and searches in one another
_ASK: Final = object()


class Tasks:
    """Remembers what classes are for."""

    def __init__(self) -> None:
        self._known: dict[type, Any] = {}  # Any: a task, None, or the mark that the object must be asked

    def of(self, model: object) -> str | None:
        """The task of *model*; None where it does not say. Never raises."""
        known = self._known.get(type(model), self)
        if known is self:
            known = self._learn(type(model))
        return _asked(model) if known is _ASK else known

    def differ(self, cls: type) -> bool:
        """Whether objects of *cls* are asked one by one."""
        return _of_class(cls) is _ASK

    def _learn(self, cls: type) -> object:
        known = _of_class(cls)
        if len(self._known) < CLASSES_KEPT:
            self._known[cls] = known
        return known


def _of_class(cls: type) -> object:
    names = {base.__name__ for base in cls.__mro__}
    return next((task for mixin, task in TASKS.items() if mixin in names), _ASK)


def _asked(model: Any) -> str | None:  # Any: an estimator, of whatever shape
    try:
        for _ in range(DEPTH):
            task = _of_class(type(model))
            if isinstance(task, str):
                return task
            known = model.__dict__
            model = known["steps"][-1][1] if "steps" in known else known["estimator"]
    except Exception as error:  # what it wraps is the application's own, and it need not say
        if not is_ours(error):
            raise
    return None
