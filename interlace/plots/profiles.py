"""Profile likelihoods: zeta and the densities it implies, a panel for each parameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import canvas

if TYPE_CHECKING:
    from ..inference.profile.profile import Profile

# lme4's: intervals of these levels are drawn into the curve.
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


def _panels(
    profile: Profile, parm: Any, ax: Any, fig: Any
) -> Iterator[tuple[Any, str, pd.DataFrame]]:
    """The Axes, the parameter and the curve of each."""
    curves = profile.curves(parm)
    parts = list(curves.groupby("parameter", sort=False))
    axs = canvas.grid(len(parts), ax, fig)
    for own, (name, part) in zip(axs, parts, strict=True):
        yield own, str(name), part


def zeta_plot(profile: Profile, parm: Any = None, ax: Any = None, fig: Any = None) -> Any:
    """zeta against the parameter, with intervals; see ``ProfilePlots.zeta``."""
    axs = []
    for own, name, curve in _panels(profile, parm, ax, fig):
        value, zeta = curve["value"].to_numpy(), curve["zeta"].to_numpy()
        color = canvas.next_color(own)
        canvas.reference(own, 0.0)
        for level in LEVELS:
            limits = profile.conf_int(level, name).to_numpy().ravel()
            limits = limits[(limits >= value.min()) & (limits <= value.max())]
            ends = np.interp(limits, value, zeta)  # nothing at a bound that is the estimate
            own.vlines(limits, 0.0, ends, color=[color], linewidth=0.8, alpha=0.5)
        own.plot(value, zeta, color=color)
        canvas.labelled(own, name, "ζ").yaxis.label.set_rotation(0.0)
        axs.append(own)
    return canvas.one_or_all(np.array(axs, dtype=object))


def density_plot(
    profile: Profile, parm: Any = None, level: float = 0.95, ax: Any = None, fig: Any = None
) -> Any:
    """Densities that the profiles imply; see ``ProfilePlots.density``."""
    axs = []
    for own, name, curve in _panels(profile, parm, ax, fig):
        value, density = curve["value"].to_numpy(), curve["density"].to_numpy()
        color = canvas.next_color(own)
        low, high = profile.conf_int(level, name).to_numpy().ravel()
        inside = (value >= low) & (value <= high)
        look = {"color": color, "alpha": canvas.BAND_OPACITY, "linewidth": 0.0}
        own.fill_between(value, 0.0, density, where=inside, **look)
        own.plot(value, density, color=color)
        canvas.reference(own, float(profile.estimates[name]), vertical=True, linestyle="--")
        own.set_ylim(bottom=0.0)
        canvas.labelled(own, name, "Density")
        axs.append(own)
    return canvas.one_or_all(np.array(axs, dtype=object))
