"""The step: windows close, references freeze, findings are told; and a crash changes nothing of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitorx.backend.detector import FeatureKey, SQLiteState
from monitorx.backend.detector.gather import CARRIED
from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.storage.store import DriftRow
from monitorx.sketch import Anchor
from tests.detector.build import SECOND, batch, reference
from tests.detector.world import SETTINGS, T0, UNIT, WINDOW, World, brief
from tests.support.read_only import folder, read_only


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.state.close()


def test_a_window_waits_for_its_end_and_what_is_late(world: World) -> None:
    world.send(0)

    world.drift.evaluate(T0 + WINDOW + 2 * SECOND - 1)

    assert world.drift.take() == []
    assert [(row.start_ns, row.end_ns, row.events) for row in world.close(0)] == [(T0, T0 + WINDOW, 400.0)] * 2


def test_first_windows_become_the_reference_and_the_next_is_compared(world: World) -> None:
    statuses = []
    for window in range(4):
        world.send(window)
        statuses.append(brief(world.close(window)))

    assert statuses == [
        *[[("age", "no_reference", False), ("amount", "no_reference", False)]] * 3,
        [("age", "ok", False), ("amount", "ok", False)],
    ]


def test_a_shift_of_one_feature_is_told_of_that_feature_alone(world: World) -> None:
    for window in range(3):
        world.send(window)
        world.close(window)
    world.send(3, age=0.6)

    age, amount = world.close(3)

    assert (age.drifted, amount.drifted) == (True, False)
    assert (age.method, age.reference[:7], age.tenant, age.model, age.version, age.role) == (
        "rank_location:iid",
        "frozen-",
        "default",
        "fraud",
        "1",
        "input",
    )
    assert (age.statistic or 0.0) > 5.0
    assert (age.p or 0.0) < 1e-6
    assert 0.15 < (age.score or 0.0) < 0.35
    assert (age.psi or 0.0) > 0.1
    assert world.counted == {
        ("monitorx_drift_windows_total", "no_reference"): 6.0,
        ("monitorx_drift_windows_total", "ok"): 2.0,
    }


def test_few_values_accumulate_until_they_suffice(world: World) -> None:
    rows = []
    for window in range(3):
        world.send(window, n=120)
        rows += [row for row in world.close(window) if row.feature == "age"]

    assert [(row.start_ns, row.end_ns, row.status, row.events) for row in rows] == [
        (T0, T0 + WINDOW, "small", 120.0),
        (T0, T0 + 2 * WINDOW, "small", 240.0),
        (T0, T0 + 3 * WINDOW, "no_reference", 360.0),
    ]


def test_what_comes_late_counts_in_the_oldest_open_window(world: World) -> None:
    world.send(0)
    world.close(0)
    world.position += 1
    late = batch({"age": np.zeros(400)}, at_ns=T0 + 6 * SECOND, anchors={"age": UNIT})
    world.drift.add(late, position=world.position, arrival_ns=T0 + 15 * SECOND)

    assert [(row.feature, row.start_ns, row.events) for row in world.close(1)] == [
        ("age", T0 + WINDOW, 400.0),
        ("amount", T0 + WINDOW, 0.0),
    ]


def test_a_clock_that_runs_ahead_is_held_at_the_arrival(world: World) -> None:
    ahead = batch({"age": np.zeros(400)}, at_ns=T0 + 3600 * SECOND, anchors={"age": UNIT})
    world.drift.add(ahead, position=1, arrival_ns=T0 + SECOND)

    assert [row.start_ns for row in world.close(0)] == [T0]


def test_a_clock_that_was_set_back_by_years_holds_nothing_up(world: World) -> None:
    world.drift.evaluate(T0 + 10**18)
    world.send(0)

    assert [row.events for row in world.close(0)] == [400.0, 400.0]
    world.send(1)
    assert [row.start_ns for row in world.close(1)] == [T0 + WINDOW] * 2


def test_a_window_in_alarm_never_enters_a_reference(tmp_path: Path) -> None:
    """`amount` is still on its way to a reference when `age`, which has one, drifts: that window is no normal one."""
    normal = reference([np.random.default_rng(seed).normal(size=400) for seed in range(8)], UNIT)
    world = World(tmp_path, fitted={("fraud", "", "age", "input"): normal})
    rows = []
    for window, shift in enumerate([0.0, 2.0, 0.0, 0.0, 0.0]):
        world.send(window, age=shift)
        rows.append([(row.status, row.drifted) for row in world.close(window)])

    assert [row[0][1] for row in rows] == [False, True, False, False, False]
    # Windows 0, 2 and 3 make the reference of `amount`; window 4 is the first to be compared.
    assert [row[1][0] for row in rows] == ["no_reference"] * 4 + ["ok"]
    world.state.close()


def test_a_fitted_reference_of_the_version_goes_before_one_of_any_version(tmp_path: Path) -> None:
    windows = [np.random.default_rng(seed).normal(size=400) for seed in range(8)]
    fitted = {("fraud", version, "age", "input"): reference(windows, UNIT, name=version) for version in ("", "1")}
    world = World(tmp_path, fitted=fitted)
    key = FeatureKey("default", "fraud", "1", "age", "input")

    assert world.drift.reference(key) is fitted["fraud", "1", "age", "input"]
    assert world.drift.reference(key._replace(version="2")) is fitted["fraud", "", "age", "input"]
    assert world.drift.reference(key._replace(feature="amount")) is None
    world.state.close()


def test_replicas_that_disagree_about_integers_have_no_answer(world: World) -> None:
    counts = np.random.default_rng(0).poisson(3.0, 400).astype(float)
    for number, center in enumerate((0.0, 8.0), 1):
        sent = batch({"n": counts}, at_ns=T0 + SECOND, anchors={"n": Anchor(center, 1.0)})
        world.drift.add(sent, position=number, arrival_ns=T0 + SECOND)

    (row,) = world.close(0)

    assert (row.status, row.drifted, row.p, row.score, row.events) == ("low_resolution", False, None, None, 800.0)


def test_features_and_anchors_are_bounded_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    world = World(tmp_path, replace(SETTINGS, features=3))
    many = {f"f{number}": np.ones(4) for number in range(5)}
    world.drift.add(batch(many, at_ns=T0), position=1, arrival_ns=T0)
    for number in range(10):
        odd = batch({"f0": np.ones(4)}, at_ns=T0 + number, anchors={"f0": Anchor(float(number), 1.0)})
        world.drift.add(odd, position=2 + number, arrival_ns=T0)

    assert world.counted["monitorx_drift_dropped_total", "features"] == 2.0
    assert world.counted["monitorx_drift_dropped_total", "anchors"] > 0.0
    world.state.close()


def test_a_feature_not_seen_for_a_day_makes_room(tmp_path: Path) -> None:
    world = World(tmp_path, replace(SETTINGS, features=1))
    later = T0 + 86_401 * SECOND
    for position, (name, at_ns) in enumerate([("old", T0), ("new", T0 + SECOND), ("new", later)], 1):
        world.drift.add(batch({name: np.ones(400)}, at_ns=at_ns), position=position, arrival_ns=at_ns)
    world.drift.save(3, stored=0)
    world.begin()

    assert {row.feature for row in world.close(8641)} == {"new"}
    assert world.counted["monitorx_drift_dropped_total", "features"] == 1.0
    world.state.close()


# --- crashes ---


def run(world: World, crash: Callable[[World, int], None]) -> list[DriftRow]:
    """Eight windows in three parts each, the third feature shift in the last two; every finding, each once."""
    found: dict[tuple[str, int], DriftRow] = {}
    for window in range(8):
        for part in range(3):
            world.send(window, offset_s=2.0 + part, n=150, age=0.8 if window > 5 else 0.0)
            crash(world, world.position)
        for row in world.close(window):
            found[row.feature, row.end_ns] = row
        crash(world, world.position)
    return list(found.values())


def test_after_any_crash_the_findings_are_those_of_a_run_without_one(tmp_path: Path) -> None:
    """
    The state is saved before the store has the position, so after a crash the store is behind it: what the journal
    replays is passed over, and what was found since the store's position is handed out again.
    """
    (tmp_path / "calm").mkdir()
    calm = World(tmp_path / "calm")
    expected = run(calm, lambda world, position: None)
    calm.state.close()

    for seed in range(5):
        random = np.random.default_rng(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = World(folder)

        def crash(world: World, position: int, random: np.random.Generator = random) -> None:
            world.drift.save(position, stored=max(0, position - 2))
            if random.random() < 0.3:
                world.state.close()
                world.begin(stored=max(0, position - 2))
                # The journal is replayed from the store's position.
                for old in range(max(1, position - 1), position + 1):
                    world.add(old, (old - 1) // 3, 2.0 + (old - 1) % 3, 150)

        found = run(world, crash)
        world.state.close()

        assert found == expected


def test_what_was_found_and_may_not_be_stored_is_handed_out_again(world: World) -> None:
    world.send(0)
    first = world.close(0)
    world.drift.save(1, stored=0)
    world.state.close()

    world.begin(stored=0)
    again = world.drift.take()
    world.state.close()
    world.begin(stored=2)

    assert again == first
    assert world.drift.take() == []


def test_what_was_not_saved_comes_from_the_journal(world: World) -> None:
    world.send(0)
    world.drift.save(1, stored=0)
    world.send(0, offset_s=6.0)
    world.state.close()
    world.begin()

    world.add(1, 0)
    world.add(2, 0, 6.0)

    assert world.drift.position == 1
    assert [row.events for row in world.close(0)] == [800.0, 800.0]


def test_scores_stand_again_after_a_restart(world: World) -> None:
    for window in range(4):
        world.send(window, age=2.0 if window == 3 else 0.0)
        world.close(window)
    world.drift.save(world.position, stored=0)
    world.state.close()
    world.begin(stored=world.position)

    scores = {key[-1]: reading.last for key, _, reading in world.drift.scores(T0 + 4 * WINDOW + 3 * SECOND)}

    assert [score > 0.5 for score in scores.values()] == [True, False]


def test_a_state_that_cannot_be_written_is_written_with_the_next(world: World) -> None:
    world.send(0)
    world.state.close()
    with pytest.raises(StorageError, match="cannot be written"):
        world.drift.save(1, stored=0)
    world.state = SQLiteState(world.path)
    world.drift._state = world.state

    world.drift.save(2, stored=0)
    world.state.close()
    world.begin()

    assert [row.events for row in world.close(0)] == [400.0, 400.0]


def test_a_state_that_was_not_written_for_long_leaves_nothing_of_windows_that_are_over(world: World) -> None:
    world.send(0)
    world.drift.save(1, stored=0)
    for window in range(6):
        world.send(window, n=100 if window == 4 else 400)
        world.close(window)
    waiting = world.drift._gathered.changed

    world.drift.save(world.position, stored=0)
    world.state.close()
    kept = SQLiteState(world.path).read()

    assert {start for start, _ in waiting} == {CARRIED}  # a feature each: it does not grow with time
    assert (kept.windows, kept.position, len(kept.findings)) == ({}, 7, 12)


def test_a_step_that_lives_on_passes_over_what_the_journal_tells_again(world: World) -> None:
    world.send(0)
    world.send(0, offset_s=6.0)

    world.drift.resume(2)
    world.add(1, 0)
    world.drift.save(1, stored=0)
    world.state.close()
    world.begin()

    assert world.drift.position == 2
    assert [row.events for row in world.close(0)] == [800.0, 800.0]


def test_a_full_disk_is_said_by_its_name(world: World) -> None:
    world.state._connection.execute("PRAGMA max_page_count = 1")  # SQLite ends the transaction itself
    world.send(0, n=4000)

    with pytest.raises(StorageError, match="cannot be written: database or disk is full"):
        world.drift.save(1, stored=0)


NEWER = f"PRAGMA application_id = {0x4D584452}; PRAGMA user_version = 9; CREATE TABLE x (a)"


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        pytest.param("CREATE TABLE x (a)", "is not a file of MonitorX", id="another program's"),
        pytest.param(NEWER, "version 9", id="newer"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, statements: str, words: str) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "drift.sqlite") as connection:
        connection.executescript(statements)

    with pytest.raises(ConfigError, match=words):
        SQLiteState(tmp_path / "drift.sqlite")


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "drift.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 50)

    with pytest.raises(StorageError, match="is damaged; move it away and start again: drift begins anew"):
        SQLiteState(tmp_path / "drift.sqlite")


def test_a_file_that_may_only_be_read_is_refused_at_the_opening() -> None:
    with folder() as place:
        SQLiteState(place / "drift.sqlite").close()

        with (
            read_only(place / "drift.sqlite"),
            pytest.raises(StorageError, match=r"drift\.sqlite cannot be opened: .* readonly database"),
        ):
            SQLiteState(place / "drift.sqlite")
