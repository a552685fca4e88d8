"""
How a segment and its records look on disk: pure functions between bytes and values.

A segment is a segment head and then frames, each one record; all numbers are little-endian:

    segment head   magic 8 · version u32 · salt u32 · first i64 · previous first i64 · previous last i64 ·
                   previous newest i64 · crc u32 over what comes before it
    frame          magic 4 · head crc u32 · position i64 · arrival_ns i64 · keys u32 · body bytes u32 ·
                   uncompressed bytes u32 · label crc u32 · body crc u32 · signal u16 · tenant bytes u16
                   label: tenant (UTF-8), keys (u64 each) · body: one zstd frame

The head's crc begins with the segment's salt, so bytes that a sender put into a body are never taken for a frame when
a reader looks for the next whole one behind a damaged place. The label has a crc of its own, so keys are read without
the body. The reasons are in docs/decisions/003-journal-format.md.
"""

import struct
import threading
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import zstandard

from monitorx.backend.batch import Signal
from monitorx.backend.errors import ConfigError, TooLarge
from monitorx.backend.journal.journal import Record

FORMAT_VERSION = 1
FRAME_MAGIC = b"\xa7MXr"

_SEGMENT_MAGIC = b"MXJRNL\r\n"
_SEGMENT_START = struct.Struct("<8sI")
_SEGMENT = struct.Struct("<8sIIqqqq")
_CRC = struct.Struct("<I")
SEGMENT_HEAD_BYTES = _SEGMENT.size + _CRC.size

_FRAME_START = struct.Struct("<4sI")
_FRAME_REST = struct.Struct("<qqIIIIIHH")
FRAME_HEAD_BYTES = _FRAME_START.size + _FRAME_REST.size

_SIGNAL_NUMBERS = {Signal.TRACES: 1, Signal.METRICS: 2, Signal.LOGS: 3}
_SIGNALS = {number: signal for signal, number in _SIGNAL_NUMBERS.items()}
_KEY_TYPE = np.dtype("<u8")
_ZSTD_LEVEL = 1
_MOST_BODY_BYTES = 2**32 - 1
_MOST_TENANT_BYTES = 2**16 - 1


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """
    What a segment says about itself and about the one before it.

    Attributes:
        salt: 32 random bits that every frame's crc begins with.
        first: The position of its first record.
        previous_first: The first position of the segment before it; 0 where there is none.
        previous_last: The last durable position in that segment.
        previous_newest_ns: The latest arrival in that segment; 0 where it is not known.
    """

    salt: int
    first: int
    previous_first: int
    previous_last: int
    previous_newest_ns: int


@dataclass(frozen=True, slots=True)
class Head:
    """The fixed part of one frame, and where in its segment the frame lies."""

    offset: int
    position: int
    arrival_ns: int
    key_count: int
    body_bytes: int
    raw_bytes: int
    label_crc: int
    body_crc: int
    signal_number: int
    tenant_bytes: int

    @property
    def label_offset(self) -> int:
        return self.offset + FRAME_HEAD_BYTES

    @property
    def label_bytes(self) -> int:
        return self.tenant_bytes + self.key_count * _KEY_TYPE.itemsize

    @property
    def body_offset(self) -> int:
        return self.label_offset + self.label_bytes

    @property
    def end(self) -> int:
        return self.body_offset + self.body_bytes


@dataclass(frozen=True, slots=True)
class Packed:
    """A record ready to be framed: all that does not depend on where it will lie."""

    arrival_ns: int
    key_count: int
    raw_bytes: int
    signal_number: int
    tenant_bytes: int
    label: bytes
    label_crc: int
    body: bytes
    body_crc: int

    @property
    def bytes(self) -> int:
        return FRAME_HEAD_BYTES + len(self.label) + len(self.body)


def pack_segment_head(head: SegmentHead) -> bytes:
    """The first bytes of a segment."""
    fields = (head.salt, head.first, head.previous_first, head.previous_last, head.previous_newest_ns)
    packed = _SEGMENT.pack(_SEGMENT_MAGIC, FORMAT_VERSION, *fields)
    return packed + _CRC.pack(zlib.crc32(packed))


