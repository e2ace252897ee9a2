"""Influence of rows and groups: Cook's distances and leverages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.influence import cooks_distance, hat_values
from ..diagnostics.residuals import residual_array
from . import canvas
from .residuals import smooth

if TYPE_CHECKING:
    from ..models.kinds import AnyFit


def leverage_plot(fit: AnyFit, label: int = 3, ax: Any = None) -> Any:
    """Pearson residuals, standardised with their leverages, against these."""
    hat = hat_values(fit)
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = residual_array(fit, "pearson", scaled=True) / np.sqrt(1.0 - hat)
    ax = canvas.axes(ax)
    canvas.points(ax, hat, residual, canvas.next_color(ax))
    canvas.reference(ax, 0.0, linestyle="--")
    smooth(ax, hat, residual)
    canvas.extremes(ax, hat, residual, cooks_distance(fit, hat), fit.design.index, label)
    ax.set_xlim(left=0.0)
    return canvas.labelled(ax, "Leverage", "Standardised Pearson residuals")
