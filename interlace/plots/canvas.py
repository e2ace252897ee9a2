"""Where pictures are drawn: Axes of the user or new ones, in the colours that these have.

Nothing here changes a global setting, and pyplot is imported only to make a new figure. Colours are
the next ones of the Axes' own cycle and that of its labels, so that style sheets hold, dark ones
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, MissingDependencyError, brief

# Points are as large as a reader sees them singly, and many are small and faint: size (points^2)
# and opacity of up to FEW points, and the least of any number.
FEW, LARGE_POINT, SMALL_POINT, OPAQUE, FAINT = 150, 26.0, 2.0, 0.75, 0.07
# More points are drawn as pixels in vector files, which would be huge.
MOST_VECTORS = 3000
BAND_OPACITY = 0.18
# Names of points are apart by these shares of the width and height, or the second is left out.
APART = (0.12, 0.05)
# More levels have no names beside them; more than FEW_LABELS have small ones.
MOST_LABELS, FEW_LABELS = 60, 25
REFERENCE = {"linewidth": 0.9, "alpha": 0.55, "zorder": 0.9}
#: Width and height of a panel among several, inches.
PANEL = (4.2, 3.6)
#: The same where each parameter has one, and how many stand in a row.
SMALL_PANEL, COLUMNS = (3.2, 2.6), 3


def pyplot() -> Any:
    """matplotlib's pyplot; an error that names the extra where it is not installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError(
            f'pictures need matplotlib: pip install "interlace[plots]" ({error})'
        ) from None
    return plt


def axes(ax: Any, size: tuple[float, float] | None = None) -> Any:
    """The Axes given, or one in a new figure of a size (default: that of the style)."""
    if ax is None:
        _, ax = pyplot().subplots(figsize=size, layout="constrained")
    elif not hasattr(ax, "scatter"):
        raise ArgumentTypeError(f"ax must be an Axes of matplotlib, got {brief(ax)}")
    return ax


def panels(
    rows: Sequence[int],
    heights: Sequence[float] | None = None,
    ax: Any = None,
    fig: Any = None,
    width: float = PANEL[0],
) -> np.ndarray:
    """Axes in rows of so many each, one after the other: those given, or new ones in a figure.

    ``heights`` (inches) and ``width`` of a panel are those of a figure that is made here.
    """
    count = sum(rows)
    if ax is not None:
        if fig is not None:
            raise ArgumentError("ax= and fig= are both given: an Axes belongs to a figure already")
        own = list(np.asarray(ax, dtype=object).ravel())
        if len(own) != count:
            raise ArgumentError(
                f"ax has {len(own)} Axes for {count} panels; give {count}, or leave it out"
            )
        return np.array([axes(one) for one in own], dtype=object)
    heights = [PANEL[1]] * len(rows) if heights is None else list(heights)
    if fig is None:
        whole = (max(rows) * width, sum(heights))
        fig = pyplot().figure(figsize=whole, layout="constrained")
    elif not hasattr(fig, "subplots"):
        raise ArgumentTypeError(f"fig must be a Figure of matplotlib, got {brief(fig)}")
    grid = fig.subplots(len(rows), max(rows), squeeze=False, height_ratios=heights)
    used = np.arange(max(rows)) < np.asarray(rows)[:, None]
    for unused in grid[~used]:
        unused.remove()
    return grid[used]


def grid(count: int, ax: Any = None, fig: Any = None) -> np.ndarray:
    """Small panels, one for each of so many parameters, in rows of three."""
    columns = min(COLUMNS, count)
    rows = [columns] * (count // columns) + [count % columns] * (count % columns > 0)
    return panels(rows, [SMALL_PANEL[1]] * len(rows), ax, fig, SMALL_PANEL[0])


def one_or_all(axs: np.ndarray) -> Any:
    """The Axes where there is one panel, else the array of all."""
    return axs[0] if len(axs) == 1 else axs


def next_color(ax: Any) -> Any:
    """The next colour of the cycle of the Axes."""
    (line,) = ax.plot([], [])
    line.remove()
    return line.get_color()


def text_color(ax: Any) -> Any:
    """The colour in which the Axes has its labels: what is seen on its background."""
    return ax.xaxis.label.get_color()


def opacity(count: int) -> float:
    """Of each of so many points."""
    return max(FAINT, OPAQUE * (FEW / max(FEW, count)) ** 0.4)


def points(ax: Any, x: np.ndarray, y: np.ndarray, color: Any, **options: Any) -> Any:
    """Points, smaller and fainter the more there are; missing and infinite ones are left out."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    shown = np.isfinite(x) & np.isfinite(y)
    ratio = FEW / max(FEW, int(shown.sum()))
    look = {
        "s": max(SMALL_POINT, LARGE_POINT * ratio**0.5),
        "alpha": opacity(int(shown.sum())),
        "linewidths": 0.0,
        "rasterized": bool(shown.sum() > MOST_VECTORS),
    }
    return ax.scatter(x[shown], y[shown], color=[color], **(look | options))


def reference(ax: Any, value: float, vertical: bool = False, **options: Any) -> Any:
    """A thin line at a value, in the colour of the labels."""
    look = {"color": text_color(ax), **REFERENCE, **options}
    return ax.axvline(value, **look) if vertical else ax.axhline(value, **look)


def many_labels(ax: Any, names: Sequence[Any], name: str, vertical: bool = False) -> None:
    """Names of levels beside their positions 0, 1, …; their number where they are too many."""
    axis = ax.xaxis if vertical else ax.yaxis
    if len(names) > MOST_LABELS:
        axis.set_ticks([])
        axis.set_label_text(f"{name} (n = {len(names)})")
        return
    size = "small" if len(names) > FEW_LABELS else None
    axis.set_ticks(
        range(len(names)), [str(v) for v in names], **({"fontsize": size} if size else {})
    )
    axis.set_label_text(name)


def level_limits(ax: Any, count: int) -> None:
    """Room for so many levels at 0, 1, …, and some around them."""
    margin = max(0.8, 0.015 * count)
    ax.set_ylim(-margin, count - 1 + margin)


def labelled(ax: Any, x: str, y: str, title: str | None = None) -> Any:
    """The Axes with names of its axes and a title, where it has none yet."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if title is not None:
        ax.set_title(title)
    return ax


def extremes(
    ax: Any, x: np.ndarray, y: np.ndarray, size: np.ndarray, names: Sequence[Any], count: int
) -> None:
    """Names of up to ``count`` points, of the largest sizes, on the side where there is room."""
    shown = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & np.isfinite(size))
    largest = shown[np.argsort(-size[shown], kind="stable")[:count]]
    if not largest.size:
        return
    low, span = np.min(x[shown]), np.ptp(x[shown]) or 1.0
    places = np.c_[(x - low) / span, y / (np.ptp(y[shown]) or 1.0)]
    written: list[int] = []
    for i in largest.tolist():
        if any((np.abs(places[i] - places[j]) < APART).all() for j in written):
            continue  # it would stand on another
        written.append(i)
        left = bool(places[i, 0] > 0.5)
        ax.annotate(
            str(names[i]), (x[i], y[i]), xytext=(-5 if left else 5, 0),
            textcoords="offset points", ha="right" if left else "left", va="center",
            fontsize="small", color=text_color(ax), alpha=0.85, annotation_clip=True,
        )  # fmt: skip
