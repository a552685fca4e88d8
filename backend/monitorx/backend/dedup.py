"""
Which items were seen before: a bounded set of uint64 keys that forgets the oldest by whole generations.

Takes the keys of one record at a time, in the order of positions; gives a mask of the new ones; keeps each key for at
least the horizon, unless more keys than the bound arrive within it: then the horizon shrinks, and the set says to what.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from monitorx.backend.errors import ConfigError

# A key outlives its own generation by two more, each half a horizon long. With one more, each a horizon long, twice the
# horizon would be held; with three more, every look-up would search one more table.
_GENERATIONS = 3
_CHUNK_KEYS = 16_384  # what is worked on at once fits the processor's cache
_FIRST_BUCKETS = 1024  # 64 KiB
_BUCKET_KEYS = 8  # one cache line
_MOST_LOAD = 0.65  # fuller, more look-ups go on to a second bucket; emptier, a key costs more than 13 bytes
_GROWTH = 4  # few and early, because growing a table of a million keys takes a tenth of a second
_HEADROOM = 1.25

# Odd multipliers of the 64-bit finaliser in MurmurHash3 (Appleby, public domain): they spread every bit upwards.
_FIRST_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
_SECOND_FACTOR = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class SeenState:
    """
    What the set holds and did.

    Attributes:
        keys: Keys held now.
        memory_bytes: What the tables take.
        horizon: How far back a resent item is recognised now; the setting, unless the bound cut it short.
        duplicates: Keys that were not new, since the start.
        forgotten: Keys dropped since the start, for age or for room.
        forgotten_early: Those of them dropped for room, before the horizon.
    """

    keys: int
    memory_bytes: int
    horizon: timedelta
    duplicates: int
    forgotten: int
    forgotten_early: int


class Seen:
    """
    A set of keys with a horizon.

    What it answers depends on the order of calls only. Not safe in several threads at once, but for `state`.

    Args:
        horizon: For how long a key is kept at least, on the clock of arrivals.
        max_keys: The most keys held, 13 bytes each once that many came; it begins with 64 KiB.
        salt: 64 random bits that decide where keys lie, so no sender can choose keys that collide.

    >>> seen = Seen()
    >>> seen.add(np.array([7, 8, 7], np.uint64), arrival_ns=0).tolist()
    [True, True, False]
    >>> seen.add(np.array([8, 9], np.uint64), arrival_ns=1).tolist()
    [False, True]
    """

    def __init__(
        self, horizon: timedelta = timedelta(minutes=15), max_keys: int = 8_000_000, *, salt: int | None = None
    ) -> None:
        if horizon <= timedelta(0):
            raise ConfigError(f"dedup.horizon: {horizon} is not longer than nothing; try 0:15:00")
        if max_keys < _GENERATIONS:
            raise ConfigError(f"dedup.max_keys: {max_keys} is less than {_GENERATIONS}; try 8000000")
        self._horizon_ns = horizon // timedelta(microseconds=1) * 1000
        self._most_keys = max_keys // _GENERATIONS
        self._chunk_keys = min(_CHUNK_KEYS, self._most_keys)
        self._salt = np.uint64(secrets.randbits(64) if salt is None else salt)
        self._generations: tuple[_Generation, ...] = (_Generation(0, 0, self._most_keys),)  # replaced as a whole
        self._now_ns = 0
        self._forgotten_ns: int | None = None
        self._duplicates = 0
        self._forgotten = 0
        self._forgotten_early = 0

    def add(self, keys: npt.NDArray[np.uint64], arrival_ns: int) -> npt.NDArray[np.bool_]:
        """
        Take keys in.

        Args:
            keys: uint64, shape (n,).
            arrival_ns: When they came; an earlier time than the latest so far counts as that one.

        Returns:
            bool, shape (n,): True where a key was not held and is the first of its kind in *keys*.
        """
        is_new = np.empty(len(keys), np.bool_)
        self._now_ns = max(self._now_ns, arrival_ns)
        for start in range(0, len(keys), self._chunk_keys):
            chunk = slice(start, start + self._chunk_keys)
            is_new[chunk] = self._add(_mix(keys[chunk], self._salt))
        self._duplicates += len(keys) - int(np.count_nonzero(is_new))
        return is_new

    def state(self) -> SeenState:
        """What it holds now; for any thread."""
        tables = [generation.table for generation in self._generations]
        horizon_ns, forgotten_ns = self._horizon_ns, self._forgotten_ns
        if forgotten_ns is not None:
            horizon_ns = min(horizon_ns, self._now_ns - forgotten_ns)  # now is read last: it never goes back
        return SeenState(
            keys=sum(table.count for table in tables),
            memory_bytes=sum(table.memory_bytes for table in tables),
            horizon=timedelta(microseconds=horizon_ns // 1000),
            duplicates=self._duplicates,
            forgotten=self._forgotten,
            forgotten_early=self._forgotten_early,
        )

    def _add(self, mixed: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        is_new = np.ones(len(mixed), np.bool_)
        for generation in self._generations:
            is_new &= ~generation.table.contains(mixed)
        new = np.sort(mixed[is_new])
        if bool((new[1:] == new[:-1]).any()):
            places = np.flatnonzero(is_new)
            new, first = np.unique(mixed[places], return_index=True)
            is_new[:] = False
            is_new[places[first]] = True
        if new.size:
            self._insert(new)
        return is_new

    def _insert(self, new: npt.NDArray[np.uint64]) -> None:
        self._turn(len(new))
        current = self._generations[0]
        current.table.insert(new)
        current.newest_ns = self._now_ns

    def _turn(self, more_keys: int) -> None:
        """Begin a new generation where the current one is old or full."""
        current = self._generations[0]
        if current.table.count == 0:
            current.oldest_ns = self._now_ns
        is_old = (self._now_ns - current.oldest_ns) * (_GENERATIONS - 1) > self._horizon_ns
        if not is_old and current.table.count + more_keys <= self._most_keys:
            return
        # As large as the one before it was in the end, so a steady flow never pays for growing.
        expected_keys = int(current.table.count * _HEADROOM)
        self._generations = (_Generation(self._now_ns, expected_keys, self._most_keys), *self._generations)
        while len(self._generations) > 1 and self._is_due(self._generations[-1]):
            self._forget(self._generations[-1])
            self._generations = self._generations[:-1]

    def _is_due(self, generation: "_Generation") -> bool:
        return len(self._generations) > _GENERATIONS or self._now_ns - generation.newest_ns > self._horizon_ns

    def _forget(self, generation: "_Generation") -> None:
        self._forgotten += generation.table.count
        self._forgotten_ns = generation.newest_ns
        if self._now_ns - generation.newest_ns <= self._horizon_ns:
            self._forgotten_early += generation.table.count


class _Generation:
    """The keys that arrived in one stretch of time."""

    def __init__(self, oldest_ns: int, expected_keys: int, most_keys: int) -> None:
        self.table = _Table(expected_keys, most_keys)
        self.oldest_ns = oldest_ns
        self.newest_ns = oldest_ns


class _Table:
    """
    Open addressing over buckets of eight keys, many keys at a time.

    Keys come mixed: spread evenly, never 0, which marks an empty place. A bucket fills from the left, and what a full
    one cannot take goes to the next. A key's bucket ascends with the key, so sorted keys meet memory in order.
    """

    def __init__(self, expected_keys: int, most_keys: int) -> None:
        self._most_buckets = max(_FIRST_BUCKETS, _buckets(most_keys))
        self._clear(max(_FIRST_BUCKETS, _buckets(expected_keys)))

    @property
    def memory_bytes(self) -> int:
        """What the arrays take."""
        return self._keys.nbytes + self._used.nbytes

    def contains(self, mixed: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which keys are in."""
        bucket = self._bucket(mixed)
        rows = self._keys.take(bucket, axis=0)
        found = _has(rows, mixed)
        # Only behind a full bucket can a key lie further on.
        pending = np.flatnonzero((rows[:, -1] != 0) & ~found)
        bucket = bucket[pending]
        while pending.size:
            bucket = self._after(bucket)
            rows = self._keys.take(bucket, axis=0)
            hit = _has(rows, mixed[pending])
            found[pending] = hit
            goes_on = (rows[:, -1] != 0) & ~hit
            pending, bucket = pending[goes_on], bucket[goes_on]
        return found

    def insert(self, mixed: npt.NDArray[np.uint64]) -> None:
        """Take in keys that ascend, without a double, and are not in yet."""
        if self.count + len(mixed) > _MOST_LOAD * self._keys.size:
            self._grow(self.count + len(mixed))
        self.count += len(mixed)
        bucket = self._bucket(mixed)
        while mixed.size:
            place = self._used[bucket] + _rank(bucket)
            fits = place < _BUCKET_KEYS
            self._keys[bucket[fits], place[fits]] = mixed[fits]
            # Places ascend within a bucket and the last assignment stays, so this is the count.
            self._used[bucket[fits]] = place[fits] + 1
            mixed, bucket = mixed[~fits], self._after(bucket[~fits])

    def _grow(self, wanted_keys: int) -> None:
        held = np.sort(self._keys[self._keys != 0])
        self._clear(max(_buckets(wanted_keys), len(self._keys) * _GROWTH))
        self.insert(held)

    def _clear(self, wanted_buckets: int) -> None:
        buckets = min(wanted_buckets, self._most_buckets)
        self.count = 0
        self._keys = np.zeros((buckets, _BUCKET_KEYS), np.uint64)
        self._used = np.zeros(buckets, np.uint8)

    def _bucket(self, mixed: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
        return ((mixed >> _HALF) * np.uint64(len(self._keys)) >> _HALF).astype(np.intp)

    def _after(self, bucket: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        after = bucket + 1
        after[after == len(self._keys)] = 0
        return after


def _mix(keys: npt.NDArray[np.uint64], salt: np.uint64) -> npt.NDArray[np.uint64]:
    """Another key for each, one to one, but for 0, which becomes 1: they would be taken for each other."""
    mixed = keys ^ salt
    mixed *= _FIRST_FACTOR
    mixed ^= mixed >> _HALF
    mixed *= _SECOND_FACTOR
    mixed[mixed == 0] = 1
    return mixed


def _has(rows: npt.NDArray[np.uint64], mixed: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Whether each row of eight keys has its key: eight comparisons are eight bytes, read as one number."""
    found: npt.NDArray[np.bool_] = (rows == mixed[:, None]).view(np.uint64)[:, 0] != 0
    return found


def _rank(bucket: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """How many of the same value stand before each, where equal ones stand together."""
    place = np.arange(len(bucket))
    begins = np.empty(len(bucket), np.bool_)
    begins[:1] = True
    np.not_equal(bucket[1:], bucket[:-1], out=begins[1:])
    return place - np.maximum.accumulate(np.where(begins, place, 0))


def _buckets(keys: int) -> int:
    return int(keys / (_MOST_LOAD * _BUCKET_KEYS)) + 1
