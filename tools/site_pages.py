"""What mkdocs does with the pages of the site beyond Markdown: run them, and put in their pictures.

``mkdocs.yml`` names this file among its hooks. Each page's Python blocks are run (`documents.py`);
one that raises, prints what the page does not show, or draws a blank picture fails the build.
"""

from __future__ import annotations

import os
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import documents
import figures
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

os.environ["MPLBACKEND"] = "Agg"

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = re.compile(r"(^```python\n(?:(?!^```).)*^```\n\n*)^```text$", re.MULTILINE | re.DOTALL)
FIGURE = """<figure class="picture">
<img src="{light}#only-light" alt="{words}" width="{width}" height="{height}" loading="lazy">
<img src="{dark}#only-dark" alt="{words}" width="{width}" height="{height}" loading="lazy">
</figure>"""


def on_config(config: Any) -> Any:
    """The version stands on every page."""
    found = re.search(r'^__version__ = "(.+)"$', package_text("__init__.py"), re.MULTILINE)
    assert found is not None
    config.extra["package_version"] = found[1]
    config.copyright = f"interlace {found[1]}"
    return config


def package_text(name: str) -> str:
    return (ROOT / "interlace" / name).read_text(encoding="utf-8")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """The page with figures in place of the words about them, and its outputs marked as such."""
    parts, end = [], 0
    name = page.file.src_uri
    for block, drawn in ran(markdown, name):
        start, stop = block.pictures
        if not block.words:
            continue
        shown = []
        for number, (words, picture) in enumerate(zip(block.words, drawn, strict=True)):
            stem = f"pictures/{name.removesuffix('.md')}-{block.line}-{number}"
            shown.append(placed(stem, words, picture, page, config, files))
        parts += [markdown[end:start], "\n\n", "\n\n".join(shown)]
        end = stop
    return OUTPUT.sub(r"\1``` { .text .output .no-copy }", "".join([*parts, markdown[end:]]))


@cache
def ran(markdown: str, name: str) -> list[tuple[Any, list[Any]]]:
    """Blocks of a page with their pictures; a page is run again only when its text has changed."""
    if "```python\n" not in markdown:
        return []
    found = []
    with context():
        for block in documents.run_text(markdown, name):
            if faults := block.faults():
                raise PluginError(f"{name}, block at line {block.line}: " + "\n".join(faults))
            found.append((block, drawings(block, name)))
    return found


def context() -> Any:
    """The colours in which the pages draw."""
    import matplotlib

    return matplotlib.rc_context(figures.style())


def drawings(block: Any, name: str) -> list[Any]:
    """Of each picture that a block shows: SVG on a light page and on a dark one, and its size."""
    found = []
    for figure in block.figures if block.words else ():
        if blank := figures.blank_panels(figure):
            raise PluginError(f"{name}, block at line {block.line}: panels {blank} are blank")
        found.append((*figures.svg(figure), figures.size(figure)))
    return found


def placed(stem: str, words: str, picture: Any, page: Any, config: Any, files: Any) -> str:
    """Write a picture's files into the site; the lines of HTML that show it."""
    light, dark, (width, height) = picture
    places = {}
    for scheme, text in (("light", light), ("dark", dark)):
        file = File.generated(config, f"{stem}-{scheme}.svg", content=text)
        if (earlier := files.get_file_from_path(file.src_uri)) is not None:
            files.remove(earlier)
        files.append(file)
        places[scheme] = get_relative_url(file.url, page.url)
    return FIGURE.format(**places, words=escape(words), width=width, height=height)
