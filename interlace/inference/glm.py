"""What is computed from the fit of a generalised linear model without random effects alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..diagnostics import Convergence, _columns_of, _rows_of, residual_array
from ..errors import ArgumentError
from ..fit_glm import GLMFit
from ..predict import TYPES, Prediction, inverse_link, linear_predictor, mean_slope, rows_of


def cooks_distance(fit: GLMFit) -> np.ndarray:
    """Cook's distance of each row as R's ``cooks.distance.glm``, (n,).

    Parameters
    ----------
    fit : GLMFit

    Returns
    -------
    ndarray, shape (n,)
        ``(pearson / (1 - hat))^2 hat / (dispersion p)``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = (residual_array(fit, "pearson") / (1.0 - fit.hat)) ** 2 * fit.hat
        return moved / (fit.dispersion * fit.p)


def get_prediction(fit: GLMFit, newdata: Any = None, offset: Any = None) -> Prediction:
    """Predictions with standard errors, for the rows of the fit or new ones.

    Parameters
    ----------
    fit : GLMFit
    newdata : data frame, optional
    offset : array, shape (r,), or float, optional

    Returns
    -------
    Prediction
        Intervals use t with the residual degrees of freedom where a dispersion is estimated.
    """
    rows = rows_of(fit, newdata, [], "error", offset)
    eta = linear_predictor(fit, rows, [])
    se = np.sqrt(np.einsum("ri,ij,rj->r", rows.X, fit.cov_beta, rows.X))
    df = np.full(len(eta), float(fit.df_resid) if fit.free_dispersion else np.inf)
    return Prediction(eta, se, df, rows.index, partial(inverse_link, fit), mean_slope(fit, eta))


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
    frame = _columns_of(fit.design) if data is None else _rows_of(data, fit.design)
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
