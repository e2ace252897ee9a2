"""What mkdocs does with the pages of the site beyond Markdown: run them, and put in their pictures.

``mkdocs.yml`` names this file among its hooks. Each page's Python blocks are run (`documents.py`);
one that raises, prints what the page does not show, or draws a blank picture fails the build.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import documents
import figures
import inherited
import notebooks
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url, meta

os.environ["MPLBACKEND"] = "Agg"

ROOT = Path(__file__).resolve().parents[1]
FENCE = "```python\n"
OUTPUT = re.compile(
    r"(^```(?:python| { \.python [^}]*})\n(?:(?!^```).)*^```\n\n*)^```text$",
    re.MULTILINE | re.DOTALL,
)
#: Rows of tables: bars in their code have a backslash, which other readers of Markdown need.
CELLS, CODE = re.compile(r"^\|.*\|$", re.MULTILINE), re.compile(r"`[^`\n]+`")
#: Where the gallery has the pictures of a page, or of the pages in a folder.
GALLERY = re.compile(r"^<!-- pictures of (\S+) -->$", re.MULTILINE)
TITLE = re.compile(r"^# .+$", re.MULTILINE)
DOWNLOAD = (
    '<p class="notebook"><a href="{place}" download>{stem}.ipynb</a>: this page as a notebook</p>'
)
#: Pages that are made notebooks too.
NOTEBOOKS: set[str] = set()
IMAGE = (
    '<img src="{place}#only-{scheme}" alt="{words}" width="{width}" height="{height}"'
    ' loading="lazy">'
)


@dataclass(frozen=True)
class Picture:
    """A picture of a page: its words, the line of its block, its files and its size."""

    page: str
    line: int
    number: int
    words: str
    svg: dict[str, str]
    size: tuple[int, int]

    def place(self, scheme: str) -> str:
        """Of its file in the site."""
        return f"pictures/{self.page.removesuffix('.md')}-{self.line}-{self.number}-{scheme}.svg"

    def images(self, url: str) -> str:
        """The lines of HTML that show it on a page."""
        words, (width, height) = escape(self.words), self.size
        places = [(scheme, get_relative_url(self.place(scheme), url)) for scheme in self.svg]
        return "\n".join(
            IMAGE.format(scheme=scheme, place=place, words=words, width=width, height=height)
            for scheme, place in places
        )


@dataclass(frozen=True)
class Ran:
    """A block that was run: the pictures it shows, and all it draws as notebooks have them."""

    block: Any
    pictures: list[Picture]
    images: list[str]


def on_config(config: Any) -> Any:
    """The version stands on every page; `extra.notebooks` are pages that are notebooks too."""
    text = (ROOT / "interlace" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    config.site_name += f" {found[1]}"
    NOTEBOOKS.update(config.extra.get("notebooks", []))
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """The page with figures in place of the words about them, and its outputs marked as such."""
    name, url = page.file.src_uri, page.url
    if name.startswith("reference/results-"):
        return inherited.with_links(markdown)
    parts, end = [], 0
    for one in ran(markdown, name):
        block, drawn = one.block, one.pictures
        if not drawn:
            continue
        start, stop = block.pictures
        add(drawn, config, files)
        parts += [markdown[end : block.start], f"``` {{ .python #{lines(block.line)} }}\n"]
        parts += [markdown[block.start + len(FENCE) : start]]
        parts += [f'\n\n<figure class="picture">\n{it.images(url)}\n</figure>' for it in drawn]
        end = stop
    text = OUTPUT.sub(r"\1``` { .text .output .no-copy }", "".join([*parts, markdown[end:]]))
    text = CELLS.sub(lambda row: CODE.sub(lambda code: code[0].replace(r"\|", "|"), row[0]), text)
    if GALLERY.search(text):
        everywhere = list(pictures(markdown, name, files))
        text = GALLERY.sub(lambda found: grid(everywhere, found[1], name, url), text)
    if name in NOTEBOOKS:
        place = f"notebooks/{Path(name).stem}.ipynb"
        made = notebooks.notebook(
            markdown, [(one.block, one.images) for one in ran(markdown, name)]
        )
        put(place, made, config, files)
        link = DOWNLOAD.format(place=get_relative_url(place, url), stem=Path(name).stem)
        text = TITLE.sub(lambda title: f"{title[0]}\n\n{link}", text, count=1)
    return text


def lines(number: int) -> str:
    """The anchor of a block that begins at a line."""
    return f"lines-{number}"


def pictures(markdown: str, name: str, files: Any) -> Iterator[Picture]:
    """Of a page, then of the tutorials in the order of their files."""
    texts = {name: markdown}
    for file in files.documentation_pages():
        if file.src_uri.startswith("tutorials/"):
            texts[file.src_uri] = meta.get_data(file.content_string)[0]
    for page, text in texts.items():
        for one in ran(text, page):
            yield from one.pictures


def grid(everywhere: list[Picture], place: str, name: str, url: str) -> str:
    """Small pictures of a page ("this") or a folder, each a link to the lines that draw it."""
    shown = []
    for picture in everywhere:
        if picture.page == name if place == "this" else picture.page.startswith(place):
            page = picture.page.removesuffix(".md") + ".html"
            link = f"{get_relative_url(page, url)}#{lines(picture.line)}"
            shown.append(
                f'<a href="{link}" title="{escape(picture.words)}">\n{picture.images(url)}\n</a>'
            )
    return '<div class="gallery">\n' + "\n".join(shown) + "\n</div>"


@cache
def ran(markdown: str, name: str) -> list[Ran]:
    """The blocks of a page; a page is run again only when its text has changed."""
    if FENCE not in markdown:
        return []
    import matplotlib

    found = []
    with matplotlib.rc_context(figures.style()), warnings.catch_warnings():
        warnings.simplefilter("error")  # as in the tests: none passes unseen
        for block in documents.run_text(markdown, name):
            if faults := block.faults():
                raise PluginError(f"{name}, block at line {block.line}: " + "\n".join(faults))
            images = list(map(notebooks.png, block.figures)) if name in NOTEBOOKS else []
            found.append(Ran(replace(block, figures=()), drawings(block, name), images))
    return found


def drawings(block: Any, name: str) -> list[Picture]:
    """The pictures that a block shows."""
    found = []
    for number, (words, figure) in enumerate(zip(block.words, block.figures, strict=False)):
        if blank := figures.blank_panels(figure):
            raise PluginError(f"{name}, block at line {block.line}: panels {blank} are blank")
        light, dark = figures.svg(figure)
        svg = {"light": light, "dark": dark}
        found.append(Picture(name, block.line, number, words, svg, figures.size(figure)))
    return found


def add(drawn: list[Picture], config: Any, files: Any) -> None:
    """Put the files of pictures into the site."""
    for picture in drawn:
        for scheme, text in picture.svg.items():
            put(picture.place(scheme), text, config, files)


def put(place: str, text: str, config: Any, files: Any) -> None:
    """A file of the site, in place of an earlier one."""
    if (earlier := files.get_file_from_path(place)) is not None:
        files.remove(earlier)
    files.append(File.generated(config, place, content=text))
