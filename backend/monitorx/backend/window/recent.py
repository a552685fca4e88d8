"""Names with a figure that were met lately: what a health answer says in words."""

from typing import Generic, TypeVar

Name = TypeVar("Name")


class Recent(Generic[Name]):
    """At most *limit* names, those with the largest figures."""

    def __init__(self, limit: int = 100) -> None:
        self._limit = limit
        self._figures: dict[Name, float] = {}
        self._met_ns: dict[Name, int] = {}

    def __len__(self) -> int:
        return len(self._figures)

    def put(self, name: Name, figure: float, at_ns: int) -> None:
        """Say that *name* has *figure*, met at a time of arrival."""
        if name not in self._figures and len(self._figures) >= self._limit:
            smallest = min(self._figures, key=self._figures.__getitem__)
            if figure <= self._figures[smallest]:
                return
            self.remove(smallest)
        self._figures[name] = figure
        self._met_ns[name] = at_ns

    def add(self, name: Name, more: float, at_ns: int) -> None:
        """Add to the figure of *name*."""
        self.put(name, self._figures.get(name, 0.0) + more, at_ns)

    def remove(self, name: Name) -> None:
        """Forget *name*."""
        self._figures.pop(name, None)
        self._met_ns.pop(name, None)

    def drop(self, before_ns: int) -> None:
        """Forget what was not met since."""
        for name in [name for name, met_ns in self._met_ns.items() if met_ns < before_ns]:
            self.remove(name)

    def figures(self) -> dict[Name, float]:
        """A copy, made in one step: other threads may ask."""
        return self._figures.copy()
