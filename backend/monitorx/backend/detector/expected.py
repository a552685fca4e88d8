"""
Which features a model should have values of: those it had, and those that a reference was fitted for.

One of which there are none in a window of its model (its values are all missing or not finite, or it is named otherwise
than in the reference) has no answer, and that is told: it must not pass for a feature that is as it was.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from monitorx.backend.detector.reference import FeatureKey, FittedKey

_NAMED = 10  # features in one line of the log

_log = logging.getLogger(__name__)


class ModelKey(NamedTuple):
    """Whose features they are."""

    tenant: str
    model: str
    version: str


class Expected:
    """
    See the module.

    Args:
        fitted: What there are references of, from files.
    """

    def __init__(self, fitted: Iterable[FittedKey]) -> None:
        self._fitted: dict[str, list[FittedKey]] = {}
        for key in fitted:
            self._fitted.setdefault(key[0], []).append(key)
        self._is_met = not self._fitted
        self._warned: set[str] = set()  # of the models in the files, so there are not many

    def absent(self, model: ModelKey, sent: Collection[FeatureKey], had: Iterable[FeatureKey]) -> list[FeatureKey]:
        """The features of *model* that are not among the *sent*; *had* are those that it had values of before."""
        return [key for key in dict.fromkeys([*had, *self._fitted_of(model)]) if key not in sent]

    def look(self, models: Mapping[ModelKey, Collection[FeatureKey]]) -> None:
        """Tell in the log, once each, where the files do not fit what is sent."""
        for model, sent in models.items():
            self._warn(model, sent)
        names = {model.model for model in models}
        if self._is_met or not names:
            return
        self._is_met = True
        if names.isdisjoint(self._fitted):
            _log.warning(
                "the fitted references are for %s, and models that send values are %s: is a name another one?",
                _words(self._fitted),
                _words(names),
            )

    def _warn(self, model: ModelKey, sent: Collection[FeatureKey]) -> None:
        """Tell, once a model, that it has features which its fitted reference does not have."""
        if model.model in self._warned:
            return
        fitted = set(self._fitted_of(model))
        roles = {key.role for key in fitted}
        unknown = [key.feature for key in sent if key.role in roles and key not in fitted]
        if not unknown:
            return
        self._warned.add(model.model)
        unsent = [key.feature for key in fitted if key not in sent]
        _log.warning(
            "model %r: the fitted reference has no %s, so their references are frozen from their first windows; %s",
            model.model,
            _words(unknown),
            f"it has {_words(unsent)}, which nobody sends: are they the same?" if unsent else "fit it again with them",
        )

    def _fitted_of(self, model: ModelKey) -> list[FeatureKey]:
        return [
            FeatureKey(*model, feature, role)
            for _, version, feature, role in self._fitted.get(model.model, ())
            if version in ("", model.version)
        ]


def _words(names: Collection[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, sorted(names)[:_NAMED])) + more
