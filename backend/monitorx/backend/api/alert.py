"""The path that tells alerts: they are in memory, so it takes no thread and needs no store."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from monitorx.alerting.alert import Alert
from monitorx.alerting.fingerprint import fingerprint
from monitorx.backend.api.answer import AlertItem, Alerts
from monitorx.backend.api.dependency import Dependencies
from monitorx.backend.api.query import AlertQuery


def router(deps: Dependencies) -> APIRouter:
    """The paths over *deps*."""
    routes = APIRouter(tags=["alerts"])

    @routes.get("/alerts", summary="List alerts that stand now")
    async def alerts(query: Annotated[AlertQuery, Query()]) -> Alerts:
        """Alerts, those that began last first."""
        ordered = sorted(filter(query.selects, deps.alerts()), key=lambda alert: alert.starts_at, reverse=True)
        return Alerts(alerts=[_item(alert) for alert in ordered])

    return routes


def _item(alert: Alert) -> AlertItem:
    return AlertItem(
        fingerprint=fingerprint(alert.labels),
        state=alert.state,
        severity=alert.severity,
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        active_at=_written(alert.active_at),
        starts_at=_written(alert.starts_at),
        ends_at=_written(alert.ends_at) if alert.ends_at else None,
        value=alert.value,
        evidence=dict(alert.evidence),
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
