"""
`monitorx demo`: puts the programs on stage, lets the story run, and says what was seen.

Ends with exit code 0 if every step was seen, with 1 and the missing steps otherwise.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from rich.console import Console

from monitorx.backend.demo.cast import (
    Ports,
    ProgramEnded,
    Stage,
    examples_folder,
    script_command,
    script_environ,
    server_command,
)
from monitorx.backend.demo.inbox import Inbox, listening
from monitorx.backend.demo.look import ModelFigures, Server
from monitorx.backend.demo.rulefile import demo_rules
from monitorx.backend.demo.story import FAULTS, KINDS, SHIFTED_FEATURE, Scene, Seen, Story, missing
from monitorx.backend.demo.upstream import FEATURE, SHIFT, start_writing, tumours
from monitorx.backend.demo.view import LineView, LiveView, View
from monitorx.processor.distro import is_installed

READY_WITHIN_S = 20.0
TICK_S = 0.2
LOOK_EVERY_S = 1.0
INTERRUPTED = 130
FED = ("--feed", "-")
SCRIPTS: dict[str, tuple[str, ...]] = {"tabular": FED, "vision": (), "chat": ()}  # and their options
NEEDED = ("sklearn", "onnx", "onnxruntime", "openai", "opentelemetry.instrumentation.genai")  # by the scripts


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 if every step was seen."""
    parser = argparse.ArgumentParser(
        "monitorx demo", description="From three unchanged scripts to an alert that arrives and resolves, in a minute."
    )
    parser.add_argument("--data-dir", type=Path, metavar="D", help="keep data and logs in D; a temporary folder else")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--once", action="store_true", help="end with the story (the default when not on a terminal)")
    ending.add_argument("--keep", action="store_true", help="serve on until Ctrl-C (the default on a terminal)")
    arguments = parser.parse_args(argv)
    _see_that_scripts_can_run()
    once = arguments.once or not (arguments.keep or sys.stdout.isatty())
    console = Console()
    view: View = LiveView(console) if console.is_terminal else LineView(console)
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        folder = arguments.data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitorx-demo-")))
        stage = stack.enter_context(Stage(folder / "logs"))
        try:
            return Demo(stage, view, folder).run(once=once)
        except ProgramEnded as ended:
            print(f"monitorx demo: {ended}. The last lines of its log:\n{ended.program.tail()}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return INTERRUPTED


class Demo:
    """One run of the demo."""

    def __init__(self, stage: Stage, view: View, folder: Path) -> None:
        self._stage = stage
        self._view = view
        self._folder = folder
        self._ports = Ports.free()
        self._server = Server(f"http://127.0.0.1:{self._ports.api}")
        self._inbox = Inbox()
        self._seen = Seen()
        self._figures: list[ModelFigures] = []
        self._looked_s = 0.0
        self._upstream = tumours()

    def run(self, *, once: bool) -> int:
        """Let the story run; then end, or serve on until Ctrl-C."""
        began_s = time.monotonic()
        with listening(self._inbox, self._ports.smtp) as webhook, self._view:
            self._start(webhook)
            self._play(Story.begin(began_s))
            left = missing(self._seen)
            self._view.say(self._summary(left, time.monotonic() - began_s))
            if not once:
                self._view.say(self._where_to_look())
                self._serve_on()
        self._server.close()
        return 1 if left else 0

    def _start(self, webhook: str) -> None:
        """Start every program; the server first, the others when it is ready."""
        config = self._folder / "monitorx.yaml"
        config.write_text(demo_rules(webhook=webhook, smtp_port=self._ports.smtp), encoding="utf-8")
        self._stage.start("server", server_command(self._ports, self._folder / "data", config))
        examples = examples_folder()
        chat_server = [sys.executable, str(examples / "chat_server.py"), "--port", str(self._ports.chat)]
        self._stage.start("chat_server", chat_server)
        self._wait_until_ready()
        self._view.say(f"monitorx serve is ready: {self._server.url}")
        for name, options in SCRIPTS.items():
            command = script_command(examples / f"{name}.py", f"http://127.0.0.1:{self._ports.otlp_http}", *options)
            stdin = subprocess.PIPE if options == FED else subprocess.DEVNULL
            pipe = self._stage.start(name, command, script_environ(self._ports), stdin=stdin).process.stdin
            if pipe is not None:
                start_writing(self._upstream, pipe)

    def _wait_until_ready(self) -> None:
        ends_s = time.monotonic() + READY_WITHIN_S
        while not self._server.is_ready():
            self._stage.check()
            if time.monotonic() > ends_s:
                raise ProgramEnded(self._stage.programs[0])
            time.sleep(0.1)

    def _play(self, story: Story) -> None:
        while story.scene is not Scene.END:
            self._tick(story.scene)
            if story.advance(self._seen, time.monotonic()):
                self._switch_fault(FAULTS.get(story.scene, "none"))
        self._seen = replace(self._seen, is_over=True)
        self._view.show(story.scene, self._figures, self._inbox.snapshot(), self._seen)

    def _serve_on(self) -> None:
        try:
            while True:
                self._tick(Scene.END)
        except KeyboardInterrupt:
            return

    def _tick(self, scene: Scene) -> None:
        """Look once, show it, and wait a little."""
        self._stage.check()
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._figures = self._server.figures(time.time()) or self._figures
            self._add_findings()
        called = frozenset(row.kind for row in self._figures if row.kind in KINDS and row.requests > 0)
        deliveries = self._inbox.snapshot()
        self._seen = replace(self._seen, kinds=self._seen.kinds | called, deliveries=frozenset(deliveries))
        self._view.show(scene, self._figures, deliveries, self._seen)
        if not self._upstream.is_shifted and scene is not Scene.HEALTHY and self._seen.is_compared():
            self._upstream.shift()
            self._view.say(f"from now on each {FEATURE} ({SHIFTED_FEATURE}) is {SHIFT:g} higher than it was")
        time.sleep(TICK_S)

    def _add_findings(self) -> None:
        findings = self._server.findings()
        compared = self._seen.compared.union(each.feature for each in findings)
        drifted = self._seen.drifted.union(each.feature for each in findings if each.is_drifted)
        self._seen = replace(self._seen, compared=compared, drifted=drifted)

    def _switch_fault(self, fault: str) -> None:
        url = f"http://127.0.0.1:{self._ports.chat}/_fault/{fault}"
        httpx.post(url, timeout=5, trust_env=False).raise_for_status()

    def _summary(self, left: list[str], lasted_s: float) -> str:
        if not left:
            return f"every step was seen, in {lasted_s:.0f} s"
        tail = self._stage.programs[0].tail()
        lines = "\n".join(f"  ✗ {words}" for words in left)
        return f"not seen:\n{lines}\nthe last lines of the server's log:\n{tail}"

    def _where_to_look(self) -> str:
        api, chat = self._server.url, f"http://127.0.0.1:{self._ports.chat}"
        return (
            f"models:       curl {api}/api/v1/models\n"
            f"alerts:       curl {api}/api/v1/alerts\n"
            f"drift:        curl '{api}/api/v1/drift?feature={SHIFTED_FEATURE}'\n"
            f"all of REST:  {api}/docs\n"
            f"a fault:      curl -X POST {chat}/_fault/slow      (or errors, or none)\n"
            f"your own:     monitorx run --endpoint http://127.0.0.1:{self._ports.otlp_http} python app.py\n"
            f"rules, logs:  {self._folder}\n"
            "Ctrl-C ends it."
        )


def _see_that_scripts_can_run() -> None:
    """Fail as an import would, so that the answer is the same: which package is missing, and what brings it."""
    for name in NEEDED:
        if not is_installed(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does, so that no program is left behind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
