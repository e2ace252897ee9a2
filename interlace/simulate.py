"""New responses from a fitted model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .errors import ArgumentError, ArgumentTypeError
from .fit import Fit


def simulate(
    fit: Fit, nsim: int = 1, seed: int | np.random.Generator | None = None, use_u: bool = False
) -> pd.DataFrame:
    """Draw responses from the fitted model.

    Parameters
    ----------
    fit : Fit
    nsim : int, default 1
        Number of draws.
    seed : int or numpy Generator, optional
    use_u : bool, default False
        Keep the conditional modes of the random effects; ``False`` draws new ones.

    Returns
    -------
    DataFrame, shape (n, nsim)
        Columns ``sim_1, sim_2, …``; rows as in the fit.

    Raises
    ------
    ArgumentError
        If ``nsim`` is not a positive integer.
    """
    if not isinstance(nsim, (int, np.integer)) or isinstance(nsim, bool):
        raise ArgumentTypeError(f"nsim must be a positive integer, got {nsim!r}")
    if nsim < 1:
        raise ArgumentError(f"nsim must be a positive integer, got {nsim!r}")
    names = [f"sim_{i + 1}" for i in range(nsim)]
    draws = simulate_array(fit, int(nsim), np.random.default_rng(seed), use_u)
    return pd.DataFrame(draws, index=fit.design.index, columns=names)


def simulate_array(
    fit: Fit, nsim: int, rng: np.random.Generator, use_u: bool = False
) -> np.ndarray:
    """The draws alone.

    Parameters
    ----------
    fit : Fit
    nsim : int
    rng : numpy Generator
    use_u : bool, default False

    Returns
    -------
    ndarray, shape (n, nsim)
        Columns are contiguous, ready to be refitted.
    """
    design = fit.design
    noise = rng.standard_normal((nsim, fit.n))
    if design.weights is not None:
        noise /= np.sqrt(design.weights)
    out = fit.fixed_part + fit.sigma * noise
    if use_u:
        return (out + fit.random_part).T
    for factor, T in zip(design.factors, fit.T, strict=True):
        levels, k = len(factor.levels), T.shape[0]
        b = fit.sigma * (rng.standard_normal((nsim, levels, k)) @ T.T)
        for j in range(k):
            column = b[:, factor.codes, j]
            out += column if factor.Z.strides == (0, 0) else column * factor.Z[:, j]
    return out.T
