"""How every step counts: it adds to a counter by name, and knows nothing of where the figures go."""

from collections.abc import Callable, Mapping

Count = Callable[[str, Mapping[str, str], float], None]
"""(name in the table of `telemetry.py`, labels, how much)."""


def uncounted(name: str, labels: Mapping[str, str], value: float) -> None:
    """Where nobody asks."""
