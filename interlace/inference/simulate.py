"""New responses drawn from a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..design.indicators import IndexedColumns, row_products
from ..errors import ArgumentError, ArgumentTypeError, InterlaceWarning, brief, warn

if TYPE_CHECKING:
    from ..models.glmm import GLMMFit
    from ..models.kinds import AnyFit
    from ..models.lmm import LMMFit
    from ..models.regression import RegressionFit

# Numbers drawn at once: 16 GB of them.
MOST_DRAWN = 2**31


def simulate(
    fit: AnyFit,
    nsim: int = 1,
    seed: int | np.random.Generator | None = None,
    use_u: bool = False,
    params: Any = None,
) -> pd.DataFrame:
    """Draw responses from the fitted model: columns ``sim_1, sim_2, …``, a row for each of the fit.

    Proportions for a response with trials; missing, with a warning, where a drawn linear predictor
    leaves the range of the link, and in rows not used under ``na_action="exclude"``. `use_u` keeps
    the modes of the random effects; `params` stand in for the estimates.
    """
    if nsim < 1:
        raise ArgumentError(f"nsim must be a positive integer, got {nsim!r}")
    check_draws(fit, "nsim", nsim)
    if params is not None:
        fit = _with_parameters(fit, params, use_u)
    rng = generator(seed)
    names = [f"sim_{i + 1}" for i in range(nsim)]
    draws = simulate_array(fit, int(nsim), rng, use_u)
    missing = np.count_nonzero(np.isnan(draws))
    if missing:
        warn(
            f"{missing} of {draws.size} linear predictors drawn are outside the range of the link "
            f"{fit.family.link.name!r}: these responses are missing. A link such as 'log' has no "
            "such limits; use_u=True keeps the modes",
            InterlaceWarning,
        )
    return fit.design.pad_rows(pd.DataFrame(draws, index=fit.design.index, columns=names))


def _with_parameters(fit: AnyFit, params: Any, use_u: bool) -> AnyFit:
    """The fit with these parameters in place of its estimates."""
    if use_u:
        raise ArgumentError(
            "use_u=True keeps the random effects that belong to the estimates, and params= has "
            "other parameters: leave one out"
        )
    from .resampling.truth import assumed

    return assumed(fit, None, params)


def simulate_new_rows(
    fit: LMMFit,
    newdata: Any,
    nsim: int = 1,
    seed: int | np.random.Generator | None = None,
    use_u: bool = False,
) -> pd.DataFrame:
    """Draw responses of new rows from a linear mixed model: columns ``sim_1, sim_2, …``.

    Rows of one level have its effects in common: its modes with `use_u`, otherwise drawn anew. The
    response is missing where a value of the row is. Weights count as 1.
    """
    if nsim < 1:
        raise ArgumentError(f"nsim must be a positive integer, got {nsim!r}")
    rng, new = generator(seed), fit.design.on(newdata)
    check_draws(fit, "nsim", nsim)
    out = np.tile(new.X @ fit.beta, (int(nsim), 1))
    if new.offset is not None:
        out += new.offset
    for (codes, Z), b, T in zip(new.factors, fit.b, fit.T, strict=True):
        known, at = np.unique(codes, return_inverse=True)
        for row in out:
            drawn = fit.re_scale * (rng.standard_normal((len(known), len(T))) @ T.T)
            row += ((b[known] if use_u else drawn)[at] * Z).sum(axis=1)
        out[:, codes < 0] = np.nan
    out += fit.sigma * rng.standard_normal(out.shape)
    return pd.DataFrame(out.T, index=new.index, columns=[f"sim_{i + 1}" for i in range(len(out))])


def generator(seed: Any) -> np.random.Generator:
    """A generator from a seed; refused if it is none."""
    try:
        if isinstance(seed, (bool, np.bool_)):
            raise TypeError
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            "seed must be a whole number of at least 0, a numpy random Generator or None; "
            f"got {brief(seed)}"
        ) from None


def check_draws(fit: AnyFit, name: str, count: int) -> None:
    """Refuse more draws than memory holds."""
    if count > MOST_DRAWN // max(fit.n, 1):
        raise ArgumentError(
            f"{name}={count} draws of {fit.n} rows do not fit into memory; draw fewer at a time"
        )


def simulate_array(
    fit: AnyFit, nsim: int, rng: np.random.Generator, use_u: bool = False
) -> np.ndarray:
    """The draws alone, (n, nsim): columns are contiguous, ready to be refitted.

    NaN where a drawn linear predictor is outside the range of the link.
    """
    if fit.linear:
        noise = fit.noise(rng.standard_normal((nsim, fit.n)))
        return (_add_effects(fit, rng, fit.fixed_part + noise, use_u)).T
    family, observations = fit.family, fit.observations
    if fit.several:
        etas = _all_predictors(fit, nsim, rng, use_u)
        eta, zetas = etas[:, 0], list(etas[:, 1:])
    else:
        eta = _add_effects(fit, rng, np.tile(fit.fixed_part, (nsim, 1)), use_u)
        zetas = [fit.zeta] * nsim
        if fit.ordered:
            pairs = [fit.standard(row) for row in eta]  # type: ignore[union-attr]
            eta, zetas = np.array([row for row, _ in pairs]), [own for _, own in pairs]
    valid = family.valid(eta)
    if not valid.all():
        eta = np.where(valid, eta, fit.eta)
    draws = [
        family.sample_of(rng, row, observations.prior, observations.trials, zeta)
        for row, zeta in zip(eta, zetas, strict=True)
    ]
    return np.where(valid, np.array(draws), np.nan).T


def _add_effects(fit: AnyFit, rng: np.random.Generator, out: np.ndarray, use_u: bool) -> np.ndarray:
    """Each row of out, (nsim, n), plus Z b for the modes or for b drawn anew."""
    if use_u:
        return out + fit.random_part
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        levels, k = len(factor.levels), T.shape[0]
        b = fit.re_scale * (rng.standard_normal((len(out), levels, k)) @ T.T)
        if isinstance(factor.Z, IndexedColumns):
            for row, own in zip(out, b, strict=True):
                row += row_products(factor.Z, factor.codes, own)
            continue
        if levels == 1:
            out += b[:, 0] @ factor.Z.T
            continue
        for j in range(k):
            column = b[:, factor.codes, j]
            out += column if factor.intercept_only else column * factor.Z[:, j]
    return out


def _all_predictors(
    fit: GLMMFit | RegressionFit, nsim: int, rng: np.random.Generator, use_u: bool
) -> np.ndarray:
    """All linear predictors for the modes or for effects drawn anew, (nsim, K, n)."""
    if use_u:
        return np.tile(fit.etas, (nsim, 1, 1))
    fixed = np.stack([fit.part(name).fixed_part for name in fit.design.predictors])
    out = np.tile(fixed, (nsim, 1, 1))
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        levels, k = len(factor.levels), T.shape[0]
        b = rng.standard_normal((nsim, levels, k)) @ T.T
        if levels == 1:
            for own in np.unique(factor.predictor):
                at = factor.predictor == own
                out[:, own] += b[:, 0, at] @ factor.Z[:, at].T
            continue
        for j, own in enumerate(factor.predictor):
            out[:, own] += b[:, factor.codes, j] * factor.Z[:, j]
    return out
