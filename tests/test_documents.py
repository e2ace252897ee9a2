"""The Python blocks of the documents run, and print what stands below them."""

from __future__ import annotations

import importlib.util
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import interlace as il

ROOT = Path(__file__).resolve().parents[1]
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("documents", ROOT / "tools" / "documents.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


documents = load_tool()
DOCUMENTS = documents.pages([ROOT / "README.md", ROOT / "docs"])
LINKED = [*DOCUMENTS, *sorted(ROOT.glob("C*.md")), *sorted(ROOT.glob("*/README.md"))]
GUIDE = ROOT / "docs" / "guide"


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


def test_pages_of_folders_are_found(tmp_path: Path) -> None:
    (tmp_path / "guide").mkdir()
    places = [tmp_path / "index.md", tmp_path / "guide" / "page.md"]
    for place in places:
        place.write_text("")
    assert documents.pages([tmp_path / "index.md", tmp_path / "guide"]) == places
    assert set(documents.pages([tmp_path])) == set(places)


def anchors(path: Path) -> set[str]:
    """Of the headings of a page, as mkdocs names them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", t).strip().lower()) for t in titles}


def broken_links(path: Path) -> list[str]:
    """Links to a file or a heading that is not there."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if "://" in link:
            continue
        place, _, heading = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if not target.exists() or (heading and heading not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert broken_links(path) == []


def test_broken_links_are_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# Not `this` one: that\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#not-this-one-that) [b](there.md#this) [c](gone.md) `f](x)`\n")
    assert broken_links(page) == ["there.md#this", "gone.md"]


def rows(path: Path, heading: str) -> dict[str, list[str]]:
    """The table below a line that begins with `heading`: further cells by the first."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    next(line for line in lines if line.startswith(heading))
    next(lines)
    table = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        table[first] = cells
    return table


def test_the_guide_lists_the_links_of_each_family_and_what_each_is() -> None:
    table = rows(GUIDE / "families.md", "| family |")
    others: list[str] = []
    named = set()
    for family in (
        il.Poisson, il.Binomial, il.NegativeBinomial, il.Gamma, il.InverseGaussian, il.Gaussian,
    ):  # fmt: skip
        name, _, cell, _ = table.pop(f"`il.{family.__name__}`")
        first, *links = cell.replace("power(p)", "power").split(", ")
        if "the others of Poisson" in links:
            place = links.index("the others of Poisson")
            links[place : place + 1] = [link for link in others if link not in (first, *links)]
        if family is il.Poisson:
            others = [first, *links]
        assert name == f'`"{family.name}"`'
        assert first == family().link.name
        assert sorted([first, *links]) == sorted(family.links)
        named |= set(family.links)
    assert not table
    described = {re.split(r"[,(]", link)[0] for link in rows(GUIDE / "families.md", "| link |")}
    assert described == named
    assert len(named) == 12  # "twelve", in the guide, on the first page and in the changes


def test_the_guide_lists_every_verdict() -> None:
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    documented = re.findall(r'``"([a-z ]+)"``', type(m.convergence).__doc__ or "")
    table = rows(GUIDE / "convergence.md", "| verdict |")
    assert sorted(cell.partition("]")[0].strip("[") for cell in table) == sorted(documented)


def test_the_reference_has_every_public_name_once_and_no_other_than_there_are() -> None:
    pages = documents.pages([ROOT / "docs" / "reference"])
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    paths = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    modules = {place.stem for place in (ROOT / "interlace").iterdir()}
    for path in paths:
        package, _, name = path.partition(".")
        assert package == "interlace"
        # of a module and a function of one name mkdocstrings shows the module
        assert name not in modules, f"{path}: write the path of the function"
        assert callable(pkgutil.resolve_name(path))
    names = [path.rpartition(".")[2] for path in paths]
    assert len(names) == len(set(names))
    # other names of Gamma, NegativeBinomial, all_fit
    earlier = {"GammaFamily", "NegativeBinomial2Family", "allFit"}
    earlier |= {"AllFitResult", "BootResult", "CrossedLMEResult"}
    assert set(il.__all__) - set(names) == {"__version__", "errors", "modular"} | earlier


def test_files_and_folders_that_pages_name_exist() -> None:
    named = {
        (page.name, place)
        for page in documents.pages([ROOT / "docs"])
        for place in re.findall(r"`([a-z_]+/(?:[a-z_]+/|[a-z_]+\.py)*)`", page.read_text("utf-8"))
    }
    assert {page for page, _ in named} >= {"mathematics.md", "approximations.md"}
    for page, place in named:
        assert any((root / place).exists() for root in (ROOT, ROOT / "interlace")), (page, place)
