"""What is computed from the fit of a generalised linear model without random effects alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..diagnostics import Convergence, cooks_distance, residual_array, rows_of_data
from ..errors import ArgumentError
from ..fit_glm import GLMFit
from ..predict import TYPES


def augment(
    fit: GLMFit, data: Any = None, type_predict: str = "link", type_residuals: str = "deviance"
) -> pd.DataFrame:
    """The rows of the fit with fitted values and residuals, broom's columns.

    Parameters
    ----------
    fit : GLMFit
    data : data frame, optional
        The data of the fit, whose columns come first.
    type_predict : {"link", "response"}
    type_residuals : {"deviance", "pearson"}

    Returns
    -------
    DataFrame
        ``.fitted, .resid, .hat, .cooksd, .std_resid``.
    """
    if type_predict not in TYPES or type_residuals not in ("deviance", "pearson"):
        raise ArgumentError(
            f"type_predict={type_predict!r} must be 'link' or 'response', "
            f"type_residuals={type_residuals!r} 'deviance' or 'pearson'"
        )
    frame = rows_of_data(fit.design, data)
    resid = residual_array(fit, type_residuals)
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = resid / np.sqrt(fit.dispersion * (1.0 - fit.hat))
    columns = {
        ".fitted": fit.eta if type_predict == "link" else fit.mu,
        ".resid": resid,
        ".hat": fit.hat,
        ".cooksd": cooks_distance(fit),
        ".std_resid": standard,
    }
    return frame.assign(**columns)


def convergence(fit: GLMFit) -> Convergence:
    """The verdict of a fit and what it rests on.

    Parameters
    ----------
    fit : GLMFit

    Returns
    -------
    Convergence
        Gradient and curvature are those in standardised coefficients.
    """
    found = fit.maximum
    return Convergence(
        verdict=fit.verdict,
        message=fit.message,
        gradient_norm=float(np.sqrt(2.0 * found.decrement)),
        decrement=found.decrement,
        gradient=found.score,
        hessian_eigenvalues=np.linalg.eigvalsh(found.information) if fit.p else np.ones(1),
        singular_terms=(),
        evaluations=found.iterations,
        optimizer=fit.optimizer,
        backend=fit.backend,
        seconds=dict(fit.seconds),
    )
