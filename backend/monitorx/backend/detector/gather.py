"""
Sketches gathered into windows of event time, [k * length, (k + 1) * length), until these are over.

A window closes when the server's clock is `lateness` past its end. What comes later goes to the oldest window that is
open: a window is an amount of data, and none of it is left out. A window with too few values is carried into the next.
Sketches of one feature in one window are kept merged, one for each lattice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitorx.backend.detector.reference import FeatureKey
from monitorx.backend.detector.sketch import Sketch, merged

CARRIED = -1  # the start under which what is carried over is kept in the state
_OLDEST = 16  # windows back from the arrival that event time may lie
_LATTICES = 8  # of one feature in one window: replicas disagree in two or three
_LOOSE = 16  # sketches that wait to be merged

Place = tuple[int, FeatureKey]  # start of the window, or CARRIED


@dataclass(slots=True)
class Gathered:
    """
    The open windows.

    Attributes:
        length_ns, lateness_ns: Of a window; how long it waits after its end.
        closed_ns: Windows that end here or before are closed.
        windows: Start to feature to its sketches.
        carried: Of features with too few values so far.
        changed: Places whose sketches changed or went away since the state was last saved.
        gone: Starts of the windows that closed since then.
    """

    length_ns: int
    lateness_ns: int
    closed_ns: int = 0
    windows: dict[int, dict[FeatureKey, list[Sketch]]] = field(default_factory=dict)
    carried: dict[FeatureKey, list[Sketch]] = field(default_factory=dict)
    changed: set[Place] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)

    def add(self, key: FeatureKey, sketch: Sketch, arrival_ns: int) -> bool:
        """Add *sketch* by its end; False where its feature has too many lattices already."""
        event_ns = min(max(sketch.end_ns, arrival_ns - _OLDEST * self.length_ns), arrival_ns)
        start = max(event_ns // self.length_ns * self.length_ns, self.closed_ns)
        sketches = self.windows.setdefault(start, {}).setdefault(key, [])
        if len(sketches) >= _LOOSE:
            sketches[:] = by_lattice(sketches)
        if len({each.lattice for each in sketches} | {sketch.lattice}) > _LATTICES:
            return False
        sketches.append(sketch.during(start, start + self.length_ns))
        self.changed.add((start, key))
        return True

    def close(self, now_ns: int) -> Iterator[tuple[int, dict[FeatureKey, list[Sketch]]]]:
        """The windows that are over, the oldest first, each with its start and what was carried into it."""
        over_ns = (now_ns - self.lateness_ns) // self.length_ns * self.length_ns
        # A clock that ran ahead and was set back: windows of the future would stay open until then.
        self.closed_ns = over_ns if self.closed_ns > now_ns else max(self.closed_ns, over_ns)
        for start in sorted(start for start in self.windows if not self.closed_ns <= start <= now_ns):
            of_start = self.windows.pop(start)
            self.gone.add(start)
            self.changed.difference_update((start, key) for key in of_start)
            for key in of_start.keys() & self.carried.keys():
                self.changed.add((CARRIED, key))
                of_start[key] += self.carried.pop(key)
            yield start, {key: by_lattice(sketches) for key, sketches in of_start.items()}

    def carry(self, key: FeatureKey, sketches: list[Sketch]) -> None:
        """Keep *sketches* for the next window of the feature."""
        self.carried[key] = sketches
        self.changed.add((CARRIED, key))

    def forget(self, key: FeatureKey) -> None:
        """Drop what there is of a feature."""
        self.carried.pop(key, None)
        for of_start in self.windows.values():
            of_start.pop(key, None)

    def take_changed(self) -> dict[Place, list[Sketch]]:
        """What changed since the last take, merged; an empty list where it is gone."""
        taken = {}
        for start, key in self.changed:
            held: Mapping[FeatureKey, list[Sketch]] = self.carried if start == CARRIED else self.windows.get(start, {})
            sketches = held.get(key, [])
            sketches[:] = by_lattice(sketches)
            taken[start, key] = list(sketches)
        self.changed = set()
        return taken


def by_lattice(sketches: Sequence[Sketch]) -> list[Sketch]:
    """*sketches*, those of one lattice merged."""
    lattices = dict.fromkeys(sketch.lattice for sketch in sketches)
    return [merged([sketch for sketch in sketches if sketch.lattice == lattice]) for lattice in lattices]
