"""Power by the size of the data, with its intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import canvas

if TYPE_CHECKING:
    from ..inference.resampling.power import Power


# More sizes than this have ticks of their own no more.
MOST_SIZES = 12


def power_plot(record: Power, target: float | None = 0.8, ax: Any = None) -> Any:
    """The share of significant tests at each size; see ``PowerPlots.curve``."""
    frame = record.frame
    x = frame.index.to_numpy(dtype=float)
    ax = canvas.axes(ax)
    color = canvas.next_color(ax)
    if target is not None:
        canvas.reference(ax, target, linestyle="--")
    ax.vlines(x, frame["lower"], frame["upper"], color=[color], linewidth=1.4)
    ax.plot(x, frame["power"], color=color, label=record.test)
    ax.scatter(x, frame["power"], color=[color], s=34, zorder=3)
    ax.set_ylim(-0.02, 1.02)
    if x.size <= MOST_SIZES:
        ax.set_xticks(x, [str(size) for size in frame.index])
    along = str(frame.index.name)
    if along == "rows":
        name = "Rows" if x.size == 1 else "Rows in each cell"
    else:
        name = f"Number of levels of {along}"
    return canvas.labelled(ax, name, f"Power of {record.test}")
