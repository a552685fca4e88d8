"""`monitorx serve`: settings, logs, one process per data folder, signals. Every refusal is one line and exit code 1."""

import argparse
import asyncio
import errno
import fcntl
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from monitorx.alerting.errors import AlertingError
from monitorx.backend.config import PREFIX, Settings
from monitorx.backend.errors import MonitorXError

_STOPS = (signal.SIGTERM, signal.SIGINT)
_HEARD = (*_STOPS, signal.SIGHUP)
_LONG, _CUT = re.compile(r"(\S{200})\S{100,}(\S)"), r"\1...\2"  # a value that fills the screen hides what is wrong
_log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean stop, 1 where it cannot start."""
    flags = vars(_parser().parse_args(argv))
    try:
        settings = Settings.load(os.environ, flags)
        with _signals_held():
            import monitorx.backend.app  # noqa: F401  where a package is missing, no folder is made

            with _data_dir(settings.data_dir):
                return _serve(settings)
    except (MonitorXError, AlertingError, ValueError) as error:
        words = str(error)
    except OSError as error:
        words = _in_words(error)
    print(f"monitorx serve: {_LONG.sub(_CUT, words)}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "monitorx serve",
        description="Receive OTLP, judge it by rules, store it and alert. Each option is also a setting, "
        f"{PREFIX}<NAME> in the environment; docs/reference/settings.md lists them all.",
    )
    for each in fields(Settings):
        flag = each.metadata["flag"] or "--" + each.name.replace("_", "-")
        default = "" if each.default in (None, "", ()) else f" (default: {each.default})"
        parser.add_argument(flag, dest=each.name, metavar="VALUE", help=each.metadata["help"] + default)
    return parser


def _serve(settings: Settings) -> int:
    from monitorx.backend.app import App
    from monitorx.backend.logs import configure

    configure(settings.log_level, settings.log_format)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _STOPS:
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, _hang_up, sys.stderr.isatty(), stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
        async with App(settings) as app:
            if not stop.is_set():
                app.announce()
            await stop.wait()

    try:
        import uvloop
    except ModuleNotFoundError:  # there is none for this platform; asyncio's own loop is slower and does the same
        asyncio.run(run())
    else:
        uvloop.run(run())
    return 0


def _hang_up(had_terminal: bool, stop: asyncio.Event) -> None:
    """A server whose terminal is closed ends with it; any other is asked to reload, and has nothing to."""
    if had_terminal and not sys.stderr.isatty():
        stop.set()
        return
    _log.warning("SIGHUP changes nothing: there is nothing to reload; a restart reads the files again")


@contextmanager
def _signals_held() -> Iterator[None]:
    """What is signalled before the loop can hear it is kept until then."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _data_dir(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, and ours alone while we run."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MonitorXError(f"--data-dir: {folder} cannot be written: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            raise MonitorXError(
                f"--data-dir: {folder} is in use by another process (pid {owner}); stop it or choose another folder"
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(lock)


def _in_words(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return str(error)
