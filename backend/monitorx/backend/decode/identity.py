"""
Identities that are the same in every process: 64-bit hashes of what an item is.

Text is hashed by BLAKE2b; hashes, times and ids are then mixed as whole columns by the finaliser of SplitMix64
(Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators, fig. 16).
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def hash64(*parts: bytes) -> int:
    """A hash of *parts* in this order; where one ends and the next begins counts."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return int.from_bytes(digest.digest(), "little")


def mixed(first: U64, *others: U64) -> U64:
    """A hash of each row of equally long columns."""
    state = first
    for column in others:
        state = _finalised((state + _GAMMA) ^ column)
    return state


def span_keys(tenant: str, trace_ids: Sequence[bytes], span_ids: Sequence[bytes]) -> U64:
    """The identity of each span. Ids are 16 and 8 bytes long."""
    count = len(span_ids)
    trace = np.frombuffer(b"".join(trace_ids), dtype="<u8").reshape(count, 2).astype(np.uint64)
    span = np.frombuffer(b"".join(span_ids), dtype="<u8").astype(np.uint64)
    seed = np.full(count, hash64(b"span", tenant.encode()), dtype=np.uint64)
    return mixed(seed, trace[:, 0], trace[:, 1], span)


def _finalised(state: U64) -> U64:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
