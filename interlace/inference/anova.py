"""Tests of the terms of one model, type I, II and III.

F tests as lmerTest's for linear models, Wald chi-squared tests as those of car's ``Anova`` for
others.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import one_of
from ..design.terms import TermCoding
from ..errors import ArgumentError, NumericalError
from .kenward_roger import kenward_roger_f
from .satterthwaite import satterthwaite_f
from .tails import chi2_pvalue, f_pvalue
from .wald import OF_LINEAR, covariance_for, default_test, degrees_of_freedom, method_of, wald_chisq

if TYPE_CHECKING:
    from ..models.kinds import AnyFit
    from ..models.lmm import LMMFit

TYPES = {"I": "I", "II": "II", "III": "III", 1: "I", 2: "II", 3: "III"}
# A column depends on others when this share of it is left after projecting them out.
DEPENDENT = 1e-8
# Entries of contrasts, which are simple fractions, below this are rounding (R's zapsmall).
ZAP = 1e-9


def anova_table(
    fit: AnyFit, type: Any = "III", test: str | None = None, ddf: str | None = None
) -> pd.DataFrame:
    """Tests of the fixed-effects terms, a row each, as `TYPES` names them.

    F with Satterthwaite's degrees of freedom, or Kenward and Roger's, for a linear mixed model,
    Wald's tests for others.
    """
    type = one_of("type", type, TYPES)
    method = method_of(fit, ddf, "ddf")
    if not fit.linear:
        return _wald_table(fit, TYPES[type], test or default_test(fit))
    key = "contrasts", TYPES[type]
    if key not in fit.memo:
        fit.memo[key] = term_contrasts(fit.design, TYPES[type])
    contrasts = fit.memo[key]
    rows = []
    f_test = kenward_roger_f if method == OF_LINEAR[1] else satterthwaite_f
    for L in contrasts.values():
        F, num_df, den_df = f_test(fit, L)
        mean_square = F * fit.sigma**2
        p = f_pvalue(F, num_df, den_df)
        rows.append((mean_square * num_df, mean_square, num_df, den_df, F, p))
    columns = ["Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"]
    index = pd.Index(list(contrasts), name="term", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns)


def car_table(fit: AnyFit, type: Any = "III", test: str | None = None) -> pd.DataFrame:
    """Tests of the terms as car's ``Anova`` makes them: of type III those of coefficients as coded.

    F of linear mixed models are Kenward and Roger's; others are Wald's.
    """
    type = TYPES[one_of("type", type, ("II", "III", 2, 3))]
    test = ("F" if fit.linear else "Chisq") if test is None else test
    kr = fit.linear and test == "F"
    method = OF_LINEAR[1] if kr else fit.df_method
    if type == "III":
        unit = np.eye(fit.p)
        contrasts = {name: unit[at] for name, at in fit.design.x_terms if unit[at].size}
    else:
        contrasts = term_contrasts(fit.design, type, _information_root(covariance_for(fit, method)))
    index = pd.Index(list(contrasts), name="term", dtype=object)
    if test == "Chisq":
        return _chisq_table(fit, contrasts, index)
    if kr:
        rows = [kenward_roger_f(cast("LMMFit", fit), L) for L in contrasts.values()]
    else:
        wald = (wald_chisq(fit, L) for L in contrasts.values())
        den_df = float(degrees_of_freedom(fit, np.zeros((1, 1)))[0])
        rows = [(value / df, df, den_df) for value, df in wald]
    values = [(F, df, den_df, f_pvalue(F, df, den_df)) for F, df, den_df in rows]
    return pd.DataFrame(values, index=index, columns=["F", "Df", "Df.res", "Pr(>F)"])


def _chisq_table(fit: AnyFit, contrasts: dict[str, np.ndarray], index: pd.Index) -> pd.DataFrame:
    rows = [wald_chisq(fit, L) for L in contrasts.values()]
    values = np.array([value for value, _ in rows])
    df = np.array([df for _, df in rows], dtype=np.int64)
    columns = {"Chisq": values, "Df": df, "Pr(>Chisq)": chi2_pvalue(values, df)}
    return pd.DataFrame(columns, index=index)


def _wald_table(fit: AnyFit, type: str, test: str) -> pd.DataFrame:
    """Wald tests of the terms."""
    contrasts = term_contrasts(fit.design, type, _information_root(fit.cov_beta))
    index = pd.Index(list(contrasts), name="term", dtype=object)
    if test == "Chisq":
        return _chisq_table(fit, contrasts, index)
    rows = [wald_chisq(fit, L) for L in contrasts.values()]
    values = np.array([value for value, _ in rows])
    df = np.array([df for _, df in rows], dtype=np.int64)
    with np.errstate(invalid="ignore"):  # a term without columns left has no degree of freedom
        F, den_df = values / df, degrees_of_freedom(fit, np.zeros((len(df), 1)))
    p = np.array([f_pvalue(*row) for row in zip(F, df, den_df, strict=True)])
    columns = {"NumDF": df, "DenDF": den_df, "F value": F, "Pr(>F)": p}
    return pd.DataFrame(columns, index=index)


def _information_root(V: np.ndarray) -> np.ndarray:
    """Some R with R'R = V^{-1}; NumericalError if V is not positive definite."""
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.diagonal(V))
    if np.all(se > 0.0) and np.isfinite(V).all():
        # Of correlations: what the units of the covariates are does not matter then.
        values, vectors = np.linalg.eigh(V / se[:, None] / se)
        if np.all(values > 0.0):
            return vectors.T / np.sqrt(values)[:, None] / se
    raise NumericalError(
        "the covariance matrix of the coefficients is not positive definite, so terms cannot be "
        "tested; result.convergence says what the data do not determine"
    )


