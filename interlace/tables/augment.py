"""The rows of a fit with fitted values, residuals and influence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..diagnostics.influence import cooks_distance, hat_values
from ..diagnostics.ordinal_residuals import ordinal_residuals
from ..diagnostics.residuals import default_type, residual_array
from ..inference.components import has_components
from ..inference.ordinal import categories, observed_probabilities
from ..inference.residual_covariance import is_independent
from .source_rows import all_rows_of_data

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit, MixedFit
    from ..models.regression import RegressionFit


def augment(
    fit: MixedFit,
    data: Any = None,
    influence: bool = True,
    source: Any = None,
    own_response: bool = False,
) -> pd.DataFrame:
    """The rows of a mixed model with broom.mixed's columns.

    ``.fitted, .resid, [.hat, .cooksd,] .fixed`` and, if the fit has them, ``.offset`` and
    ``.weights``. Of a generalised model ``.fitted`` and ``.fixed`` are linear predictors,
    ``.resid`` deviance residuals (those of the response where the family has no deviance), and
    ``.mu``, ``.sqrtXwt``, ``.sqrtrwt`` and ``.wtres`` the fitted means, the roots of the expected
    weights and of weights over variances, dispersion aside, and the Pearson residuals. Of a model
    with several components, or with correlated residuals, there is no influence; the predictor is
    the mean's. ``data, source, own_response``: see :func:`all_rows_of_data`.
    """
    design = fit.design
    frame = all_rows_of_data(design, data, source, own_response)
    eta = fit.fixed_part + fit.random_part
    new = {".fitted": eta, ".resid": residual_array(fit, default_type(fit))}
    if influence and not has_components(fit) and is_independent(fit):
        new[".hat"] = hat_values(fit)
        new[".cooksd"] = cooks_distance(fit, new[".hat"])
    new[".fixed"] = fit.fixed_part
    if design.offset is not None:
        new[".offset"] = design.offset
    if not fit.linear:
        variance = fit.family.variance(fit.mu, fit.zeta)
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(fit.observations.weights / variance)
            new[".sqrtXwt"] = root * np.abs(fit.family.mean_slope(fit.eta, fit.zeta))
        new[".mu"] = fit.mu
        new[".sqrtrwt"] = root
        new[".weights"], new[".wtres"] = fit.observations.weights, residual_array(fit, "pearson")
    elif design.weights is not None:
        new[".weights"] = design.weights
    return frame.assign(**_columns(fit, new))


def augment_ordinal(
    fit: Any, data: Any = None, source: Any = None, own_response: bool = False
) -> pd.DataFrame:
    """The rows of a model of ordered categories.

    ``.fitted``, the probability of the category observed, ``.class``, the most probable one,
    ``.resid`` (probability residuals), ``.eta`` and, with random effects, ``.fixed``.
    """
    frame = all_rows_of_data(fit.design, data, source, own_response)
    eta, thresholds = fit.standard(fit.eta)
    columns: dict[str, Any] = {
        ".fitted": observed_probabilities(fit),
        ".class": fit.family.probabilities(eta, thresholds).argmax(axis=1).astype(float),
        ".resid": ordinal_residuals(fit),
        ".eta": np.array(fit.eta),
    }
    if fit.T:
        columns[".fixed"] = np.array(fit.fixed_part)
    own: dict[str, Any] = {**_columns(fit, columns)}
    own[".class"] = categories(fit, np.nan_to_num(own[".class"], nan=-1.0).astype(int))
    return frame.assign(**own)


def augment_glm(
    fit: GLMFit | RegressionFit,
    data: Any = None,
    type_predict: str = "link",
    type_residuals: str | None = None,
    source: Any = None,
    own_response: bool = False,
) -> pd.DataFrame:
    """The rows of a model without random effects with broom's columns.

    ``.fitted, .resid, .hat, .cooksd, .std_resid``, the last three of models with one component;
    ``data, source, own_response``: see :func:`all_rows_of_data`.
    """
    frame = all_rows_of_data(fit.design, data, source, own_response)
    resid = residual_array(fit, default_type(fit) if type_residuals is None else type_residuals)
    columns = {".fitted": fit.eta if type_predict == "link" else fit.mu, ".resid": resid}
    if has_components(fit):
        return frame.assign(**_columns(fit, columns))
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = resid / np.sqrt(fit.dispersion * (1.0 - fit.hat))
    columns |= {
        ".hat": fit.hat,
        ".cooksd": cooks_distance(fit, fit.hat),
        ".std_resid": standard,
    }
    return frame.assign(**_columns(fit, columns))


def _columns(fit: AnyFit, columns: dict[str, Any]) -> dict[str, np.ndarray]:
    """The columns by row of the frame, missing where a row was not used."""
    return {name: fit.design.pad(values).to_numpy() for name, values in columns.items()}
