"""Run the Python blocks of the documents and keep what they print and draw beside them.

A block fenced with ``python`` is run, the blocks of one file in one namespace. A block fenced with
``text`` right after it is what it prints. Blocks fenced with ``picture`` after these are the
figures that it leaves open, one each: the text within says in words what is seen, and the site has
the figure in its place (``site_pages.py``). ``python tools/documents.py PLACE ...`` writes the
output blocks of files, and of the pages in folders, anew; the tests compare them.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PICTURE = re.compile(r"^```picture\n(?P<words>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```$)?"
    r"(?P<pictures>(?:\n*^```picture\n(?:(?!^```).)*^```$)*)",
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """One run block: its code, the output that stands in the file (None: not shown), and where."""

    code: str
    shown: str | None
    printed: str
    line: int
    start: int
    span: tuple[int, int]
    #: What stands in the file about each picture, the figures that are open, and where in the file.
    words: tuple[str, ...] = ()
    figures: tuple[Any, ...] = field(default=(), compare=False)
    pictures: tuple[int, int] = (0, 0)

    def faults(self) -> list[str]:
        """What differs from what the page shows: numbers beyond rounding, or pictures."""
        found = [] if self.shown is None else differences(self.shown, self.printed)
        if self.words and len(self.words) != len(self.figures):
            found.append(f"{len(self.figures)} figures are open, {len(self.words)} are shown")
        if not all(self.words):
            found.append("a picture without words")
        return found


def pages(places: Iterable[Path]) -> list[Path]:
    """The files among places, and the pages below the folders among them."""
    found = ([place] if place.is_file() else sorted(place.rglob("*.md")) for place in places)
    return [path for paths in found for path in paths]


def run(path: Path) -> Iterator[Block]:
    """Run the blocks of a file one after the other."""
    return run_text(path.read_text(encoding="utf-8"), str(path))


def run_text(text: str, name: str) -> Iterator[Block]:
    """Run the blocks of a text; its figures are closed when the next block is asked for."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        code = compile("\n" * line + match["code"], name, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        output = "\n".join(part.rstrip() for part in printed.getvalue().splitlines()) + "\n"
        words = tuple(" ".join(one["words"].split()) for one in PICTURE.finditer(match["pictures"]))
        yield Block(
            match["code"], match["output"], output, line, match.start(), match.span("output"),
            words, open_figures(), match.span("pictures"),
        )  # fmt: skip
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")


def open_figures() -> tuple[Any, ...]:
    """Those of pyplot, the oldest first."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return tuple(map(pyplot.figure, pyplot.get_fignums())) if pyplot else ()


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
