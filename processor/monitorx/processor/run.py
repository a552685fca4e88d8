"""
`monitorx run`: start an application with its model calls seen, without a change to it.

It prepares the environment as `opentelemetry-instrument` does, chooses the distro of MonitorX, and becomes the
application: same process, same signals, same exit code.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which

NOT_EXECUTABLE = 126  # the shell's exit codes
NOT_FOUND = 127

USAGE = "monitorx run [--service NAME] [--endpoint URL] [--] COMMAND [ARGUMENTS...]"


def main(argv: Sequence[str]) -> int:
    """Become the application; returns only when that is not possible, with the exit code."""
    parser = argparse.ArgumentParser(
        "monitorx run", usage=USAGE, description="Run an application, its model calls seen."
    )
    parser.add_argument("--service", metavar="NAME", help="service.name of the application; its file's name by default")
    parser.add_argument("--endpoint", metavar="URL", help="where OTLP goes; http://localhost:4318 by default")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="for example: python app.py, or app.py")
    arguments = parser.parse_args(argv)
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.print_usage(sys.stderr)
        return _refuse("what is to be run? For example: monitorx run python app.py", 2)
    if missing := missing_package():
        return _refuse(f"the package {missing} is not installed.\n    pip install 'monitorx[sdk]' brings it.", 1)
    command = resolve(command)
    executable = which(command[0])
    if executable is None:
        found = Path(command[0]).exists()
        words = f"{command[0]!r} is not executable" if found else f"{command[0]!r}: command not found"
        return _refuse(words, NOT_EXECUTABLE if found else NOT_FOUND)
    environ = environment(os.environ, service=arguments.service, endpoint=arguments.endpoint, cwd=str(Path.cwd()))
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(executable, command, environ)  # noqa: S606 - becoming the given program is what the command is for
    except OSError as error:
        return _refuse(f"{executable} cannot be run: {error.strerror}", NOT_EXECUTABLE)


def resolve(command: Sequence[str]) -> list[str]:
    """
    The command with its interpreter: a .py file runs in ours, and so does a plain `python`.

    Plain `python` may be another one on the PATH, without MonitorX, which would then see nothing.
    """
    first, *rest = command
    if first.endswith(".py"):
        return [sys.executable, first, *rest]
    if first in ("python", "python3"):
        return [sys.executable, *rest]
    return [first, *rest]


def environment(environ: Mapping[str, str], *, service: str | None, endpoint: str | None, cwd: str) -> dict[str, str]:
    """
    The application's environment: *environ*, the loader's folder on the Python path, and our distro.

    Args:
        environ: The environment of this process.
        service: The application's service name, where one is given.
        endpoint: URL that OTLP is sent to, where one is given.
        cwd: The working folder; applications that are executables of their own import from there.
    """
    loader = loader_folder()
    paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != loader]
    if cwd not in paths:
        paths.insert(0, cwd)
    prepared = {
        "OTEL_PYTHON_DISTRO": "monitorx",
        "OTEL_PYTHON_CONFIGURATOR": "monitorx",
        **environ,
        "PYTHONPATH": os.pathsep.join([loader, *paths]),
    }
    if service:
        prepared["OTEL_SERVICE_NAME"] = service
    if endpoint:
        prepared["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    return prepared


def loader_folder() -> str:
    """The folder whose sitecustomize.py loads the instrumentors at the start of Python."""
    from opentelemetry.instrumentation import auto_instrumentation

    return str(Path(auto_instrumentation.__file__).parent)


def missing_package() -> str | None:
    """The first distribution without which nothing would be sent."""
    needed = {
        "opentelemetry.instrumentation": "opentelemetry-instrumentation",
        "opentelemetry.sdk": "opentelemetry-sdk",
        "opentelemetry.exporter": "opentelemetry-exporter-otlp",
    }
    return next((package for module, package in needed.items() if find_spec(module) is None), None)


def _refuse(words: str, code: int) -> int:
    print(f"monitorx run: {words}", file=sys.stderr)
    return code
