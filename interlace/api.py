"""The front door: formula and data in, result out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from .covariance import CovarianceModel
from .design import build
from .errors import ArgumentError, ArgumentTypeError, ConvergenceWarning
from .fit import Fit, fit_design
from .optimize import OPTIMIZERS
from .result import LMMResult

METHODS = ("REML", "ML")
BACKENDS = ("auto", "blocked", "nested", "schur", "cholmod", "superlu")


def fit(
    formula: str,
    data: Any,
    groups: str | Sequence[str] | None = None,
    random: str | Sequence[str] | None = None,
    *,
    method: str = "REML",
    weights: Any = None,
    offset: Any = None,
    optimizer: str = "newton",
    theta0: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    subset: Any = None,
    na_action: str = "omit",
    backend: str = "auto",
) -> LMMResult:
    """Fit a linear mixed model by REML or maximum likelihood.

    Parameters
    ----------
    formula : str
        lme4's grammar: ``"y ~ x + (1 + x | g)"``; the random part may be given apart.
    data : data frame
        pandas, Polars (lazy too), PyArrow, anything narwhals reads, or a dict of columns.
    groups : str or sequence of str, optional
        Grouping columns, each with a random intercept.
    random : str or sequence of str, optional
        Random-effect terms such as ``"(1 + x | g)"``; wins over ``groups``.
    method : {"REML", "ML"}, default "REML"
        Criterion.
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

    Returns
    -------
    LMMResult
        Always with a verdict on its convergence, ``result.convergence``.

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
    method = _method(method)
    _one_of("optimizer", optimizer, tuple(OPTIMIZERS))
    _one_of("backend", backend, BACKENDS)
    clock = perf_counter()
    design = build(
        formula,
        data,
        groups=groups,
        random=random,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        subset=subset,
        na_action=na_action,
    )
    seconds = {"design": perf_counter() - clock}
    fitted = fit_design(
        design,
        reml=method == "REML",
        optimizer=optimizer,
        theta0=_start(theta0, design),
        backend=None if backend == "auto" else backend,
        seconds=seconds,
    )
    warn_if_not_converged(fitted)
    return LMMResult(fitted)


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
        As :func:`fit`; also if ``REML`` and ``method`` are both given.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.lmer("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"), REML=False)
    >>> round(m.llf, 4)
    -163.6635
    """
    if REML is not None:
        if "method" in arguments:
            raise ArgumentError(
                f"REML={REML!r} and method={arguments['method']!r} say the same thing twice; "
                "give one of them"
            )
        if not isinstance(REML, (bool, np.bool_)):
            raise ArgumentTypeError(f"REML must be True or False, got {REML!r}")
        arguments["method"] = "REML" if REML else "ML"
    return fit(formula, data, **arguments)


def warn_if_not_converged(fitted: Fit) -> None:
    """One warning, with the verdict's own words, when the optimum cannot be relied on."""
    if fitted.optimum.verdict in ("not converged", "not identified"):
        warnings.warn(fitted.optimum.message, ConvergenceWarning, stacklevel=3)


def _method(method: Any) -> str:
    if isinstance(method, str) and method.upper() in METHODS:
        return method.upper()
    raise _bad_choice("method", method, METHODS)


def _one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise _bad_choice(name, value, allowed)


def _bad_choice(name: str, value: Any, allowed: Sequence[str]) -> ArgumentError:
    text = f"{name}={value!r} is not known; use one of {', '.join(map(repr, allowed))}"
    return ArgumentError(text) if isinstance(value, str) else ArgumentTypeError(text)


def _start(theta0: Any, design) -> np.ndarray | None:
    if theta0 is None:
        return None
    names = CovarianceModel.of(design).theta_names
    try:
        theta = np.asarray(theta0, dtype=float)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"theta0 must be a sequence of {len(names)} numbers, got {theta0!r}"
        ) from None
    if theta.shape != (len(names),):
        raise ArgumentError(
            f"theta0 has shape {theta.shape} but the model has {len(names)} covariance "
            f"parameters: {', '.join(names)}"
        )
    if not np.all(np.isfinite(theta)):
        raise ArgumentError(f"theta0 must be finite, got {theta.tolist()}")
    return theta
