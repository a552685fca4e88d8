"""What decoding gives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitorx.backend.batch import ColumnBatch


@dataclass(frozen=True, slots=True)
class Decoded:
    """
    One request, read.

    Attributes:
        body: The request as binary protobuf: what is journalled (JSON is re-encoded, so the journal has one format).
        batches: At most one batch of each kind; none where the request carried nothing that we keep.
        keys: uint64, shape (items kept,): the `key` columns of all batches, in the order of `batches`.
        items: Spans, data points or log records in the request, kept or not.
        rejected: How many of them were refused because they make no sense (a span without ids, say).
        message: Why, for the sender; "" where none was.
    """

    body: bytes
    batches: tuple[ColumnBatch, ...]
    keys: npt.NDArray[np.uint64]
    items: int
    rejected: int
    message: str