def unpack_segment_head(data: bytes, name: str) -> SegmentHead | None:
    """
    What a segment says about itself, or None where its first bytes are damaged.

    Raises:
        ConfigError: A newer release wrote the segment.
    """
    if len(data) < SEGMENT_HEAD_BYTES or not data.startswith(_SEGMENT_MAGIC):
        return None
    _, version = _SEGMENT_START.unpack_from(data)
    # The version goes first: a newer format may keep its crc elsewhere.
    if version > FORMAT_VERSION:
        raise ConfigError(
            f"journal: {name} has format version {version}, and this release reads up to {FORMAT_VERSION}; "
            "start the release that wrote it, or give another data folder"
        )
    if _CRC.unpack_from(data, _SEGMENT.size)[0] != zlib.crc32(data[: _SEGMENT.size]):
        return None
    _, _, salt, first, previous_first, previous_last, previous_newest_ns = _SEGMENT.unpack_from(data)
    return SegmentHead(salt, first, previous_first, previous_last, previous_newest_ns)


def pack(record: Record) -> Packed:
    """
    Compress a record; the costly part of an append, safe in any thread.

    Raises:
        TooLarge: The body or the tenant's name does not fit the format.
    """
    tenant = record.tenant.encode()
    if len(tenant) > _MOST_TENANT_BYTES:
        raise TooLarge(f"a tenant's name has {len(tenant)} bytes; the journal keeps up to {_MOST_TENANT_BYTES}")
    if len(record.body) > _MOST_BODY_BYTES:
        raise TooLarge(f"a body has {len(record.body)} bytes; the journal keeps up to {_MOST_BODY_BYTES}")
    label = tenant + record.keys.astype(_KEY_TYPE, copy=False).tobytes()
    body = _zstd.compressor.compress(record.body)
    return Packed(
        arrival_ns=record.arrival_ns,
        key_count=len(record.keys),
        raw_bytes=len(record.body),
        signal_number=_SIGNAL_NUMBERS[record.signal],
        tenant_bytes=len(tenant),
        label=label,
        label_crc=zlib.crc32(label),
        body=body,
        body_crc=zlib.crc32(body),
    )


def pack_head(packed: Packed, position: int, salt: int) -> bytes:
    """The fixed part of the frame of a record at *position*."""
    rest = _FRAME_REST.pack(
        position,
        packed.arrival_ns,
        packed.key_count,
        len(packed.body),
        packed.raw_bytes,
        packed.label_crc,
        packed.body_crc,
        packed.signal_number,
        packed.tenant_bytes,
    )
    return _FRAME_START.pack(FRAME_MAGIC, zlib.crc32(rest, salt)) + rest


def unpack_head(data: bytes, offset: int, salt: int) -> Head | None:
    """The head that begins with *data*, which lies at *offset*, or None where these bytes are not one."""
    if len(data) < FRAME_HEAD_BYTES:
        return None
    magic, crc = _FRAME_START.unpack_from(data)
    if magic != FRAME_MAGIC or crc != zlib.crc32(data[_FRAME_START.size : FRAME_HEAD_BYTES], salt):
        return None
    return Head(offset, *_FRAME_REST.unpack_from(data, _FRAME_START.size))


def unpack_keys(head: Head, label: bytes) -> npt.NDArray[np.uint64] | None:
    """The keys in a label, uint64, shape (key_count,), or None where it is damaged."""
    if not is_whole_label(head, label):
        return None
    return np.frombuffer(label, _KEY_TYPE, head.key_count, head.tenant_bytes).astype(np.uint64, copy=False)


def is_whole_label(head: Head, label: bytes) -> bool:
    """Whether a label is the one that was written."""
    return len(label) == head.label_bytes and zlib.crc32(label) == head.label_crc


def is_whole_body(head: Head, body: bytes) -> bool:
    """Whether a compressed body is the one that was written."""
    return len(body) == head.body_bytes and zlib.crc32(body) == head.body_crc


def unpack(head: Head, label: bytes, body: bytes) -> Record | None:
    """The record of a frame, or None where it is damaged."""
    keys = unpack_keys(head, label)
    if keys is None or not is_whole_body(head, body):
        return None
    raw = _zstd.decompressor.decompress(body, max_output_size=head.raw_bytes)
    tenant = label[: head.tenant_bytes].decode()
    return Record(_SIGNALS[head.signal_number], tenant, head.arrival_ns, raw, keys)


class _Zstd(threading.local):
    """zstd contexts are costly to make and belong to one thread."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()
