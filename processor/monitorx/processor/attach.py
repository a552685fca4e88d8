"""
`attach()`: sends what MonitorX adds up, beside the SDK's own export.

A daemon thread exports every five seconds (`MONITORX_EXPORT_INTERVAL`, seconds), whether there is news or not: the
heartbeat `monitorx.up` says that the process lives. It flushes when the process ends, and starts anew after a fork.
Nothing here raises into the application, and without the SDK nothing happens.
"""

import atexit
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from monitorx.instrumentation import telemetry
from monitorx.instrumentation.buffer import Buffer
from monitorx.instrumentation.features import Intake
from monitorx.instrumentation.lifecycle import after_fork, at_exit, at_exit_of_child
from monitorx.processor.aggregate import Aggregator, Interval
from monitorx.processor.distribution import Anchors, Distributions
from monitorx.processor.outbox import Outbox
from monitorx.processor.reference import anchors_from

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

logger = logging.getLogger(__name__)

INTERVAL: Final = "MONITORX_EXPORT_INTERVAL"
FEATURES: Final = "MONITORX_FEATURES"
REFERENCE: Final = "MONITORX_REFERENCE"
INTERVAL_S: Final = 5.0
SHORTEST_S: Final = 0.1  # more exports a second would take the application's time
LONGEST_S: Final = 3600.0  # so that what is lost with a process that is killed stays small
FLUSH_S: Final = 5.0  # how long the end of the process may wait for the last export
CHILD_FLUSH_S: Final = 1.0  # and that of a child of multiprocessing: pools end many, and wait for each

_attached: "list[Attachment]" = []
_late: list[bool] = []  # not empty: `end_late` was called


def attach(exporter: "MetricExporter | None" = None) -> None:
    """
    Watch the libraries that MonitorX knows, and start sending. A second call changes nothing.

    Args:
        exporter: Where to; what `OTEL_EXPORTER_OTLP_*` describes where not given.
    """
    if _attached or telemetry.is_disabled():
        return
    _warn_of_misspelt(os.environ)
    _watch()
    if exporter is None and not _sends_otlp():
        return
    try:
        attachment = _attachment(exporter)
        _attached.append(attachment)
        attachment.start(ends_late=bool(_late))
    except ImportError:
        logger.debug("the OpenTelemetry SDK or its OTLP exporter is not installed; nothing is attached", exc_info=True)
    except Exception:
        logger.warning("metrics of inferences could not be attached", exc_info=True)


def _watch() -> None:
    """Instrument what the loader of `opentelemetry-instrument` would, of ours, and has not."""
    left_out = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    for entry in entry_points(group="opentelemetry_instrumentor"):
        if entry.module.startswith("monitorx.") and not left_out & {entry.name, "*"}:
            try:
                entry.load()().instrument()
            except Exception:
                logger.warning("%s could not be loaded", entry.name, exc_info=True)


def end_late() -> None:
    """
    Wait for the last export only after all that registers itself at the end of the process from now on.

    Called before the SDK's providers are set up: their last exports and ours then go on at the same time. Where no
    server can be reached, each of them takes seconds to give up.
    """
    if not _late:
        _late.append(True)
        atexit.register(_close)


def _close() -> None:
    for attachment in _attached:
        attachment.close()


