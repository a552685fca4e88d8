"""
The composition root: the only place that names concrete parts, starts them, and stops them in the reverse order.

Starting: stores and journal, then what stands between them, then the receivers, then the API. Stopping: take in
nothing more, answer what was taken, bring the pipeline to the end of the journal, commit, release.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from monitorx.alerting.alert import Observation
from monitorx.alerting.config import AlertingConfig
from monitorx.alerting.engine import Alerting
from monitorx.alerting.store import SQLiteStore
from monitorx.backend import open_files
from monitorx.backend.absence import Absences
from monitorx.backend.api import Dependencies, create_app
from monitorx.backend.api.connection import ApiSettings
from monitorx.backend.api.serve import ApiServer
from monitorx.backend.backlog import Backlog
from monitorx.backend.config import Address, Settings
from monitorx.backend.decode import Decoder, find_span
from monitorx.backend.dedup import Seen
from monitorx.backend.detector import (
    Drift,
    DriftSettings,
    FittedKey,
    RankLocationDetector,
    Reference,
    SQLiteState,
    read_references,
)
from monitorx.backend.errors import ConfigError, StorageError
from monitorx.backend.gauges import expose
from monitorx.backend.health import Checkup
from monitorx.backend.ingest import IngestStep, decode_again
from monitorx.backend.journal import FileJournal
from monitorx.backend.pipeline import Pipeline, State
from monitorx.backend.receiver.grpc import GrpcReceiver, GrpcSettings
from monitorx.backend.receiver.http import HttpReceiver, HttpSettings
from monitorx.backend.retention import Retention, SureClock, newest_ns
from monitorx.backend.rule import Rule, load, longest_window, watched_metrics
from monitorx.backend.rule.threshold import WINDOW as THRESHOLD_WINDOW
from monitorx.backend.storage.registry import Registry
from monitorx.backend.storage.store import Commit, Selection, Store, TransitionRow
from monitorx.backend.telemetry import Telemetry
from monitorx.backend.window import KNOWN, Bounds, Windows
from monitorx.backend.writer import Writer

_GRACE_S = 10.0
_BACKLOG_BYTES = 64 << 20
_HORIZON = timedelta(minutes=15)  # for how long what comes again is recognised
_POINTS_A_METRIC = 100_000  # read back at a start, for rules that look at a metric by name
_TENANT = "default"

_log = structlog.get_logger(__name__)


class App:
    """
    One running server.

    Raises (on entry):
        ConfigError, DocumentError: A setting or a file cannot be used.
        StorageError: The data folder cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._telemetry = Telemetry()
        self._stack = AsyncExitStack()
        self._listening: dict[str, str] = {}
        self._configured: dict[str, int] = {}
        self._files = 0
        self._is_ready = False
        self._fitted: dict[FittedKey, Reference] = {}
        self._works: Callable[[], bool] = lambda: False

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _log.info("stopping")
        self._is_ready = False
        await self._stack.aclose()
        _log.info("stopped")

    def announce(self) -> None:
        """Say where everything is, and how much the file of rules holds."""
        _log.info("ready", **self._listening, **self._configured)

    async def _start(self) -> None:
        settings, count = self._settings, self._telemetry.count
        rules, alerting_config = _configuration(settings.config)
        self._configured = {"rules": len(rules), "receivers": len(alerting_config.receivers)}
        self._files = open_files.allow_all()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        store = _open_store(settings)
        self._stack.callback(store.close)

        registry = Registry(settings.data_dir / "models.sqlite", before=rules)
        self._stack.callback(registry.close)

        states = SQLiteStore(settings.data_dir / "alerting.sqlite")
        self._stack.callback(states.close)
        alerting = Alerting(
            alerting_config,
            states,
            alerting_config.channels(),
            clock=time.time_ns,
            count=count,
            external_url=settings.external_url or _reachable(settings.api),
        )
        await self._stack.enter_async_context(alerting)

        self._fitted = read_references(settings.reference)
        drift_state = SQLiteState(settings.data_dir / "drift.sqlite")
        self._stack.callback(drift_state.close)
        restore = partial(self._restore, store, rules)

        # A journal that was taken away must not reuse positions that a sink holds already.
        held = restore()
        drift = self._drift(drift_state, held.position)
        at_least = max(held.position, alerting.position, drift.position)
        journal = FileJournal(settings.data_dir / "journal", after=at_least)
        self._stack.callback(journal.close)
        # Before anything arrives: by a clock that is wrong now, that would be the newest.
        known_ns = newest_ns(store, _last_arrival_ns(journal), tenant=_TENANT)

        decoder = Decoder(count=count)
        again = partial(decode_again, decoder)
        backlog = Backlog(journal, again, after=held.position, max_bytes=_BACKLOG_BYTES)
        writer = Writer(store, position=held.position, on_written=self._count_commit, count=count)
        absences = Absences(time.monotonic)
        kept = timedelta(hours=self._settings.retention_hours)
        absences.recall(rules, alerting.alerts(), store.keys, time.time_ns(), kept=kept)
        pipeline = Pipeline(
            backlog,
            lambda: _recalled(restore(), journal),
            registry.rules,
            partial(_observed, alerting),
            writer,
            tenant=_TENANT,
            clock=time.time_ns,
            count=count,
            drift=drift,
            absences=absences,
        )
        ingest = IngestStep(
            journal,
            backlog.put,
            max_body_bytes=settings.max_body_bytes,
            max_inflight_bytes=settings.max_inflight_bytes,
            threads=settings.decode_threads,
            decoder=decoder,
            count=count,
        )
        writer.start()
        pipeline.start()
        self._stack.push_async_callback(asyncio.to_thread, _drain, ingest, journal, pipeline, writer)

        checkup = Checkup(
            journal, backlog, pipeline, writer, store, alerting.health, self._receivers_in_words, time.time_ns
        )
        await self._receive(ingest)
        await self._answer(store, journal, alerting, checkup, ingest, registry)
        retention = Retention(
            store,
            journal,
            lambda: writer.position,
            SureClock(time.time_ns, time.monotonic, known_ns=known_ns),
            keep=timedelta(hours=settings.retention_hours),
            count=count,
        )
        for work in (retention.run(), open_files.Watch(self._files, count).run()):
            self._stack.callback(asyncio.create_task(work).cancel)
        self._telemetry.counter("monitorx_store_refused_total", lambda: store.refused)
        self._telemetry.gauge("monitorx_store_size_bytes", partial(_size_bytes, settings.data_dir))
        expose(
            self._telemetry,
            ingest=ingest,
            journal=journal,
            backlog=backlog,
            pipeline=pipeline,
            alerting=alerting,
        )
        self._works = pipeline.is_alive
        self._is_ready = True

    def _restore(self, store: Store, rules: Sequence[Rule]) -> State:
        """What the store holds; nothing is seen yet."""
        count, now_ns = self._telemetry.count, time.time_ns()
        retain = max(longest_window(rules), THRESHOLD_WINDOW)
        windows = Windows(Bounds(retain=retain), watch=watched_metrics(rules), count=count)
        since_ns, _ = Windows.span(retain, now_ns)
        restored = store.restore(since_ns)
        keys = store.keys(now_ns - _ns(max(retain, KNOWN)))
        windows.restore(restored.open_panes, restored.closed_panes, restored.cursors, keys)
        for name in watched_metrics(rules):
            recent = Selection(_TENANT, since_ns, now_ns + _ns(retain), {"name": name})
            windows.restore_points(store.points(recent, limit=_POINTS_A_METRIC), tenant=_TENANT)
        return State(Seen(_HORIZON), windows, restored.position)

    def _drift(self, state: SQLiteState, stored: int) -> Drift:
        settings = self._settings
        return Drift(
            RankLocationDetector(),
            state,
            DriftSettings(
                window=timedelta(seconds=settings.drift_window), reference_windows=settings.reference_windows
            ),
            fitted=self._fitted,
            stored=stored,
            count=self._telemetry.count,
        )

    async def _receive(self, ingest: IngestStep) -> None:
        settings, count = self._settings, self._telemetry.count
        bounds = HttpSettings(
            max_body_bytes=settings.max_body_bytes,
            max_buffered_bytes=settings.max_inflight_bytes,
            cors_origins=frozenset(settings.cors_origins),
        )
        bounds = replace(bounds, max_connections=min(bounds.max_connections, self._files // 2))
        http = HttpReceiver(ingest, bounds, clock=time.time_ns, count=count)
        limits = GrpcSettings(max_message_bytes=settings.max_body_bytes)
        limits = replace(limits, max_connections=min(limits.max_connections, self._files // 8))
        grpc = GrpcReceiver(ingest, limits, clock=time.time_ns, count=count)
        for flag, address, receiver in (
            ("otlp_http", settings.otlp_http, http),
            ("otlp_grpc", settings.otlp_grpc, grpc),
        ):
            try:
                bound = await receiver.start(address.host, address.port)
            except OSError as error:
                raise _in_use(flag, address, error) from None
            self._listening[flag] = str(Address(*bound))
            self._stack.push_async_callback(receiver.stop, _GRACE_S)

    async def _answer(
        self,
        store: Store,
        journal: FileJournal,
        alerting: Alerting,
        checkup: Checkup,
        ingest: IngestStep,
        registry: Registry,
    ) -> None:
        api = create_app(
            Dependencies(
                store=store,
                alerts=alerting.alerts,
                health=checkup.health,
                ready=lambda: self._is_ready and self._works(),
                telemetry=self._telemetry,
                span=partial(_span, journal),
                clock=time.time_ns,
                version=version("monitorx"),
                ingest=ingest,
                registry=registry,
            )
        )
        address = self._settings.api
        bounds = ApiSettings()
        bounds = replace(bounds, max_connections=min(bounds.max_connections, self._files // 4))
        server = ApiServer(api, bounds, count=self._telemetry.count)
        try:
            bound = await server.start(address.host, address.port)
        except OSError as error:
            raise _in_use("api", address, error) from None
        self._listening["api"] = str(Address(*bound))
        self._stack.push_async_callback(server.stop)

    def _count_commit(self, commit: Commit) -> None:
        self._telemetry.count("monitorx_store_commits_total", {})
        for batch in commit.batches:
            rows = batch.columns.rows.num_rows
            self._telemetry.count("monitorx_store_rows_total", {"kind": batch.columns.kind}, rows)

    def _receivers_in_words(self) -> str:
        return ", ".join(f"{name} on {address}" for name, address in self._listening.items())


def _configuration(path: Path | None) -> tuple[tuple[Rule, ...], AlertingConfig]:
    if path is None:
        return (), AlertingConfig()
    file = load(path)
    return file.rules, file.alerting


def _open_store(settings: Settings) -> Store:
    name = settings.store.split("://")[0]
    installed = {entry.name: entry for entry in entry_points(group="monitorx.stores")}
    if name not in installed:
        raise ConfigError(
            f"--store: {name!r} is not a store that is installed; there are {', '.join(sorted(installed))}"
        )
    store: Store = installed[name].load()(settings.store, settings.data_dir)
    return store


def _drain(ingest: IngestStep, journal: FileJournal, pipeline: Pipeline, writer: Writer) -> None:
    """Answer what was taken, bring the pipeline to the end of the journal, write the last commit."""
    ingest.close()
    journal.close()
    pipeline.stop()
    if not writer.stop(_GRACE_S):
        _log.warning("the store did not take the last rows; the next start reads them from the journal")


def _observed(alerting: Alerting, observations: Sequence[Observation], position: int) -> list[TransitionRow]:
    """Let alerting hear what the rules say; the alerts that changed state, for the store."""
    return [
        TransitionRow(
            time_ns=time.time_ns(),
            tenant=_TENANT,
            fingerprint=change.fingerprint,
            rule=change.alert.labels.get("alertname", ""),
            severity=change.alert.severity,
            labels=change.alert.labels,
            before=change.before.alert.state if change.before else "inactive",
            after=change.after.alert.state if change.after else "inactive",
            value=change.alert.value,
        )
        for change in alerting.observe(observations, position)
    ]


def _recalled(state: State, journal: FileJournal) -> State:
    """
    *state* with what was seen up to its position; what came after it is read again anyhow.

    The horizon stands still while nobody listens: a sender that got no answer sends again when we are back, however
    long that took. So it is counted from the last arrival, and that one is taken to be now.
    """
    now_ns = time.time_ns()
    last_ns = _last_arrival_ns(journal) or now_ns
    for found in journal.keys(last_ns - _ns(_HORIZON), state.position):
        state.seen.add(found.keys, found.arrival_ns + max(0, now_ns - last_ns))
    return state


def _last_arrival_ns(journal: FileJournal) -> int | None:
    with contextlib.suppress(StorageError):  # damage is counted where it is read, and stops no start
        last = journal.record(journal.end())
        return last.arrival_ns if last else None
    return None


def _span(journal: FileJournal, position: int, trace_id: str, span_id: str) -> dict[str, Any] | None:  # Any: JSON
    record = journal.record(position)
    if record is None:
        return None
    return find_span(record.body, bytes.fromhex(trace_id), bytes.fromhex(span_id))


def _reachable(api: Address) -> str:
    """The API's address as others write it: one that stands for all interfaces is none to follow."""
    host = socket.gethostname() if api.host in ("0.0.0.0", "::") else api.host
    return f"http://{Address(host, api.port)}"


def _size_bytes(data_dir: Path) -> int:
    """Of the embedded store, write-ahead log included."""
    return sum(file.stat().st_size for file in data_dir.glob("telemetry.duckdb*"))


def _in_use(flag: str, address: Address, error: OSError) -> ConfigError:
    name = "--" + flag.replace("_", "-")
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"{name}: {address} is in use by another process; choose another port")
    return ConfigError(f"{name}: {address} cannot be used: {error}")


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
