"""The instrumentation scope under which MonitorX emits."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

SCOPE_NAME: Final = "monitorx.instrumentation"


@cache
def scope_version() -> str:
    """Version of the installed distribution, or an empty string where it runs from bare files."""
    try:
        return version("monitorx")
    except PackageNotFoundError:
        return ""
