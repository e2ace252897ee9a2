"""What is computed from the fit of a generalised linear model without random effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..diagnostics import Convergence, _columns_of, _rows_of
from ..errors import ArgumentError, ArgumentTypeError
from ..families.base import Family
from ..fit_glm import GLMFit
from ..predict import linear_predictor, rows_of
from .distributions import t_quantile
from .wald import check_level

RESIDUALS = ("response", "pearson", "deviance", "working")
TYPES = ("response", "link")


@dataclass(frozen=True)
class MeanPrediction:
    """Predicted means with standard errors.

    Attributes
    ----------
    eta, eta_se : ndarray, shape (r,)
        Linear predictor and its standard error.
    mean, mean_se : ndarray, shape (r,)
        Mean and, by the delta method, its standard error.
    family : Family
        Whose inverse link makes means of the ends of intervals.
    zeta : ndarray, shape (m,)
        Its parameters.
    df : float
        Degrees of freedom of the intervals; infinite means normal.
    index : Index

    Examples
    --------
    >>> import interlace as il
    >>> from interlace.api_glm import glm
    >>> formula = "cbind(incidence, size - incidence) ~ period"
    >>> m = glm(formula, il.load_dataset("cbpp"), family="binomial")
    >>> m.get_prediction({"period": [1]}).summary_frame().round(4).iloc[0].tolist()
    [0.2194, 0.0248, 0.1746, 0.2719]
    """

    eta: np.ndarray
    eta_se: np.ndarray
    mean: np.ndarray
    mean_se: np.ndarray
    family: Family
    zeta: np.ndarray
    df: float
    index: pd.Index

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means and intervals, whose ends are made on the scale of the linear predictor.

        Parameters
        ----------
        alpha : float, default 0.05
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            ``mean, mean_se, mean_ci_lower, mean_ci_upper``.
        """
        half = t_quantile(check_level(1.0 - alpha), self.df) * self.eta_se
        ends = np.stack(
            [self.family.mean(self.eta + sign * half, self.zeta) for sign in (-1.0, 1.0)]
        )
        columns = {
            "mean": self.mean,
            "mean_se": self.mean_se,
            "mean_ci_lower": ends.min(axis=0),
            "mean_ci_upper": ends.max(axis=0),
        }
        return pd.DataFrame(columns, index=self.index)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the means: the columns ``lower, upper``."""
        frame = self.summary_frame(alpha)
        return pd.DataFrame({"lower": frame["mean_ci_lower"], "upper": frame["mean_ci_upper"]})


def residual_array(fit: GLMFit, type: str = "deviance") -> np.ndarray:
    """Residuals of the rows of the fit as R's ``residuals.glm``, (n,).

    Parameters
    ----------
    fit : GLMFit
    type : {"deviance", "response", "pearson", "working"}

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ArgumentError
        If the type is not known.
    """
    if type not in RESIDUALS:
        raise ArgumentError(
            f"type={type!r} is not known; use one of {', '.join(map(repr, RESIDUALS))}"
        )
    seen = fit.observations
    raw = seen.y - fit.mu
    if type == "pearson":
        return raw * np.sqrt(seen.weights / fit.family.variance(fit.mu, fit.zeta))
    if type == "deviance":
        unit = fit.family.deviance(seen.y, fit.mu, seen.weights, fit.zeta)
        return np.sign(raw) * np.sqrt(np.maximum(unit, 0.0))
    if type == "working":
        return raw / fit.family.mean_slope(fit.eta, fit.zeta)
    return raw


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


def get_prediction(fit: GLMFit, newdata: Any = None, offset: Any = None) -> MeanPrediction:
    """Predictions with standard errors, for the rows of the fit or new ones.

    Parameters
    ----------
    fit : GLMFit
    newdata : data frame, optional
    offset : array, shape (r,), or float, optional

    Returns
    -------
    MeanPrediction
        Intervals use t with the residual degrees of freedom where a dispersion is estimated.
    """
    rows = rows_of(fit, newdata, [], "error", offset)
    eta = linear_predictor(fit, rows, [])
    se = np.sqrt(np.einsum("ri,ij,rj->r", rows.X, fit.cov_beta, rows.X))
    return MeanPrediction(
        eta=eta,
        eta_se=se,
        mean=fit.family.mean(eta, fit.zeta),
        mean_se=np.abs(fit.family.mean_slope(eta, fit.zeta)) * se,
        family=fit.family,
        zeta=fit.zeta,
        df=float(fit.df_resid) if fit.free_dispersion else float("inf"),
        index=rows.index,
    )


def predict(
    fit: GLMFit,
    newdata: Any = None,
    type: str = "response",
    offset: Any = None,
    se: bool = False,
) -> pd.Series | pd.DataFrame:
    """Predicted means or linear predictors.

    Parameters
    ----------
    fit : GLMFit
    newdata : data frame, optional
    type : {"response", "link"}
    offset : array, shape (r,), or float, optional
    se : bool, default False

    Returns
    -------
    Series, shape (r,), or DataFrame
        With ``se``: columns ``fit, se``.
    """
    if type not in TYPES:
        raise ArgumentError(f"type={type!r} is not known; use 'response' or 'link'")
    found = get_prediction(fit, newdata, offset)
    columns = {"fit": found.mean, "se": found.mean_se}
    if type == "link":
        columns = {"fit": found.eta, "se": found.eta_se}
    if newdata is None:
        table = pd.DataFrame({k: fit.design.pad(v) for k, v in columns.items()})
    else:
        table = pd.DataFrame(columns, index=found.index)
    return table if se else table["fit"].rename("prediction")


def simulate(
    fit: GLMFit, nsim: int = 1, seed: int | np.random.Generator | None = None
) -> pd.DataFrame:
    """Draw responses from the fitted model.

    Parameters
    ----------
    fit : GLMFit
    nsim : int, default 1
    seed : int or numpy Generator, optional

    Returns
    -------
    DataFrame, shape (n, nsim)

    Raises
    ------
    ArgumentTypeError
        If ``nsim`` is not a positive integer.
    """
    if not isinstance(nsim, (int, np.integer)) or isinstance(nsim, bool) or nsim < 1:
        raise ArgumentTypeError(f"nsim must be a positive integer, got {nsim!r}")
    seen, rng = fit.observations, np.random.default_rng(seed)
    draws = {
        f"sim_{i + 1}": fit.family.sample(rng, fit.mu, seen.prior, seen.trials, fit.zeta)
        for i in range(nsim)
    }
    return pd.DataFrame(draws, index=fit.design.index)


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
