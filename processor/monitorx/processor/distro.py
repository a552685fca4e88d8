"""
Defaults for `opentelemetry-instrument` and `monitorx run`: where telemetry goes, how often, and from whom.

Only what the environment leaves open is filled in; every OTEL_* variable that is set stays as it is. Where another
distro is chosen (`opentelemetry-distro` installed beside this one, and first in the loader's order), the instrumentors
and the attached exporter work all the same, with that distro's defaults.

Imports cleanly without the SDK; then nothing is configured, and the API's no-ops stand.
"""

import logging
import os
import sys
from collections.abc import Callable, MutableMapping
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # the module opts out
from wrapt import when_imported

from monitorx.processor.attach import end_late
from monitorx.processor.identity import who

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

DEFAULTS = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRIC_EXPORT_INTERVAL": "5000",
    # bounds fixed in advance put a p95 anywhere between two of them, which are a factor of two apart
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
}

PROTOCOLS = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
}

# Official instrumentations that import their library when they are loaded. They wait until the application imports it.
EAGER = {
    "opentelemetry.instrumentation.genai.anthropic": "anthropic",
    "opentelemetry.instrumentation.genai.openai": "openai",
}

_logger = logging.getLogger(__name__)


class MonitorXDistro(BaseDistro):  # type: ignore[misc]  # the base class is untyped
    """Fills in defaults, and loads instrumentors without loading what they instrument."""

    def _configure(self, **kwargs: Any) -> None:  # Any: the signature of the base class
        fill_defaults(os.environ)
        logging.getLogger(_LOADER).addFilter(_is_news)

    def load_instrumentor(self, entry_point: "EntryPoint", **kwargs: Any) -> None:  # Any: as in the base class
        """Instrument now, or, where that would import the library, as soon as the application does."""
        library = EAGER.get(entry_point.module)
        if library == "anthropic":  # its client traces itself by default: one call would be two spans
            os.environ.setdefault("ANTHROPIC_OPEN_TELEMETRY", "false")
        if library is None:
            super().load_instrumentor(entry_point, **kwargs)
        else:
            when_imported(library)(_late(super().load_instrumentor, entry_point, kwargs))


class MonitorXConfigurator:
    """The SDK's own configurator, told who is speaking."""

    def configure(self, **kwargs: Any) -> None:  # Any: the loader's and the SDK's signature
        """Set up the SDK's providers from the environment."""
        if find_spec("opentelemetry.sdk") is None:
            _logger.warning("no telemetry is sent: pip install 'monitorx[sdk]' brings the OpenTelemetry SDK")
            return
        from opentelemetry.sdk._configuration import _OTelSDKConfigurator

        fill_defaults(os.environ)  # again, for when another distro was chosen
        end_late()
        given = dict(kwargs.pop("resource_attributes", None) or {})
        configurator: Any = _OTelSDKConfigurator()  # type: ignore[no-untyped-call]  # Any: the SDK leaves it untyped
        configurator.configure(resource_attributes=who(os.environ, sys.orig_argv, given), **kwargs)


def fill_defaults(environ: MutableMapping[str, str]) -> None:
    """Set what *environ* leaves open; without any OTLP exporter installed, nothing."""
    installed = [protocol for protocol, module in PROTOCOLS.items() if is_installed(module)]
    if not installed:
        return
    for name, value in DEFAULTS.items():
        environ.setdefault(name, value)
    environ.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", installed[0])


def is_installed(module: str) -> bool:
    """Whether *module* can be imported, without importing more than the packages around it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"


def _is_news(record: logging.LogRecord) -> bool:
    """False for the loader's warning that the configurator of `opentelemetry-distro`, which does the same, is idle."""
    return not (str(record.msg).startswith("Configuration of %s not loaded") and record.args[:1] == ("configurator",))  # type: ignore[index]  # the loader's args are a tuple


def _late(load: Callable[..., None], entry_point: "EntryPoint", kwargs: dict[str, Any]) -> Callable[[ModuleType], None]:
    """A hook for the import of a library; it never disturbs that import."""

    def instrument(_: ModuleType) -> None:
        try:
            load(entry_point, **kwargs)
        except Exception:
            _logger.warning("instrumentation %s could not be loaded", entry_point.name, exc_info=True)

    return instrument
