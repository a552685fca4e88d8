"""
Groups that have nothing to judge, for rules to which that is worth an alert.

Windows forget a group an hour after its last call. An alert that says that calls are missing would then end, and tell
everybody that all is well, while nothing has changed. So such a group is spoken of further, for a day.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import structlog

from monitorx.alerting.alert import Alert, NoData, State
from monitorx.alerting.board import MAX_ALERTS
from monitorx.alerting.state import NO_DATA_ALERT
from monitorx.backend.rule import Rule, Verdict, absent

SPOKEN_OF = timedelta(days=1)  # after windows have forgotten it; one that is gone for good must end some time
_WORTH_AN_ALERT = (NoData.ALERTING, NoData.NO_DATA)
_MOST = MAX_ALERTS  # groups of one rule: of more there is no alert that could end

_Labels = tuple[tuple[str, str], ...]
_log = structlog.get_logger(__name__)


class Absences:
    """
    Remembers such groups while it is given all that rules say.

    Args:
        alerts: Those of the last run: what they say of absence is still so until data comes.
        now_ns: When this run began.
    """

    def __init__(self, alerts: Iterable[Alert] = (), *, now_ns: int = 0) -> None:
        self._left = [alert for alert in alerts if alert.state is not State.RESOLVED]
        self._now_ns = now_ns
        self._last_ns: dict[str, dict[_Labels, int]] = {}  # by rule: when windows last knew of a group without data

    def complete(self, rule: Rule, verdicts: list[Verdict], now_ns: int) -> list[Verdict]:
        """*verdicts*, all that *rule* says at *now_ns*, and `no_data` for groups that it is silent of but for us."""
        if rule.no_data not in _WORTH_AN_ALERT:
            return verdicts
        last_ns = self._last_ns.get(rule.name)
        if last_ns is None:
            last_ns = self._last_ns[rule.name] = dict(self._left_by(rule))
        for verdict in verdicts:
            labels = tuple(verdict.labels.items())
            if verdict.state != "no_data":
                last_ns.pop(labels, None)
            elif labels in last_ns or len(last_ns) < _MOST:
                last_ns[labels] = now_ns
        for labels in [labels for labels, at_ns in last_ns.items() if now_ns - at_ns >= _ns(SPOKEN_OF)]:
            del last_ns[labels]
            _log.warning("there was no data for a day; an alert about it ends now", rule=rule.name, labels=dict(labels))
        return verdicts + [absent(rule, dict(labels), now_ns) for labels, at_ns in last_ns.items() if at_ns != now_ns]

    def _left_by(self, rule: Rule) -> Iterator[tuple[_Labels, int]]:
        for alert in self._left:
            is_about_data = alert.labels.get("alertname") == NO_DATA_ALERT
            if alert.labels.get("rulename" if is_about_data else "alertname") != rule.name:
                continue
            labels = tuple((name, alert.labels[name]) for name in rule.expression.by if name in alert.labels)
            # An alert that has a value began with data, and does not say when that ended.
            at_ns = int(alert.active_at.timestamp()) * 10**9 if alert.value is None else self._now_ns
            yield labels, at_ns


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
