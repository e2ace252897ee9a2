"""Autocorrelations by lag, with the limits of independent residuals."""

from __future__ import annotations

from typing import Any

import pandas as pd

from . import canvas


def autocorrelation_plot(table: pd.DataFrame, ax: Any = None) -> Any:
    """Stems of the autocorrelations of a table; see ``ModelPlots.autocorrelation``."""
    table = table.iloc[1:]  # that of lag 0 is 1
    lags = table.index.to_numpy(dtype=float)
    acf, limit = table["acf"].to_numpy(), table["limit"].to_numpy()
    ax = canvas.axes(ax)
    color = canvas.next_color(ax)
    look = {"color": canvas.text_color(ax), "alpha": canvas.BAND_OPACITY, "linewidth": 0.0}
    # a step for each lag, so that one lag alone has a band too
    edges = [lags[0] - 0.5, *(lags + 0.5)]
    ends = [*limit, limit[-1]]
    ax.fill_between(edges, [-end for end in ends], ends, step="post", **look)
    canvas.reference(ax, 0.0)
    ax.vlines(lags, 0.0, acf, color=[color], linewidth=2.0)
    canvas.points(ax, lags, acf, color, alpha=1.0, zorder=3)
    ax.locator_params(axis="x", integer=True)
    return canvas.labelled(ax, "Lag", "Autocorrelation")
