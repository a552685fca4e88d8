"""
Undoes the Content-Encoding of a request body, never past a limit.

Takes the bytes as they came and gives the plain ones. A few kilobytes can stand for gigabytes, so every format is
unpacked in pieces that are counted as they come out; nothing trusts a size that the sender wrote.
"""

import zlib
from collections.abc import Callable

import pyarrow as pa

from monitorx.backend.errors import Malformed, TooLarge

FIELD = "content-encoding"

_INPUT_BYTES = 64 << 10  # fed at once, so that what zlib leaves over and copies stays small
_OUTPUT_BYTES = 1 << 20  # unpacked at once
_GZIP_MEMBERS = 4096  # each costs a new state of 40 kB; bgzip writes one for 64 kB, so 4096 pass any honest body
_ZLIB = zlib.MAX_WBITS
_GZIP = zlib.MAX_WBITS | 16


def decompress(body: bytes, encoding: str, *, limit: int) -> bytes:
    """
    The plain bytes of *body*.

    Args:
        body: As received.
        encoding: Content-Encoding in lower case; "" for none.
        limit: Bytes the plain body may have.

    Raises:
        Malformed: The bytes are not in this encoding, they end early, or the encoding is not known.
        TooLarge: There is more than *limit* inside.

    >>> decompress(zlib.compress(b"hello"), "deflate", limit=100)
    b'hello'
    """
    unpack = _FORMATS.get(encoding)
    if unpack is None:
        raise Malformed(f"Content-Encoding: {encoding!r} is not known; use {KNOWN}", field=FIELD)
    return unpack(body, limit)


def _plain(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    pieces = _Pieces(limit)
    rest = memoryview(body)
    for _ in range(_GZIP_MEMBERS):
        rest = _inflate(rest, pieces, _GZIP, "gzip")
        if not rest:
            return pieces.joined()
        if rest[0] == 0 and not any(rest):
            return pieces.joined()  # RFC 1952 readers pass over zeros that pad the end
    raise Malformed(f"Content-Encoding: gzip with more than {_GZIP_MEMBERS} members", field=FIELD)


def _deflate(body: bytes, limit: int) -> bytes:
    pieces = _Pieces(limit)
    rest = _inflate(memoryview(body), pieces, _ZLIB, "deflate")
    if rest:
        raise Malformed(f"Content-Encoding: deflate is followed by {len(rest)} bytes of something else", field=FIELD)
    return pieces.joined()


def _inflate(body: memoryview, pieces: "_Pieces", wbits: int, name: str) -> memoryview:
    """Unpack one zlib stream into *pieces*; what follows it."""
    stream = zlib.decompressobj(wbits)
    fed = 0
    try:
        while not stream.eof and fed < len(body):
            chunk: bytes | memoryview = body[fed : fed + _INPUT_BYTES]
            fed += len(chunk)
            while chunk and not stream.eof:
                pieces.add(stream.decompress(chunk, _OUTPUT_BYTES))
                chunk = stream.unconsumed_tail
        while not stream.eof and (piece := stream.decompress(b"", _OUTPUT_BYTES)):
            pieces.add(piece)
    except zlib.error as error:
        raise _unreadable(name, error) from None
    if not stream.eof:
        raise Malformed(f"Content-Encoding: the {name} stream ends early", field=FIELD)
    return body[fed - len(stream.unused_data) :]


def _framed(codec: str) -> Callable[[bytes, int], bytes]:
    """Zstd and lz4 frames, one or several, through Arrow's streams, which tell a stream that ends early."""

    def unpack(body: bytes, limit: int) -> bytes:
        if not body:
            raise Malformed(f"Content-Encoding: the {codec} stream ends early", field=FIELD)
        pieces = _Pieces(limit)
        try:
            with pa.CompressedInputStream(pa.BufferReader(body), codec) as stream:
                while piece := stream.read(_OUTPUT_BYTES):
                    pieces.add(piece)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(codec, error) from None
        return pieces.joined()

    return unpack


def _snappy(body: bytes, limit: int) -> bytes:
    size = _snappy_size(body)
    if size > limit:
        raise _too_large(limit)
    try:
        plain: bytes = pa.Codec("snappy").decompress(body, size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable("snappy", error) from None
    return plain


def _snappy_size(body: bytes) -> int:
    """The length that a snappy block begins with: a varint of at most five bytes."""
    size = 0
    for index, byte in enumerate(body[:5]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return size
    raise Malformed("Content-Encoding: the snappy block does not begin with its length", field=FIELD)


class _Pieces:
    """What came out so far, counted."""

    __slots__ = ("_left", "_limit", "_pieces")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise _too_large(self._limit)
        self._pieces.append(piece)

    def joined(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request is larger than {limit} bytes after decompression")


def _unreadable(name: str, error: Exception) -> Malformed:
    return Malformed(f"Content-Encoding: the body is not {name}: {error}", field=FIELD)


_FORMATS: dict[str, Callable[[bytes, int], bytes]] = {
    "": _plain,
    "identity": _plain,
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _framed("zstd"),
    "snappy": _snappy,
    "lz4": _framed("lz4"),
}
ENCODINGS = frozenset(_FORMATS)
KNOWN = ", ".join(name for name in _FORMATS if name)
