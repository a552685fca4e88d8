"""The few calls that the journal makes to the disk, as a seam: a test puts one in that fails when it is told to."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

# The kernel takes at most IOV_MAX buffers a call; 1024 on Linux and macOS.
_MOST_BUFFERS = 1024


class Disk(Protocol):
    """What the journal needs of a file system. Every call may raise OSError."""

    def create(self, path: Path) -> int:
        """A descriptor of a new, empty file, open for writing; one that is there already is emptied."""
        ...

    def open(self, path: Path, *, writable: bool) -> int: ...

    def close(self, fd: int) -> None: ...

    def size(self, fd: int) -> int: ...

    def read(self, fd: int, length: int, offset: int) -> bytes:
        """*length* bytes from *offset*; fewer only where the file ends."""
        ...

    def write(self, fd: int, buffers: Sequence[bytes], offset: int) -> None:
        """All buffers, one after the other. Where it raises, any part of them may have been written."""
        ...

    def sync(self, fd: int) -> None:
        """Return once the file's content is on the disk."""
        ...

    def truncate(self, fd: int, size: int) -> None: ...

    def rename(self, source: Path, target: Path) -> None: ...

    def remove(self, path: Path) -> None: ...

    def sync_folder(self, folder: Path) -> None:
        """Return once the names in the folder are on the disk."""
        ...

    def free_bytes(self, folder: Path) -> int: ...


class PosixDisk:
    """The real file system."""

    def create(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)

    def open(self, path: Path, *, writable: bool) -> int:
        return os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        os.close(fd)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def read(self, fd: int, length: int, offset: int) -> bytes:
        chunk = os.pread(fd, length, offset)
        if len(chunk) == length or not chunk:
            return chunk
        parts = [chunk]
        read = len(chunk)
        while read < length and (chunk := os.pread(fd, length - read, offset + read)):
            parts.append(chunk)
            read += len(chunk)
        return b"".join(parts)

    def write(self, fd: int, buffers: Sequence[bytes], offset: int) -> None:
        for start in range(0, len(buffers), _MOST_BUFFERS):
            offset = _write_all(fd, buffers[start : start + _MOST_BUFFERS], offset)

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free_bytes(self, folder: Path) -> int:
        state = os.statvfs(folder)
        return state.f_bavail * state.f_frsize


def _write_all(fd: int, buffers: Sequence[bytes], offset: int) -> int:
    wanted = sum(map(len, buffers))
    written = os.pwritev(fd, buffers, offset)
    if written < wanted:
        # A short write is rare (a signal, a nearly full disk), so what is left may cost a copy.
        rest = memoryview(b"".join(buffers))
        while written < wanted:
            written += os.pwrite(fd, rest[written:], offset + written)
    return offset + wanted
