"""Registered models: on disk before they are answered, compiled to rules that are always ready."""

import sqlite3
from pathlib import Path

import pytest

from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.rule import Rule, parse
from monitorx.backend.rule.threshold import Thresholds
from monitorx.backend.storage.registry import MAX_RULES, RegisteredModel, Registry, RegistryFull
from tests.support.read_only import folder, read_only

FRAUD = RegisteredModel("fraud", "tabular", Thresholds(0.2, 0.05))
FACES = RegisteredModel("org/faces", None, Thresholds(None, 0.1))
OF_A_FILE = Rule("Slow", parse("p95(latency[5m]) > 1s"))


def names(registry: Registry) -> list[str]:
    return [rule.name for rule in registry.rules()]


def test_what_was_registered_is_there_after_a_restart(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite")
    registry.put(FRAUD)
    registry.put(FACES)
    rules = registry.rules()
    registry.close()

    again = Registry(tmp_path / "models.sqlite")

    assert (again.find("fraud"), again.find("org/faces"), again.find("other")) == (FRAUD, FACES, None)
    assert again.rules() == rules
    again.close()


def test_rules_of_the_file_come_first_and_those_of_thresholds_follow_each_change(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite", before=[OF_A_FILE])

    assert names(registry) == ["Slow"]
    registry.put(FRAUD)
    assert names(registry) == ["Slow", "ModelLatencyHigh", "ModelErrorRateHigh"]
    registry.put(RegisteredModel("fraud", "tabular", Thresholds(0.3)))
    assert names(registry) == ["Slow", "ModelLatencyHigh"]
    assert registry.rules()[1].expression.threshold == 0.3
    assert registry.remove("fraud")
    assert names(registry) == ["Slow"]
    registry.close()


def test_rules_are_the_same_object_until_something_changes(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite")
    registry.put(FRAUD)

    before = registry.rules()

    assert registry.rules() is before
    registry.put(FACES)
    assert registry.rules() is not before
    registry.close()


def test_what_was_never_registered_cannot_be_removed(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite")

    assert not registry.remove("fraud")
    registry.close()


def test_a_full_registry_takes_no_further_model_and_still_changes_those_it_has(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite", limit=1)
    registry.put(FRAUD)

    with pytest.raises(RegistryFull, match="1 models are registered"):
        registry.put(FACES)
    registry.put(RegisteredModel("fraud", "llm", Thresholds()))

    assert registry.find("org/faces") is None
    assert registry.find("fraud") == RegisteredModel("fraud", "llm", Thresholds())
    registry.close()


def test_a_change_that_is_not_written_does_not_hold(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite")
    registry.put(FRAUD)
    registry.close()

    with pytest.raises(StorageError, match=r"models\.sqlite"):
        registry.put(FACES)
    with pytest.raises(StorageError, match=r"models\.sqlite"):
        registry.remove("fraud")

    assert (registry.find("fraud"), registry.find("org/faces")) == (FRAUD, None)


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "models.sqlite")
    other.execute("PRAGMA user_version = 3")
    other.execute("CREATE TABLE theirs (a)")
    other.close()

    with pytest.raises(StorageError, match="not a file of registered models"):
        Registry(tmp_path / "models.sqlite")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "models.sqlite").write_bytes(b"something else" * 100)

    with pytest.raises(StorageError, match=r"models\.sqlite is damaged; move it away .*file is not a database"):
        Registry(tmp_path / "models.sqlite")


def test_a_file_that_may_only_be_read_is_refused_at_the_opening() -> None:
    with folder() as place:
        Registry(place / "models.sqlite").close()

        with (
            read_only(place / "models.sqlite"),
            pytest.raises(StorageError, match=r"models\.sqlite: .* readonly database"),
        ):
            Registry(place / "models.sqlite")


def test_a_rule_of_the_file_cannot_take_the_name_of_a_thresholds_alert(tmp_path: Path) -> None:
    rule = Rule("ModelLatencyHigh", parse("p95(latency[5m]) > 1s"))

    with pytest.raises(ConfigError, match="alert: ModelLatencyHigh is the name of alerts of registered models"):
        Registry(tmp_path / "models.sqlite", before=[rule])


def test_models_may_be_many_but_their_different_limits_are_few(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models.sqlite")
    for number in range(MAX_RULES):
        registry.put(RegisteredModel(f"model-{number}", None, Thresholds(latency_s=1.0 + number)))

    with pytest.raises(RegistryFull, match="100 different limits are in use"):
        registry.put(RegisteredModel("one more", None, Thresholds(latency_s=0.5)))
    registry.put(RegisteredModel("one more", None, Thresholds(latency_s=1.0)))

    assert len(registry.rules()) == MAX_RULES
    registry.close()


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "models.sqlite"
    registry = Registry(path)
    registry.put(FRAUD)
    registry.close()
    pages = bytearray(path.read_bytes())
    pages[4096:4608] = b"\xa5" * 512
    path.write_bytes(pages)

    with pytest.raises(StorageError, match=r"models\.sqlite is damaged; move it away and start again: no model is"):
        Registry(path)


def test_a_file_of_another_program_without_a_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "models.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(StorageError, match="not a file of registered models"):
        Registry(path)

    assert path.read_bytes() == before
