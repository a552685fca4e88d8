"""
Models that were registered over REST: their kind and their thresholds, in a small SQLite file of their own.

A change is on disk before it is answered. The rules that thresholds mean are kept ready, and may be read by another
thread at any time.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.rule import Rule
from monitorx.backend.rule.threshold import ERROR_RATE_ALERT, LATENCY_ALERT, Thresholds, compiled

MAX_MODELS = 1000
MAX_RULES = 100  # each looks at all models: 1.7 ms at 1000 of them, several times a second
Kind = Literal["llm", "vision", "tabular"]
_APPLICATION_ID = 0x4D584D44  # "MXMD"
_SCHEMA_VERSION = 1
_SCHEMA = (
    "CREATE TABLE models (name TEXT PRIMARY KEY, kind TEXT, latency_s REAL, error_ratio REAL) WITHOUT ROWID, STRICT"
)


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """
    What was said of a model.

    Attributes:
        name: As in its telemetry.
        kind: llm, vision or tabular; None where that was not said.
        thresholds: What is too much for it.
    """

    name: str
    kind: Kind | None
    thresholds: Thresholds


class RegistryFull(Exception):
    """There are as many models, or as many different limits, as are allowed."""


class Registry:
    """
    The registered models. Every method may be called from any thread.

    Args:
        path: The file; made where it is missing.
        before: Rules that come before those of the thresholds, for `rules`.
        limit: How many models may be registered.

    Raises:
        ConfigError: A rule of *before* has a name that alerts of thresholds have.
        StorageError: The file cannot be used.
    """

    def __init__(self, path: Path, *, before: Sequence[Rule] = (), limit: int = MAX_MODELS) -> None:
        _refuse_taken_names(before)
        self._path, self._before, self._limit = path, tuple(before), limit
        self._lock = threading.Lock()
        self._models: dict[str, RegisteredModel] = {}
        with self._words():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
                self._models = {each.name: each for each in self._stored()}
            except BaseException:
                self._db.close()
                raise
        self._rules = self._compiled(self._models)

    def rules(self) -> tuple[Rule, ...]:
        """All rules that hold now; never blocks."""
        return self._rules

    def find(self, name: str) -> RegisteredModel | None:
        """The model *name*; None where it was not registered. Never blocks."""
        return self._models.get(name)

    def put(self, model: RegisteredModel) -> None:
        """
        Register *model*, or say something new of it; on disk when this returns.

        Raises:
            RegistryFull: There are too many models, or too many different limits.
            StorageError: The disk did not take it; nothing has changed.
        """
        row = (model.name, model.kind, model.thresholds.latency_s, model.thresholds.error_ratio)
        with self._lock:
            if model.name not in self._models and len(self._models) >= self._limit:
                raise RegistryFull(f"{self._limit} models are registered, and no more are allowed; delete one first")
            changed = self._models | {model.name: model}
            rules = len(self._compiled(changed))
            if rules > len(self._before) + MAX_RULES and rules > len(self._rules):
                raise RegistryFull(f"{MAX_RULES} different limits are in use; use one of those that other models have")
            self._change(changed, lambda: self._db.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", row))

    def remove(self, name: str) -> bool:
        """Forget the model *name*; False where it was not registered. Raises `StorageError`."""
        with self._lock:
            if name not in self._models:
                return False
            changed = {each: model for each, model in self._models.items() if each != name}
            self._change(changed, lambda: self._db.execute("DELETE FROM models WHERE name = ?", (name,)))
            return True

    def close(self) -> None:
        """Release the file. Safe twice."""
        with self._lock:
            self._db.close()

    def _change(self, models: dict[str, RegisteredModel], write: Callable[[], object]) -> None:
        rules = self._compiled(models)
        with self._words():
            write()
        self._models, self._rules = models, rules

    def _compiled(self, models: dict[str, RegisteredModel]) -> tuple[Rule, ...]:
        return (*self._before, *compiled({name: model.thresholds for name, model in models.items()}))

    def _stored(self) -> Iterator[RegisteredModel]:
        rows = self._db.execute("SELECT name, kind, latency_s, error_ratio FROM models")
        for name, kind, latency_s, error_ratio in rows:
            yield RegisteredModel(name, kind, Thresholds(latency_s, error_ratio))

    def _prepare(self) -> None:
        application, found = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        is_new = (application, found, tables) == (0, 0, 0)
        if not is_new and (application != _APPLICATION_ID or found > _SCHEMA_VERSION):
            raise StorageError(f"{self._path} is not a file of registered models that this version can read")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if is_new:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(_SCHEMA)
            self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")  # a file that may only be read is refused now, and not at the first model
        self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        self._db.execute("ROLLBACK")

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
            raise StorageError(f"{self._path}: {error}") from None
        except sqlite3.Error as error:
            advice = "move it away and start again: no model is registered then"
            raise StorageError(f"{self._path} is damaged; {advice} ({error})") from None


def _refuse_taken_names(rules: Sequence[Rule]) -> None:
    """Two rules of one name would speak of the same alert, and end each other's."""
    for rule in rules:
        if rule.name in (LATENCY_ALERT, ERROR_RATE_ALERT):
            raise ConfigError(f"alert: {rule.name} is the name of alerts of registered models; rename the rule")
