"""Bodies unpack to what was packed, damage is told, and no bomb gets past the limit."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitorx.backend.errors import Malformed, TooLarge
from monitorx.backend.receiver.compression import ENCODINGS, decompress

MIB = 1 << 20


def _framed(codec: str) -> Callable[[bytes], bytes]:
    def pack(plain: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(plain)
        return sink.getvalue().to_pybytes()

    return pack


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": _framed("zstd"),
    "snappy": lambda plain: pa.Codec("snappy").compress(plain, asbytes=True),
    "lz4": _framed("lz4"),
}
PACKED = sorted(ENCODINGS - {"", "identity"})
STREAMS = [name for name in PACKED if name != "snappy"]


def test_every_encoding_is_packed_by_this_test() -> None:
    assert PACK.keys() == ENCODINGS


@given(plain=st.binary(max_size=5000), encoding=st.sampled_from(sorted(ENCODINGS)))
def test_unpacking_undoes_packing(plain: bytes, encoding: str) -> None:
    assert decompress(PACK[encoding](plain), encoding, limit=5000) == plain


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_a_body_of_several_pieces_comes_out_whole(encoding: str) -> None:
    plain = bytes(range(256)) * 20_000

    assert decompress(PACK[encoding](plain), encoding, limit=len(plain)) == plain


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_one_byte_over_the_limit_is_too_large(encoding: str) -> None:
    with pytest.raises(TooLarge, match="larger than 99 bytes"):
        decompress(PACK[encoding](bytes(100)), encoding, limit=99)


@pytest.mark.parametrize("encoding", PACKED)
def test_a_bomb_is_refused_before_it_unfolds(encoding: str) -> None:
    bomb = PACK[encoding](bytes(64 * MIB))
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    try:
        with pytest.raises(TooLarge):
            decompress(bomb, encoding, limit=4 * MIB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MIB
    assert pa.total_allocated_bytes() <= before


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_body_that_ends_early_is_malformed(encoding: str, cut: int) -> None:
    packed = PACK[encoding](b"".join(b"%d," % number for number in range(2000)))

    with pytest.raises(Malformed) as refused:
        decompress(packed[:-cut], encoding, limit=MIB)

    assert refused.value.field == "content-encoding"


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x0a\x10plain protobuf bytes", id="plain body"),
        pytest.param(b"\x1f\x8b\x08\x00" + bytes(6) + b"junkjunkjunk", id="corrupt gzip"),
        pytest.param(b"\xff" * 40, id="noise"),
    ],
)
def test_what_is_not_in_the_encoding_is_malformed(encoding: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        decompress(body, encoding, limit=MIB)


@pytest.mark.parametrize("encoding", STREAMS)
def test_something_else_after_the_stream_is_malformed(encoding: str) -> None:
    with pytest.raises(Malformed):
        decompress(PACK[encoding](b"hello") + b"junkjunkjunk", encoding, limit=MIB)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
def test_members_one_after_the_other_are_one_body(encoding: str) -> None:
    pack = PACK[encoding]

    assert decompress(pack(b"first ") + pack(b"") + pack(b"second"), encoding, limit=MIB) == b"first second"


def test_zeros_after_gzip_are_padding() -> None:
    assert decompress(gzip.compress(b"hello") + bytes(512), "gzip", limit=MIB) == b"hello"


def test_a_wrong_gzip_checksum_is_malformed() -> None:
    packed = bytearray(gzip.compress(b"hello"))
    packed[-6] ^= 1

    with pytest.raises(Malformed):
        decompress(bytes(packed), "gzip", limit=MIB)


def test_thousands_of_empty_gzip_members_are_refused() -> None:
    with pytest.raises(Malformed, match="more than 4096 members"):
        decompress(gzip.compress(b"") * 4097, "gzip", limit=MIB)


@pytest.mark.parametrize("encoding", ["x-nope", "gzip, gzip", "GZIP"])
def test_an_unknown_encoding_is_named_with_those_that_are_known(encoding: str) -> None:
    with pytest.raises(Malformed) as refused:
        decompress(b"", encoding, limit=MIB)

    assert str(refused.value) == (
        f"Content-Encoding: {encoding!r} is not known; use identity, gzip, deflate, zstd, snappy, lz4"
    )


@given(body=st.binary(max_size=300), encoding=st.sampled_from(PACKED))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str) -> None:
    with contextlib.suppress(Malformed, TooLarge):
        assert len(decompress(body, encoding, limit=1000)) <= 1000
