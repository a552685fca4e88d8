"""
Closed panes in memory, and what they add up to for windows that move on by a pane at a time.

Rules ask several times a second for the same windows, of an hour or a day, and next to nothing of them has changed. So
the sum of each window is kept, by key, until the window moves on; it is then made anew of sums of whole minutes. What
closes late is added to the sums that there are. Nothing is ever subtracted: a largest duration cannot be, and fractions
would leave a rest.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from monitorx.backend.window.pane import PANE_NS, PaneKey, PanePartial

_BLOCK_NS = 6 * PANE_NS

Panes = dict[int, dict[PaneKey, PanePartial]]  # by start
_Sums = dict[PaneKey, PanePartial]


@dataclass(slots=True)
class _Window:
    """The sums over [begin, end); they belong to it alone."""

    begin: int
    end: int
    sums: _Sums


class Closed:
    """The closed panes. Those that are put in belong to it from then on."""

    def __init__(self) -> None:
        self._panes: Panes = {}
        self._blocks: dict[int, _Sums] = {}  # of whole minutes; made when asked for, and never changed
        self._windows: dict[int, _Window] = {}  # by their length
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def starts(self) -> Iterator[int]:
        """When the panes begin, in no order."""
        return iter(self._panes)

    def put(self, pane: PanePartial) -> None:
        """Add *pane*, to the one of the same key and start if there is one."""
        for window in self._windows.values():
            if window.begin <= pane.start_ns < window.end:
                _add_copies(window.sums, [pane])
        self._blocks.pop(pane.start_ns // _BLOCK_NS, None)
        of_start = self._panes.setdefault(pane.start_ns, {})
        before = len(of_start)
        add(of_start, pane)
        self._count += len(of_start) - before

    def remove(self, start_ns: int) -> int:
        """Forget the panes that begin at *start_ns*; how many there were."""
        gone = len(self._panes.pop(start_ns, ()))
        self._count -= gone
        self._blocks.pop(start_ns // _BLOCK_NS, None)
        for length in [length for length, window in self._windows.items() if window.begin <= start_ns < window.end]:
            del self._windows[length]
        return gone

    def drop(self, before_ns: int) -> None:
        """Forget the panes that begin before a time."""
        for start in [start for start in self._panes if start < before_ns]:
            self.remove(start)

    def sums(self, begin: int, end: int) -> Collection[PanePartial]:
        """One pane for each key that has any in [begin, end): their sum, to be read and not changed."""
        window = self._windows.get(end - begin)
        if window is None or window.begin != begin:
            window = self._windows[end - begin] = _Window(begin, end, self._summed(begin, end))
        return window.sums.values()

    def forget_windows(self) -> None:
        """From now on other windows are asked for."""
        self._windows.clear()

    def _summed(self, begin: int, end: int) -> _Sums:
        sums: _Sums = {}
        blocks: set[int] = set()
        for start, of_start in self._panes.items():
            block = start // _BLOCK_NS
            if not begin <= start < end:
                continue
            if begin <= block * _BLOCK_NS and (block + 1) * _BLOCK_NS <= end:
                blocks.add(block)
            else:
                _add_copies(sums, of_start.values())
        for block in blocks:
            _add_copies(sums, self._block(block).values())
        return sums

    def _block(self, block: int) -> _Sums:
        """The panes of one minute by key. One that is alone is not copied: most are, where calls are few."""
        found = self._blocks.get(block)
        if found is None:
            found = self._blocks[block] = {}
            ours: set[PaneKey] = set()
            for start in range(block * _BLOCK_NS, (block + 1) * _BLOCK_NS, PANE_NS):
                for key, pane in self._panes.get(start, {}).items():
                    if key in found and key not in ours:
                        found[key] = copied(found[key])
                        ours.add(key)
                    add(found, pane)
        return found


def copied(pane: PanePartial) -> PanePartial:
    """One that does not change with *pane*."""
    return replace(pane, latency=pane.latency.copy())


def _add_copies(sums: _Sums, panes: Iterable[PanePartial]) -> None:
    for pane in panes:
        if pane.key in sums:
            sums[pane.key].merge(pane)
        else:
            sums[pane.key] = copied(pane)


def add(sums: _Sums, pane: PanePartial) -> None:
    """Add *pane*, which from then on belongs to *sums*."""
    if pane.key in sums:
        sums[pane.key].merge(pane)
    else:
        sums[pane.key] = pane
