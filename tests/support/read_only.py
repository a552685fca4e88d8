"""Files that this process may read and not write, whoever runs the tests."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that any user may reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """While it lasts *file* is as a backup that another user restored: in a folder of ours, and not ours to write."""
    file.chmod(0o444)
    is_root = os.geteuid() == 0  # whom no mode stops
    if is_root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
