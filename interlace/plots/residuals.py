"""Residuals against fitted values, their spread, and observed against fitted values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.quantile_residuals import quantile_residuals
from ..diagnostics.residuals import residual_array
from ..errors import ArgumentError, ArgumentTypeError, InterlaceError, brief
from ..frames.read import frame_of
from . import canvas
from .quantiles import normal_qq
from .smooth import lowess
from .variables import response_label

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

# Fewer points, or fewer different ones, have no smooth line.
SMOOTHED = 10
DIFFERENT = 4
# Of more points as many are drawn at random, the same in every call: the line is as smooth.
MOST_SMOOTHED = 10_000


def residuals(fit: AnyFit, type: str | None, scaled: bool = False) -> tuple[np.ndarray, str]:
    """Residuals of a type (n,), over the root of the dispersion if scaled, and their label.

    By default Pearson's of linear models, quantile residuals of others, or deviance or Pearson's
    where the family has no distribution function.
    """
    if type is None:
        if fit.linear:
            type = "pearson"
        else:
            try:
                return residuals(fit, "quantile")
            except InterlaceError:  # a family of the user's functions without cdf
                type = "deviance" if fit.family.has_deviance else "pearson"
    if type == "quantile":
        return quantile_residuals(fit), "Quantile residuals"
    scaled = scaled and bool(np.isfinite(fit.sigma) and fit.sigma > 0.0)
    return residual_array(fit, type, scaled), _label(fit, type, scaled)


def _label(fit: AnyFit, type: str, scaled: bool) -> str:
    """What residuals are, for an axis."""
    plain = fit.linear and (type == "response" or fit.design.weights is None)
    name = "residuals" if plain else f"{type.capitalize()} residuals"
    if scaled and (fit.linear or fit.family.free_dispersion):
        return f"Standardised {name if name.startswith('Pearson') else name.lower()}"
    return name[0].upper() + name[1:]


def fitted_values(fit: AnyFit, type: str) -> tuple[np.ndarray, str]:
    """Fitted values for an axis, on the scale of the link or of the response, and its label."""
    link = fit.family.link
    if type == "link" and not link.linear:
        return fit.fixed_part + fit.random_part, f"Fitted values ({link.name} scale)"
    return fit.fitted, "Fitted values"


def smooth(ax: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """A lowess line through points, in the next colour; none where they are too few."""
    shown = np.isfinite(x) & np.isfinite(y)
    color = canvas.next_color(ax)
    if shown.sum() < SMOOTHED or np.unique(x[shown]).size < DIFFERENT:
        return None
    at = np.flatnonzero(shown)
    if at.size > MOST_SMOOTHED:
        at = np.random.default_rng(1).choice(at, MOST_SMOOTHED, replace=False)
    (line,) = ax.plot(*lowess(x[at], y[at]), color=color, label="Lowess")
    return line


def residual_plot(
    fit: AnyFit, type: str | None = None, scale: str = "link", label: int = 3, ax: Any = None
) -> Any:
    """Residuals against fitted values with a smooth line; see ``ModelPlots.residuals``."""
    values, name = residuals(fit, type)
    x, x_label = fitted_values(fit, scale)
    return _cloud(x, values, fit.design.index, (x_label, name), label, ax)


def _cloud(
    x: np.ndarray, y: np.ndarray, names: Any, labels: tuple[str, str], label: int, ax: Any
) -> Any:
    """Residuals y around a line at zero, with a smooth line; the largest have names."""
    ax = canvas.axes(ax)
    canvas.points(ax, x, y, canvas.next_color(ax))
    canvas.reference(ax, 0.0, linestyle="--")
    smooth(ax, x, y)
    canvas.extremes(ax, x, y, np.abs(y), names, label)
    return canvas.labelled(ax, *labels)


def qq_plot(
    fit: AnyFit,
    type: str | None = None,
    level: float | None = 0.95,
    label: int = 3,
    ax: Any = None,
) -> Any:
    """Standardised residuals against normal quantiles; see ``ModelPlots.qq``."""
    values, name = residuals(fit, type, scaled=True)
    ax = canvas.axes(ax)
    normal_qq(ax, values, fit.design.index, level, label)
    return canvas.labelled(ax, "Normal quantiles", name)


def scale_location_plot(
    fit: AnyFit, type: str | None = None, scale: str = "link", label: int = 3, ax: Any = None
) -> Any:
    """Roots of absolute residuals against fitted values; see ``ModelPlots.scale_location``."""
    values, name = residuals(fit, type, scaled=True)
    root = np.sqrt(np.abs(values))
    x, x_label = fitted_values(fit, scale)
    ax = canvas.axes(ax)
    canvas.points(ax, x, root, canvas.next_color(ax))
    smooth(ax, x, root)
    canvas.extremes(ax, x, root, root, fit.design.index, label)
    ax.set_ylim(bottom=0.0)
    return canvas.labelled(ax, x_label, f"√|{name}|")


def observed_plot(fit: AnyFit, label: int = 0, ax: Any = None) -> Any:
    """The response against fitted values, with the line where they agree."""
    x, y = fit.fitted, fit.observations.y
    ax = canvas.axes(ax)
    canvas.points(ax, x, y, canvas.next_color(ax))
    look = {"color": canvas.text_color(ax), **canvas.REFERENCE}
    ax.axline((float(np.mean(x)),) * 2, slope=1.0, linestyle="--", **look)
    smooth(ax, x, y)
    canvas.extremes(ax, x, y, np.abs(y - x), fit.design.index, label)
    return canvas.labelled(ax, "Fitted values", f"Observed {response_label(fit)}")


def frame_plot(resid_df: Any, type: str, ax: Any = None) -> Any:
    """The columns .resid against .fitted of a frame, or against normal quantiles."""
    frame = frame_of(resid_df)
    if frame is None:
        raise ArgumentTypeError(f"resid_df must be a data frame, got {brief(resid_df)}")
    for column in (".resid", *([".fitted"] if type == "resid_vs_fitted" else [])):
        if column not in frame:
            raise ArgumentError(
                f"resid_df has no column {column!r}; the frame of m.augment() has .resid and "
                ".fitted"
            )
    values = frame[".resid"].to_numpy(dtype=float)
    if type == "qq":
        ax = canvas.axes(ax)
        normal_qq(ax, values, frame.index, label=3)
        return canvas.labelled(ax, "Normal quantiles", "Residuals")
    x = frame[".fitted"].to_numpy(dtype=float)
    return _cloud(x, values, frame.index, ("Fitted values", "Residuals"), 3, ax)
