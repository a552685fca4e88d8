"""
The programs on stage: the server, the stand-in chat server and three unchanged scripts.

Each is a process of its own, with its output in a file; all of them are ended when the stage closes, however it closes.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

TAIL_LINES = 25
TAIL_BYTES = 16_384
SCRIPT_SECONDS = "86400"


@dataclass(frozen=True, slots=True)
class Ports:
    """Free ports of this machine, one for each server."""

    otlp_http: int
    otlp_grpc: int
    api: int
    chat: int
    smtp: int

    @classmethod
    def free(cls) -> Self:
        """Five that are free now; held together while choosing, so that no two are the same."""
        with ExitStack() as stack:
            held = [stack.enter_context(socket.socket()) for _ in range(5)]
            for each in held:
                each.bind(("127.0.0.1", 0))
            return cls(*(each.getsockname()[1] for each in held))


@dataclass(slots=True)
class Program:
    """A running process and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines it wrote."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])


class ProgramEnded(Exception):
    """A program ended that should have gone on."""

    def __init__(self, program: Program) -> None:
        self.program = program
        super().__init__(f"{program.name} ended with exit code {program.process.returncode}")


@dataclass(slots=True)
class Stage:
    """Starts programs and ends them."""

    logs: Path
    stop_wait_s: float = 5.0
    programs: list[Program] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        stdin: int = subprocess.DEVNULL,
    ) -> Program:
        """Run *command* with *environ* beside what `unbiased` leaves of this process's environment."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                env={**unbiased(os.environ), "PYTHONUNBUFFERED": "1", **(environ or {})},
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which ends the others in order
            )
        program = Program(name, process, log)
        self.programs.append(program)
        return program

    def check(self) -> None:
        """
        See that every program still runs.

        Raises:
            ProgramEnded: One does not.
        """
        for program in self.programs:
            if program.process.poll() is not None:
                raise ProgramEnded(program)

    def close(self) -> None:
        """End every program, the last started first; those that do not listen are killed."""
        for program in reversed(self.programs):
            if program.process.poll() is None:
                program.process.terminate()
        for program in reversed(self.programs):
            try:
                program.process.wait(self.stop_wait_s)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()


def unbiased(environ: Mapping[str, str]) -> dict[str, str]:
    """
    *environ* without settings that would lead the programs elsewhere: everybody here talks to this machine only.

    >>> unbiased({"HOME": "/root", "OTEL_TRACES_EXPORTER": "none", "MONITORX_STORE": "x", "https_proxy": "y"})
    {'HOME': '/root'}
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(("MONITORX_", "OTEL_")) and not name.lower().endswith("_proxy")
    }


def server_command(ports: Ports, data: Path, config: Path) -> list[str]:
    """The command line of the server."""
    return [
        *(sys.executable, "-m", "monitorx.server", "--data-dir", str(data), "--config", str(config)),
        *("--otlp-http", f"127.0.0.1:{ports.otlp_http}", "--otlp-grpc", f"127.0.0.1:{ports.otlp_grpc}"),
        *("--api", f"127.0.0.1:{ports.api}"),
        # Nobody waits for windows of five minutes here.
        *("--drift-window", "5", "--reference-windows", "3"),
    ]


def script_command(script: Path, endpoint: str, *options: str) -> list[str]:
    """The command line of an unchanged script under `monitorx run`."""
    run = (sys.executable, "-m", "monitorx.backend.cli", "run", "--endpoint", endpoint, "--")
    return [*run, sys.executable, str(script), "--seconds", SCRIPT_SECONDS, *options]


def script_environ(ports: Ports) -> dict[str, str]:
    """What the scripts find in their environment: the stand-in server, and telemetry that leaves sooner than usual."""
    return {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{ports.chat}/v1",
        "OPENAI_API_KEY": "none",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        "OTEL_BSP_SCHEDULE_DELAY": "1000",
        "MONITORX_EXPORT_INTERVAL": "1",
    }


def examples_folder() -> Path:
    """Where the scripts are: beside the installed package, or under docs/ in a checkout."""
    here = Path(__file__).resolve()
    for folder in (here.parents[2] / "examples", here.parents[4] / "docs" / "examples"):
        if (folder / "chat.py").exists():
            return folder
    raise FileNotFoundError("the example scripts are missing: neither monitorx/examples nor docs/examples is there")
