"""What every detector promises, whatever it looks for."""

from collections.abc import Callable

import numpy as np
import pytest

from monitorx.backend.detector import Detector, RankLocationDetector, Status, sketch_of
from monitorx.sketch import Anchor
from tests.detector.build import reference, sketch

DETECTORS: dict[str, Callable[[], Detector]] = {"rank_location": RankLocationDetector}
UNIT = Anchor(0.0, 1.0)
NORMAL = reference([np.random.default_rng(seed).normal(size=500) for seed in range(12)], UNIT, name="normal")


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Detector:
    return DETECTORS[request.param]()


def test_a_finding_says_what_was_compared_and_when(detector: Detector) -> None:
    current = sketch(np.random.default_rng(99).normal(size=500), UNIT).during(100, 200)

    finding = detector.compare(NORMAL, current)

    assert (finding.status, finding.window, finding.reference_id) == (Status.OK, (100, 200), "normal")
    assert finding.method.startswith(detector.method)
    assert 0.0 < (finding.p or 0.0) <= 1.0
    assert finding.effects is not None
    assert 0.0 <= finding.effects.ks <= 1.0


def test_few_values_are_small_and_nothing_is_said_of_them(detector: Detector) -> None:
    finding = detector.compare(NORMAL, sketch(np.full(299, 50.0), UNIT))

    assert (finding.status, finding.statistic, finding.p, finding.effects) == (Status.SMALL, None, None, None)


def test_sketches_that_cannot_be_brought_together_have_no_answer(detector: Detector) -> None:
    atoms = sketch(np.random.default_rng(0).integers(0, 4, 500).astype(float), Anchor(16.0, 1.0))

    finding = detector.compare(NORMAL, atoms)

    assert (finding.status, finding.statistic, finding.p, finding.effects) == (Status.LOW_RESOLUTION, None, None, None)


def test_the_same_two_give_the_same_finding_from_any_instance(detector: Detector) -> None:
    current = sketch(np.random.default_rng(5).normal(0.3, 1.0, 800), UNIT)

    first = detector.compare(NORMAL, current)

    assert detector.compare(NORMAL, current) == first
    assert type(detector)().compare(NORMAL, current) == first


def test_like_windows_do_not_alarm(detector: Detector) -> None:
    random = np.random.default_rng(17)

    found = [detector.compare(NORMAL, sketch(random.normal(size=500), UNIT)).p or 0.0 for _ in range(300)]

    assert min(found) > 1e-5
    assert np.mean(np.array(found) < 0.05) < 0.1


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"positive": [1e300, 1e300]}, id="huge counts"),
        pytest.param({"scale": 0, "positive_offset": 1000}, id="far away and coarse"),
        pytest.param({"scale": 20, "positive": [1.0] * 5_000}, id="fine"),
        pytest.param({"low": 5.0, "high": -5.0}, id="largest below smallest"),
        pytest.param({"zero_threshold": 1e300}, id="all is zero"),
        pytest.param({"center": 1e300}, id="another center"),
        pytest.param({"anchor": 0.3}, id="another unit"),
    ],
)
def test_whatever_a_sketch_holds_nothing_is_raised(detector: Detector, changed: dict[str, object]) -> None:
    plain = {"center": 0.0, "anchor": 1.0, "scale": 6, "zero_count": 1.0, "zero_threshold": 2.0**-6}
    buckets = {"positive_offset": 0, "positive": [400.0], "negative_offset": 0, "negative": [3.0]}

    finding = detector.compare(NORMAL, sketch_of(**{**plain, **buckets, **changed}))  # type: ignore[arg-type]  # of all kinds

    assert finding.status in Status
    assert finding.p is None or 0.0 <= finding.p <= 1.0
