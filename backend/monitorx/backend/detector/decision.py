"""Which findings of a model's window are drift: sure enough, all its features considered, and large enough."""

from collections.abc import Sequence

from monitorx.backend.detector.benjamini_hochberg import rejected
from monitorx.backend.detector.finding import Effects, Finding, Status

FALSE_ALARMS = 0.0005  # in how many windows without drift one is told: 1 of 2000, however many features there are
SMALLEST_KS, SMALLEST_PSI = 0.05, 0.02  # with many values even what does not matter is sure


def drifted(findings: Sequence[Finding], *, false_alarms: float = FALSE_ALARMS) -> list[bool]:
    """For each of the findings of one window of one model version, whether it is drift."""
    judged = [index for index, finding in enumerate(findings) if finding.status is Status.OK]
    sure = rejected([findings[index].p or 0.0 for index in judged], false_alarms)
    found = {
        index for index, is_sure in zip(judged, sure, strict=True) if is_sure and _matters(findings[index].effects)
    }
    return [index in found for index in range(len(findings))]


def _matters(effects: Effects | None) -> bool:
    return effects is not None and (effects.ks >= SMALLEST_KS or effects.psi >= SMALLEST_PSI)
