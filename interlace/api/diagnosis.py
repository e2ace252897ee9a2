"""Diagnosis of fits by the names of R and of the earlier package."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from ..calls import checked
from ..diagnostics.glm_influence import glm_deletion
from ..diagnostics.influence import Influence
from ..diagnostics.residuals import residual_array
from ..errors import ArgumentError
from ..results.base import ModelResult
from ..tables.source_rows import all_rows_of_data
from .arguments import check_result

__all__ = [
    "cooks_distance",
    "hlm_augment",
    "hlm_influence",
    "hlm_resid",
    "influence",
    "leverage",
    "lmer_influence_measures",
    "mdffits",
    "n_influential",
    "ols_dfbetas_qr",
    "ols_influence_measures",
]


@checked
def influence(model: Any, groups: Any = None, *, exact: bool | None = None) -> Influence:
    """Influence of each row or group, under R's name: ``influence(model, groups)`` of lme4.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    groups : str, sequence of str, array or Series, optional
        What is left out one by one: see the method ``influence``. Default: each row.
    exact : bool, optional
        Fit again without each of them. Default, as in R: for mixed models, not for others.

    Returns
    -------
    Influence

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.influence(m, "Subject").dfbeta.loc["308"].round(3).tolist()
    [0.424, -0.665]
    """
    check_result(model, "influence")
    return model.influence(groups, bool(model.fit.T) if exact is None else exact)


def _is_rows(level: Any) -> bool:
    return isinstance(level, (int, np.integer)) and not isinstance(level, bool) and level == 1


@checked
def hlm_resid(
    model: Any,
    full_data: bool = True,
    type: Literal["marginal", "conditional"] = "marginal",
    standardized: bool = False,
    level: int | str = 1,
) -> pd.DataFrame:
    """Residuals of rows or groups, as the earlier package had them.

    Parameters
    ----------
    model : LMMResult
    full_data : bool, default True
        With the variables of the formula in front, for rows.
    type : {"marginal", "conditional"}, default "marginal"
        Of rows: without and with the random effects.
    standardized : bool, default False
        Divided by their standard deviations; marginal ones made uncorrelated.
    level : 1 or str, default 1
        Rows, or the name of a grouping factor.

    Returns
    -------
    DataFrame
        ``.resid, .fitted`` of rows, ``.ranef.<group>.<effect>`` of groups. The method
        ``level_residuals`` has all of HLMdiag's, those of least squares too.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.hlm_resid(m, type="conditional")[".resid"].head(2).round(3).tolist()
    [-4.104, -14.625]
    """
    check_result(model, "hlm_resid")
    if not hasattr(model, "level_residuals"):
        raise ArgumentError(
            "hlm_resid is for models with random effects; for this one use m.residuals()"
        )
    table = model.level_residuals(level, standardized, include_ls=False)
    if not _is_rows(level):
        group = table.index.name
        named = {name: name.replace(".ranef.", f".ranef.{group}.") for name in table.columns}
        return table.rename(columns=named)
    mean = ".mar.fitted" if type == "marginal" else ".fitted"
    residual = {
        ("marginal", False): ".mar.resid",
        ("marginal", True): ".chol.mar.resid",
        ("conditional", False): ".resid",
        ("conditional", True): ".std.resid",
    }[type, bool(standardized)]
    out = pd.DataFrame({".resid": table[residual], ".fitted": table[mean]})
    return _with_data(model, out) if full_data else out


def _with_data(model: ModelResult, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the data, and columns beside them."""
    frame = all_rows_of_data(model.fit.design, None, model._data, model.call is not None)
    return frame.assign(**{str(name): table[name].to_numpy() for name in table})


@checked
def leverage(model: Any, level: int | str = 1) -> pd.DataFrame:
    """Leverages by their source: the method ``leverage``, under the earlier package's name.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    level : 1 or str, default 1

    Returns
    -------
    DataFrame
        ``overall, fixef, ranef, ranef.uc``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.leverage(m)["overall"].head(3).round(4).tolist()
    [0.2293, 0.1697, 0.1268]
    """
    check_result(model, "leverage")
    return model.leverage(level)


