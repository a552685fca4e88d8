"""
The composition root: the only place that names concrete parts, starts them, and stops them in the reverse order.

Starting: stores and journal, then what stands between them, then the receivers, then the API. Stopping: take in
nothing more, answer what was taken, bring the pipeline to the end of the journal, commit, release.
"""

import asyncio
import contextlib
import errno
import resource
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from monitorx.alerting.config import AlertingConfig
from monitorx.alerting.engine import Alerting
from monitorx.alerting.store import SQLiteStore
from monitorx.backend.api import Dependencies, create_app
from monitorx.backend.api.serve import ApiServer
from monitorx.backend.backlog import Backlog
from monitorx.backend.config import Address, Settings
from monitorx.backend.decode import Decoder, find_span
from monitorx.backend.dedup import Seen
from monitorx.backend.errors import ConfigError
from monitorx.backend.gauges import expose
from monitorx.backend.health import Checkup
from monitorx.backend.ingest import IngestStep, decode_again
from monitorx.backend.journal import FileJournal
from monitorx.backend.pipeline import Pipeline
from monitorx.backend.receiver.grpc import GrpcReceiver, GrpcSettings
from monitorx.backend.receiver.http import HttpReceiver, HttpSettings
from monitorx.backend.rule import Rule, load, longest_window, watched_metrics
from monitorx.backend.storage.store import Commit, Selection, Store
from monitorx.backend.telemetry import Telemetry
from monitorx.backend.window import Bounds, Windows
from monitorx.backend.writer import Writer

_GRACE_S = 10.0
_TRIM_EVERY = timedelta(minutes=10)
_BACKLOG_BYTES = 64 << 20
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
        self._is_ready = False

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
        """Say where everything is."""
        _log.info("ready", **self._listening)

    async def _start(self) -> None:
        settings, count = self._settings, self._telemetry.count
        rules, alerting_config = _configuration(settings.config)
        _allow_open_files()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        store = _open_store(settings)
        self._stack.callback(store.close)

        retain = longest_window(rules)
        windows = Windows(Bounds(retain=retain), watch=watched_metrics(rules), count=count)
        restored = store.restore(time.time_ns() - _ns(retain))
        windows.restore(restored.open_panes, restored.closed_panes, restored.cursors)
        for name in watched_metrics(rules):
            recent = Selection(_TENANT, time.time_ns() - _ns(retain), time.time_ns() + _ns(retain), {"name": name})
            windows.restore_points(store.points(recent, limit=_POINTS_A_METRIC), tenant=_TENANT)

        states = SQLiteStore(settings.data_dir / "alerting.sqlite")
        self._stack.callback(states.close)
        alerting = Alerting(
            alerting_config,
            states,
            alerting_config.channels(),
            clock=time.time_ns,
            count=count,
            external_url=settings.external_url or f"http://{settings.api}",
        )
        await self._stack.enter_async_context(alerting)

        # A journal that was taken away must not reuse positions that a sink holds already.
        held = max(restored.position, alerting.position)
        journal = FileJournal(settings.data_dir / "journal", after=held)
        self._stack.callback(journal.close)
        seen = Seen()
        for keys in journal.keys(time.time_ns() - _ns(timedelta(minutes=15)), restored.position):
            seen.add(keys.keys, keys.arrival_ns)

        decoder = Decoder(count=count)
        again = partial(decode_again, decoder)
        backlog = Backlog(journal, again, after=restored.position, max_bytes=_BACKLOG_BYTES)
        writer = Writer(store, position=restored.position, on_written=self._count_commit, count=count)
        pipeline = Pipeline(backlog, seen, windows, rules, alerting.observe, writer, clock=time.time_ns, count=count)
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

        checkup = Checkup(journal, backlog, writer, ingest, seen, alerting.health, self._receivers_in_words)
        await self._receive(ingest)
        await self._answer(store, journal, alerting, checkup)
        trimming = asyncio.create_task(self._trim(store, journal, writer))
        self._stack.callback(trimming.cancel)
        self._telemetry.gauge("monitorx_store_size_bytes", partial(_size_bytes, settings.data_dir))
        expose(
            self._telemetry,
            ingest=ingest,
            journal=journal,
            backlog=backlog,
            seen=seen,
            windows=windows,
            alerting=alerting,
        )
        self._is_ready = True

    async def _receive(self, ingest: IngestStep) -> None:
        settings, count = self._settings, self._telemetry.count
        http = HttpReceiver(
            ingest,
            HttpSettings(
                max_body_bytes=settings.max_body_bytes,
                max_buffered_bytes=settings.max_inflight_bytes,
                cors_origins=frozenset(settings.cors_origins),
            ),
            clock=time.time_ns,
            count=count,
        )
        grpc = GrpcReceiver(
            ingest, GrpcSettings(max_message_bytes=settings.max_body_bytes), clock=time.time_ns, count=count
        )
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

    async def _answer(self, store: Store, journal: FileJournal, alerting: Alerting, checkup: Checkup) -> None:
        api = create_app(
            Dependencies(
                store=store,
                alerts=alerting.alerts,
                health=checkup.health,
                ready=lambda: self._is_ready,
                telemetry=self._telemetry,
                span=partial(_span, journal),
                clock=time.time_ns,
                version=version("monitorx"),
            )
        )
        address = self._settings.api
        server = ApiServer(api)
        try:
            bound = await server.start(address.host, address.port)
        except OSError as error:
            raise _in_use("api", address, error) from None
        self._listening["api"] = str(Address(*bound))
        self._stack.push_async_callback(server.stop)

    async def _trim(self, store: Store, journal: FileJournal, writer: Writer) -> None:
        """Retention: now and then, what is older is deleted, whole segments and rows."""
        while True:
            before_ns = time.time_ns() - _ns(timedelta(hours=self._settings.retention_hours))
            try:
                freed = await asyncio.to_thread(journal.trim, before_ns, writer.position)
                rows = await asyncio.to_thread(store.trim, before_ns)
            except Exception as error:  # noqa: BLE001  retention is tried again; the server goes on without it
                self._telemetry.count("monitorx_store_errors_total", {"operation": "trim"})
                _log.error("retention could not delete what is old", error=str(error))
            else:
                self._telemetry.count("monitorx_journal_trimmed_bytes_total", {}, freed)
                self._telemetry.count("monitorx_store_trimmed_rows_total", {}, rows)
            await asyncio.sleep(_TRIM_EVERY.total_seconds())

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


def _allow_open_files() -> None:
    """A connection is an open file, and the usual limit of 1024 is soon reached; the hard one is the system's word."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


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


def _span(journal: FileJournal, position: int, trace_id: str, span_id: str) -> dict[str, Any] | None:  # Any: JSON
    record = journal.record(position)
    if record is None:
        return None
    return find_span(record.body, bytes.fromhex(trace_id), bytes.fromhex(span_id))


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
