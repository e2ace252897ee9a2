"""Likelihood-ratio tests between fitted models (lme4's ``anova(m1, m2, ...)``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..fit import Fit, refit_ml
from .distributions import chi2_pvalue

if TYPE_CHECKING:
    from .kinds import AnyFit

# Entries of two fixed-effects matrices that agree to this share are the same column, evaluated by
# another formula.
SAME_COLUMN = 1e-8


def likelihood_ratio(
    fits: Sequence[AnyFit], names: Sequence[str] | None = None, refit: bool = True
) -> pd.DataFrame:
    """Compare models by their log-likelihoods, each with the next smaller one.

    Parameters
    ----------
    fits : sequence of Fit, GLMMFit or GLMFit
        At least two, of the same response on the same rows; any order.
    names : sequence of str, optional
        Row labels; default: the formulas.
    refit : bool, default True
        Refit REML fits by maximum likelihood first, as lme4. ``False`` compares REML criteria,
        which is allowed when the fixed parts are the same.

    Returns
    -------
    DataFrame
        Sorted by number of parameters: ``Df`` (parameters), ``AIC, BIC, logLik, deviance,
        Chisq, Chi Df, Pr(>Chisq)``.

    Raises
    ------
    ArgumentError
        If there are fewer than two models, or they cannot be compared.

    Notes
    -----
    When the smaller model sets a variance to zero, the value tested lies on the boundary and the
    p-value is conservative, up to twice too large for one variance.
    """
    if len(fits) < 2:
        raise ArgumentError(f"a comparison needs at least two models, got {len(fits)}")
    labels = [fit.design.formula.text for fit in fits] if names is None else list(names)
    if len(labels) != len(fits):
        raise ArgumentError(f"names has {len(labels)} entries for {len(fits)} models")
    check_same_data(fits, labels)
    check_same_scale(fits, labels)
    if refit:
        fits = [refit_ml(fit) if isinstance(fit, Fit) else fit for fit in fits]
    elif any(fit.is_reml for fit in fits):
        check_same_fixed_part(fits, labels)
    order = sorted(range(len(fits)), key=lambda i: fits[i].n_parameters)
    fits, labels = [fits[i] for i in order], [labels[i] for i in order]
    generalised = any(hasattr(fit, "nAGQ") for fit in fits)
    llf = np.array([_maximum(fit) if generalised else fit.llf for fit in fits])
    npar = np.array([fit.n_parameters for fit in fits])
    chisq = np.full(len(fits), np.nan)
    chisq[1:] = np.maximum(2.0 * np.diff(llf), 0.0)
    df = np.full(len(fits), np.nan)
    df[1:] = np.diff(npar)
    # lme4's columns before it renamed "Df": they say which df is which.
    columns = {
        "Df": npar,
        "AIC": 2.0 * npar - 2.0 * llf,
        "BIC": np.log(fits[0].n) * npar - 2.0 * llf,
        "logLik": llf,
        "deviance": -2.0 * llf,
        "Chisq": chisq,
        "Chi Df": df,
        # Without a difference in parameters there is no test.
        "Pr(>Chisq)": np.where(df > 0.0, chi2_pvalue(chisq, np.maximum(df, 1.0)), np.nan),
    }
    return pd.DataFrame(columns, index=pd.Index(labels, name="model", dtype=object))


def _maximum(fit: AnyFit) -> float:
    """The maximum of the log-likelihood.

    R's ``logLik`` of a model without random effects has it at another dispersion (the deviance
    over n) where that is estimated.
    """
    if hasattr(fit, "nAGQ") or isinstance(fit, Fit) or not fit.family.parameters:
        return fit.llf
    o = fit.observations
    zeta = fit.family.update_zeta(o.y, fit.mu, o.weights, o.trials)
    return float(fit.family.log_density(o.y, fit.mu, o.weights, o.trials, zeta).sum())


def check_same_data(fits: Sequence[AnyFit], labels: Sequence[str]) -> None:
    """Refuse models of different rows or responses.

    Raises
    ------
    ArgumentError
    """
    first = fits[0].design
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        other = fit.design
        if other.y.size != first.y.size:
            raise ArgumentError(
                f"{labels[0]!r} was fitted to {first.y.size} rows and {label!r} to "
                f"{other.y.size}: models compared must use the same rows. Missing values in a "
                "column that only one of them has? Drop those rows first, or use subset="
            )
        if not np.array_equal(other.y, first.y):
            raise ArgumentError(
                f"{labels[0]!r} and {label!r} have different responses "
                f"({first.response_name!r}, {other.response_name!r}): their log-likelihoods "
                "cannot be compared"
            )


def check_same_scale(fits: Sequence[AnyFit], labels: Sequence[str]) -> None:
    """Refuse log-likelihoods of counts beside densities, of other weights, or other approximations.

    Raises
    ------
    ArgumentError
    """
    first = fits[0]
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        if _discrete(fit) != _discrete(first):
            raise ArgumentError(
                f"{labels[0]!r} and {label!r} cannot be compared: the family of one gives "
                "probabilities of counts, that of the other densities"
            )
        if isinstance(fit, Fit) or isinstance(first, Fit):
            continue
        if not np.array_equal(first.observations.weights, fit.observations.weights):
            raise ArgumentError(
                f"{labels[0]!r} and {label!r} have different weights or numbers of trials: their "
                "log-likelihoods cannot be compared"
            )
    # Without random effects the likelihood is exact: it goes with any approximation.
    pairs = zip(fits, labels, strict=True)
    found = {fit.nAGQ: label for fit, label in pairs if hasattr(fit, "nAGQ")}
    if len(found) > 1:
        said = " and ".join(f"{label!r} with nAGQ={nodes}" for nodes, label in found.items())
        raise ArgumentError(
            f"{said} were fitted by different approximations of the likelihood, which cannot be "
            "compared; fit all with the same nAGQ"
        )


def _discrete(fit: AnyFit) -> bool:
    return not isinstance(fit, Fit) and fit.family.discrete


def check_same_fixed_part(fits: Sequence[AnyFit], labels: Sequence[str]) -> None:
    """Refuse a comparison of REML criteria with different fixed parts, or of REML with ML.

    Raises
    ------
    ArgumentError
    """
    remedy = "Use refit=True, which refits by maximum likelihood"
    if not all(fit.is_reml for fit in fits):
        raise ArgumentError(f"some of the models are REML fits and some ML fits. {remedy}")
    X = fits[0].design.X
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        other = fit.design.X
        # The REML criterion contains log|X'V^{-1}X|: even another basis of the same space
        # shifts it by a constant.
        same = other.shape == X.shape and np.allclose(other, X, rtol=SAME_COLUMN, atol=0.0)
        if not same:
            raise ArgumentError(
                f"the REML criteria of {labels[0]!r} and {label!r} cannot be compared: their "
                f"fixed parts differ. {remedy}"
            )
