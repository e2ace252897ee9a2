"""Whether responses vary more than their family says: Pearson's X^2 over its degrees of freedom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..inference.components import dispersion_by_row
from ..inference.tails import chi2_pvalue
from .record import DiagnosticTest
from .residuals import residual_array

if TYPE_CHECKING:
    from ..models.kinds import AnyFit


def overdispersion(fit: AnyFit) -> DiagnosticTest:
    """X^2 over n less the parameters, as performance's; of families without a free dispersion."""
    known = not fit.family.free_dispersion and np.all(dispersion_by_row(fit) == 1.0)
    if not (known and fit.family.discrete):
        raise ArgumentError(
            f"the family {fit.family.name!r} estimates its own dispersion, so that Pearson's X^2 "
            "says nothing about it; m.simulated_residuals().dispersion() compares spreads by "
            "simulation"
        )
    if fit.family.support == "proportion" and (fit.observations.trials <= 1.0).all():
        raise ArgumentError(
            "responses of 0 and 1 cannot be over-dispersed: their variance follows from the mean. "
            "Aggregate the rows of a group to successes and failures"
        )
    chi2 = float(np.sum(residual_array(fit, "pearson") ** 2))
    df = fit.n - fit.n_parameters
    if df <= 0:
        raise ArgumentError(
            f"{fit.n} rows and {fit.n_parameters} parameters leave no degrees of freedom"
        )
    details = {"chi2": chi2, "df": float(df)}
    p = float(chi2_pvalue(chi2, df))
    return DiagnosticTest("overdispersion", chi2 / df, p, "greater", details)