def term_contrasts(design, type: str, root: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The hypothesis matrix L (r, p) of each term but the intercept, by term.

    `root` is some R (m, p) with R'R the information on the coefficients; default X.
    """
    slices = dict(design.x_terms)
    names = [n for n in slices if n != "Intercept" and slices[n].stop > slices[n].start]
    if not names:
        return {}
    given = root is not None
    if root is None:
        root = design.information_root
    if type == "I" or len(names) == 1:
        # With one term all types test the same hypothesis; the scale of the rows, on which the
        # degrees of freedom depend, is lmerTest's, which takes type I's.
        L = _doolittle(root)
        return {name: L[slices[name]] for name in names}
    if type == "II" and given:
        marginal = {t.name: t.variables for t in design.fixed_terms.terms if t.name in names}
        return {
            name: _type_two(root, slices, [n for n in names if marginal[n] > own], name)
            for name, own in marginal.items()
        }
    codings = {c.name: c for c in design.fixed_terms.codings(design.X)}
    if type == "II":
        containing = {n: [o for o in codings if codings[o].contains(codings[n])] for n in names}
        return {name: _type_two(root, slices, containing[name], name) for name in names}
    return _type_three(design, codings, names)


def _type_two(
    root: np.ndarray, slices: dict[str, slice], containing: list[str], name: str
) -> np.ndarray:
    """The term given those that do not contain it; its own coefficients if none does."""
    p = root.shape[1]
    if not containing:
        return np.eye(p)[slices[name]]
    last = [j for n in containing for j in range(p)[slices[n]]]
    own = list(range(p)[slices[name]])
    first = [j for j in range(p) if j not in own and j not in last]
    order = first + own + last
    L = np.zeros((len(own), p))
    L[:, order] = _doolittle(root[:, order])[len(first) : len(first) + len(own)]
    return L


def _doolittle(X: np.ndarray) -> np.ndarray:
    """The unit triangular factor of X'X = L D L', transposed: each column given those before it.

    The degrees of freedom of an F test depend on the scale of its rows: this is lmerTest's.
    """
    R = np.asarray(np.linalg.qr(X, mode="r"))
    return R / np.diagonal(R)[:, None]


def _type_three(design, codings: dict[str, TermCoding], names: list[str]) -> dict[str, np.ndarray]:
    """SAS's construction, as lmerTest's ``get_contrasts_type3``.

    With one indicator for each cell of each term, D = [columns of all terms] is rank deficient.
    Its columns are combinations of a basis S of them (the treatment contrasts), D = S G. In G',
    each term's columns are made orthogonal to those of the terms that contain it; the rows of the
    basis then hold the hypotheses, which `back` turns from S to the columns of X.
    """
    blocks, starts, reference, sizes = [], {}, {}, []
    position = 0
    for coding in codings.values():
        block, is_reference = _all_cells(coding)
        sizes.append(np.resize(_sizes(coding.values), block.shape[1]))
        starts[coding.name] = slice(position, position + block.shape[1])
        reference[coding.name] = is_reference
        position += block.shape[1]
        blocks.append(block)
    # covariates in units of their size: what counts as zero then does not depend on their own
    size, of_X = np.concatenate(sizes), _sizes(design.X)
    D, X = np.concatenate(blocks, axis=1) / size, design.X / of_X
    # Only linear relations between columns matter: the triangular factor has them all.
    R = np.asarray(np.linalg.qr(np.concatenate([D, X], axis=1), mode="r"))
    D, X = R[:, : D.shape[1]], R[:, D.shape[1] :]
    basis = _basis(D, starts, reference)
    S = D[:, basis]
    G = _zap(np.linalg.lstsq(S, D, rcond=None)[0]).T
    back = np.linalg.lstsq(S, X, rcond=None)[0]
    if not np.allclose(S @ back, X, rtol=0.0, atol=DEPENDENT * np.abs(X).max()):
        raise ArgumentError(
            "type III tests need the factor levels behind every coefficient, which columns "
            "dropped for dependence have made unrecoverable; use type='I' or 'II', or t_test()"
        )
    columns = {n: [i for i, j in enumerate(basis) if _within(j, s)] for n, s in starts.items()}
    order = sorted(codings.values(), key=lambda c: -len(c.factors) - len(c.covariates))
    for coding in order:
        containing = [i for o in codings.values() if o.contains(coding) for i in columns[o.name]]
        if containing and columns[coding.name]:
            own, others = G[:, columns[coding.name]], G[:, containing]
            fitted = others @ np.linalg.lstsq(others, own, rcond=None)[0]
            G[:, columns[coding.name]] = _zap(own - fitted)
    rows = G[basis]
    out = {}
    for name in names:
        L = rows[:, columns[name]].T
        own = np.abs(L).sum(axis=1) > DEPENDENT
        if own.any():
            units = size[basis][columns[name]][own]
            out[name] = (L[own] @ _zap(back)) * of_X / units[:, None]
    return out


def _sizes(columns: np.ndarray) -> np.ndarray:
    """Root mean squares of columns; 1 of those that are zero."""
    size = np.sqrt(np.mean(columns**2, axis=0))
    return np.where(size > 0.0, size, 1.0)


def _all_cells(coding: TermCoding) -> tuple[np.ndarray, np.ndarray]:
    """One column per observed cell and covariate column; and the cells at some first level."""
    n = len(coding.values)
    columns, is_reference = [], []
    for cell in product(*(range(k) for k in coding.n_levels)):
        inside = np.ones(n, dtype=bool)
        for codes, level in zip(coding.codes, cell, strict=True):
            inside &= codes == level
        if inside.any():
            columns.append(coding.values * inside[:, None])
            is_reference += [0 in cell] * coding.values.shape[1]
    return np.concatenate(columns, axis=1), np.array(is_reference, dtype=bool)


def _basis(D: np.ndarray, starts: dict[str, slice], reference: dict[str, np.ndarray]) -> list[int]:
    """Independent columns, term by term, cells away from the first levels first."""
    Q = np.zeros((D.shape[0], 0))
    chosen: list[int] = []
    for name, where in starts.items():
        candidates = np.arange(where.start, where.stop)
        for j in candidates[np.argsort(reference[name], kind="stable")]:
            column = D[:, j] / np.linalg.norm(D[:, j])
            rest = column - Q @ (Q.T @ column)
            rest -= Q @ (Q.T @ rest)
            size = np.linalg.norm(rest)
            if size > DEPENDENT:
                Q = np.column_stack([Q, rest / size])
                chosen.append(int(j))
    return sorted(chosen)


def _within(j: int, where: slice) -> bool:
    return where.start <= j < where.stop


def _zap(A: np.ndarray) -> np.ndarray:
    return np.where(np.abs(A) < ZAP * max(1.0, np.abs(A).max(initial=0.0)), 0.0, A)
