"""The front door of linear mixed models: formula and data in, result out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..calls import checked
from ..errors import ArgumentError
from ..frames.lazy import is_lazy
from ..frames.parts import is_in_parts
from ..inference.update import Doors
from ..models.lmm import fit_lmm
from ..optimize import watched
from ..results.lmm import LMMResult
from .design_and_result import design_of, result_of, scanned_data, summed_design_of
from .glm import glm

if TYPE_CHECKING:
    from ..design.design import Design


@checked
@watched
def fit(
    formula: str,
    data: Any,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    *,
    method: Literal["REML", "ML"] | None = None,
    REML: bool | None = None,
    weights: Any = None,
    offset: Any = None,
    optimizer: Literal["newton", "lbfgsb", "bobyqa"] = "newton",
    theta0: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
    backend: Literal["auto", "blocked", "nested", "schur", "cholmod", "superlu"] = "auto",
    dispformula: str | None = None,
    correlation: Any = None,
    variance: Any = None,
    matrices: Mapping[str, Any] | None = None,
    progress: bool | Literal["auto"] = "auto",
    compress: bool = False,
) -> LMMResult:
    """Fit a linear mixed model by REML or maximum likelihood.

    Parameters
    ----------
    formula : str
        lme4's grammar: ``"y ~ x + (1 + x | g)"``; the random part may be given apart.
    data : data frame
        pandas, Polars, PyArrow, anything narwhals reads, or a dict of columns. Of a lazy frame
        (Polars, DuckDB, Dask, Ibis, PySpark) the engine sums what is needed and its rows stay
        where they are; with ``dispformula``, ``correlation`` or ``variance`` it is collected. Paths
        of Parquet files are a lazy frame of Polars.
    groups : str or sequence of str, optional
        Grouping columns, each with a random intercept.
    random : str or sequence of str, optional
        Random-effect terms such as ``"(1 + x | g)"``; wins over ``groups``.
    method : {"REML", "ML"}, default "REML"
        Criterion.
    REML : bool, optional
        lme4's way to say the same: False is ``method="ML"``.
    weights : array, Series or column name, shape (n,), optional
        Prior weights, Var(y_i) = sigma^2 / w_i; all positive.
    offset : array, Series or column name, shape (n,), optional
        Known part of the linear predictor, added to any ``offset()`` in the formula.
    optimizer : {"newton", "lbfgsb", "bobyqa"}, default "newton"
        Trust-region Newton and L-BFGS-B use exact gradients; BOBYQA none, as lme4.
    theta0 : array, shape (n_theta,), optional
        Start for theta, on lme4's scale and in its order.
    contrasts : dict of column to contrast, optional
        ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"``, ``"SAS"``, ``"diff"``, a matrix, or
        a formulaic contrast object.
    subset : array of bool or str, optional
        Rows to use.
    na_action : {"omit", "exclude", "raise"}, default "omit"
        What happens to rows with missing values: dropped (a warning counts them), dropped but
        padded in fitted values and residuals, or an error.
    backend : {"auto", "blocked", "nested", "schur", "cholmod", "superlu"}, default "auto"
        How M = Lambda'Z'WZ Lambda + I is factorised; ``"auto"`` chooses by predicted fill.
    dispformula : str, optional
        A model of the residual standard deviation, ``"~ x + (1 | g)"``: its logarithm is a linear
        predictor of its own. The criterion is Laplace's approximation then, exact where the
        formula has no random effects.
    correlation : str, optional
        A correlation of the residuals within groups, nlme's ``correlation=``: ``"ar1(time | g)"``
        (whole-numbered times; ``"ar1(1 | g)"``: the order of the rows),
        ``"arma(time | g, p=2, q=1)"``, ``"car1(time | g)"`` (any times), ``"cs(1 | g)"``,
        ``"us(time | g)"``, ``"exp(x + y | g)"`` or ``"gau(x + y | g)"``, these with
        ``nugget=True`` too. Without a group it is that of the random effects, the innermost one.
    variance : str or sequence of str, optional
        Standard deviations of the residuals, nlme's ``weights=``: ``"~ f"`` (one for each level),
        ``"power(x)"``, ``"exp(x)"``, ``"constpower(x)"``, ``"fixed(x)"``, of a column or of
        ``fitted`` values; ``"power(x | f)"`` by level; several, or ``"ident(1 | f) * exp(x)"``,
        are multiplied. With ``correlation`` or ``variance`` there need not be random effects.
    matrices : dict of name to matrix, optional
        Those that formulas name as ``(1 | g, cov=A)`` or ``(1 | g, precision=Q)``: DataFrames with
        the levels of g as index and columns, or pairs (matrix, levels) of an array or a scipy
        sparse matrix and its levels. Variables where the function is called serve too.
    progress : bool or "auto", default "auto"
        Show stage, evaluations and criterion on the standard error, in a bar of tqdm where that is
        installed: always, never, or in a terminal or notebook once a fit takes some seconds.
    compress : bool, default False
        Fit the sums of a frame in memory as well, for many rows of few different values: the rows
        are not kept, and a result holds what the number of levels asks for. Numbers are the same.

    Returns
    -------
    LMMResult
        Always with a verdict on its convergence, ``result.convergence``. With ``dispformula``
        a GLMMResult of the Gaussian family.

    Raises
    ------
    FormulaError
        If the formula cannot be read.
    DataError
        If columns or values do not suit the model.
    ArgumentError
        If another argument does not.

    Warns
    -----
    ConvergenceWarning
        If no optimum was found, or the data do not determine the variance parameters.
    DataWarning
        If rows or columns were dropped.

    References
    ----------
    Bates, Mächler, Bolker and Walker (2015), Fitting Linear Mixed-Effects Models Using lme4,
    Journal of Statistical Software 67(1).

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.fe_params.round(3).to_dict()
    {'Intercept': 251.405, 'Days': 10.467}
    >>> round(m.reml_criterion, 3)
    1743.628
    """
    call = dict(locals()) | {"method": _criterion(method, REML), "REML": None}
    if is_in_parts(data):
        data = call["data"] = scanned_data(call)
    if correlation is not None or variance is not None:
        if compress:
            raise ArgumentError(
                "compress=True keeps sums over the rows alone, and correlation= and variance= "
                "need each row; leave one or the other out"
            )
        return _with_residual_covariance(call)
    family, others = _formulas(call)
    if compress and others is not None:
        raise ArgumentError(
            "compress=True keeps sums over the rows alone, and dispformula= needs each row; "
            "leave one of them out"
        )
    if others is None and (compress or is_lazy(data)):
        return _from_sums(call)
    design, seconds = design_of(call, linear=others is None, mixed=True, others=others)
    search = {"optimizer": optimizer, "theta0": theta0, "backend": backend, "seconds": seconds}
    if len(design.predictors) > 1:
        return _with_dispersion(design, family, call, search)
    fitted = fit_lmm(design, reml=call["method"] == "REML", **search)
    return result_of(LMMResult, fitted, call, Doors(fit, glm))


def _from_sums(call: dict[str, Any]) -> LMMResult:
    """The result of a model of a lazy frame, whose engine sums what is needed."""
    from ..models.lmm_summed import fit_sums
    from ..results.lmm_summed import SummedResult

    design, seconds = summed_design_of(call)
    search = {name: call[name] for name in ("optimizer", "theta0", "backend")}
    fitted = fit_sums(design, reml=call["method"] == "REML", seconds=seconds, **search)
    return result_of(SummedResult, fitted, call, Doors(fit, glm))


@checked
@watched
def gls(
    formula: str,
    data: Any,
    correlation: Any = None,
    variance: Any = None,
    *,
    method: Literal["REML", "ML"] | None = None,
    REML: bool | None = None,
    weights: Any = None,
    offset: Any = None,
    optimizer: Literal["newton", "lbfgsb", "bobyqa"] = "newton",
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: Literal["omit", "exclude", "raise"] = "omit",
    progress: bool | Literal["auto"] = "auto",
) -> LMMResult:
    """Fit a linear model by generalised least squares, without random effects.

    As nlme's ``gls``: :func:`fit` with ``correlation`` or ``variance`` and no random terms.

    Parameters
    ----------
    formula : str
        ``"y ~ x"``.
    data : data frame
        As for :func:`fit`.
    correlation, variance
        As for :func:`fit`; without both, least squares.
    method, REML, weights, offset, optimizer, contrasts, subset, na_action, progress
        As for :func:`fit`; ``weights`` are numbers, what nlme calls so is ``variance``.

    Returns
    -------
    LMMResult

    Raises
    ------
    FormulaError
        If the formula cannot be read, or has random terms.
    DataError, ArgumentError
        As :func:`fit`.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> m = il.gls("Reaction ~ Days", sleep, "ar1(Days | Subject)")
    >>> round(m.llf, 3)
    -869.603
    """
    call = dict(locals()) | {"method": _criterion(method, REML), "REML": None}
    return _with_residual_covariance({**call, "theta0": None, "backend": "auto"}, mixed=False)


def _with_residual_covariance(call: dict[str, Any], mixed: bool | None = None) -> LMMResult:
    """The result of a model with a covariance of its residuals."""
    from ..formula.residual import ResidualSpec
    from ..models.lmm_residual import fit_residual

    if call.get("dispformula") is not None:
        raise ArgumentError(
            f"dispformula={call['dispformula']!r} and "
            f"{'correlation' if call['correlation'] is not None else 'variance'}= are two models "
            "of the residuals; variance='exp(x)' beside correlation= is what dispformula='~ x' is"
        )
    spec = ResidualSpec.of(call["correlation"], call["variance"]) or ResidualSpec(None, ())
    design, seconds = design_of(call, linear=True, mixed=mixed, residual=spec)
    search = {name: call[name] for name in ("optimizer", "theta0", "backend")}
    fitted = fit_residual(design, reml=call["method"] == "REML", seconds=seconds, **search)
    doors = Doors(fit if mixed is None else gls, gls)
    if mixed is not None:
        call = {name: value for name, value in call.items() if name not in ("theta0", "backend")}
    return result_of(LMMResult, fitted, call, doors)


def _with_dispersion(
    design: Design, family: Any, call: dict[str, Any], search: dict[str, Any]
) -> Any:
    """The result of a model whose residual variance has a formula."""
    from ..models.glmm import fit_glmm
    from ..models.observations import observe
    from ..results.glmm import GLMMResult

    observations = observe(design, family, varying=True)
    fitted = fit_glmm(design, family, observations, method=call["method"], **search)
    return result_of(GLMMResult, fitted, call, Doors(fit, glm))


@checked
def lmer(formula: str, data: Any, REML: bool | None = None, **arguments: Any) -> LMMResult:
    """Fit a linear mixed model: :func:`fit` under lme4's name.

    Parameters
    ----------
    formula : str
        lme4's grammar.
    data : data frame
        As for :func:`fit`.
    REML : bool, optional
        lme4's way to ask for ``method="REML"`` (default) or ``"ML"``.
    **arguments
        As for :func:`fit`.

    Returns
    -------
    LMMResult

    Raises
    ------
    ArgumentError
        As :func:`fit`; also if ``REML`` and ``method`` contradict each other.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.lmer("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"), REML=False)
    >>> round(m.llf, 4)
    -163.6635
    """
    return fit(formula, data, REML=REML, **arguments)


def _formulas(call: dict[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    """The family, if it is at issue, and formulas of the predictors beside the mean's, by name."""
    if call["dispformula"] is None:
        return None, None
    from ..families import Gaussian
    from ..models.predictors import predictors_of

    return predictors_of(Gaussian(), call)


def _criterion(method: str | None, REML: bool | None) -> str:
    """The criterion that two arguments for it mean."""
    if REML is None:
        return method or "REML"
    meant = "REML" if REML else "ML"
    if method not in (None, meant):
        raise ArgumentError(
            f"REML={REML} and method={method!r} contradict each other: REML={REML} means "
            f"method={meant!r}; give one of them"
        )
    return meant
