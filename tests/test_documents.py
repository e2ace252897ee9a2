"""The Python blocks of the documents run, and print what stands below them."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

import interlace as il
from interlace.plots.kinds import Plots

ROOT = Path(__file__).resolve().parents[1]


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


documents, figures = load_tool("documents"), load_tool("figures")
check_site, notebooks = load_tool("check_site"), load_tool("notebooks")
inherited = load_tool("inherited")
DOCUMENTS = documents.pages([ROOT / "README.md", ROOT / "docs"])
LINKED = [*DOCUMENTS, *sorted(ROOT.glob("C*.md")), *sorted(ROOT.glob("*/README.md"))]
GUIDE = ROOT / "docs" / "guide"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_run_and_print_what_is_shown(path: Path) -> None:
    for block in documents.run(path):
        found = block.faults()
        assert not found, f"{path.name}:{block.line}: run tools/documents.py\n" + "\n".join(found)


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
    assert (documents.differences(shown, printed) == []) is same


def test_a_block_and_its_output_are_found(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "```python\nx = 2\nprint(x)\n```\n\n```text\n1\n```\n\n```python\nx += 1\n```\n"
    )
    first, second = documents.run(path)
    assert (first.shown, first.printed, second.shown) == ("1\n", "2\n", None)
    documents.rewrite(path)
    assert "```text\n2\n```" in path.read_text()


DRAWING = """```python
import matplotlib.pyplot as plt

fig, ax = plt.subplots()
ax.plot([1, 2])
print(1)
```

```text
1
```