class Attachment:
    """
    The way out of one process.

    Args:
        buffer: Whose inferences to send; its sink becomes ours.
        connect: Makes the exporter, on our thread: before the first export, and again after a fork.
        render: An interval as OTLP metrics, with the resource as it is by then.
        interval_s: Between two exports.
        anchors: Of a reference, for the distributions of features; None where features are not to be looked at.
        clock: Nanoseconds since epoch.
    """

    def __init__(
        self,
        buffer: Buffer,
        connect: "Callable[[], MetricExporter]",
        render: "Callable[[Interval], MetricsData]",
        *,
        interval_s: float = INTERVAL_S,
        anchors: Anchors | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._buffer = buffer
        self._connect = connect
        self._render = render
        self._interval_s = interval_s
        self._clock = clock
        self._aggregator = Aggregator(clock(), Distributions(anchors))
        self._outbox = Outbox()
        self._buffer_dropped, self._buffer_failed = buffer.dropped, buffer.failed
        self._is_heard = True  # the last export was delivered; a child knows of its parent's
        self._start_anew()
        buffer.sink = self._aggregator
        if anchors is not None:
            buffer.observe(Intake())
        buffer.turns.add(self._waits)

    def _start_anew(self) -> None:
        self._exporter: MetricExporter | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._ends_s = 0.0
        self._wakes_s = math.inf
        self._is_ending_child = False

    def start(self, *, ends_late: bool = False) -> None:
        """Export from now on, until `close` or the end of the process, which calls `close` itself if it *ends_late*."""
        at_exit(self.stop if ends_late else self.close)
        at_exit_of_child(self._end_child)
        after_fork(self._after_fork)
        self._start_thread()

    def stop(self, within_s: float = FLUSH_S) -> None:
        """Begin to send what is there, for the last time; `close` waits for it. Safe twice."""
        if not self._stopping.is_set():
            self._ends_s = time.monotonic() + within_s
            self._stopping.set()

    def close(self, within_s: float = FLUSH_S) -> None:
        """Send what is there, at most *within_s* after the first word of it. Safe twice, and before `start`."""
        self.stop(within_s)
        if self._thread is not None:
            self._thread.join(max(self._ends_s - time.monotonic(), 0.0))
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            exporter.shutdown()  # ends the retries of an export that takes longer

    def _end_child(self) -> None:
        """Send what a child of `multiprocessing` has, if it has any and somebody listens: others wait for its end."""
        if self._is_heard and self._buffer.drain(lambda: self._aggregator.calls):
            self._is_ending_child = True
            self.close(CHILD_FLUSH_S)

    def export_once(self, *, is_last: bool = False) -> bool:
        """Close the open interval and send all that waits. Says whether everything was delivered."""
        with suppress_instrumentation():
            interval = self._buffer.drain(lambda: self._aggregator.take(self._clock(), is_last=is_last))
            self._count_drops(interval)
            interval.is_alive = not self._is_ending_child
            self._outbox.put(interval, interval.end_ns)
            self._is_heard = self._outbox.send(self._send) == 0
            return self._is_heard

    def _send(self, interval: Interval) -> bool:
        from opentelemetry.sdk.metrics.export import MetricExportResult

        try:
            if self._exporter is None:
                self._exporter = self._connect()
            return self._exporter.export(self._render(interval)) is MetricExportResult.SUCCESS
        except Exception:
            logger.warning("an export of metrics failed; it is tried again", exc_info=True)
            return False

    def _count_drops(self, interval: Interval) -> None:
        dropped, failed = self._buffer.dropped, self._buffer.failed
        too_old, values_too_old = self._outbox.take_dropped()
        lost = {
            "buffer_full": dropped - self._buffer_dropped,
            "fold_failed": failed - self._buffer_failed,
            "too_old": too_old,
        }
        interval.dropped.update({reason: count for reason, count in lost.items() if count})
        self._buffer_dropped, self._buffer_failed = dropped, failed
        refused = {} if self._buffer.intake is None else self._buffer.intake.take_dropped()
        for reason, count in (*refused.items(), ("too_old", values_too_old)):
            if count:
                interval.values_dropped[reason] = interval.values_dropped.get(reason, 0) + count

    def _after_fork(self) -> None:
        # What is here is the parent's to send, and its connections are not ours to use.
        self._aggregator.forget(self._clock())
        self._outbox.clear()
        self._buffer_dropped = self._buffer_failed = 0
        stopped = self._stopping.is_set()
        self._start_anew()
        if not stopped:
            self._start_thread()

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="monitorx-export", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_stopped_by_its_time():
            self.export_once()
        self.export_once(is_last=True)

    def _is_stopped_by_its_time(self) -> bool:
        self._wakes_s = time.monotonic() + self._interval_s
        return self._stopping.wait(self._interval_s)

    def _waits(self) -> bool:
        """Whether the thread should be exporting, or is."""
        return time.monotonic() >= self._wakes_s


def _attachment(exporter: "MetricExporter | None") -> Attachment:
    # Here and now: a process that ends cannot import all of it any more, nor one that was forked in the middle of it.
    from monitorx.processor import export

    export.own_resource()
    return Attachment(
        telemetry.emitter().buffer,
        export.exporter_from_environment() if exporter is None else lambda: exporter,
        lambda interval: export.metrics_data(interval, export.application_resource()),
        interval_s=interval_from(os.environ.get(INTERVAL)),
        anchors=anchors_from(os.environ.get(REFERENCE)) if are_wanted(os.environ.get(FEATURES)) else None,
    )


def _warn_of_misspelt(names: Iterable[str]) -> None:
    """Say which of *names* look like one of ours; those of the server, which may be set here as well, do not."""
    settings = (INTERVAL, FEATURES, REFERENCE)
    for name in names:
        meant = get_close_matches(name, settings, n=1, cutoff=0.9)
        if meant and name not in settings:
            logger.warning("%s is no setting; did you mean %s?", name, meant[0])


def _sends_otlp() -> bool:
    exporters = os.environ.get("OTEL_METRICS_EXPORTER", "").strip()
    return not exporters or "otlp" in [name.strip() for name in exporters.split(",")]


def are_wanted(text: str | None) -> bool:
    """Whether features are to be looked at, of the setting *text*: yes, unless it says off."""
    word = (text or "on").strip().lower()
    if word not in ("on", "off", "true", "false", "1", "0"):
        logger.warning("%s: %.60r is neither on nor off; on is used", FEATURES, text)
    return word not in ("off", "false", "0")


def interval_from(text: str | None) -> float:
    """Seconds between exports, of the setting *text*; the default where it is absent, or not within the range."""
    if not text:
        return INTERVAL_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if SHORTEST_S <= seconds <= LONGEST_S:
        return seconds
    words = "%s: %.60r is not a number of seconds from %g to %g; %g is used"
    logger.warning(words, INTERVAL, text, SHORTEST_S, LONGEST_S, INTERVAL_S)
    return INTERVAL_S
