"""The shape of the tree, held by tests: what a stranger may rely on when they look for a thing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("instrumentation", "processor", "backend", "alerting")
SOURCES = [path for root in ROOTS for path in (ROOT / root).rglob("*.py")]
LIGHT = {"opentelemetry", "wrapt", "packaging", "typing_extensions", "monitorx"}


def test_no_root_claims_the_namespace_for_itself() -> None:
    assert [root for root in ROOTS if (ROOT / root / "monitorx" / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()

    assert len(text.splitlines()) <= 400
    assert text.lstrip().startswith(('"""', "'''")), "no module docstring"


@pytest.mark.parametrize("package", [path.parent for path in SOURCES if path.name == "__init__.py"], ids=str)
def test_a_package_only_names_what_it_offers(package: Path) -> None:
    import ast

    body = ast.parse((package / "__init__.py").read_text()).body
    logic = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.Expr)]

    assert logic == []


@pytest.mark.parametrize("root", ["semconv", "sketch", "instrumentation", "processor", "backend", "client", "alerting"])
def test_every_package_is_typed_for_its_users(root: str) -> None:
    assert list(ROOT.glob(f"*/monitorx/{root}/py.typed"))


def test_importing_the_core_brings_nothing_heavier_than_the_api() -> None:
    program = (
        "import sys; before = set(sys.modules)\n"
        "import monitorx.semconv, monitorx.sketch, monitorx.instrumentation\n"
        "import monitorx.instrumentation.tabular.sklearn, monitorx.instrumentation.vision.onnxruntime\n"
        "names = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print('\\n'.join(sorted(names - set(sys.stdlib_module_names))))\n"
        "print('opentelemetry.sdk' in sys.modules)\n"
    )
    lines = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert lines.pop() == "False", "the SDK was imported"
    assert {name for name in lines if not name.startswith("_")} <= LIGHT


def test_the_command_line_alone_imports_no_server() -> None:
    program = "import sys, monitorx.backend.cli; print([n for n in ('numpy', 'duckdb', 'fastapi') if n in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_layers_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_the_core_needs_few_packages() -> None:
    """What `pip install monitorx` brings, counted over the requirements of requirements."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    seen: set[str] = set()
    waiting = ["monitorx"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        needs = [Requirement(text) for text in requires(name) or []]
        waiting += [each.name.lower() for each in needs if each.marker is None or each.marker.evaluate({"extra": ""})]

    assert len(seen) <= 10, sorted(seen)
