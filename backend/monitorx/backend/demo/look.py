"""
What the demo knows by asking the server, as any reader could: models and their latest figures over REST.

An answer that does not come is None; the next look tries again.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from monitorx.backend.demo.story import Feature

CALLED_SINCE = "-60s"
PANE_S = 10
TIMEOUT_S = 2.0
FINDINGS = 300  # the last ten windows or so


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One row of the table."""

    model: str
    kind: str
    requests: float
    rate: float | None = None  # calls a second
    p50_s: float | None = None
    p95_s: float | None = None
    error_ratio: float | None = None


class Finding(NamedTuple):
    """One feature in one window: whether it had drifted."""

    feature: Feature
    is_drifted: bool


class Server:
    """The server's REST API, as far as the demo reads it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)  # no proxy to oneself

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def is_ready(self) -> bool:
        """Whether it answers that it is ready."""
        try:
            return self._client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def figures(self, now_s: float) -> list[ModelFigures] | None:
        """The models called in the last minute, each with its figures over the last two panes; *now_s* since epoch."""
        models = self._ask("/api/v1/models", {"start": CALLED_SINCE})
        aggregates = self._ask("/api/v1/aggregates", {"start": str(two_panes(now_s)), "by": "model"})
        if models is None:
            return None
        return merge(models.get("models", []), (aggregates or {}).get("aggregates", []))

    def findings(self) -> list[Finding]:
        """What is known of drift, newest window first."""
        answer = self._ask("/api/v1/drift", {"status": "ok", "limit": str(FINDINGS)}) or {}
        return [Finding((each["model"], each["feature"]), each["drifted"]) for each in answer.get("drift", [])]

    def _ask(self, path: str, parameters: dict[str, str]) -> dict[str, Any] | None:
        try:
            answer = self._client.get(path, params=parameters)
            content = answer.json() if answer.status_code == httpx.codes.OK else None
        except (httpx.TransportError, ValueError):
            return None
        return content if isinstance(content, dict) else None


def two_panes(now_s: float) -> int:
    """
    Start of the pane before the one of *now_s*; a start within a pane would count calls without their time.

    >>> two_panes(1_000_000_017.5)
    1000000000
    """
    return int(now_s // PANE_S - 1) * PANE_S


def merge(models: list[dict[str, Any]], aggregates: list[dict[str, Any]]) -> list[ModelFigures]:
    """
    A row a model: who it is from *models*, how it does from *aggregates*.

    Several versions of a model make one row, as the aggregates are by model.
    """
    measured = {aggregate["group"]["model"]: aggregate for aggregate in aggregates}
    rows: dict[str, ModelFigures] = {}
    for each in models:
        name = each["model"]
        earlier = rows[name].requests if name in rows else 0
        found = measured.get(name, {})
        figures = {key: found.get(key) for key in ("rate", "p50_s", "p95_s", "error_ratio")}
        rows[name] = ModelFigures(name, each["kind"], earlier + each["requests"], **figures)
    return [rows[name] for name in sorted(rows)]
