"""
The OTLP conformance program against the whole server.

It is a program of its own that talks over the wire only; MONITORX_CONFORMANCE names it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server


@pytest.mark.needs("conformance")
def test_the_server_conforms(tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    with Server(tmp_path) as server:
        done = subprocess.run(
            [
                *(sys.executable, os.environ["MONITORX_CONFORMANCE"]),
                *("--http", f"http://{server.http}", "--grpc", server.grpc),
                *("--pid", str(server.pid), "--json", str(report), "--strict"),
            ],
            capture_output=True,
            text=True,
            timeout=280,
        )

    failed = [case for case in json.loads(report.read_text()) if case["result"] == "FAIL"]
    assert (failed, done.returncode) == ([], 0), done.stdout[-3000:] + done.stderr[-3000:]
