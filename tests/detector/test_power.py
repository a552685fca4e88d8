"""The benchmark of drift, small and with a fixed seed: few false alarms, and shifts that are found."""

from tests.bench.drift import FEATURES, Share, measure


def test_clean_windows_are_silent_and_a_shift_of_two_fifths_of_a_deviation_is_found() -> None:
    result = measure(windows=60, trials=60, seed=3, streams=3)

    assert len(FEATURES) == 20
    assert result.false.found == 0
    assert result.power.found >= 0.9 * result.power.of
    assert result.others.found == 0


def test_the_interval_of_a_share_is_clopper_and_pearsons() -> None:
    # R: binom.test(4, 2000)$conf.int
    low, high = Share(4, 2000).bounds()

    assert (round(low, 6), round(high, 6)) == (0.000545, 0.005113)
    assert Share(0, 20).bounds()[0] == 0.0
    assert Share(20, 20).bounds()[1] == 1.0
