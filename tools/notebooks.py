"""Jupyter notebooks of pages that were run, with what they print and draw.

``python tools/notebooks.py PAGE ... FOLDER`` writes them without building the site.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import documents

#: Links to other pages, which a notebook has no place for: their text stays.
TO_PAGES = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?://)[^)]*\)")
RESOLUTION = 80


def png(figure: Any) -> str:
    """A figure as a notebook keeps it."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=RESOLUTION, facecolor="white")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def notebook(markdown: str, blocks: Iterable[tuple[Any, list[str]]]) -> str:
    """The notebook of a page: its text, and its run blocks with the pictures that each leaves.

    ``blocks`` are those of the page in their order, each with its pictures as `png` makes them.
    """
    cells: list[dict[str, Any]] = []
    end = 0
    for number, (block, images) in enumerate(blocks, 1):
        cells += words(markdown[end : block.start])
        outputs = [stream(block.printed)] if block.printed.strip() else []
        outputs += [picture(image) for image in images]
        cells.append(
            {
                "cell_type": "code",
                "execution_count": number,
                "metadata": {},
                "outputs": outputs,
                "source": block.code.rstrip("\n").splitlines(keepends=True),
            }
        )
        end = block.pictures[1]
    cells += words(markdown[end:])
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    made = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def words(text: str) -> list[dict[str, Any]]:
    """A cell of text, or none where there is no word."""
    source = TO_PAGES.sub(r"\1", text).strip("\n")
    if not source.strip():
        return []
    return [
        {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)},
    ]


def stream(text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    return {"name": "stdout", "output_type": "stream", "text": lines}


def picture(image: str) -> dict[str, Any]:
    return {"data": {"image/png": image}, "metadata": {}, "output_type": "display_data"}


def main(places: list[str]) -> None:
    """Run pages and write their notebooks into a folder, the last of the places."""
    os.environ["MPLBACKEND"] = "Agg"
    *pages, folder = map(Path, places)
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        ran = [(block, [png(one) for one in block.figures]) for block in documents.run(page)]
        text = notebook(page.read_text(encoding="utf-8"), ran)
        (folder / f"{page.stem}.ipynb").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
