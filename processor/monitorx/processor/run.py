"""
`monitorx run`: start an application with its model calls seen, without a change to it.

It prepares the environment as `opentelemetry-instrument` does, chooses the distro of MonitorX, and becomes the
application: same process, same signals, same exit code.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit

NOT_EXECUTABLE = 126  # the shell's exit codes
NOT_FOUND = 127

GRPC_PORT, HTTP_PORT = 4317, 4318  # of OTLP: https://opentelemetry.io/docs/specs/otlp/
EXAMPLE = f"http://127.0.0.1:{HTTP_PORT}"

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
    if arguments.endpoint is not None and (words := endpoint_fault(arguments.endpoint)):
        parser.print_usage(sys.stderr)
        return _refuse(words, 2)
    if missing := missing_package():
        return _refuse(f"the package {missing} is not installed.\n    pip install 'monitorx[sdk]' brings it.", 1)
    command = resolve(command)
    executable = which(command[0])
    if executable is None:
        found = Path(command[0]).exists()
        words = f"{command[0]!r} is not executable" if found else f"{command[0]!r}: command not found"
        return _refuse(words, NOT_EXECUTABLE if found else NOT_FOUND)
    environ = environment(os.environ, service=arguments.service, endpoint=arguments.endpoint, cwd=str(Path.cwd()))
    if words := port_warning(environ):
        print(f"monitorx run: {words}", file=sys.stderr)
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


def endpoint_fault(endpoint: str) -> str:
    """
    Why *endpoint* cannot be where OTLP goes, and what would be right; empty where it can.

    >>> endpoint_fault("localhost:4318")
    "--endpoint: 'localhost:4318' cannot be used; http:// or https:// and a host is expected, as in http://localhost:4318"
    """
    if _is_address(endpoint):
        return ""
    likely = f"http://{endpoint}"
    example = likely if "@" not in endpoint and "://" not in endpoint and _is_address(likely) else EXAMPLE
    return (
        f"--endpoint: {_shown(endpoint)!r} cannot be used; http:// or https:// and a host is expected, as in {example}"
    )


def port_warning(environ: Mapping[str, str]) -> str:
    """Words about OTLP over HTTP that goes to the usual port of OTLP over gRPC; empty where all is as usual."""
    from monitorx.processor.distro import fill_defaults

    endpoint = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not _is_address(endpoint) or urlsplit(endpoint).port != GRPC_PORT:
        return ""
    filled = dict(environ)
    if filled.get("OTEL_PYTHON_DISTRO") == "monitorx":  # another one has defaults of its own
        fill_defaults(filled)
    if filled.get("OTEL_EXPORTER_OTLP_PROTOCOL") != "http/protobuf":
        return ""
    return (
        f"warning: OTLP goes to {_shown(endpoint)} over http/protobuf, and {GRPC_PORT} is the usual port of OTLP/gRPC; "
        f"HTTP is usually taken on {HTTP_PORT} (or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc)"
    )


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


def _is_address(endpoint: str) -> bool:
    if re.search(r"\s", endpoint):
        return False
    try:
        parts = urlsplit(endpoint)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets without an address
        return False


def _shown(endpoint: str) -> str:
    """*endpoint* without the user and the password."""
    return re.sub(r"^(\w+://)?.*@", r"\1<secret>@", endpoint, flags=re.DOTALL)


def _refuse(words: str, code: int) -> int:
    print(f"monitorx run: {words}", file=sys.stderr)
    return code
