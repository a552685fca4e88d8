"""Every code block of the README and of docs/start runs as it stands, page by page, in the order of the page."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.influxd import Influxd

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/start").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
# `make` targets call these tests: that they exist is checked here, that they work by whoever runs them.
MAKE = re.compile(r"^\s*make\b.*$", re.M)
# What these lines bring is already there, editable.
INSTALL = re.compile(r"^\s*(?:pip install '(?:monitorx|\.\[)|\. \.venv/bin/activate).*$", re.M)

# What a page runs that is no part of MonitorX: the page is tried only where that is.
NEEDS = {"collector": "otelcol", "grafana": "influxdb", "influxdb": "influxdb"}


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of one language on a page."""
    return [body for found, body in BLOCK.findall(page.read_text()) if found == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_says_its_language(page: Path) -> None:
    assert {language for language, _ in BLOCK.findall(page.read_text())} <= {"bash", "python", "yaml", "text", "json"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_make_targets_exist(page: Path) -> None:
    for line in MAKE.findall("\n".join(blocks(page, "bash"))):
        subprocess.run(
            ["make", "--dry-run", *line.split("#")[0].split()[1:]], cwd=ROOT, check=True, capture_output=True
        )


@pytest.mark.needs("sklearn")
@pytest.mark.needs("onnxruntime")
@pytest.mark.needs("openai")
@pytest.mark.needs("curl")
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.needs(NEEDS[page.stem])] if page.stem in NEEDS else [])
        for page in PAGES
    ],
)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = INSTALL.sub("true", MAKE.sub("true", "\n".join(blocks(page, "bash"))))
    if not script.strip():
        pytest.skip("the page has no commands")
    for name in ("docs", "README.md", "collector-config"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    if program := os.environ.get("MONITORX_OTELCOL"):
        (tmp_path / "bin/otelcol").symlink_to(program)
    for number, body in enumerate(blocks(page, "python")):
        (tmp_path / f"block{number}.py").write_text(body)

    monkeypatch.setenv("GF_PATHS_PROVISIONING", str(tmp_path / "provisioning"))

    # At the port that it has by itself, as the pages say.
    with Influxd(tmp_path / "influxdb", port=8086) if NEEDS.get(page.stem) == "influxdb" else nullcontext():
        code, output = run_page(script, tmp_path)

    assert code == 0, output[-5000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_compiles(page: Path) -> None:
    for body in blocks(page, "python"):
        compile(body, str(page), "exec", flags=0x2000)  # PyCF_ALLOW_TOP_LEVEL_AWAIT: a page shows the call, not main()


def run_page(script: str, folder: Path) -> tuple[int, str]:
    """Run *script* as one bash session in *folder*; whatever it leaves behind is ended with it."""
    bash = shutil.which("bash")
    assert bash
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.Popen(
        [bash, "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=150)
    finally:
        if process.poll() is None or not _is_alone(process.pid):
            os.killpg(process.pid, signal.SIGTERM)
    return process.returncode, output


def _is_alone(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
