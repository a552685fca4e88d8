"""The detector: what windows differ by when all is well is no drift, and what is large is found."""

import numpy as np
import pytest

from monitorx.backend.detector import Finding, RankLocationDetector, Status, drifted
from monitorx.backend.detector.calibration import replay
from monitorx.backend.detector.finding import Effects
from monitorx.backend.detector.rank_location import rank_location
from monitorx.sketch import Anchor
from tests.detector.build import Values, reference, sketch

UNIT = Anchor(0.0, 1.0)


def windows(random: np.random.Generator, count: int, *, sway: float = 0.0, size: int = 500) -> list[Values]:
    """Normal windows whose mean sways from one to the next."""
    return [random.normal(random.normal(0.0, sway) if sway else 0.0, 1.0, size) for _ in range(count)]


def test_windows_that_are_alike_have_little_between_them() -> None:
    found = [
        replay(reference(windows(np.random.default_rng(seed), 12), UNIT), rank_location).between for seed in range(40)
    ]

    # 1 / (12 * 500) = 1.7e-4 is what chance makes of a window.
    assert np.median(found) < 3e-5


def test_what_windows_differ_by_is_found() -> None:
    found = [
        replay(reference(windows(np.random.default_rng(seed), 30, sway=0.2), UNIT), rank_location).between
        for seed in range(20)
    ]

    # A shift of d standard deviations moves P(current > reference) by d / (2 sqrt(pi)) = .282 d.
    assert np.mean(found) == pytest.approx((0.282 * 0.2) ** 2, rel=0.2)


def test_windows_that_sway_alarm_without_replay_and_not_with_it() -> None:
    """The windows of a day differ; taken to be alike, most of them would alarm."""
    alarms = {7: 0, 30: 0}
    for seed in range(30):
        random = np.random.default_rng(seed)
        for count in alarms:
            normal = reference(windows(random, count, sway=0.25), UNIT, name=f"{seed}/{count}")
            detector = RankLocationDetector()
            found = [detector.compare(normal, sketch(each, UNIT)) for each in windows(random, 20, sway=0.25)]
            alarms[count] += sum(sum(drifted([finding])) for finding in found)

    assert alarms[7] > 150  # of 600: fewer than eight windows say nothing about how they differ
    assert alarms[30] <= 6


def test_fewer_than_eight_windows_are_said_to_be_taken_as_alike() -> None:
    random = np.random.default_rng(0)
    current = sketch(random.normal(size=500), UNIT)

    methods = [
        RankLocationDetector().compare(reference(windows(random, count), UNIT), current).method for count in (7, 8)
    ]

    assert methods == ["rank_location:iid", "rank_location"]


def test_a_shift_is_told_with_its_size() -> None:
    random = np.random.default_rng(1)
    normal = reference([random.normal(50.0, 10.0, 1_000) for _ in range(12)], Anchor(0.0, 8.0))

    finding = RankLocationDetector().compare(normal, sketch(random.normal(60.0, 10.0, 4_000), Anchor(0.0, 8.0)))

    effects = finding.effects
    assert effects is not None
    assert (finding.statistic or 0.0) > 10.0
    assert effects.ks == pytest.approx(0.383, abs=0.02)  # 2 Phi(1/2) - 1
    assert effects.wasserstein == pytest.approx(1.0, abs=0.05)  # a standard deviation
    assert effects.psi == pytest.approx(1.0, abs=0.12)  # about the square of it, in tenths a little less
    assert effects.psi_low < effects.psi < effects.psi_high
    assert effects.reference_quantiles == pytest.approx([33.55, 43.26, 50.0, 56.74, 66.45], abs=0.6)
    assert effects.current_quantiles == pytest.approx([43.55, 53.26, 60.0, 66.74, 76.45], abs=0.6)


def test_a_constant_that_changes_is_told_and_one_that_stays_is_not() -> None:
    seven = Anchor(0.0, 1.0)
    normal = reference([np.full(400, 7.0)] * 12, seven)
    detector = RankLocationDetector()

    stays, changes = (detector.compare(normal, sketch(np.full(400, value), seven)) for value in (7.0, 8.0))

    assert (stays.statistic, stays.p) == (0.0, 1.0)
    assert drifted([stays, changes]) == [False, True]
    assert changes.effects is not None
    assert changes.effects.ks == 1.0


def test_the_same_two_always_give_the_same_finding() -> None:
    random = np.random.default_rng(0)
    normal, current = reference(windows(random, 9), UNIT), sketch(random.normal(size=500), UNIT)

    assert RankLocationDetector().compare(normal, current) == RankLocationDetector().compare(normal, current)


def finding(p: float, ks: float = 0.2, psi: float = 0.2, status: Status = Status.OK) -> Finding:
    effects = Effects(ks, psi, psi, psi, 1.0, (), ())
    return Finding(status, "m", 1.0, p, effects, (0, 1), "r")


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        pytest.param([finding(1e-9)], [True], id="sure and large"),
        pytest.param([finding(1e-9, ks=0.049, psi=0.019)], [False], id="sure and small"),
        pytest.param([finding(1e-9, ks=0.05, psi=0.0)], [True], id="large by KS alone"),
        pytest.param([finding(1e-9, ks=0.0, psi=0.02)], [True], id="large by PSI alone"),
        pytest.param([finding(0.001)], [False], id="not sure"),
        pytest.param([finding(4e-4)], [True], id="sure for one feature"),
        pytest.param([finding(4e-4)] + [finding(0.5)] * 19, [False] * 20, id="not for one of twenty"),
        pytest.param([finding(4e-4)] * 20, [True] * 20, id="but for all of twenty"),
        pytest.param([finding(1e-9, status=Status.SMALL), finding(4e-4)], [False, True], id="no answer, not counted"),
        pytest.param([], [], id="none"),
    ],
)
def test_drift_is_what_is_sure_and_matters(findings: list[Finding], told: list[bool]) -> None:
    assert drifted(findings) == told


def test_a_reference_of_few_values_has_no_answer() -> None:
    current = sketch(np.random.default_rng(0).normal(size=500), UNIT)
    few, enough = (reference([np.zeros(count)], UNIT, name=str(count)) for count in (299, 300))

    assert [RankLocationDetector().compare(each, current).status for each in (few, enough)] == [
        Status.SMALL,
        Status.OK,
    ]
