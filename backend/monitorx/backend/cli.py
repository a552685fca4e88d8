"""
The command `monitorx`.

Imports argparse only; each subcommand loads what it needs, and a missing extra is answered with the pip line that
brings it, so that `monitorx run` works where the server is not installed.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

Command = Callable[[Sequence[str]], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"monitorx {version('monitorx')}")
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        print(f"monitorx: {arguments[0]!r} is not a command\n\n{_usage()}", file=sys.stderr)
        return 2
    return _with_extras(command[1], arguments[1:], extra=command[2])


def _with_extras(command: Command, arguments: Sequence[str], *, extra: str) -> int:
    try:
        return command(arguments)
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("monitorx"):
            raise
        print(
            f"monitorx: this command needs the package {error.name!r}, which is not installed.\n"
            f"          pip install 'monitorx[{extra}]' brings it.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(argv: Sequence[str]) -> int:
    from monitorx.backend.serve import main as serve

    return serve(argv)


def _check(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("monitorx check", description="Check a file of rules, routes and receivers.")
    parser.add_argument("file", type=Path, nargs="+", help="YAML file")
    files: list[Path] = parser.parse_args(argv).file
    from monitorx.alerting.document import DocumentError
    from monitorx.backend.rule import load

    code = 0
    for file in files:
        try:
            print(f"{file}: good: {load(file).size}")
        except DocumentError as error:
            print(error)
            code = 1
    return code


def _run(argv: Sequence[str]) -> int:
    from monitorx.processor.run import main as run

    return run(argv)


def _demo(argv: Sequence[str]) -> int:
    from monitorx.backend.demo import main as demo

    return demo(argv)


def _reference(argv: Sequence[str]) -> int:
    from monitorx.backend.detector.fit import main as reference

    return reference(argv)


COMMANDS: dict[str, tuple[str, Command, str]] = {
    "serve": ("receive, judge, store, alert: the server", _serve, "backend"),
    "run": ("run an application with its model calls seen", _run, "sdk"),
    "check": ("check a file of rules, routes and receivers", _check, "backend"),
    "reference": ("say what is normal for a model: fit a reference to a file", _reference, "backend"),
    "demo": ("the whole way in a minute, on this machine", _demo, "demo"),
}


def _usage() -> str:
    rows = "\n".join(f"  {name:11}{words}" for name, (words, _, _) in COMMANDS.items())
    return f"usage: monitorx COMMAND [...]\n\n{rows}\n\n`monitorx COMMAND --help` says more."


if __name__ == "__main__":
    sys.exit(main())
