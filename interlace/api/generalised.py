"""The front door of generalised linear mixed models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked
from ..frames.parts import is_in_parts
from ..inference.update import Doors
from ..optimize import watched
from .design_and_result import design_of, parted_frame_of, result_of, scanned_data
from .engine import taken_out
from .glm import glm

# A linear model does not pay for what only generalised ones need: imported when first fitted.
if TYPE_CHECKING:
    from ..results.glmm import GLMMResult


@checked
@watched
def glmer(
    formula: str,
    data: Any,
    family: Any,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    weights: Any = None,
    optimizer: Literal["newton", "lbfgsb", "bobyqa"] = "newton",
    theta0: Any = None,
    nAGQ: int = 1,
    offset: Any = None,
    dispformula: str | None = None,
    ziformula: str | None = None,
    *,
    shapeformula: str | None = None,
    zoiformula: str | None = None,
    coiformula: str | None = None,
    link: Any = None,
    laplace: Literal["expected", "observed"] | None = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
    backend: Literal["auto", "blocked", "nested", "schur", "cholmod", "superlu"] = "auto",
    executor: Any = None,
    partitions: int | None = None,
    matrices: Mapping[str, Any] | None = None,
    progress: bool | Literal["auto"] = "auto",
) -> GLMMResult:
    """Fit a generalised linear mixed model by maximum likelihood.

    Parameters
    ----------
    formula : str
        lme4's grammar: ``"y ~ x + (1 | g)"``, ``"cbind(k, n - k) ~ x + (1 | g)"``,
        ``"k / n ~ x"``; the random part may be given apart.
    data : data frame
        pandas, Polars (lazy too), PyArrow, anything narwhals reads, or a dict of columns. With
        ``executor`` or ``partitions`` each worker reads its part of a lazy frame, of Parquet files
        (a path, with wildcards too, or a list of paths), or of a list of lazy frames; the result
        then has no rows.
    family : str, Family or object
        ``"binomial"``, ``"poisson"``, ``"negativebinomial"``, ``"gamma"``,
        ``"inverse_gaussian"``, ``"gaussian"``, R's spellings of them (``"binomial(probit)"``), a
        family such as ``il.Binomial(link="cloglog")``, or an object with the `GLMMFamily`
        protocol (``link``, ``linkinv``, ``mu_eta``, ``variance``, ``dev_resids``).
    groups : str or sequence of str, optional
        Grouping columns, each with a random intercept.
    random : str or sequence of str, optional
        Random-effect terms such as ``"(1 + x | g)"``; wins over ``groups``.
    weights : array, Series or column name, shape (n,), optional
        Var(y_i) = dispersion V(mu_i) / w_i, as in ``lmer``; numbers of trials where the response
        is a proportion; where the family has no dispersion they multiply the log-density. All
        positive.
    optimizer : {"newton", "lbfgsb", "bobyqa"}, default "newton"
        The first two use exact gradients; ``"bobyqa"`` none, in lme4's two stages.
    theta0 : array, shape (n_theta,), optional
        Start for theta, on lme4's scale and in its order.
    nAGQ : int, default 1
        1: Laplace's approximation. More: nodes per dimension of adaptive Gauss-Hermite
        quadrature, for one grouping factor with at most 3 effects. 0: the coefficients are
        found inside penalised IRLS, fast and not quite the maximum.
    offset : array, Series or column name, shape (n,), optional
        Known part of the linear predictor of the mean, added to any ``offset()`` in the formula.
    dispformula : str, optional
        One-sided formula of the dispersion: ``"~ x + (1 | g)"``, on the scale of the family's
        parameter, mostly its logarithm. This and the next ones take all that stands on the right
        of `formula`; a ``.`` there is the right side of `formula` without offsets.
    ziformula : str, optional
        Of the logit of the probability of a structural zero; ``"~ 0"`` means that there are none.
        With a family that has no zeros of its own (positive and truncated ones) the model is a
        hurdle model, with others zero-inflated.
    shapeformula : str, optional
        Of the shape, in families with a parameter besides mean and dispersion.
    zoiformula, coiformula : str, optional
        Of the logits of the probability of a zero or one, and of a one among these, in the beta
        family inflated at both.
    link : str or Link, optional
        Link in place of the family's own.
    laplace : {"expected", "observed"}, optional
        Information in the determinant: expected (Fisher) as lme4 for binomial, Poisson and
        negative binomial, observed as glmmTMB for the families with a free dispersion; the same
        where the link is canonical.
    contrasts : dict of column to contrast, optional
        As for :func:`fit`.
    subset : array of bool or str, optional
        Rows to use.
    na_action : {"omit", "exclude", "raise"}, default "omit"
        What happens to rows with missing values, as for :func:`fit`.
    backend : {"auto", "blocked", "nested", "schur", "cholmod", "superlu"}, default "auto"
        How Lambda'Z'WZ Lambda + I is factorised.
    executor : pool, Dask Client or joblib.Parallel, optional
        Workers for the levels of the outermost grouping factor, in which all others are nested:
        a pool of ``concurrent.futures`` or one with its interface, ``joblib.Parallel``, a Dask
        ``Client``. Each holds its part of the rows for the whole fit. Estimates do not depend on
        who works, nor on how many.
    partitions : int, optional
        Number of these parts, by default as many as the executor does at a time; without an
        ``executor``, threads of this process.
    matrices : dict of name to matrix, optional
        Known matrices that formulas name, ``(1 | g, cov=A)``, as for :func:`fit`.
    progress : bool or "auto", default "auto"
        Show stage, evaluations and criterion on the standard error, in a bar of tqdm where that is
        installed: always, never, or in a terminal or notebook once a fit takes some seconds.

    Returns
    -------
    GLMMResult
        Always with a verdict on its convergence, ``result.convergence``.

    Raises
    ------
    FormulaError
        If the formula cannot be read or has no random term.
    DataError
        If columns or values do not suit the model or the family.
    ArgumentError
        If another argument does not.
    NumericalError
        If no parameters are found for which the model can be computed.
    WorkerError
        If a worker of ``executor`` is gone for good.

    Warns
    -----
    ConvergenceWarning
        If no optimum was found, or the data do not determine the parameters.
    DataWarning
        If rows or columns were dropped, or counts are not whole numbers.

    References
    ----------
    Bates, Mächler, Bolker and Walker (2015), Fitting Linear Mixed-Effects Models Using lme4,
    Journal of Statistical Software 67(1). Pinheiro and Chao (2006), Efficient Laplacian and
    adaptive Gaussian quadrature algorithms for multilevel generalized linear mixed models,
    Journal of Computational and Graphical Statistics 15(1).

    Examples
    --------
    >>> import interlace as il
    >>> cbpp = il.load_dataset("cbpp")
    >>> m = il.glmer("incidence / size ~ period", cbpp, "binomial", groups="herd")
    >>> m.fe_params.round(3).tolist()
    [-1.399, -0.992, -1.129, -1.58]
    >>> round(m.llf, 4)
    -92.0263

    Counts of which some are zero for a reason of their own, more of them in mined streams:

    >>> streams = il.load_dataset("Salamanders")
    >>> m = il.glmer("count ~ mined + (1 | site)", streams, "poisson", ziformula="~ mined")
    >>> round(m.llf, 2)
    -949.23
    """
    call = dict(locals())
    engine = taken_out(call, nAGQ)

    from ..families import resolve
    from ..models.density import with_parameters
    from ..models.glmm import fit_glmm
    from ..models.observations import observe
    from ..models.predictors import check_approximation, predictors_of
    from ..objective.generalised.quadrature import check_nAGQ, check_nodes
    from ..results.glmm import GLMMResult

    check_nAGQ(nAGQ)
    resolved, formulas = predictors_of(resolve(family, link), call)
    in_parts = isinstance(data, str | os.PathLike | list | tuple)
    if (in_parts or any(own is not None for own in engine.values())) and is_in_parts(data):
        return _from_parts(call, resolved, formulas, engine)
    design, seconds = design_of(call, linear=False, mixed=True, others=formulas)
    if nAGQ != 1 or laplace == "expected":
        check_approximation(nAGQ, laplace, with_parameters(design, resolved))
    if nAGQ > 1:
        check_nodes(nAGQ, design)
    observations = observe(design, resolved, varying=True)
    fitted = fit_glmm(
        design,
        resolved,
        observations,
        nAGQ=nAGQ,
        expected=None if laplace is None else laplace == "expected",
        optimizer=optimizer,
        theta0=theta0,
        backend=backend,
        seconds=seconds,
        **engine,
    )
    return result_of(GLMMResult, fitted, call, Doors(glmer, glm))


def _from_parts(
    call: dict[str, Any], family: Any, formulas: Any, engine: dict[str, Any]
) -> GLMMResult:
    """The result of a model of rows that workers read."""
    from ..models.glmm_parted import fit_parts
    from ..objective.partitioned.engines import check_engine, parts_of
    from ..results.glmm_parted import PartedResult

    nodes, laplace = call["nAGQ"], call["laplace"]
    check_engine(**engine, nAGQ=nodes)
    call["data"] = scanned_data(call)
    frame, seconds = parted_frame_of(call, formulas)
    fitted = fit_parts(
        frame,
        family,
        nAGQ=nodes,
        expected=None if laplace is None else laplace == "expected",
        **{name: call[name] for name in ("optimizer", "theta0", "backend")},
        seconds=seconds,
        **engine,
    )
    # in parts again when the model is fitted again, by threads
    call["partitions"] = parts_of(**engine)
    return result_of(PartedResult, fitted, call, Doors(glmer, glm))
