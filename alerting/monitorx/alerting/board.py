"""
Every alert that stands, by fingerprint.

Takes observations; gives the changes that follow from them, and keeps what is needed for the next step. Knows nothing
of receivers, files or threads.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitorx.alerting import state
from monitorx.alerting.alert import Alert, NoData, Observation, State
from monitorx.alerting.fingerprint import fingerprint
from monitorx.alerting.state import QUIET, Standing, Transition

MAX_ALERTS = 10_000
MAX_IDENTITIES = 50_000  # label sets whose fingerprint is remembered

SWEEP_EVERY = timedelta(seconds=10)  # how often is looked for label sets that are no longer mentioned
BLIND_AFTER = timedelta(minutes=1)  # silence of all rules says nothing about any one of them


@dataclass(frozen=True, slots=True)
class Change:
    """One alert's step that others must hear of: what stood, what stands (None: gone), and why."""

    fingerprint: str
    before: Standing | None
    after: Standing | None
    transition: Transition

    @property
    def alert(self) -> Alert:
        """The alert as it is now, or as it last was."""
        standing = self.after or self.before
        assert standing is not None, "a change has at least one side"  # noqa: S101 - states what mypy cannot see
        return standing.alert

    @property
    def is_told(self) -> bool:
        """True if receivers may hear of it: it fired, or a firing one is over."""
        if self.transition is Transition.VANISHED:
            return self.after is not None
        return self.transition in (Transition.FIRED, Transition.RESOLVED)


class Board:
    """The alerts and their states."""

    def __init__(self, standing: Mapping[str, Standing], now: datetime) -> None:
        self._standing = dict(standing)
        self._seen = dict.fromkeys(self._standing, now)
        self._identities: dict[tuple[str, frozenset[tuple[str, str]], bool], tuple[str, dict[str, str]]] = {}
        self._swept_at = self._observed_at = now
        self.counted: Counter[Transition] = Counter()
        self.refused = 0
        self.merging: dict[str, Mapping[str, str]] = {}  # rules of whose label sets several make one alert: its labels

    @property
    def standing(self) -> Mapping[str, Standing]:
        """What stands, by fingerprint."""
        return self._standing

    def alerts(self) -> list[Alert]:
        """All of them: pending, firing, and lately resolved."""
        return [standing.alert for standing in list(self._standing.values())]

    def observe(self, observations: Sequence[Observation], now: datetime) -> list[Change]:
        """What follows from *observations*, made now."""
        if now - self._observed_at > BLIND_AFTER:
            self._seen = dict.fromkeys(self._standing, now)
        self._observed_at = now
        changes: list[Change] = []
        for key, verdict in self._verdicts(observations).items():
            changes += self._observed(key, verdict, now)
        return changes + self._vanished(now)

    def expire(self, now: datetime) -> list[Change]:
        """Take down what was resolved long ago."""
        over = [key for key, standing in self._standing.items() if state.is_expired(standing, now)]
        return [change for key in over for change in self._stepped(key, (None, Transition.EXPIRED))]

    def move(self, back: timedelta, now: datetime) -> None:
        """The clock went back by that much, to *now*: so do all times that are later."""
        for key, standing in self._standing.items():
            cleared_at = None if standing.cleared_at is None else state.earlier(standing.cleared_at, back, now)
            self._standing[key] = Standing(state.moved(standing.alert, back, now), cleared_at)
        self._seen = {key: state.earlier(at, back, now) for key, at in self._seen.items()}
        self._swept_at = state.earlier(self._swept_at, back, now)
        self._observed_at = state.earlier(self._observed_at, back, now)

    def _verdicts(self, observations: Sequence[Observation]) -> dict[str, "_Verdict"]:
        """
        What is said of each alert in this round, once.

        Label sets of a rule are one alert where a label of the rule replaces what tells them apart. Taken one after
        the other, they would begin and end it by turns.
        """
        found: dict[str, _Verdict] = {}
        for observation in observations:
            wants_both = observation.policy.no_data is NoData.NO_DATA
            for about_data in (False, True) if wants_both else (False,):
                key, labels = self._identified(observation, about_data=about_data)
                verdict = _Verdict(observation, labels, about_data)
                earlier = found.setdefault(key, verdict)
                if earlier is verdict:
                    continue
                self.counted[Transition.MERGED] += 1
                self.merging.setdefault(observation.policy.rule, labels)
                if verdict.weight > earlier.weight:
                    found[key] = verdict
        return found

    def _observed(self, key: str, verdict: "_Verdict", now: datetime) -> list[Change]:
        step = state.step_no_data if verdict.about_data else state.step
        changes = self._stepped(key, step(self._standing.get(key), verdict.observation, verdict.labels, now))
        if key in self._standing:
            self._seen[key] = now
        return changes

    def _stepped(self, key: str, step: tuple[Standing | None, Transition]) -> list[Change]:
        after, transition = step
        self.counted[transition] += 1
        if transition in QUIET:
            return []
        before = self._standing.get(key)
        if before is None and len(self._standing) >= MAX_ALERTS:
            self.refused += 1
            return []
        if after is None:
            self._standing.pop(key, None)
            self._seen.pop(key, None)
        else:
            self._standing[key] = after
        return [Change(key, before, after, transition)]

    def _vanished(self, now: datetime) -> list[Change]:
        """Alerts of whose labels nothing has been said for long, while others were."""
        if now - self._swept_at < SWEEP_EVERY:
            return []
        self._swept_at = now
        gone = [
            (key, standing)
            for key, standing in self._standing.items()
            if standing.alert.state is not State.RESOLVED and now - self._seen[key] >= state.VANISHED_AFTER
        ]
        return [change for key, standing in gone for change in self._stepped(key, state.vanish(standing, now))]

    def _identified(self, observation: Observation, *, about_data: bool) -> tuple[str, dict[str, str]]:
        """Fingerprint and labels of the alert that an observation is about; remembered, since they come every time."""
        key = (observation.policy.rule, frozenset(observation.labels.items()), about_data)
        if (known := self._identities.get(key)) is not None:
            return known
        if len(self._identities) >= MAX_IDENTITIES:
            self._identities.clear()
        identity = state.no_data_identity if about_data else state.identity
        labels = identity(observation.policy, observation.labels)
        self._identities[key] = (fingerprint(labels), labels)
        return self._identities[key]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What an observation says of one alert: that of its rule, or the one about missing data."""

    observation: Observation
    labels: dict[str, str]
    about_data: bool

    @property
    def weight(self) -> int:
        return state.weight(self.observation, about_data=self.about_data)
