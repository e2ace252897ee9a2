"""Likelihood-ratio tests between fitted models (lme4's ``anova(m1, m2, ...)``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from .comparison import (
    Comparison,
    check_same_data,
    check_same_fixed_part,
    check_same_scale,
    labels_of,
    nested,
)
from .tails import chi2_pvalue

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

# Searches leave less than this share of a log-likelihood: a larger model that lies lower by more
# does not contain the smaller one, or is not at its maximum.
ROUNDING = 1e-7


def likelihood_ratio(
    fits: Sequence[AnyFit], names: Sequence[str] | None = None, refit: bool = True
) -> Comparison:
    """Compare models by their log-likelihoods, each with the next smaller one.

    Of the same response on the same rows, in any order; the table is sorted by number of
    parameters. REML fits are refitted by maximum likelihood first, as lme4 does; without ``refit``
    REML criteria are compared, which is allowed when the fixed parts are the same. ``names`` label
    the rows; default: the formulas, with what tells models of the same formula apart.
    ``attrs["notes"]`` says which models were refitted, and where there is no test.

    When the smaller model sets a variance to zero, the value tested lies on the boundary and the
    p-value is conservative, up to twice too large for one variance.
    """
    if len(fits) < 2:
        raise ArgumentError(f"a comparison needs at least two models, got {len(fits)}")
    labels = labels_of(fits, names)
    check_same_data(fits, labels)
    check_same_scale(fits, labels)
    notes = []
    restricted = [label for fit, label in zip(fits, labels, strict=True) if fit.is_reml]
    if refit and restricted:
        fits = [fit.as_ml() for fit in fits]
        notes.append(f"refitted by maximum likelihood instead of REML: {'; '.join(restricted)}")
    elif restricted:
        check_same_fixed_part(fits, labels)
    order = sorted(range(len(fits)), key=lambda i: fits[i].n_parameters)
    fits, labels = [fits[i] for i in order], [labels[i] for i in order]
    llf = np.array([fit.llf_maximum for fit in fits])
    npar = np.array([fit.n_parameters for fit in fits])
    chisq, without = _statistics(fits, labels, llf)
    df = np.append(np.nan, np.diff(npar))
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
        "Pr(>Chisq)": np.where(
            (df > 0.0) & ~np.isnan(chisq),
            chi2_pvalue(np.nan_to_num(chisq), np.maximum(np.nan_to_num(df), 1.0)),
            np.nan,
        ),
    }
    table = Comparison(columns, index=pd.Index(labels, name="model", dtype=object))
    table.attrs["notes"] = (*notes, *without)
    return table


def _statistics(
    fits: Sequence[AnyFit], labels: Sequence[str], llf: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Twice the gains in log-likelihood, NaN where there is no test, and why there is none."""
    chisq, notes = np.full(len(fits), np.nan), []
    for i in range(1, len(fits)):
        why = _no_test(fits[i - 1], fits[i], llf[i - 1], llf[i])
        if why is None:
            chisq[i] = max(2.0 * (llf[i] - llf[i - 1]), 0.0)
        else:
            notes.append(f"no test of {labels[i - 1]!r} against {labels[i]!r}: {why}")
    return chisq, notes


def _no_test(smaller: AnyFit, larger: AnyFit, below: float, above: float) -> str | None:
    """Why a statistic of two models would have no chi-squared distribution, if that is plain."""
    one, other = smaller.family, larger.family
    rounding = ROUNDING * max(1.0, abs(below))
    if larger.n_parameters == smaller.n_parameters:
        if abs(above - below) <= rounding:
            return None
        return "they have as many parameters; compare log-likelihoods"
    if not nested(one, other):
        return (
            f"{one.name} ({one.link.name}) is no special case of {other.name} "
            f"({other.link.name}); compare AIC"
        )
    if above < below - rounding:
        return (
            "the model with more parameters has the smaller log-likelihood, so that it does not "
            "contain the other or is not at its maximum; compare AIC"
        )
    return None
