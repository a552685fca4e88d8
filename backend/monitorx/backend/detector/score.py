"""
`drift_score` as rules read it: for each feature the distance (KS) of its last window, or 0 where that is not drift.

So `drift_score > 0` holds exactly where the detector says drift, and a larger threshold asks for more distance on top.
A window without an answer (small, low_resolution, no_reference) has no score. A score stands until the next window of
the feature is judged, at most for two more windows: it is told again in each pane, whatever window a rule looks at.
"""

import json
from collections.abc import Iterator, Mapping

from monitorx.backend.detector.finding import Status
from monitorx.backend.detector.reference import FeatureKey
from monitorx.backend.storage.store import DriftRow
from monitorx.backend.window.pane import PANE_NS
from monitorx.backend.window.series import Reading, SeriesKey
from monitorx.semconv.metrics import DRIFT_SCORE

_STANDS = 3  # lengths of a window after its end: its own successor's length and what is late


class Scores:
    """Hands out each score once a pane."""

    def __init__(self, window_ns: int) -> None:
        self._stands_ns = _STANDS * window_ns
        self._told: dict[FeatureKey, tuple[int, int]] = {}  # end of the window, pane

    def readings(self, last: Mapping[FeatureKey, DriftRow], now_ns: int) -> Iterator[tuple[SeriesKey, int, Reading]]:
        """The scores that stand now and were not told in this pane."""
        pane = now_ns // PANE_NS * PANE_NS
        self._told = {key: told for key, told in self._told.items() if key in last}
        for key, row in last.items():
            if row.status != Status.OK or row.score is None or now_ns > row.end_ns + self._stands_ns:
                continue
            if self._told.get(key) == (row.end_ns, pane):
                continue
            self._told[key] = row.end_ns, pane
            score = row.score if row.drifted else 0.0
            yield _series(key, row), pane, Reading(True, 1.0, score, score, score, score, now_ns)


def _series(key: FeatureKey, row: DriftRow) -> SeriesKey:
    attributes = {"feature": key.feature, "method": row.method, "role": key.role}
    text = json.dumps(attributes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (DRIFT_SCORE, key.tenant, "", "", key.model, key.version, "", "", text)
