"""Run the Python blocks of the documents and keep what they print beside them.

A block fenced with ``python`` is run, the blocks of one file in one namespace. A block fenced with
``text`` right after it is what it prints. ``python tools/documents.py PLACE ...`` writes the output
blocks of files, and of the pages in folders, anew; the tests compare them.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One run block: its code, the output that stands in the file (None: not shown), and where."""

    code: str
    shown: str | None
    printed: str
    line: int
    span: tuple[int, int]


def pages(places: Iterable[Path]) -> list[Path]:
    """The files among places, and the pages below the folders among them."""
    found = ([place] if place.is_file() else sorted(place.rglob("*.md")) for place in places)
    return [path for paths in found for path in paths]


def run(path: Path) -> Iterator[Block]:
    """Run the blocks of a file one after the other."""
    text = path.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        code = compile("\n" * line + match["code"], str(path), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        output = "\n".join(part.rstrip() for part in printed.getvalue().splitlines()) + "\n"
        yield Block(match["code"], match["output"], output, line, match.span("output"))


def rewrite(path: Path) -> None:
    """Write what the blocks print into the file."""
    text = path.read_text(encoding="utf-8")
    for block in reversed(list(run(path))):
        if block.shown is not None:
            start, end = block.span
            text = text[:start] + block.printed + text[end:]
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for page in pages(map(Path, sys.argv[1:])):
        rewrite(page)
