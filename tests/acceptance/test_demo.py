"""The whole demo, as a user starts it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitorx.backend.demo.story import STEPS

pytestmark = [
    pytest.mark.needs("sklearn"),
    pytest.mark.needs("onnxruntime"),
    pytest.mark.needs("openai"),
    pytest.mark.needs("aiosmtpd"),
]


def processes_naming(folder: Path) -> list[str]:
    """Command lines of running processes that name *folder*."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if str(folder) in line and str(os.getpid()) != file.parent.name:
            lines.append(line)
    return lines


def test_the_demo_shows_every_step_within_a_minute_and_ends_what_it_started(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "monitorx.backend.cli", "demo", "--once", "--data-dir", str(folder)]

    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    lasted_s = time.monotonic() - began_s

    assert done.returncode == 0, done.stdout + done.stderr
    assert [step.words for step in STEPS if f"✓ {step.words}" not in done.stdout] == []
    assert lasted_s < 60
    assert processes_naming(folder) == []
