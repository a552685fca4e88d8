"""A disk that fails when it is told to, and can be made to wait."""

import threading
from collections.abc import Sequence
from pathlib import Path

from monitorx.backend.journal.disk import PosixDisk


class FailingDisk(PosixDisk):
    """
    The real file system, but for the calls named in `failures`.

    Attributes:
        failures: The name of a call, and what it raises from now on.
        torn_bytes: How much of a failing write reaches the file before it raises.
        free: Free bytes to claim, where set.
        may_sync: Cleared, every sync waits.
        is_syncing: Set once a sync has to wait.
        calls: The names of the changing calls, in order.
    """

    def __init__(self) -> None:
        self.failures: dict[str, OSError] = {}
        self.torn_bytes = 0
        self.free: int | None = None
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.is_syncing = threading.Event()
        self.calls: list[str] = []

    def create(self, path: Path) -> int:
        self._meet("create")
        return super().create(path)

    def read(self, fd: int, length: int, offset: int) -> bytes:
        self._meet("read")
        return super().read(fd, length, offset)

    def write(self, fd: int, buffers: Sequence[bytes], offset: int) -> None:
        try:
            self._meet("write")
        except OSError:
            super().write(fd, [b"".join(buffers)[: self.torn_bytes]], offset)
            raise
        super().write(fd, buffers, offset)

    def sync(self, fd: int) -> None:
        if not self.may_sync.is_set():
            self.is_syncing.set()
            self.may_sync.wait()
        self._meet("sync")
        super().sync(fd)

    def truncate(self, fd: int, size: int) -> None:
        self._meet("truncate")
        super().truncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        self._meet("rename")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._meet("sync_folder")
        super().sync_folder(folder)

    def free_bytes(self, folder: Path) -> int:
        return super().free_bytes(folder) if self.free is None else self.free

    def _meet(self, call: str) -> None:
        self.calls.append(call)
        if call in self.failures:
            raise self.failures[call]
