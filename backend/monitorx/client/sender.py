"""From the buffer to the server, batch by batch. A batch keeps its ids until it is through, so it counts once."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from monitorx.client.buffer import Buffer
from monitorx.client.errors import Refused
from monitorx.client.inference import Inference

MAX_BODY_BYTES = 1_000_000  # the server takes 1 MiB
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """A request body, and how many inferences are in it."""

    body: bytes
    count: int


class Sender:
    """
    Sends what is in *buffer*.

    Args:
        post: Sends one body; raises `ClientError`.
        head: Fields that stand beside the inferences of every body.
        batch_size: Inferences in a body, at most.
        new_id: Gives that many random bytes.

    Attributes:
        sent: Inferences that the server has made durable.
        refused: Inferences that it would not have.
    """

    def __init__(
        self,
        buffer: Buffer,
        post: Callable[[bytes], Awaitable[None]],
        *,
        head: dict[str, str],
        batch_size: int,
        new_id: Callable[[int], bytes],
    ) -> None:
        self.sent = 0
        self.refused = 0
        self._buffer, self._post = buffer, post
        self._head, self._batch_size, self._new_id = head, batch_size, new_id
        self._batches: list[Batch] = []  # made and not through; they came out of one take
        self._sending = asyncio.Lock()
        self._woken = asyncio.Event()
        self._is_failing = False

    @property
    def waiting(self) -> int:
        """Inferences that are not through yet."""
        return len(self._buffer) + sum(batch.count for batch in self._batches)

    def wake(self) -> None:
        """Send now rather than later. From the event loop's thread."""
        self._woken.set()

    async def run(self, every_s: float) -> None:
        """Send what there is, every now and then, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(every_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self.drain()
            except Exception as error:  # noqa: BLE001  whatever it was, what is collected later must go out, too
                self._complain(error)
            else:
                self._is_failing = False

    async def drain(self) -> None:
        """
        Send what waits now.

        Raises:
            Unavailable: The server does not answer; what was not sent is kept.
        """
        async with self._sending:
            rest = self.waiting
            while rest > 0 and (batch := self._next()) is not None:
                await self._send(batch)
                self._batches.pop(0)
                rest -= batch.count

    def _next(self) -> Batch | None:
        if not self._batches:
            self._batches = self._encoded(self._buffer.take(self._batch_size))
        return self._batches[0] if self._batches else None

    async def _send(self, batch: Batch) -> None:
        try:
            await self._post(batch.body)
        except Refused as error:
            self.refused += batch.count
            _log.error("the server refused %d inferences: %s", batch.count, error)
        else:
            self.sent += batch.count

    def _encoded(self, inferences: list[Inference]) -> list[Batch]:
        """As few bodies as the size of one allows."""
        head = json.dumps(self._head)[1:-1]
        batches: list[Batch] = []
        items: list[str] = []
        size = 0
        for inference in inferences:
            item = json.dumps(inference.as_json(self._new_id), separators=(",", ":"))
            if items and size + len(item) > MAX_BODY_BYTES:
                batches.append(_batch(head, items))
                items, size = [], 0
            items.append(item)
            size += len(item) + 1
        return [*batches, _batch(head, items)] if items else batches

    def _complain(self, error: Exception) -> None:
        """Once, until it works again."""
        if not self._is_failing:
            _log.warning("inferences wait, %d of them: %s", self.waiting, error)
        self._is_failing = True


def _batch(head: str, items: list[str]) -> Batch:
    # JSON is ASCII here: everything else is escaped.
    return Batch(f'{{{head},"inferences":[{",".join(items)}]}}'.encode("ascii"), len(items))
