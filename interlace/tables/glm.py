"""What is computed from the fit of a generalised linear model without random effects alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..diagnostics.residuals import Convergence, cooks_distance, residual_array
from ..models.glm import GLMFit, fit_glm
from ..models.observations import observe
from ..models.separation import judged
from .source_rows import rows_of_data
from .tidy import aic, bic, versions


def augment(
    fit: GLMFit,
    data: Any = None,
    type_predict: str = "link",
    type_residuals: str = "deviance",
    source: Any = None,
    own_response: bool = False,
) -> pd.DataFrame:
    """The rows of the fit with fitted values and residuals, broom's columns.

    Parameters
    ----------
    fit : GLMFit
    data : data frame, optional
        The data of the fit, whose columns come first.
    type_predict : {"link", "response"}
    type_residuals : {"deviance", "pearson"}
    source : data frame, optional
        The data of the fit, of which the variables of the formula come first without ``data``.
    own_response : bool, default False
        Whether the response of the fit is that of its data.

    Returns
    -------
    DataFrame
        ``.fitted, .resid, .hat, .cooksd, .std_resid``.
    """
    frame = rows_of_data(fit.design, data, source, own_response)
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


def refit_glm(fit: GLMFit, y: np.ndarray) -> GLMFit:
    """The same model for another response.

    Parameters
    ----------
    fit : GLMFit
    y : ndarray, shape (n,)
        Numbers, or proportions where there are trials.

    Returns
    -------
    GLMFit
    """
    design = replace(fit.design, y=np.ascontiguousarray(y, dtype=np.float64))
    return judged(fit_glm(design, observe(design, fit.family), fit.family))


def as_dict(fit: GLMFit) -> dict[str, Any]:
    """Estimates and what they rest on, as plain numbers and texts that JSON can hold.

    Parameters
    ----------
    fit : GLMFit

    Returns
    -------
    dict
    """
    numbers = {
        "dispersion": fit.dispersion,
        "sigma": fit.sigma,
        "criterion": fit.criterion,
        "llf": fit.llf,
        "aic": aic(fit),
        "bic": bic(fit),
        "deviance": fit.deviance,
        "null_deviance": fit.null_deviance,
    }
    return {
        "formula": fit.design.formula.text,
        "family": fit.family.name,
        "link": fit.family.link.name,
        "method": fit.method,
        "nobs": fit.n,
        "fe_params": dict(zip(fit.design.x_names, fit.beta.tolist(), strict=True)),
        "vcov": [[_finite(v) for v in row] for row in fit.cov_beta.tolist()],
        "disp_params": dict(zip(fit.family.parameters, np.exp(fit.zeta).tolist(), strict=True)),
        **{name: _finite(value) for name, value in numbers.items()},
        "df_resid": fit.df_resid,
        "df_null": fit.df_null,
        "convergence": {
            "verdict": fit.verdict,
            "message": fit.message,
            "evaluations": fit.maximum.iterations,
            "optimizer": fit.optimizer,
        },
        "versions": versions(),
    }


def _finite(value: float) -> float | None:
    """JSON has no infinities."""
    return float(value) if np.isfinite(value) else None


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
        gradient=found.score.copy(),
        hessian_eigenvalues=np.linalg.eigvalsh(found.information) if fit.p else np.ones(1),
        singular_terms=(),
        evaluations=found.iterations,
        optimizer=fit.optimizer,
        backend=fit.backend,
        seconds=dict(fit.seconds),
    )
