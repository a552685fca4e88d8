"""bytes → columns: the one way in."""

from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt

from monitorx.backend.batch import ColumnBatch, Signal
from monitorx.backend.count import Count
from monitorx.backend.decode.decoded import Decoded
from monitorx.backend.decode.feedback import decode_logs
from monitorx.backend.decode.inference import decode_traces
from monitorx.backend.decode.metric import decode_metrics
from monitorx.backend.decode.origin import Origins
from monitorx.backend.decode.rejection import Rejections
from monitorx.backend.decode.sampling import Weights
from monitorx.backend.decode.series import SeriesCache
from monitorx.backend.decode.told import Tellings
from monitorx.backend.decode.view import View, parse

DROPPED: Final = "monitorx_decode_dropped_total"
SERIES_PER_METRIC: Final = 10_000  # of one tenant
SERIES_LIMIT: Final = 150_000  # in one generation of the cache; 0.7 kB each and more with long attributes


class Decoder:
    """
    Reads requests in binary protobuf; OTLP/JSON is turned into that first (`json_to_protobuf`).

    One decoder serves any number of threads, and must be the only one of a process: the `series` column numbers what
    it has seen. It keeps bounded caches only: after a restart the same bytes give the same columns, but for `series`
    and for which series of a metric overflowed.
    """

    def __init__(
        self,
        *,
        series_per_metric: int = SERIES_PER_METRIC,
        series_limit: int = SERIES_LIMIT,
        count: Count = lambda name, labels, amount: None,
    ) -> None:
        self._count = count
        self._lock = Lock()
        self._counted = {"series": 0, "cache": 0, "weight": 0}
        self.series = SeriesCache(series_per_metric=series_per_metric, limit=series_limit)
        self.origins = Origins()
        self.tellings = Tellings()
        self.weights = Weights()

    def decode(self, signal: Signal, body: bytes, *, tenant: str, arrival_ns: int) -> Decoded:
        """
        Read one request.

        Raises:
            Malformed: The body is not an OTLP request of this signal.
        """
        request = parse(signal, body)
        rejections = Rejections()
        batches, items = self._read(signal, request, tenant, arrival_ns, rejections)
        self._count_drops()
        return Decoded(body, tuple(batches), _keys(batches), items, rejections.count, rejections.message)

    def _read(
        self, signal: Signal, request: View, tenant: str, arrival_ns: int, rejections: Rejections
    ) -> tuple[list[ColumnBatch], int]:
        match signal:
            case Signal.TRACES:
                return decode_traces(request, tenant, arrival_ns, self.origins, self.tellings, self.weights, rejections)
            case Signal.METRICS:
                return decode_metrics(request, tenant, arrival_ns, self.origins, self.series, rejections)
            case Signal.LOGS:
                return decode_logs(request, tenant, arrival_ns, self.origins, rejections)

    def _count_drops(self) -> None:
        """Points that went to an overflow series, caches that were full and were emptied, weights not believed."""
        with self._lock:
            cache = self.origins.emptied + self.tellings.emptied
            for reason, amount in (
                ("series", self.series.overflowed),
                ("cache", cache),
                ("weight", self.weights.refused),
            ):
                more = amount - self._counted[reason]
                if more > 0:
                    self._counted[reason] = amount
                    self._count(DROPPED, {"reason": reason}, float(more))


def _keys(batches: list[ColumnBatch]) -> npt.NDArray[np.uint64]:
    if not batches:
        return np.zeros(0, dtype=np.uint64)
    return np.concatenate([batch.rows.column("key").to_numpy() for batch in batches])
