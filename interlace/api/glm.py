"""The front door of generalised linear models: formula and data in, result out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked
from ..inference.update import Doors
from .design_and_result import design_of, result_of

# A linear mixed model does not pay for what only generalised ones need.
if TYPE_CHECKING:
    from ..results.glm import GLMResult


@checked
def glm(
    formula: str,
    data: Any,
    family: Any = "gaussian",
    *,
    weights: Any = None,
    offset: Any = None,
    dispformula: str | None = None,
    ziformula: str | None = None,
    shapeformula: str | None = None,
    zoiformula: str | None = None,
    coiformula: str | None = None,
    link: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
) -> GLMResult:
    """Fit a generalised linear model without random effects.

    By iteratively reweighted least squares, as R's ``glm`` and ``MASS::glm.nb``; by maximum
    likelihood for all parameters at once, as glmmTMB without random terms, where one of the
    formulas beside `formula` is given, or the family has parameters of its own (``"beta"``,
    ``"nbinom1"``, zero-inflated ones, …) or is truncated.

    Parameters
    ----------
    formula : str
        ``"y ~ x"``. A binomial response is 0/1, booleans, a factor of two levels (the first is
        failure), ``cbind(k, n - k)``, ``k / n``, or proportions with ``weights`` as trials.
    data : data frame
        pandas, Polars (lazy too), PyArrow, anything narwhals reads, or a dict of columns.
    family : str or family, default "gaussian"
        ``"binomial"``, ``"poisson"``, ``"gamma"``, ``"inverse_gaussian"``,
        ``"negativebinomial"`` (theta estimated by maximum likelihood), any other family of
        :func:`glmer`, or an object such as ``Binomial(link="cloglog")``.
    weights : array, Series or column name, shape (n,), optional
        Var(y_i) = dispersion V(mu_i) / w_i; numbers of trials where the response is a proportion;
        where the family has no dispersion they multiply the log-density. All positive.
    offset : array, Series or column name, shape (n,), optional
        Known part of the linear predictor of the mean, added to any ``offset()`` in the formula.
    dispformula, ziformula, shapeformula, zoiformula, coiformula : str, optional
        One-sided formulas, ``"~ x"``, of the dispersion, of the logit of the probability of a
        structural zero and of other parameters of the family, as for :func:`glmer`.
    link : str or Link, optional
        Link in place of the family's own.
    contrasts : dict of column to contrast, optional
        ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"``, ``"SAS"``, ``"diff"``, a matrix, or
        a formulaic contrast object.
    subset : array of bool or str, optional
        Rows to use.
    na_action : {"omit", "exclude", "raise"}, default "omit"
        What happens to rows with missing values: dropped (a warning counts them), dropped but
        padded in fitted values and residuals, or an error.

    Returns
    -------
    GLMResult
        Always with a verdict on its convergence, ``result.convergence``.

    Raises
    ------
    FormulaError
        If the formula cannot be read or has random terms.
    DataError
        If columns or values do not suit the model.
    ArgumentError
        If another argument does not.

    Warns
    -----
    ConvergenceWarning
        If the likelihood has no maximum (separated responses: the coefficients are named; no
        more zeros than the family has), or none was found.
    DataWarning
        If rows or columns were dropped, or counts are not whole.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, 2nd edition, Chapman and Hall.

    Examples
    --------
    >>> import interlace as il
    >>> formula = "cbind(incidence, size - incidence) ~ period"
    >>> m = il.glm(formula, il.load_dataset("cbpp"), family="binomial")
    >>> m.bse.round(4).tolist()
    [0.1449, 0.2915, 0.3129, 0.4131]
    >>> round(m.aic, 3)
    206.058

    Counts of which some are zero for a reason of their own:

    >>> streams = il.load_dataset("Salamanders")
    >>> m = il.glm("count ~ mined + spp", streams, family="nbinom2", ziformula="~ mined")
    >>> m.zi_params.round(3).to_dict()
    {'Intercept': 0.49, 'mined[T.no]': -3.065}
    """
    call = dict(locals())

    from ..families import resolve
    from ..models.glm import by_irls, fit_glm
    from ..models.observations import observe
    from ..models.predictors import predictors_of
    from ..results.glm import GLMResult

    resolved, formulas = predictors_of(resolve(family, link), call)
    textbook = formulas is None and by_irls(resolved)
    design, seconds = design_of(call, linear=False, mixed=False, others=formulas)
    observations = observe(design, resolved, varying=not textbook)
    if textbook:
        fitted: Any = fit_glm(design, observations, resolved, seconds=seconds)
        return result_of(GLMResult, fitted, call, Doors(glm, glm))
    from ..models.regression import fit_regression

    fitted = fit_regression(design, resolved, observations, seconds=seconds)
    return result_of(GLMResult, fitted, call, Doors(glm, glm))
