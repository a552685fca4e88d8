"""Each method against an independent implementation on the same cells, and against numbers that are known."""

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest
import scipy.stats

import monitorx.backend.detector
from monitorx.backend.detector.benjamini_hochberg import rejected
from monitorx.backend.detector.ks import ks
from monitorx.backend.detector.psi import psi
from monitorx.backend.detector.rank_location import rank_location
from monitorx.backend.detector.student import two_sided
from monitorx.backend.detector.wasserstein import wasserstein

MODULES = [each.name for each in pkgutil.iter_modules(monitorx.backend.detector.__path__)]
SEEDS = range(20)


def counts(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts of two samples over the same cells, with ties and empty cells."""
    random = np.random.default_rng(seed)
    cells = int(random.integers(2, 40))
    share = random.dirichlet(np.full(cells, 0.4))
    one = random.multinomial(int(random.integers(5, 900)), share).astype(float)
    other = random.multinomial(int(random.integers(5, 900)), np.roll(share, seed % 2)).astype(float)
    return one, other


def values(of: np.ndarray) -> np.ndarray:
    """The values that *of* counts, as their cells' numbers."""
    return np.repeat(np.arange(of.size), of.astype(int))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_documentation_hold(name: str) -> None:
    module = importlib.import_module(f"monitorx.backend.detector.{name}")

    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_rank_location_is_mann_whitneys_test(seed: int) -> None:
    one, other = counts(seed)
    expected = scipy.stats.mannwhitneyu(values(other), values(one), use_continuity=False, method="asymptotic")

    found = rank_location(one, other)

    assert (found.effect + 0.5) * one.sum() * other.sum() == pytest.approx(expected.statistic)
    assert two_sided(found.effect / math.sqrt(found.variance), math.inf) == pytest.approx(expected.pvalue, rel=1e-9)


def test_rank_location_counted_by_hand() -> None:
    # {3, 5, 6} against {1, 2, 4, 7}: 2 + 3 + 3 of the 12 pairs are larger.
    found = rank_location(np.array([1, 1, 0, 1, 0, 0, 1.0]), np.array([0, 0, 1, 0, 1, 1, 0.0]))

    assert found.effect == pytest.approx(8 / 12 - 0.5)
    assert found.variance == pytest.approx(8 / 144)  # (N + 1) / (12 m n)


def test_rank_location_of_one_value_alone_has_no_variance() -> None:
    assert rank_location(np.array([5.0]), np.array([7.0])) == (0.0, 0.0)


@pytest.mark.parametrize("degrees", [0.7, 1.0, 3.5, 11.0, 40.25, 300.0, 1e5, 1e6])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.7, 4.2, 9.0, 38.0])
def test_the_tail_is_students(t: float, degrees: float) -> None:
    assert two_sided(t, degrees) == pytest.approx(2 * scipy.stats.t.sf(t, degrees), rel=1e-8, abs=1e-300)
    assert two_sided(-t, degrees) == two_sided(t, degrees)


def test_the_tail_of_infinitely_many_degrees_is_the_normal_one() -> None:
    assert two_sided(4.0, math.inf) == pytest.approx(2 * scipy.stats.norm.sf(4.0), rel=1e-12)
    assert two_sided(math.nan, 4.0) == 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_rejected_is_what_benjamini_and_hochberg_reject(seed: int) -> None:
    random = np.random.default_rng(seed)
    p = np.concatenate([random.random(15), random.random(5) * 10.0 ** -random.integers(0, 6, 5)])

    assert rejected(p.tolist(), 0.05) == (scipy.stats.false_discovery_control(p) <= 0.05).tolist()


def test_of_no_features_none_is_rejected() -> None:
    assert rejected([], 0.05) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_ks_is_the_distance_of_kolmogorov_and_smirnov(seed: int) -> None:
    one, other = counts(seed)

    assert ks(one, other) == pytest.approx(scipy.stats.ks_2samp(values(one), values(other)).statistic)


@pytest.mark.parametrize("seed", SEEDS)
def test_wasserstein_is_the_first_distance(seed: int) -> None:
    one, other = counts(seed)
    edges = np.cumsum(np.random.default_rng(seed).exponential(1.0, one.size))
    expected = scipy.stats.wasserstein_distance(edges, edges, one, other)

    assert wasserstein(edges, one, other, unit=2.0) == pytest.approx(expected / 2.0)


def test_psi_of_known_shares() -> None:
    # 10 % against 20 % in one of two cells: .1 ln 2 + .1 ln(9/8) = .0811
    found = psi(np.array([1e6, 9e6]), np.array([2e6, 8e6]))

    assert found.value == pytest.approx(0.1 * math.log(2) + 0.1 * math.log(9 / 8), rel=1e-5)


def test_debiased_psi_is_freed_of_chance_and_its_band_holds_in_nine_of_ten() -> None:
    random = np.random.default_rng(0)
    share = np.full(10, 0.1)
    tilted = share + np.linspace(-0.04, 0.04, 10)
    true = float(((tilted - share) * np.log(tilted / share)).sum())
    drawn = [
        psi(random.multinomial(5_000, share).astype(float), random.multinomial(600, tilted).astype(float))
        for _ in range(400)
    ]

    # Without taking chance away it is 9 (1/5000 + 1/600) = .017 too large.
    assert np.mean([each.value for each in drawn]) - true > 0.012
    assert np.mean([each.debiased for each in drawn]) == pytest.approx(true, abs=0.004)
    assert 0.85 < np.mean([each.low <= true <= each.high for each in drawn]) < 0.97


def test_psi_of_equal_samples_of_a_few_atoms_is_zero() -> None:
    found = psi(np.array([700.0, 200.0, 100.0]), np.array([70.0, 20.0, 10.0]))

    assert (found.debiased, found.low) == (0.0, 0.0)
    assert found.value == pytest.approx(0.0, abs=2e-4)
