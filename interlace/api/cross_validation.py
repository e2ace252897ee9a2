"""Cross-validation of a model that has not been fitted yet: `cross_val`."""

from __future__ import annotations

from typing import Any, Literal

from ..calls import checked
from ..diagnostics.cross_validation import CVResult
from ..formula.parser import parse
from .linear import fit

__all__ = ["cross_val"]


@checked
def cross_val(
    formula: str,
    data: Any,
    groups: Any,
    cv: Literal["logo", "kfold", "rows"] = "logo",
    k: int = 5,
    scoring: Any = "rmse",
    return_models: bool = False,
    *,
    seed: Any = 0,
    workers: int | None = None,
    **fit_kwargs: Any,
) -> CVResult:
    """Cross-validate a mixed model: fit it, then predict groups by fits that have not seen them.

    Parameters
    ----------
    formula : str
        As for :func:`fit`. Without random terms, here or in ``random=``, `groups` has a random
        intercept.
    data : data frame
    groups : str
        The column whose groups are held out.
    cv : {"logo", "kfold", "rows"}, default "logo"
        Leave one group out; `k` folds of groups; `k` folds of single rows, of groups that the fits
        know.
    k : int, default 5
        Folds, but for ``"logo"``.
    scoring, seed, workers
        As for a result's ``cross_val``.
    return_models : bool, default False
        With ``fold_results`` that hold the model of each fold.
    **fit_kwargs
        Of :func:`fit`; with ``family`` of :func:`glmer`.

    Returns
    -------
    CVResult

    Examples
    --------
    >>> import interlace as il
    >>> cv = il.cross_val("Reaction ~ Days", il.load_dataset("sleepstudy"), groups="Subject")
    >>> len(cv.scores), round(cv.mean, 1)
    (18, 43.5)
    """
    terms = "random" in fit_kwargs or parse(formula).random
    arguments = fit_kwargs if terms else {"groups": groups, **fit_kwargs}
    if "family" in fit_kwargs:
        from .generalised import glmer

        model: Any = glmer(formula, data, **arguments)
    else:
        model = fit(formula, data, **arguments)
    by, folds = ("row", k) if cv == "rows" else (groups, None if cv == "logo" else k)
    asked = {"seed": seed, "workers": workers, "return_models": return_models}
    return model.cross_val(by, folds, scoring, **asked)
