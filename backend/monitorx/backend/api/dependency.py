"""What the API asks of the rest of the server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitorx.alerting.alert import Alert
from monitorx.backend.receiver.admission import Ingest
from monitorx.backend.storage.registry import Registry
from monitorx.backend.storage.store import Store
from monitorx.backend.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of the server does, in words for the operator."""

    is_ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Health:
    """
    How the server does.

    Attributes:
        parts: journal, store, windows, alerting, receivers.
        versions: Of the server and of what it stands on.
        dedup_horizon_s: How long what comes again is recognised.
    """

    parts: Mapping[str, Part]
    versions: Mapping[str, str]
    dedup_horizon_s: float


@dataclass(frozen=True, slots=True)
class Dependencies:
    """
    Everything that `create_app` needs. Callables may be called from several threads at once.

    Attributes:
        store: Answers questions about rows and panes.
        alerts: The alerts that stand now, resolved ones as long as they are remembered.
        health: How the parts do.
        ready: Whether requests are taken (the replay of the journal is over).
        telemetry: The server's own metrics.
        span: The whole span at (position, trace id, span id; ids in lower-case hex) out of the journal; None where
            retention has taken it.
        clock: Ns since epoch.
        version: Of the server.
        tenant: Whose data is told.
        ingest: Takes in what is written; None: nothing may be.
        registry: Keeps registered models; None: there are none.
    """

    store: Store
    alerts: Callable[[], Sequence[Alert]]
    health: Callable[[], Health]
    ready: Callable[[], bool]
    telemetry: Telemetry
    span: Callable[[int, str, str], dict[str, Any] | None]  # Any: JSON values
    clock: Callable[[], int]
    version: str
    tenant: str = "default"
    ingest: Ingest | None = None
    registry: Registry | None = None
