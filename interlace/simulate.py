"""New responses: drawn from a fitted model, or given for a refit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from .errors import ArgumentError, ArgumentTypeError, InterlaceWarning, listing, shown, warn
from .fit import Fit
from .spelling import unquoted

if TYPE_CHECKING:
    from .fit_glmm import GLMMFit
    from .inference.kinds import AnyFit


def simulate(
    fit: AnyFit, nsim: int = 1, seed: int | np.random.Generator | None = None, use_u: bool = False
) -> pd.DataFrame:
    """Draw responses from the fitted model.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    nsim : int, default 1
        Number of draws.
    seed : int or numpy Generator, optional
    use_u : bool, default False
        Keep the conditional modes of the random effects; ``False`` draws new ones.

    Returns
    -------
    DataFrame, shape (n, nsim)
        Columns ``sim_1, sim_2, …``; rows as in the fit. Proportions for a binomial response with
        trials: what a refit takes. Missing, with a warning, where a drawn linear predictor leaves
        the range of the link.

    Raises
    ------
    ArgumentError
        If ``nsim`` is not a positive integer.
    """
    if nsim < 1:
        raise ArgumentError(f"nsim must be a positive integer, got {nsim!r}")
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            "seed must be a whole number of at least 0, a numpy random Generator or None; "
            f"got {shown(seed)}"
        ) from None
    names = [f"sim_{i + 1}" for i in range(nsim)]
    draws = simulate_array(fit, int(nsim), rng, use_u)
    return pd.DataFrame(draws, index=fit.design.index, columns=names)


def simulate_array(
    fit: AnyFit, nsim: int, rng: np.random.Generator, use_u: bool = False
) -> np.ndarray:
    """The draws alone.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    nsim : int
    rng : numpy Generator
    use_u : bool, default False

    Returns
    -------
    ndarray, shape (n, nsim)
        Columns are contiguous, ready to be refitted.
    """
    if isinstance(fit, Fit):
        noise = rng.standard_normal((nsim, fit.n))
        if fit.design.weights is not None:
            noise /= np.sqrt(fit.design.weights)
        return (_add_effects(fit, rng, fit.fixed_part + fit.sigma * noise, use_u)).T
    eta = _add_effects(fit, rng, np.tile(fit.fixed_part, (nsim, 1)), use_u)
    family, seen = fit.family, fit.observations
    valid = family.valid(eta)
    if not valid.all():
        warn(
            f"{np.count_nonzero(~valid)} of {eta.size} linear predictors drawn are outside the "
            f"range of the link {family.link.name!r}: these responses are missing. A link such as "
            "'log' has no such limits; use_u=True keeps the modes",
            InterlaceWarning,
        )
        eta = np.where(valid, eta, fit.eta)
    draws = [
        family.sample(rng, family.mean(row, fit.zeta), seen.prior, seen.trials, fit.zeta)
        for row in eta
    ]
    return np.where(valid, np.array(draws), np.nan).T


def _add_effects(fit: AnyFit, rng: np.random.Generator, out: np.ndarray, use_u: bool) -> np.ndarray:
    """Each row of out, (nsim, n), plus Z b for the modes or for b drawn anew."""
    if use_u:
        return out + fit.random_part
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        levels, k = len(factor.levels), T.shape[0]
        b = fit.re_scale * (rng.standard_normal((len(out), levels, k)) @ T.T)
        for j in range(k):
            column = b[:, factor.codes, j]
            out += column if factor.Z.strides == (0, 0) else column * factor.Z[:, j]
    return out


def checked_response(fit: AnyFit, new_y: Any) -> np.ndarray:
    """Another response for the rows of the fit, as new numbers.

    Parameters
    ----------
    fit : Fit, GLMMFit or GLMFit
    new_y : array or Series, shape (n,) or (n, 2)
        Two columns are successes and failures of a binomial response.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ArgumentError
        If the length is wrong or a value is not finite.
    """
    binomial = not isinstance(fit, Fit) and fit.family.support == "proportion"
    values = _successes(fit, new_y) if binomial else new_y
    try:
        y = np.array(values, dtype=float)
    except (TypeError, ValueError):
        what = " or the two levels of the fit's factor" if binomial else ""
        raise ArgumentTypeError(
            f"new_y must hold numbers{what}, one for each row of the fit"
        ) from None
    if binomial and y.shape == (fit.n, 2):
        y = _share(fit, y)
    if y.shape != fit.design.y.shape:
        raise ArgumentError(
            f"new_y has shape {y.shape}; the fit has {fit.n} rows and needs one value each"
        )
    if not np.isfinite(y).all():
        raise ArgumentError("new_y has values that are missing or not finite")
    if binomial:
        outside = y[(y < 0.0) | (y > 1.0)]
        if outside.size:
            raise ArgumentError(
                "new_y must hold proportions of successes, between 0 and 1 (counts divided by the "
                "trials), as simulate() gives them, or two columns of successes and failures; got "
                f"{listing(f'{v:g}' for v in outside[:3])}"
            )
    return y


def _successes(fit: AnyFit, new_y: Any) -> Any:
    """Labels of a factor as 0 and 1, by the levels that the response of the fit had."""
    spec, replay = fit.design.formula.response, fit.design.replay
    if spec is None or replay is None or spec.kind != "column":
        return new_y
    known = replay.levels.get(unquoted(spec.parts[0]))
    if known is None:
        return new_y
    found = pd.Index(known.levels).get_indexer(pd.Index(np.asarray(new_y, dtype=object).ravel()))
    if (found < 0).any():
        try:
            np.asarray(new_y, dtype=float)
        except (TypeError, ValueError):
            raise ArgumentError(
                "new_y has labels that are not the levels of the fit's response: "
                f"{listing(map(repr, known.levels))}"
            ) from None
        return new_y
    return found.astype(float)


def _share(fit: AnyFit, counts: np.ndarray) -> np.ndarray:
    """Proportions of successes from the counts of both kinds."""
    trials = cast("GLMMFit", fit).observations.trials
    if not (np.isfinite(counts).all() and np.array_equal(counts.sum(axis=1), trials)):
        raise ArgumentError(
            "the two columns of new_y, successes and failures, must add up to the trials of the "
            "fit in each row; update() fits the model to other trials"
        )
    return counts[:, 0] / trials
