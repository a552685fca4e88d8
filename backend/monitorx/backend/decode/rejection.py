"""What a request carried that makes no sense: counted, with a reason for the sender."""


class Rejections:
    """Counts of refused items by reason. Reasons are fixed texts, so there are few."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, reason: str, count: int = 1) -> None:
        """*count* items are refused because of *reason*."""
        if count:  # clients take a message without a count for a failure
            self._counts[reason] = self._counts.get(reason, 0) + count

    @property
    def count(self) -> int:
        """How many items are refused."""
        return sum(self._counts.values())

    @property
    def message(self) -> str:
        """The reasons with their counts; "" where nothing was refused."""
        return "; ".join(f"{count} rejected: {reason}" for reason, count in self._counts.items())
