"""Draw the picture of README.md for light and dark pages: ``python tools/readme_picture.py``.

It is the figure that the README's own blocks make, in the colours of the site.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import documents
import figures

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "docs" / "images"


def picture() -> dict[str, str]:
    """The SVG for light pages and for dark ones."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    made: Any = None
    with matplotlib.rc_context(figures.style()):
        for _ in documents.run(ROOT / "README.md"):
            made = plt.figure(plt.get_fignums()[-1]) if plt.get_fignums() else made
        light, dark = figures.svg(made)
        plt.close("all")
    return {"light": light, "dark": dark}


if __name__ == "__main__":
    PLACE.mkdir(exist_ok=True)
    for scheme, text in picture().items():
        (PLACE / f"readme-{scheme}.svg").write_text(text, encoding="utf-8")
