"""Replicates of a bootstrap: histograms with intervals, and against normal quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, brief, listing
from . import canvas
from .quantiles import normal_qq

if TYPE_CHECKING:
    from ..inference.resampling.bootstrap import Bootstrap

# Of a histogram, at most.
MOST_BINS = 60


def _columns(record: Bootstrap, parm: Any) -> list[Any]:
    """The numbers that are drawn."""
    known = list(record.frame.columns)
    if parm is None:
        return known
    wanted = [parm] if isinstance(parm, str) else list(parm)
    for name in wanted:
        if name not in known:
            raise ArgumentError(f"parm={brief(name)} is none of the numbers: {listing(known)}")
    return wanted


def _finite(record: Bootstrap, name: Any) -> np.ndarray:
    values = record.frame[name].to_numpy(dtype=float)
    return values[np.isfinite(values)]


def histogram_plot(
    record: Bootstrap,
    parm: Any = None,
    method: str = "percentile",
    level: float = 0.95,
    ax: Any = None,
    fig: Any = None,
) -> Any:
    """Histograms of the replicates with an interval; see ``BootstrapPlots.histogram``."""
    names = _columns(record, parm)
    limits = record.conf_int(method, level)  # type: ignore[arg-type]
    axs = canvas.grid(len(names), ax, fig)
    for own, name in zip(axs, names, strict=True):
        values = _finite(record, name)
        color = canvas.next_color(own)
        bins = _bins(values)
        own.hist(values, bins=bins, density=True, color=color, alpha=0.6, linewidth=0.0)
        canvas.reference(own, float(record.estimate[name]), vertical=True, zorder=2.5)
        for end in limits.loc[name]:
            canvas.reference(own, float(end), vertical=True, linestyle="--", zorder=2.5)
        canvas.labelled(own, str(name), "Density")
    return canvas.one_or_all(axs)


def _bins(values: np.ndarray) -> int:
    """Freedman and Diaconis' number of bins, within limits."""
    low, high = np.quantile(values, [0.25, 0.75]) if values.size else (0.0, 0.0)
    width = 2.0 * (high - low) * max(values.size, 1) ** (-1.0 / 3.0)
    return int(np.clip(np.ptp(values) / width, 1, MOST_BINS)) if width > 0.0 else 1


def replicate_qq_plot(
    record: Bootstrap,
    parm: Any = None,
    level: float = 0.95,
    ax: Any = None,
    fig: Any = None,
) -> Any:
    """Replicates against normal quantiles; see ``BootstrapPlots.qq``."""
    names = _columns(record, parm)
    axs = canvas.grid(len(names), ax, fig)
    for own, name in zip(axs, names, strict=True):
        values = _finite(record, name)
        normal_qq(own, values, range(values.size), level)
        canvas.labelled(own, "Normal quantiles", str(name))
    return canvas.one_or_all(axs)
