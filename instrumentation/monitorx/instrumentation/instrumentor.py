"""
What every instrumentor of MonitorX shares: it never raises, and it does nothing where its library is absent.

OpenTelemetry's loader passes `skip_dep_check=True` after a check that knows nothing of ours, so the check is made here
again: a library that is absent, or of a version we cannot follow, is a line on the debug log and no error.
"""

import logging
from abc import abstractmethod
from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.dependencies import get_dependency_conflicts
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # not re-exported

from monitorx.instrumentation.patch import Patches
from monitorx.instrumentation.telemetry import Emitter, emitter, is_disabled

logger = logging.getLogger(__name__)


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]  # the base class is untyped
    """Base of the instrumentors. A subclass names its `libraries` and says in `_patch` what it replaces."""

    libraries: Collection[str] = ()  # requirements, as in pyproject.toml, any one of which is enough
    _patches: Patches | None = None

    @abstractmethod
    def _patch(self, patches: Patches, emitter: Emitter) -> None:
        """Put the replacements in place; they send to *emitter*."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Which library, in which versions."""
        return self.libraries

    def instrument(self, **kwargs: Any) -> None:  # Any: what the loader and others' distros pass
        """Instrument the library, if it is there; once. `emitter` may name another one than the process's own."""
        kwargs.pop("skip_dep_check", None)
        kwargs.pop("raise_exception_on_conflict", None)
        if is_disabled():
            logger.debug("%s: OTEL_SDK_DISABLED is true; nothing is instrumented", type(self).__name__)
            return
        if self.is_instrumented_by_opentelemetry:
            return
        try:
            if not self._is_installed():
                logger.debug("%s: none of %s is installed", type(self).__name__, ", ".join(self.libraries))
                return
            super().instrument(skip_dep_check=True, **kwargs)
        except Exception:
            logger.warning("%s: the library could not be instrumented", type(self).__name__, exc_info=True)

    def _is_installed(self) -> bool:
        return any(get_dependency_conflicts([library]) is None for library in self.libraries)

    def _instrument(self, **kwargs: Any) -> None:  # Any: see instrument
        self._patches = Patches()
        self._patch(self._patches, kwargs.get("emitter") or emitter())

    def _uninstrument(self, **kwargs: Any) -> None:  # Any: see instrument
        if self._patches is not None:
            self._patches.undo()
            self._patches = None
