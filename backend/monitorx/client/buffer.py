"""What was collected and is not sent yet: bounded, filled from any thread. Where it is full, the oldest goes."""

import threading
from collections import deque

from monitorx.client.inference import Inference


class Buffer:
    """
    At most *limit* inferences.

    Attributes:
        collected: How many ever came in.
        dropped: How many had to go for newer ones.
    """

    def __init__(self, limit: int) -> None:
        self.collected = 0
        self.dropped = 0
        self._limit = limit
        self._waiting: deque[Inference] = deque()
        self._lock = threading.Lock()

    def put(self, inference: Inference) -> int:
        """Take *inference* in; how many wait now."""
        with self._lock:
            self.collected += 1
            self._waiting.append(inference)
            if len(self._waiting) > self._limit:
                self._waiting.popleft()
                self.dropped += 1
            return len(self._waiting)

    def take(self, most: int) -> list[Inference]:
        """The oldest, at most *most* of them; they are the taker's now."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def __len__(self) -> int:
        return len(self._waiting)