@checked
def hlm_influence(
    model: Any,
    level: int | str = 1,
    vc_formula: Any = None,
    optimizer: Literal["newton", "lbfgsb", "bobyqa", "nelder-mead"] | None = None,
    n_jobs: int = 1,
    show_progress: bool = False,
    *,
    approx: bool = False,
) -> pd.DataFrame:
    """Influence of rows or groups under the columns of HLMdiag.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    level : 1 or str, default 1
        Rows, or the name of a grouping factor.
    vc_formula, optimizer, n_jobs, show_progress
        Of the earlier package; the refits are those of the model itself, and need none of them.
    approx : bool, default False
        In one step, with the variance parameters held; HLMdiag's default.

    Returns
    -------
    DataFrame
        ``cooksd, mdffits, covtrace, covratio``, of refits ``rvc.…``, and ``leverage.overall``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.hlm_influence(m, "Subject", approx=True)["cooksd"].idxmax()
    '309'
    """
    check_result(model, "hlm_influence")
    influence = model.influence(None if _is_rows(level) else level, not approx).to_frame()
    columns = {"cooks_distance": "cooksd"}
    first = ["cooks_distance", "mdffits", "covtrace", "covratio"]
    changes = [name for name in influence if name.startswith("rvc.")]
    table = influence[[*first, *changes]].rename(columns=columns)
    if "hat" in influence:
        table["leverage.overall"] = model.leverage(level)["overall"].to_numpy()
    return table


@checked
def lmer_influence_measures(
    model: Any,
    optimizer: Literal["newton", "lbfgsb", "bobyqa", "nelder-mead"] | None = None,
    show_progress: bool = False,
    n_jobs: int = 1,
    analytical: bool = False,
) -> dict[str, Any]:
    """Influence of rows as a dict of arrays, as the earlier package had it.

    Parameters
    ----------
    model : LMMResult
    optimizer, show_progress, n_jobs
        Of the earlier package; the refits need none of them.
    analytical : bool, default False
        In one step, with the variance parameters held.

    Returns
    -------
    dict
        ``cooks, hat, hat_overall, hat_fixef, dfbetas, dffits, residuals, sigma``: ``dfbetas`` (n,
        p) and ``sigma`` (n,) without the row, ``dffits`` the change of the fitted value in its
        standard errors.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> sorted(il.lmer_influence_measures(m, analytical=True))[:3]
    ['cooks', 'dfbetas', 'dffits']
    """
    check_result(model, "lmer_influence_measures")
    if not (model.fit.linear and model.fit.T):
        raise ArgumentError(
            "lmer_influence_measures is for linear mixed models; m.influence() is for all models"
        )
    influence, hat = model.influence(exact=not analytical), model.leverage()
    known = influence.variances
    pad = model.fit.design.pad
    residuals = pad(residual_array(model.fit, "response")).to_numpy()
    h = hat["overall"].to_numpy()
    sigma = np.where(np.isnan(h), np.nan, model.sigma)
    if known is not None:
        sigma = np.sqrt(known["sigma2"].to_numpy())
    root = pad(np.sqrt(model.fit.observations.weights)).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        dffits = residuals * root * np.sqrt(h) / (sigma * (1.0 - h))
    return {
        "cooks": influence.cooks_distance.to_numpy(),
        "hat": h,
        "hat_overall": h,
        "hat_fixef": hat["fixef"].to_numpy(),
        "dfbetas": influence.dfbetas.to_numpy(),
        "dffits": dffits,
        "residuals": residuals,
        "sigma": sigma,
    }


@checked
def cooks_distance(
    model: Any, optimizer: Literal["newton", "lbfgsb", "bobyqa", "nelder-mead"] | None = None
) -> pd.Series:
    """Cook's distance of each row, as R's ``cooks.distance``.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    optimizer
        Of the earlier package; nothing is fitted.

    Returns
    -------
    Series, (n,)

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.cooks_distance(m).head(2).round(3).tolist()
    [0.005, 0.04]
    """
    check_result(model, "cooks_distance")
    return model.cooks_distance()


