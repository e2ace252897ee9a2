"""Marginal means under R's names: `emmeans`, `contrast`, `pairs`, `joint_tests`, `ls_means`, …."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..calls import checked
from ..errors import ArgumentTypeError, brief
from ..inference.marginal_means import Contrasts, MarginalMeans
from ..results.base import ModelResult
from .arguments import check_result

__all__ = [
    "EmmResult", "contrast", "difflsmeans", "emmeans", "joint_tests", "ls_means", "pairs",
]  # fmt: skip

_COLUMNS = {
    **dict.fromkeys(("emmean", "response", "ratio", "odds_ratio"), "estimate"),
    "std_error": "SE", "conf_low": "lower", "conf_high": "upper", "statistic": "t.ratio",
    "p_value": "p.value",
}  # fmt: skip


class EmmResult(pd.DataFrame):
    """Marginal means or contrasts as a data frame: ``estimate, SE, df`` and intervals or tests.

    Attributes
    ----------
    source : MarginalMeans or Contrasts
        What it is a table of, with ``cld()``, ``test()``, ``regrid()`` and the like.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.emmeans(m, "Machine")["estimate"].round(3).tolist()
    [52.356, 60.322, 66.272]
    """

    _metadata = ["source"]

    @property
    def _constructor(self) -> type[EmmResult]:
        return EmmResult


def _table(source: MarginalMeans | Contrasts, frame: pd.DataFrame) -> EmmResult:
    out = EmmResult(frame.rename(columns=_COLUMNS))
    object.__setattr__(out, "source", source)
    return out


def _means(emm: Any) -> MarginalMeans:
    source = getattr(emm, "source", emm)
    if not isinstance(source, MarginalMeans):
        raise ArgumentTypeError(
            f"emm must be marginal means, of il.emmeans(m, 'f') or m.emmeans('f'); got {brief(emm)}"
        )
    return source


@checked
def emmeans(
    model: ModelResult,
    specs: str | Sequence[str],
    at: Mapping[str, Any] | None = None,
    level: float = 0.95,
    **others: Any,
) -> EmmResult:
    """Estimated marginal means: ``m.emmeans`` as a plain table.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    specs : str or sequence of str
        Variables whose means are wanted: ``"f"``, ``["f", "g"]``, ``"f | g"``.
    at : dict, optional
        Values in the grid in place of the default ones.
    level : float, default 0.95
    **others
        As for ``m.emmeans``: ``by``, ``weights``, ``type``, ``ddf``, ….

    Returns
    -------
    EmmResult
        The variables, ``estimate, SE, df, lower, upper``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.pairs(il.emmeans(m, "Machine"))["p.value"].round(6).tolist()
    [0.0, 0.0, 3e-06]
    """
    check_result(model, "emmeans")
    source = model.emmeans(specs, at=at, level=level, **others)
    return _table(source, source.to_frame())


@checked
def contrast(
    emm: Any, method: Any = "pairwise", adjust: str | None = "none", **others: Any
) -> EmmResult:
    """Contrasts of marginal means: ``m.emmeans(…).contrast`` as a plain table.

    Parameters
    ----------
    emm : EmmResult or MarginalMeans
    method : str, dict, list, data frame or callable, default "pairwise"
        As for ``m.emmeans(…).contrast``.
    adjust : str, default "none"
        The same; None for the method's own.
    **others
        The same: ``ref``, ``by``, ``simple``, ``interaction``, ….

    Returns
    -------
    EmmResult
        ``contrast, estimate, SE, df, t.ratio, p.value``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.contrast(il.emmeans(m, "Machine"), "consec")["estimate"].round(3).tolist()
    [7.967, 5.95]
    """
    source = _means(emm).contrast(method, adjust, **others)
    return _table(source, source.test())


@checked
def pairs(emm: Any, adjust: str | None = "tukey", **others: Any) -> EmmResult:
    """All pairwise differences of marginal means: ``contrast`` with Tukey's adjustment.

    Parameters
    ----------
    emm : EmmResult or MarginalMeans
    adjust : str, default "tukey"
    **others
        As for ``contrast``.

    Returns
    -------
    EmmResult

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.pairs(il.emmeans(m, "Machine"))["contrast"].tolist()
    ['A - B', 'A - C', 'B - C']
    """
    return contrast(emm, "pairwise", adjust, **others)


@checked
def joint_tests(model: ModelResult, by: str | Sequence[str] | None = None, **others: Any):
    """F tests of the terms by their marginal means: ``m.joint_tests``.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    by : str or sequence of str, optional
    **others
        As for ``m.joint_tests``.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.joint_tests(m)["df_num"].tolist()
    [2]
    """
    check_result(model, "joint_tests")
    return model.joint_tests(by, **others)


@checked
def ls_means(
    model: ModelResult,
    which: str | Sequence[str] | None = None,
    level: float = 0.95,
    ddf: str | None = None,
    pairwise: bool = False,
) -> pd.DataFrame:
    """Least-squares means of the terms of factors, as lmerTest's ``ls_means``.

    Parameters
    ----------
    model : LMMResult, GLMMResult or GLMResult
    which : str or sequence of str, optional
        Terms, such as ``"f"`` or ``"f:g"``; default: all of factors alone.
    level : float, default 0.95
    ddf : {"Satterthwaite", "Kenward-Roger"}, optional
    pairwise : bool, default False
        Their differences in place of them.

    Returns
    -------
    DataFrame
        ``term, levels, Estimate, Std. Error, df, t value, lower, upper, Pr(>|t|)``. Covariates are
        at their means; nothing is adjusted for the number of tests.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.ls_means(m)["Estimate"].round(3).tolist()
    [52.356, 60.322, 66.272]
    """
    check_result(model, "ls_means")
    from ..inference.ls_means import ls_means as table

    return table(model.fit, model._data, which, level, ddf, pairwise)


@checked
def difflsmeans(
    model: ModelResult,
    which: str | Sequence[str] | None = None,
    level: float = 0.95,
    ddf: str | None = None,
) -> pd.DataFrame:
    """Differences of least-squares means: ``ls_means(…, pairwise=True)`` under lmerTest's name.

    Parameters
    ----------
    model, which, level, ddf
        As for ``ls_means``.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("score ~ Machine + (1 | Worker)", il.load_dataset("Machines"))
    >>> il.difflsmeans(m)["levels"].tolist()
    ['A - B', 'A - C', 'B - C']
    """
    return ls_means(model, which, level, ddf, pairwise=True)
