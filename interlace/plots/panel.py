"""The panel of a fitted model: what R's ``plot(m)`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from . import canvas
from .random_effects import effects_of, effects_qq_plot
from .residuals import observed_plot, qq_plot, residual_plot, scale_location_plot

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit


def panel(fit: AnyFit, ax: Any = None, fig: Any = None) -> np.ndarray:
    """Residuals, their quantiles and spread, and quantiles of the first random effect, (4,)."""
    axs = canvas.panels([2, 2], ax=ax, fig=fig)
    residual_plot(fit, ax=axs[0]).set_title("Residuals vs fitted")
    qq_plot(fit, ax=axs[1]).set_title("Q-Q of residuals")
    scale_location_plot(fit, ax=axs[2]).set_title("Scale-location")
    if fit.T:
        mixed = cast("MixedFit", fit)
        first = effects_of(mixed, None, None)[0]
        effects_qq_plot(mixed, first.group, first.term, component=first.component, ax=axs[3])
        axs[3].set_title("Q-Q of random effects")
    else:
        observed_plot(fit, ax=axs[3]).set_title("Observed vs fitted")
    return axs
