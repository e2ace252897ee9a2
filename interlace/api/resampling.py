"""Functions of fits that draw and refit, by the names they have in R."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..calls import checked
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..inference.resampling.bootstrap import Bootstrap
from ..results.base import ModelResult

__all__ = ["bootMer"]


@checked
def bootMer(  # noqa: N802
    result: Any,
    statistic: Callable[[Any], Any] | None = None,
    B: int = 500,  # noqa: N803
    seed: int | np.random.Generator | None = None,
    show_progress: bool = False,
    *,
    FUN: Callable[[Any], Any] | None = None,  # noqa: N803
    nsim: int | None = None,
    use_u: bool | None = None,
    re_form: Any = False,
    type: Literal["parametric", "semiparametric"] = "parametric",
    workers: int | None = None,
) -> Bootstrap:
    """Bootstrap a fit: :meth:`LMMResult.bootstrap` with the arguments of lme4's ``bootMer``.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
    statistic : callable, optional
        Takes a result, gives numbers; default: all parameters.
    B : int, default 500
        Replicates.
    seed : int or numpy Generator, optional
    show_progress : bool, default False
    FUN, nsim : optional
        ``statistic`` and ``B`` under R's names.
    use_u : bool, optional
        Keep the random effects at their modes.
    re_form : {False, None}, default False
        R's other way to say the same: ``None`` (R's ``NULL``) keeps them, ``False`` (R's ``NA``)
        draws them anew.
    type : {"parametric", "semiparametric"}, default "parametric"
    workers : int, optional
        Threads that refit.

    Returns
    -------
    Bootstrap

    Raises
    ------
    ArgumentError
        If an argument is wrong, or given twice.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> b = il.bootMer(m, lambda m: m.sigma, nsim=100, seed=1)
    >>> b.ci("perc").shape
    (1, 2)
    """
    if not isinstance(result, ModelResult):
        raise ArgumentTypeError(f"bootMer takes a fitted model first, got {brief(result)}")
    if FUN is not None:
        if statistic is not None:
            raise ArgumentError("statistic and FUN= are both given; drop one")
        statistic = FUN
    if re_form is not False and not (isinstance(re_form, float) and np.isnan(re_form)):
        if re_form is not None and re_form is not True:
            raise ArgumentError(
                f"re_form={brief(re_form)}: all random effects are kept (None) or all are drawn "
                "anew (False)"
            )
        if use_u is False:
            raise ArgumentError(f"use_u=False and re_form={re_form} say opposite things")
        use_u = True
    return result.bootstrap(
        B if nsim is None else nsim, statistic, method=type, use_u=use_u, seed=seed,
        workers=workers, progress=show_progress,
    )  # fmt: skip
