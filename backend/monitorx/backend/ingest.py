"""
From a received request to a promise: decompress, decode, journal, answer.

Takes `Request`s from the receivers, gives each a future that is kept once the record is on disk, and hands what was
decoded on, in the order of the journal. Keeps no data of its own, only a count of the bytes it holds.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import structlog

from monitorx.backend.batch import Signal
from monitorx.backend.count import Count
from monitorx.backend.decode import Decoded, Decoder, json_to_protobuf
from monitorx.backend.errors import Malformed, MonitorXError, Overloaded
from monitorx.backend.journal import Journal, Record
from monitorx.backend.receiver.admission import Accepted, Encoding, Request
from monitorx.backend.receiver.compression import decompress

Durable = Callable[[int, int, Decoded], None]  # position, arrival_ns, what was decoded

_RETRY_AFTER_S = 1.0
_log = structlog.get_logger(__name__)


class IngestStep:
    """
    The `Ingest` behind both receivers.

    Args:
        journal: Where records become durable.
        durable: Called for each durable record, in the order of positions, from the journal's thread; must not block.
        max_body_bytes: Limit of a request after decompression.
        max_inflight_bytes: Compressed bytes held at once; beyond it senders are told to wait.
        threads: How many decode at the same time.
        decoder: The process's one decoder.
        count: Where counters go.
    """

    def __init__(
        self,
        journal: Journal,
        durable: Durable,
        *,
        max_body_bytes: int,
        max_inflight_bytes: int,
        threads: int,
        decoder: Decoder,
        count: Count,
    ) -> None:
        self._journal = journal
        self._durable = durable
        self._max_body_bytes = max_body_bytes
        self._max_inflight_bytes = max_inflight_bytes
        self._count = count
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._decoder = decoder
        self._lock = threading.Lock()
        self._inflight_bytes = 0
        self._closed = False

    def submit(self, request: Request) -> "Future[Accepted]":
        """See `Ingest`."""
        answer: Future[Accepted] = Future()
        size = len(request.body)
        if not self._reserve(size):
            answer.set_exception(Overloaded("too many requests are waiting", retry_after_s=_RETRY_AFTER_S))
            return answer
        answer.add_done_callback(lambda _: self._release(size))
        try:
            self._pool.submit(self._take, request, answer)
        except RuntimeError:
            answer.set_exception(Overloaded("the server is stopping", retry_after_s=_RETRY_AFTER_S))
        return answer

    def close(self) -> None:
        """Finish what was taken, take nothing more. Safe twice."""
        self._closed = True
        self._pool.shutdown(wait=True)

    def inflight_bytes(self) -> int:
        """Bytes of requests not yet answered, as received."""
        return self._inflight_bytes

    def _reserve(self, size: int) -> bool:
        with self._lock:
            # A single request is always let in, however large: the receivers hold the limit on one body.
            if self._closed or (self._inflight_bytes and self._inflight_bytes + size > self._max_inflight_bytes):
                return False
            self._inflight_bytes += size
            return True

    def _release(self, size: int) -> None:
        with self._lock:
            self._inflight_bytes -= size

    def _take(self, request: Request, answer: "Future[Accepted]") -> None:
        try:
            decoded = self._decode(request)
            accepted = Accepted(decoded.rejected, decoded.message)
            if decoded.rejected:
                self._count("monitorx_decode_rejected_total", {"signal": request.signal}, decoded.rejected)
            if decoded.items == decoded.rejected:
                answer.set_result(accepted)  # nothing to keep: an empty request, or one that makes no sense
                return
            self._count_items(request.signal, decoded)
            record = Record(request.signal, request.tenant, request.arrival_ns, decoded.body, decoded.keys)
            self._journal.append(record, partial(self._done, request.arrival_ns, decoded, accepted, answer))
        except MonitorXError as error:
            # Without its traceback, which would hold what was unpacked for as long as the sender takes to read on.
            answer.set_exception(error.with_traceback(None))
        except Exception as error:  # noqa: BLE001  the boundary to the sender: a fault of ours must not drop its data
            self._count("monitorx_decode_failures_total", {}, 1.0)
            _log.exception("a request could not be handled", signal=request.signal, bytes=len(request.body))
            answer.set_exception(error)

    def _decode(self, request: Request) -> Decoded:
        body = decompress(request.body, request.compression, limit=self._max_body_bytes)
        if request.encoding is Encoding.JSON:
            body = json_to_protobuf(request.signal, body)
        return self._decoder.decode(request.signal, body, tenant=request.tenant, arrival_ns=request.arrival_ns)

    def _count_items(self, signal: Signal, decoded: Decoded) -> None:
        self._count("monitorx_decode_items_total", {"signal": signal}, decoded.items)
        for batch in decoded.batches:
            self._count("monitorx_decode_rows_total", {"kind": batch.kind}, batch.rows.num_rows)

    def _done(
        self,
        arrival_ns: int,
        decoded: Decoded,
        accepted: Accepted,
        answer: "Future[Accepted]",
        position: int,
        error: Exception | None,
    ) -> None:
        if error is not None:
            answer.set_exception(error)
            return
        self._durable(position, arrival_ns, decoded)
        answer.set_result(accepted)


def decode_again(decoder: Decoder, record: Record) -> Decoded | None:
    """What a journalled record held; None where it cannot be read any more: it could when it came."""
    try:
        return decoder.decode(Signal(record.signal), record.body, tenant=record.tenant, arrival_ns=record.arrival_ns)
    except (Malformed, ValueError) as error:
        _log.error("a journalled record cannot be decoded", signal=record.signal, error=str(error))
        return None
