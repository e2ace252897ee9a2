"""Variances of random effects without a finite estimate: levels whose rows all agree.

If in every level of a grouping factor all binary rows agree, the likelihood of a random intercept
rises with its variance without end: the wider its distribution, the surer all rows of a level are
the same. (Of a random slope the like holds of rows signed by their covariate.) Laplace's
approximation and quadrature have a maximum all the same, at a variance that means nothing.
"""

from __future__ import annotations

import numpy as np

from ..errors import listing
from .glmm import GLMMFit

# ... and so it is where every row is predicted this well by effects with a standard deviation that
# moves the predictors by this much.
PREDICTED = 0.02
HUGE = 20.0


def runaway_variances(fit: GLMMFit) -> str:
    """Which variances tend to infinity, in words with the remedy; empty if none does.

    Parameters
    ----------
    fit : GLMMFit

    Returns
    -------
    str
    """
    family, seen = fit.family, fit.observations
    if family.support != "proportion" or not all(family.link.ends):
        return ""
    sign = np.where(seen.y >= 1.0, 1.0, np.where(seen.y <= 0.0, -1.0, 0.0))
    predicted = bool((np.abs(fit.mu - seen.y) < PREDICTED).all())
    told, agreed = [], True
    for term in fit.covariance.terms:
        factor = fit.design.factors[term.factor]
        sizes = fit.theta_sizes[term.factor]
        for name, j in zip(term.names, range(*term.columns.indices(len(sizes))), strict=True):
            agree = _agree(factor.codes, len(factor.levels), factor.Z[:, j], sign, seen.trials)
            if agree or (predicted and sizes[j] > HUGE):
                told.append(f"{name} by {factor.name}")
                agreed &= agree
    if not told:
        return ""
    one = "variance" if len(told) == 1 else "variances"
    tends = "tends" if len(told) == 1 else "tend"
    why = "all rows of a level agree, so that " if agreed else ""
    way = "analyse one row for each level with glm(), or " if agreed else ""
    out = f"{way}leave the term out"
    return (
        f"the random effects predict every row: {why}the {one} of {listing(told)} {tends} to "
        f"infinity and the likelihood has no maximum. Estimates mean nothing; {out}"
    )


def too_wide(fit: GLMMFit) -> str:
    """Which variances are too large for the approximations, in words; empty if none is.

    Where most levels have rows that agree, the conditional density of their effects is half a
    normal one, as wide as it is: neither a mode nor nodes around it are like it.

    Parameters
    ----------
    fit : GLMMFit

    Returns
    -------
    str
    """
    family, y = fit.family, fit.observations.y
    if family.support != "proportion" or not all(family.link.ends):
        return ""
    for term in fit.covariance.terms:
        factor = fit.design.factors[term.factor]
        sizes = fit.theta_sizes[term.factor]
        for name, j in zip(term.names, range(*term.columns.indices(len(sizes))), strict=True):
            if not sizes[j] > HUGE:
                continue
            pull = np.where(y >= 1.0, 1.0, np.where(y <= 0.0, -1.0, np.nan)) * factor.Z[:, j]
            levels = len(factor.levels)
            up = np.bincount(factor.codes[~(pull <= 0.0)], minlength=levels) > 0
            down = np.bincount(factor.codes[~(pull >= 0.0)], minlength=levels) > 0
            agreed = int((up ^ down).sum())
            if 2 * agreed > levels:
                return (
                    f"the approximation of the likelihood breaks down: all rows agree in {agreed} "
                    f"of {levels} levels, so that the standard deviation of {name} by "
                    f"{factor.name}, {sizes[j]:.3g} on the scale of the predictor, is too large "
                    "for Laplace's approximation and for quadrature, and estimates mean little; "
                    "leave the term out, or analyse one row for each level with glm()"
                )
    return ""


def _agree(
    codes: np.ndarray, levels: int, z: np.ndarray, sign: np.ndarray, trials: np.ndarray
) -> bool:
    """Whether the rows of every level agree, some level having several, and levels differ."""
    pull = sign * np.sign(z)
    moved = z != 0.0
    if (pull[moved] == 0.0).any():
        return False
    up = np.bincount(codes[pull > 0.0], minlength=levels) > 0
    down = np.bincount(codes[pull < 0.0], minlength=levels) > 0
    if (up & down).any() or not (up.any() and down.any()):
        return False
    return bool((np.bincount(codes[moved], weights=trials[moved], minlength=levels) > 1.0).any())
