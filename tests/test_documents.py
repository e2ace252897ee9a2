"""The Python blocks of the documents run, and print what stands below them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("documents", ROOT / "tools" / "documents.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


documents = load_tool()


def last_digit(number: str) -> float:
    """One unit of the last printed digit: 0.01 for 251.41, 1e-7 for 1.17e-05."""
    mantissa, _, exponent = number.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


def differences(shown: str, printed: str) -> list[str]:
    """What differs beyond one unit of the last digit, which rounding may move on any machine."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return [printed]
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    # 1.01: one unit itself, however it is rounded in binary.
    return [f"{a} is now {b}" for a, b in pairs if abs(float(a) - float(b)) > 1.01 * last_digit(a)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_run_and_print_what_is_shown(path: Path) -> None:
    for block in documents.run(path):
        if block.shown is not None:
            found = differences(block.shown, block.printed)
            assert not found, f"{path.name}:{block.line}: run tools/documents.py\n" + "\n".join(
                found
            )


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("Days  10.467 ***", "Days 10.468 ***", True),
        ("Days  10.467", "Days  10.469", False),
        ("p 1.17e-05", "p 1.18e-05", True),
        ("p 1.17e-05", "p 1.17e-06", False),
        ("converged", "not converged", False),
        ("-0.138", "0.138", False),
    ],
)
def test_differences_are_seen(shown: str, printed: str, same: bool) -> None:
    assert (differences(shown, printed) == []) is same


def test_a_block_and_its_output_are_found(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "```python\nx = 2\nprint(x)\n```\n\n```text\n1\n```\n\n```python\nx += 1\n```\n"
    )
    first, second = documents.run(path)
    assert (first.shown, first.printed, second.shown) == ("1\n", "2\n", None)
    documents.rewrite(path)
    assert "```text\n2\n```" in path.read_text()
