import re
from pathlib import Path

import pytest

from monitorx.backend.rule import load
from monitorx.backend.rule.measure import FUNCTIONS, LABELS, MEASURES, SECONDS
from monitorx.backend.rule.rulefile import GROUP_KEYS, RULE_KEYS

PAGE = (Path(__file__).parents[2] / "docs/reference/rules.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_can_be_used(block: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(block)

    assert load(path).rules


@pytest.mark.parametrize("word", [*RULE_KEYS, *GROUP_KEYS, *MEASURES, *FUNCTIONS, *LABELS, *set(SECONDS) - {"µs"}])
def test_the_page_names_every_key_measure_function_label_and_unit(word: str) -> None:
    assert f"`{word}`" in PAGE or f"`{word}(a, b)`" in PAGE
