"""
Groups that have nothing to judge, for rules to which that is worth an alert.

Windows forget a group an hour after its last call. An alert that says that calls are missing would then end, and tell
everybody that all is well, while nothing has changed. So such a group is spoken of further, for a day. In the first
minute nothing is missing yet: senders may be on their way back after a start.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

import structlog

from monitorx.alerting.alert import Alert, NoData, State
from monitorx.alerting.board import MAX_ALERTS
from monitorx.alerting.matcher import Matcher, all_match
from monitorx.alerting.state import NO_DATA_ALERT
from monitorx.backend.rule import Rule, Verdict, absent
from monitorx.backend.window import KNOWN, PANE_NS, RETURN, PaneKey

SPOKEN_OF = timedelta(days=1)  # after windows have forgotten it; one that is gone for good must end some time
_LOOKED_BACK = timedelta(days=2)  # what a start asks the store for: the longest window, and SPOKEN_OF
_WORTH_AN_ALERT = (NoData.ALERTING, NoData.NO_DATA)
_MOST = MAX_ALERTS  # groups of one rule: of more there is no alert that could end

_Labels = tuple[tuple[str, str], ...]
_log = structlog.get_logger(__name__)


class Absences:
    """
    Remembers such groups while it is given all that rules say.

    Args:
        monotonic: Seconds; only ever goes on. The server's clock may leap ahead for a moment, and a day with it.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._begun_s: float | None = None
        self._last_s: dict[str, dict[_Labels, float]] = {}  # by rule: when windows last knew of a group without data

    def complete(self, rule: Rule, verdicts: list[Verdict], now_ns: int) -> list[Verdict]:
        """*verdicts*, all that *rule* says at *now_ns*, and `no_data` for groups that it is silent of but for us."""
        if rule.no_data not in _WORTH_AN_ALERT:
            return verdicts
        now_s = self._monotonic()
        last_s = self._last_s.setdefault(rule.name, {})
        for verdict in verdicts:
            labels = tuple(verdict.labels.items())
            if verdict.state != "no_data":
                last_s.pop(labels, None)
            elif labels in last_s or len(last_s) < _MOST:
                last_s[labels] = now_s
        for labels in [labels for labels, at_s in last_s.items() if now_s - at_s >= SPOKEN_OF.total_seconds()]:
            del last_s[labels]
            _log.warning("there was no data for a day; an alert about it ends now", rule=rule.name, labels=dict(labels))
        if self._may_return(now_s):
            return [verdict for verdict in verdicts if verdict.state != "no_data"]
        return verdicts + [absent(rule, dict(labels), now_ns) for labels, at_s in last_s.items() if at_s != now_s]

    def recall(
        self,
        rules: Sequence[Rule],
        alerts: Iterable[Alert],
        keys: Callable[[int], Mapping[PaneKey, int]],
        now_ns: int,
        *,
        kept: timedelta = _LOOKED_BACK,
    ) -> None:
        """
        Begin with the alerts of the last run: what they say of absence is still so until data comes.

        Args:
            keys: The store's answer to whose panes there are since a time, and when their newest one starts.
            kept: How long the store keeps panes.
        """
        standing = [alert for alert in alerts if alert.state is not State.RESOLVED]
        left = {rule.name: [alert for alert in standing if _is_of(alert, rule)] for rule in rules}
        asked = [rule for rule in rules if rule.no_data in _WORTH_AN_ALERT and left[rule.name]]
        since_ns = now_ns - _ns(min(_LOOKED_BACK, kept))
        newest_ns = keys(since_ns) if asked else {}
        now_s = self._monotonic()
        for rule in asked:
            known_ns = {} if rule.expression.of.measure.is_metric else _known(rule, newest_ns)
            last_s = self._last_s.setdefault(rule.name, {})
            for alert in left[rule.name]:
                at_ns = _last_known(rule, alert, known_ns, since_ns, now_ns)
                if at_ns is not None and now_ns - at_ns < _ns(SPOKEN_OF):
                    labels = tuple((name, alert.labels[name]) for name in rule.expression.by if name in alert.labels)
                    last_s[labels] = now_s - (now_ns - at_ns) / 1e9

    def _may_return(self, now_s: float) -> bool:
        if self._begun_s is None:
            self._begun_s = now_s
        return now_s - self._begun_s < RETURN.total_seconds()


def _is_of(alert: Alert, rule: Rule) -> bool:
    is_about_data = alert.labels.get("alertname") == NO_DATA_ALERT
    return alert.labels.get("rulename" if is_about_data else "alertname") == rule.name


def _known(rule: Rule, newest_ns: Mapping[PaneKey, int]) -> dict[tuple[str, ...], int]:
    """The groups of a rule about calls that had any, and until when windows know of each."""
    known: dict[tuple[str, ...], int] = {}
    matchers, by = _matchers(rule), rule.expression.by
    for key, start_ns in newest_ns.items():
        labels = key._asdict()
        if all_match(matchers, labels):
            group = tuple(labels[name] for name in by)
            until_ns = _known_until(rule, start_ns + PANE_NS)
            known[group] = max(until_ns, known.get(group, 0))
    return known


def _last_known(
    rule: Rule, alert: Alert, known_ns: Mapping[tuple[str, ...], int], since_ns: int, now_ns: int
) -> int | None:
    """When windows last knew of the group that *alert* is about; None where *rule* does not ask for it any more."""
    by = rule.expression.by
    group = tuple(alert.labels.get(name, "") for name in by)
    if group in known_ns:
        return known_ns[group]
    labels = dict(zip(by, group, strict=True))
    if not all_match([matcher for matcher in _matchers(rule) if matcher.name in by], labels):
        return None
    is_metric = rule.expression.of.measure.is_metric  # of those the store does not tell groups
    if not is_metric and not all(group):
        return None  # `by` was another when the alert began
    if alert.value is None:
        return int(alert.active_at.timestamp()) * 10**9
    # It began with data, and does not say when that ended: for calls, before all that the store told.
    return now_ns if is_metric else _known_until(rule, since_ns)


def _known_until(rule: Rule, end_ns: int) -> int:
    return end_ns + _ns(max(KNOWN, rule.expression.window))


def _matchers(rule: Rule) -> tuple[Matcher, ...]:
    """What picks the groups that *rule* knows of; of a ratio the denominator's."""
    return (rule.expression.to or rule.expression.of).matchers


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
