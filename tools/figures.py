"""Figures of matplotlib as the site shows them: on a light page and on a dark one.

A figure is drawn once, without a background, in the colours of `STYLE`; its SVG for the dark page
has the dark twin of each colour.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

#: Colours of lines and points on a light page, and on a dark one.
CYCLE = {
    "#2f6db5": "#7db4f0",
    "#d9730d": "#ffa95c",
    "#23916a": "#66d1a6",
    "#c8385a": "#ff8fa8",
    "#7d55c7": "#b79cf5",
    "#8a6d3b": "#d4b483",
    "#0e8a9e": "#5fcfe0",
    "#6b7280": "#a9b1bd",
}
#: Letters, ticks and frames.
INK, LIGHT_INK = "#24292f", "#d7dce2"
DARK = {**CYCLE, INK: LIGHT_INK, "#000000": LIGHT_INK}
#: What is set while the documents run (`matplotlib.rc_context`), `axes.prop_cycle` aside.
STYLE = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "font.size": 10.0,
    # The same figure makes the same file.
    "svg.hashsalt": "interlace",
}
#: Pixels at the frame of a panel that are not looked at: its spines and ticks.
FRAME = 4


def style() -> dict[str, Any]:
    """Settings of matplotlib under which the documents draw."""
    from cycler import cycler

    return {**STYLE, "axes.prop_cycle": cycler(color=list(CYCLE))}


def svg(figure: Any) -> tuple[str, str]:
    """A figure as SVG, for a light page and for a dark one."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    light = stream.getvalue()
    dark = re.sub(r"#[0-9a-f]{6}\b", lambda found: DARK.get(found[0], found[0]), light)
    # What is black has no colour written beside it.
    return light, dark.replace("<svg ", f'<svg fill="{LIGHT_INK}" ', 1)


def size(figure: Any) -> tuple[int, int]:
    """Width and height in pixels of the page."""
    width, height = figure.get_size_inches() * 96
    return round(width), round(height)


def blank_panels(figure: Any) -> list[int]:
    """Which of a figure's panels have one colour all over, by their pixels."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    rows = pixels.shape[0]
    blank = [] if figure.axes else [0]
    for number, ax in enumerate(figure.axes):
        box = ax.get_window_extent()
        left, right = int(box.x0) + FRAME, int(box.x1) - FRAME
        top, bottom = rows - int(box.y1) + FRAME, rows - int(box.y0) - FRAME
        inside = pixels[top:bottom, left:right].reshape(-1, 4)
        if not len(inside) or (inside == inside[0]).all():
            blank.append(number)
    return blank
