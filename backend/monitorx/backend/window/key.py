"""
Which models on which processes are counted under their own names, when there are more than memory has room for.

A service may have as many keys as it likes while there is room. When there is none, a new key of a service that has
less than its share takes the place of a key of the service that has most above its own, the one idle for longest; if
no service is above its share, of a key that was idle for ten minutes. Otherwise it is counted under the name
`__other__` of its service. A key that gave way keeps its panes: nothing is counted twice or under two names at once.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from monitorx.backend.window.pane import PaneKey

OTHER = "__other__"
IDLE_NS = 600_000_000_000
MAX_OTHERS = 1_000

_Owner = tuple[str, str]  # tenant, service


class Keys:
    """
    The keys that there are, each with the start of its newest pane.

    Args:
        most: Keys under their own names.
        share: Of one service, when there is no room for all.
        others: Keys `__other__`; services beyond them are counted together, as service `__other__`.
    """

    def __init__(self, most: int, share: int, others: int = MAX_OTHERS) -> None:
        self._most, self._share, self._most_others = most, share, others
        self._newest: dict[PaneKey, int] = {}  # those that had a new pane last are at the end, in `_owned` too
        self._owned: dict[_Owner, dict[PaneKey, None]] = {}
        self._large: set[_Owner] = set()  # above their share: most / share of them, or fewer
        self._others: dict[PaneKey, int] = {}
        self._gave_way = False

    def __iter__(self) -> Iterator[PaneKey]:
        return chain(self._newest, self._others)

    def admit(self, key: PaneKey, start_ns: int) -> PaneKey:
        """The key under which a new pane of *key* is counted: itself, or one that says `__other__`."""
        newest = self._newest.pop(key, None)
        if newest is not None:
            owned = self._owned[key[:2]]
            del owned[key]
            owned[key] = None
            self._newest[key] = max(start_ns, newest)
            return key
        if len(self._newest) >= self._most and not self._make_room(key[:2], start_ns):
            key = self._other(key)
            self._others[key] = max(start_ns, self._others.get(key, 0))
            return key
        self._enter(key, start_ns)
        return key

    def restore(self, newest: Mapping[PaneKey, int]) -> None:
        """Begin with keys and their newest panes; the newest stay."""
        for key, start_ns in sorted(newest.items(), key=lambda item: item[1]):
            if key.model == OTHER and key.instance == OTHER:
                self._others[key] = start_ns
            else:
                self._enter(key, start_ns)
        while len(self._newest) > self._most:
            self._leave(next(iter(self._newest)))

    def drop(self, before_ns: int) -> bool:
        """Forget keys that had no pane since; True if any are gone, now or because they gave way."""
        gone = [key for key, newest in self._newest.items() if newest < before_ns]
        for key in gone:
            self._leave(key)
        others = [key for key, newest in self._others.items() if newest < before_ns]
        for key in others:
            del self._others[key]
        is_changed = bool(gone or others) or self._gave_way
        self._gave_way = False
        return is_changed

    def _make_room(self, owner: _Owner, start_ns: int) -> bool:
        if len(self._owned.get(owner, ())) >= self._share:
            return False
        if self._large:
            largest = max(self._large, key=lambda owner: len(self._owned[owner]))
            self._leave(next(iter(self._owned[largest])))
            self._gave_way = True
            return True
        idle = next(iter(self._newest), None)
        if idle is None or self._newest[idle] > start_ns - IDLE_NS:
            return False
        self._leave(idle)
        self._gave_way = True
        return True

    def _enter(self, key: PaneKey, start_ns: int) -> None:
        self._newest[key] = start_ns
        owned = self._owned.setdefault(key[:2], {})
        owned[key] = None
        if len(owned) > self._share:
            self._large.add(key[:2])

    def _leave(self, key: PaneKey) -> None:
        del self._newest[key]
        owner = key[:2]
        owned = self._owned[owner]
        del owned[key]
        if len(owned) <= self._share:
            self._large.discard(owner)
        if not owned:
            del self._owned[owner]

    def _other(self, key: PaneKey) -> PaneKey:
        other = PaneKey(key.tenant, key.service, OTHER, OTHER, "", key.kind, OTHER, key.source)
        if other in self._others or len(self._others) < self._most_others:
            return other
        return other._replace(service=OTHER, kind=OTHER)