```picture
A line that
rises.
```
"""


def test_pictures_of_a_block_are_found_and_closed_after_it() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    (block,) = documents.run_text(DRAWING + "\n```picture\nAnother.\n```\n", "page.md")
    assert block.words == ("A line that rises.", "Another.")
    assert block.faults() == ["1 figures are open, 2 are shown"]
    for block in documents.run_text(DRAWING, "page.md"):
        assert block.faults() == []
        assert DRAWING[slice(*block.pictures)].strip().startswith("```picture")
        assert not figures.blank_panels(*block.figures)
    assert not pyplot.get_fignums()
    (block,) = documents.run_text(DRAWING.replace("A line that\nrises.\n", ""), "page.md")
    assert block.faults() == ["a picture without words"]


def test_a_page_becomes_a_notebook() -> None:
    pytest.importorskip("matplotlib")
    page = (
        "# A title\n\nSee [a page](other.md#here) and [R](https://r.org).\n\n"
        f"{DRAWING}\nBetween.\n\n```python\nx = 1\n```\n\n## Nothing runs\n\n```\npip\n```\n"
    )
    ran = [
        (block, list(map(notebooks.png, block.figures)))
        for block in documents.run_text(page, "page.md")
    ]
    made = json.loads(notebooks.notebook(page, ran))
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    cells = made["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    kinds = ["markdown", "code", "markdown", "code", "markdown"]
    assert [cell["cell_type"] for cell in cells] == kinds
    first, drawing, between, silent, last = ("".join(cell["source"]) for cell in cells)
    assert first == "# A title\n\nSee a page and [R](https://r.org)."
    assert drawing.splitlines()[-1] == "print(1)" and "```" not in drawing
    assert (between, silent) == ("Between.", "x = 1")
    assert last == "## Nothing runs\n\n```\npip\n```"
    printed, drawn = cells[1]["outputs"]
    assert printed == {"name": "stdout", "output_type": "stream", "text": ["1\n"]}
    assert base64.b64decode(drawn["data"]["image/png"]).startswith(b"\x89PNG")
    assert cells[3]["outputs"] == []
    assert [cell.get("execution_count") for cell in cells] == [None, 1, None, 2, None]


def test_the_pages_of_notebooks_are_there() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^  notebooks: \[(.+)\]$", text, re.MULTILINE)
    pages = [ROOT / "docs" / name for name in listed.split(", ")]
    assert len(pages) == 3
    assert all("```picture" in page.read_text(encoding="utf-8") for page in pages)


def test_blank_pictures_are_seen() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure, axs = pyplot.subplots(1, 2)
    axs[1].plot([1, 2])
    assert figures.blank_panels(figure) == [0]
    assert figures.blank_panels(pyplot.figure()) == [0]


def test_a_picture_has_a_twin_for_dark_pages() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context(figures.style()):
        _, ax = matplotlib.pyplot.subplots()
        ax.plot([1, 2], label="a line")
        ax.text(1, 1, "words", color="black")
        ax.legend()
        light, dark = figures.svg(ax.figure)
        assert (light, dark) == figures.svg(ax.figure)
    first, twin = next(iter(figures.CYCLE.items()))
    assert first in light and figures.INK in light and figures.LIGHT_INK not in light
    assert twin in dark and figures.LIGHT_INK in dark
    assert not any(colour in dark for colour in [*figures.CYCLE, figures.INK, "#000000"])


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


def built_site(folder: Path) -> Path:
    """A page with links and a picture, and another page."""
    (folder / "pictures").mkdir(parents=True)
    drawn = "<svg>" + "<path d='M0 0'/>" * 20 + "{}</svg>"
    for scheme in ("light", "dark"):
        (folder / "pictures" / f"a-{scheme}.svg").write_text(drawn.format(scheme))
    picture = '<img src="pictures/a-light.svg#only-light" alt="A line">'
    links = '<a href="b/c.html#here">c</a> <a href="#top">top</a> <a href="https://x.org">x</a>'
    (folder / "index.html").write_text(f'<h1 id="top">{picture}{links}</h1>')
    (folder / "b").mkdir()
    (folder / "b" / "c.html").write_text('<p id="here"><a href="../index.html">back</a></p>')
    return folder


@pytest.mark.parametrize(
    ("place", "old", "new", "fault"),
    [
        ("index.html", "c.html#here", "c.html#there", "the link b/c.html#there has no anchor"),
        ("index.html", "c.html#here", "d.html", "the link b/d.html leads nowhere"),
        ("index.html", "#top", "#bottom", "the link #bottom has no anchor"),
        ("index.html", "pictures/a-light.svg", "a.svg", "a.svg#only-light is not there"),
        ("index.html", 'alt="A line"', "", "a picture without words"),
        ("index.html", "pictures/a-light.svg", "//x.org/a.svg", "loads //x.org/a.svg#only-light"),
        ("b/c.html", "</p>", '<script src="https://x.org/a.js">', "loads https://x.org/a.js"),
        ("b/c.html", "</p>", '<link rel="icon" href="a.png">', "a.png is not there"),
        ("b/c.html", "../index.html", "../../index.html", "leads nowhere"),
        ("pictures/a-dark.svg", "dark", "light", "has no twin for dark pages"),
        ("pictures/a-light.svg", "<path", "<g", "is blank"),
    ],
)
def test_faults_of_a_built_site_are_seen(
    tmp_path: Path, place: str, old: str, new: str, fault: str
) -> None:
    site = built_site(tmp_path / "site")
    (tmp_path / "index.html").write_text("not of the site")
    assert check_site.faults(site) == []
    text = (site / place).read_text()
    (site / place).write_text(text.replace(old, new))
    (found,) = check_site.faults(site)
    assert fault in found


def test_a_site_that_is_not_built_is_a_fault(tmp_path: Path) -> None:
    assert check_site.faults(tmp_path)


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


def test_the_gallery_has_every_picture() -> None:
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    kinds = [
        one
        for module in ("accessor", "records")
        for one in vars(importlib.import_module(f"interlace.plots.{module}")).values()
        if isinstance(one, type) and issubclass(one, Plots) and one is not Plots
    ]
    assert len(kinds) >= 7
    calls = {f"plot.{name}(" for kind in kinds for name in kind._kinds()} | {"m.plot()"}
    calls |= {f"il.{name}(" for name in importlib.import_module("interlace.api.pictures").__all__}
    assert {call for call in calls if call not in text} == set()


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


@pytest.mark.parametrize(
    "name", ["LMMResult", "GLMMResult", "GLMResult", "CLMMResult", "CLMResult"]
)
def test_members_of_results_are_described_once_and_linked(name) -> None:
    path, cls = f"interlace.{name}", getattr(il, name)
    found, text = inherited.members(cls), inherited.links(path)
    assert {"fe_params", "summary", "predict"} <= set(found)
    for member, shared in found.items():
        real = inherited.described(cls, member)
        link = f"[](){{#{path}.{member}}}[`{member}`][{found[real] or path}.{real}]"
        assert text.count(f"[`{member}`]") == (shared is not None) == text.count(link)
    assert inherited.described(il.LMMResult, "bse") == "fe_bse"
    reference = (ROOT / "docs" / "reference").glob("results*.md")
    pages = {page.name: page.read_text(encoding="utf-8") for page in reference}
    assert all(f"::: {shared}\n" in pages[inherited.PAGE] for shared in inherited.SHARED)
    (own,) = [page for page in pages.values() if f"::: {path}\n" in page]
    options = own.partition(f"::: {path}\n")[2].partition("\n")[0]
    assert "inherited_members: false" in options
    after = inherited.with_links(own)
    assert after.count(text) == 1 and inherited.KIND.findall(after) == inherited.KIND.findall(own)


def test_the_lists_of_functions_and_results_name_what_each_page_has() -> None:
    reference = ROOT / "docs" / "reference"
    lists = ("functions.md", "results.md")
    table: dict[str, list[str]] = {}
    for name in lists:
        for page, cells in rows(reference / name, "| page |").items():
            (file,) = re.findall(r"\]\((\S+)\)", page)
            table[file] = re.findall(r"\]\[(\S+?)\]", cells[0])
    others = {*lists, "families.md", "errors.md"}
    assert set(table) | others == {page.name for page in reference.glob("*.md")}
    for file, names in table.items():
        text = (reference / file).read_text(encoding="utf-8")
        assert names == re.findall(r"^::: (\S+)$", text, re.MULTILINE), file


def test_files_and_folders_that_pages_name_exist() -> None:
    named = {
        (page.name, place)
        for page in documents.pages([ROOT / "docs"])
        for place in re.findall(r"`([a-z_]+/(?:[a-z_]+/|[a-z_]+\.py)*)`", page.read_text("utf-8"))
    }
    assert {page for page, _ in named} >= {"mathematics.md", "approximations.md"}
    for page, place in named:
        assert any((root / place).exists() for root in (ROOT, ROOT / "interlace")), (page, place)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_the_readme_is_there(scheme: str) -> None:
    """``python tools/readme_picture.py`` draws it."""
    place = f"docs/images/readme-{scheme}.svg"
    assert place in (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = ElementTree.fromstring((ROOT / place).read_text(encoding="utf-8"))
    points = drawn.iter("{http://www.w3.org/2000/svg}use")
    # the rows of the data and the eighteen subjects, beside ticks and letters
    assert sum(1 for _ in points) > len(il.load_dataset("sleepstudy")) + 18