@checked
def mdffits(
    model: Any, optimizer: Literal["newton", "lbfgsb", "bobyqa", "nelder-mead"] | None = None
) -> pd.Series:
    """MDFFITS of each row in one step, as HLMdiag's ``mdffits``.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    optimizer
        Of the earlier package; nothing is fitted.

    Returns
    -------
    Series, (n,)

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.mdffits(m).idxmax()
    59
    """
    check_result(model, "mdffits")
    return model.influence().mdffits


@checked
def n_influential(
    model: Any,
    threshold: float | None = None,
    optimizer: Literal["newton", "lbfgsb", "bobyqa", "nelder-mead"] | None = None,
) -> int:
    """How many rows have a Cook's distance above a threshold.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    threshold : float, optional
        Default: 4 / n.
    optimizer
        Of the earlier package; nothing is fitted.

    Returns
    -------
    int

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.n_influential(m, threshold=0.2)
    18
    """
    check_result(model, "n_influential")
    limit = 4.0 / model.fit.n if threshold is None else threshold
    return int(np.count_nonzero(model.cooks_distance() > limit))


@checked
def ols_influence_measures(model: Any) -> dict[str, Any]:
    """Influence of the rows of a linear model as a dict of arrays, R's ``influence.measures``.

    Parameters
    ----------
    model : GLMResult
        Of the normal family with its identity link.

    Returns
    -------
    dict
        ``cooks, hat, dfbetas, dffits, residuals`` by row, and ``sigma``. ``dfbetas`` (n, p) and
        ``dffits`` are in standard errors with sigma without the row.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.glm("Reaction ~ Days", il.load_dataset("sleepstudy"))
    >>> il.ols_influence_measures(m)["dffits"].round(3).max()
    np.float64(0.363)
    """
    check_result(model, "ols_influence_measures")
    fit = model.fit
    if not (fit.irls and fit.family.residual_variance and fit.family.link.linear):
        raise ArgumentError(
            "ols_influence_measures is for linear models without random effects; m.influence() "
            "is for all models"
        )
    hat, dfbetas = model.hatvalues().to_numpy(), glm_deletion(fit).dfbetas
    table = pd.DataFrame(dfbetas, fit.design.index)
    with np.errstate(divide="ignore", invalid="ignore"):
        dffits = model.rstudent().to_numpy() * np.sqrt(hat / (1.0 - hat))
    return {
        "cooks": model.cooks_distance().to_numpy(),
        "hat": hat,
        "dfbetas": fit.design.pad_rows(table).to_numpy(),
        "dffits": dffits,
        "residuals": model.residuals("response").to_numpy(),
        "sigma": model.sigma,
    }


@checked
def ols_dfbetas_qr(model: Any) -> np.ndarray:
    """DFBETAS of the rows of a linear model, those of :func:`ols_influence_measures`.

    Parameters
    ----------
    model : GLMResult

    Returns
    -------
    ndarray, (n, p)

    Examples
    --------
    >>> import interlace as il
    >>> m = il.glm("Reaction ~ Days", il.load_dataset("sleepstudy"))
    >>> il.ols_dfbetas_qr(m).shape
    (180, 2)
    """
    return ols_influence_measures(model)["dfbetas"]


@checked
def hlm_augment(model: Any, level: int | str = 1, include_influence: bool = True) -> pd.DataFrame:
    """Residuals and one-step influence beside the rows, or of the groups of a factor.

    Parameters
    ----------
    model : LMMResult
    level : 1 or str, default 1
        Rows, or the name of a grouping factor.
    include_influence : bool, default True

    Returns
    -------
    DataFrame
        As ``hlm_resid`` (conditional) and ``hlm_influence(approx=True)``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> il.hlm_augment(m).columns[:5].tolist()
    ['Reaction', 'Days', 'Subject', '.resid', '.fitted']
    """
    check_result(model, "hlm_augment")
    table = hlm_resid(model, type="conditional", level=level)
    if not include_influence:
        return table
    measures = hlm_influence(model, level, approx=True)
    return table.assign(**{str(name): measures[name].to_numpy() for name in measures})
