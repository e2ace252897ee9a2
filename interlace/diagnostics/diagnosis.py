"""Whether a fit is sound: what is singular, separated or not identified; what to fit instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..covariance.structures import SINGULAR_TOLERANCE
from ..design.predictor import MEAN
from ..errors import InterlaceError, listing
from ..formula.terms import lhs_terms
from ..inference.deletion import lrt_pvalues, random_deletions, written
from ..inference.update import reduced, with_terms
from ..linalg.information import inverse_where_determined
from ..models.separation import family_separation
from ..models.verdicts import endless_coefficients
from .convergence import convergence

__all__ = ["Finding", "FitDiagnosis", "diagnose"]

# A share of an effect in a direction, beside the largest, that is left out of its name.
NEGLIGIBLE = 1e-3
# A direction with less than this share of the variance of its term is nearly lost.
NEARLY_LOST = 1e-3
# An increase of the log-likelihood from which a reduced model is no better by rounding.
ROUNDING = 1e-6

COLUMNS = ("problem", "where", "direction", "formula", "LRT", "Df", "p_value", "advice")


class Finding(NamedTuple):
    """One thing that is wrong, and the model to fit instead.

    Attributes
    ----------
    problem : str
        ``"singular"``, ``"separated"``, ``"not identified"``, ``"breaks down"``,
        ``"not converged"`` or ``"aliased"``.
    where : str
        The random term, the linear predictor or the coefficients that it is about.
    direction : str
        The combination of effects or coefficients, in the names of the fit.
    formula : str
        A reduced formula that can be fitted; empty where there is none.
    advice : str
    LRT, Df, p_value : float
        The likelihood-ratio test of the reduced model, its p-value corrected where the variance of
        one effect is on its boundary.
    """

    problem: str
    where: str
    direction: str
    formula: str
    advice: str
    LRT: float = np.nan
    Df: float = np.nan
    p_value: float = np.nan


@dataclass(frozen=True, eq=False)
class FitDiagnosis:
    """What is wrong with a fit, or the evidence that nothing is.

    Attributes
    ----------
    verdict : str
        That of ``m.convergence``.
    findings : tuple of Finding
        Empty for a sound fit.
    evidence : dict of str to str
        What the verdict rests on, by subject.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
    >>> m.diagnose().findings[0].direction
    'Intercept'
    >>> il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff")).diagnose().healthy
    True
    """

    verdict: str
    message: str
    findings: tuple[Finding, ...]
    evidence: dict[str, str]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_frame(self) -> pd.DataFrame:
        """One row a finding.

        Returns
        -------
        DataFrame
            ``problem, where, direction, formula, LRT, Df, p_value, advice``.
        """
        rows = [[getattr(finding, name) for name in COLUMNS] for finding in self.findings]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _lines(self) -> list[str]:
        lines = [self.message if self.findings else f"nothing is wrong: {self.message}"]
        for finding in self.findings:
            lines.append(f"- {finding.problem}: {finding.where}")
            if finding.direction:
                lines.append(f"    direction  {finding.direction}")
            if finding.formula:
                lines.append(f"    try        {finding.formula}")
            if np.isfinite(finding.LRT):
                test = f"chi-squared {finding.LRT + 0.0:.4g} on {finding.Df:g} df"
                lines.append(f"    test       {test}, p = {finding.p_value:.3g}")
            lines.append(f"    advice     {finding.advice}")
        lines += [f"{subject}: {words}" for subject, words in self.evidence.items()]
        return lines

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(index=False, na_rep="") if self.findings else ""
        evidence = "".join(
            f"<li>{escape(subject)}: {escape(words)}</li>"
            for subject, words in self.evidence.items()
        )
        return f"<p>{escape(self._lines()[0])}</p>{table}<ul>{evidence}</ul>"


def diagnose(result: Any, tests: bool) -> FitDiagnosis:
    """Everything that is wrong with a fit; with ``tests`` the reduced models are fitted."""
    fit = result.fit
    findings = [*_aliased(fit), *_separated(fit), *_singular(fit), *_others(fit)]
    evidence = _evidence(fit, findings)
    if tests and result.call:
        findings = [_tested(result, one) for one in findings]
    return FitDiagnosis(fit.verdict, fit.message, tuple(findings), evidence)


# -- random effects -------------------------------------------------------------------------------


def _singular(fit: Any) -> Iterator[Finding]:
    """Directions of random effects without variance, with the terms to fit instead."""
    yield from _structures_on_a_boundary(fit)
    for term, text_of_term, directions in _lost_directions(fit):
        group = term.labelled(fit.covariance.group_names[term.factor])
        where = f"({', '.join(term.names)}) by {group}"
        for direction in directions:
            names = [name for name, c in zip(term.names, direction, strict=True) if c]
            text = combination(direction, term.names)
            for formula, advice in _smaller(fit, term, text_of_term, names):
                yield Finding("singular", where, text, formula, advice)


def _is_plain(structure: Any) -> bool:
    """Whether it is (x | g) or (x || g), of which single effects may be left out."""
    return structure.identity and not structure.ranked


def _structures_on_a_boundary(fit: Any) -> Iterator[Finding]:
    if not fit.theta.size:
        return
    covariance, theta = fit.covariance, fit.theta_standard
    for term, own in zip(covariance.terms, covariance.theta_slices, strict=True):
        at = theta[own]
        text = term.structure.boundary(at, at, term.names, SINGULAR_TOLERANCE)
        if text and not _is_plain(term.structure):
            group = term.labelled(covariance.group_names[term.factor])
            where = f"{term.structure.name}() by {group}"
            advice = "take a structure with fewer parameters, or leave the term as it is"
            yield Finding("singular", where, text.replace("{group}", group), "", advice)


def _lost_directions(fit: Any) -> Iterator[tuple[Any, str, np.ndarray]]:
    """Terms that have lost rank, their texts, and combinations c of their effects with c'b = 0."""
    if not fit.theta.size:
        return
    covariance, scale = fit.covariance, fit.scale
    templates = covariance.templates(fit.theta_standard)
    for term, own in zip(covariance.terms, fit.design.terms, strict=True):
        if not _is_plain(term.structure):
            continue
        T = templates[term.factor][term.columns, term.columns]
        lost = int((np.abs(np.diag(T)) < SINGULAR_TOLERANCE).sum())
        if not lost:
            continue
        null = np.linalg.svd(T)[0][:, len(T) - lost :].T
        R = scale.z_roots[term.factor][term.columns, term.columns]
        units = np.ones(len(T)) if scale.units is None else scale.units[term.factor][term.columns]
        # T of the data with R T = T of standardised covariates
        raw = (null * units) @ R
        yield term, own.text, _tidied(raw, _sizes(fit, term))


def _sizes(fit: Any, term: Any) -> np.ndarray:
    """Root mean squares of the term's columns of Z, (k,)."""
    Z = fit.design.factors[term.factor].Z[:, term.columns]
    return np.sqrt(np.maximum((Z * Z).mean(axis=0), np.finfo(float).tiny))


def _tidied(directions: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Reduced to echelon form, so that an effect without variance is a direction by itself."""
    A = np.array(directions) / sizes
    row = 0
    for column in np.argsort(-np.abs(A).max(axis=0), kind="stable"):
        if row == len(A):
            break
        pivot = row + int(np.abs(A[row:, column]).argmax())
        if np.abs(A[pivot, column]) <= NEGLIGIBLE * np.abs(A).max():
            continue
        A[[row, pivot]] = A[[pivot, row]]
        A[row] /= A[row, column]
        others = np.arange(len(A)) != row
        A[others] -= np.outer(A[others, column], A[row])
        row += 1
    A[np.abs(A) < NEGLIGIBLE * np.abs(A).max(axis=1, keepdims=True)] = 0.0
    A = A * sizes
    first = np.array([own[np.flatnonzero(own)[-1]] if own.any() else 1.0 for own in A])
    return A / first[:, None]


def combination(coefficients: Sequence[float], names: Sequence[str]) -> str:
    """``Intercept - 0.25 Days``."""
    out = ""
    for c, name in zip(coefficients, names, strict=True):
        if c == 0.0:
            continue
        size = "" if abs(abs(c) - 1.0) < 5e-4 else f"{abs(c):.3g} "
        sign = ("-" if c < 0.0 else "") if not out else (" - " if c < 0.0 else " + ")
        out += f"{sign}{size}{name}"
    return out


def _smaller(fit: Any, term: Any, text_of_term: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """Reduced formulas without the covariances of a term, or without the effects named."""
    formula = fit.design.formula
    if term.component:
        yield "", f"leave {listing(names)} out of the random terms of the {term.component} model"
        return
    texts = [spec.text for spec in formula.random]
    if text_of_term not in texts:
        yield "", "simplify the term"
        return
    at = texts.index(text_of_term)
    spec = formula.random[at]
    others = [one.text for j, one in enumerate(formula.random) if j != at]
    terms = lhs_terms(spec.lhs)
    single = len(terms) == len(term.names)
    if len(names) > 1:
        numbers = not any("[" in name for name in term.names)
        if single and numbers and spec.structure == "us":
            text = written(replace(spec, structure="diag"), terms)
            advice = "effects that depend on each other, here as if independent"
            yield with_terms(formula, [*others, text]), advice
        names = [name for name in names if name != "Intercept"][-1:]
    dropped = _terms_of(names, terms, single, term.names)
    rest = [one for one in terms if one not in dropped]
    kept = [written(spec, rest)] if rest else []
    left = "the term" if not rest else listing(dropped)
    yield with_terms(formula, [*others, *kept]), f"leave {left} out, or leave the term as it is"


def _terms_of(
    names: list[str], terms: list[str], single: bool, all_names: Sequence[str]
) -> list[str]:
    """Terms of the left side that effects come from."""
    if single:
        of = dict(zip(all_names, terms, strict=True))
        return [of[name] for name in names]
    slopes = [one for one in terms if one != "1"]
    return ["1"] if names == ["Intercept"] else slopes[-1:]


# -- coefficients ---------------------------------------------------------------------------------


def _aliased(fit: Any) -> Iterator[Finding]:
    dropped = [str(name) for name in fit.design.dropped_columns]
    if dropped:
        advice = "they depend on columns before them and were left out; write a formula without"
        yield Finding("aliased", "fixed effects", listing(dropped), "", advice)


def _separated(fit: Any) -> Iterator[Finding]:
    """Coefficients of the mean, or of another predictor, without a finite estimate."""
    if fit.linear or fit.verdict not in ("separated", "not identified"):
        return
    design = fit.design
    separation = None
    if len(design.predictors) == 1 and fit.p:
        separation = family_separation(design.X, fit.observations, fit.family, design.x_names)
    if separation is not None:
        names = list(separation.infinite)
        rows = int(separation.rows.sum())
        scaled = separation.direction / np.abs(separation.direction).max(initial=1e-300)
        scaled[np.abs(scaled) < NEGLIGIBLE] = 0.0
        where = f"{listing(names)} ({rows} of {fit.n} rows are predicted perfectly)"
        formula = _without_fixed(fit, names)
        advice = "leave out or merge the terms or levels; the test is right, their intervals not"
        yield Finding("separated", where, combination(scaled, design.x_names), formula, advice)
        return
    lost = endless_coefficients(fit) if fit.theta.size and getattr(fit, "several", False) else {}
    for own, names in lost.items():
        formula = _without_fixed(fit, names) if own == MEAN else ""
        advice = "join the levels that have no, or only, such rows, or simplify the formula"
        yield Finding("separated", f"the {own} model", listing(names), formula, advice)


def _without_fixed(fit: Any, names: Sequence[str]) -> str:
    """The formula without the terms that coefficients are of and that no other term contains."""
    terms = {t.name: t for t in fit.design.mean.terms.terms}
    places = dict(zip(fit.design.x_names, range(len(fit.design.x_names)), strict=True))
    own = [
        term
        for term, columns in fit.design.x_terms
        if term != "Intercept" and any(places[n] in range(*columns.indices(fit.p)) for n in names)
    ]
    highest = [t for t in own if not any(terms[t].variables < terms[o].variables for o in terms)]
    if not highest:
        return ""
    return f". ~ . - {highest[-1]}"


# -- the rest of the verdicts ---------------------------------------------------------------------


def _others(fit: Any) -> Iterator[Finding]:
    """Verdicts that directions and coefficients do not explain."""
    where = "random effects" if fit.theta.size else "fixed effects"
    if fit.verdict == "not converged":
        yield Finding(fit.verdict, "the search", "", "", "m.all_fit() compares searches")
    elif fit.verdict == "breaks down":
        advice = "m.laplace_error() says how far the approximation is from the integral"
        yield Finding(fit.verdict, "the approximation", "", "", advice)
    elif fit.verdict == "not identified" and not any(_separated(fit)):
        yield from _flat(fit, where)
    elif fit.verdict == "separated" and fit.theta.size and not any(_separated(fit)):
        for one in random_deletions(fit.design.formula, False):
            formula = with_terms(fit.design.formula, one.random)
            yield Finding(fit.verdict, one.label, "", formula, f"leave out {one.label}")


def _flat(fit: Any, where: str) -> Iterator[Finding]:
    """Parameters that the data do not determine; random terms to leave out if they are theirs."""
    flat = _flat_parameters(fit)
    of_effects = fit.theta.size and any(name in fit.covariance.theta_names for name in flat)
    if not of_effects or not np.isfinite(fit.llf):
        yield Finding(fit.verdict, where, listing(flat), "", fit.message)
        return
    for one in random_deletions(fit.design.formula, True):
        formula = with_terms(fit.design.formula, one.random)
        yield Finding(fit.verdict, where, listing(flat), formula, f"leave out {one.label}")


def _flat_parameters(fit: Any) -> list[str]:
    """Parameters with a share in directions that have no curvature."""
    if fit.linear:
        flat = ~np.isfinite(np.diagonal(inverse_where_determined(fit.optimum.curvature)))
        return [name for name, lost in zip(fit.covariance.theta_names, flat, strict=True) if lost]
    if fit.irls:
        return []
    flat = ~np.isfinite(np.diagonal(fit.cov_all))
    return [name for name, lost in zip(fit.parameter_names, flat, strict=True) if lost]


# -- tests ----------------------------------------------------------------------------------------


def _tested(result: Any, finding: Finding) -> Finding:
    """The finding with the likelihood-ratio test of its formula."""
    if not finding.formula:
        return finding
    whole = result.fit
    fixed = finding.formula.startswith(". ~")
    method = {"method": "ML"} if whole.linear and fixed else {}
    try:
        smaller = reduced(result, finding.formula, **method)
    except InterlaceError as error:
        return finding._replace(formula="", advice=f"{finding.advice} ({error})")
    text = smaller.formula
    fit = smaller.fit
    if fit.is_reml != whole.is_reml:
        whole, fit = whole.as_ml(), fit.as_ml()
    if fit.n != whole.n:
        return finding._replace(formula=text)
    df = whole.n_parameters - fit.n_parameters
    if df < 1 or not np.isfinite([whole.llf_maximum, fit.llf_maximum]).all():
        return finding._replace(formula=text)
    statistic = max(2.0 * (whole.llf_maximum - fit.llf_maximum), 0.0)
    statistic = 0.0 if statistic < ROUNDING else statistic
    plain, mixed = lrt_pvalues(statistic, df, _effects(whole) - _effects(fit))
    p = plain if np.isnan(mixed) else mixed
    return finding._replace(formula=text, LRT=statistic, Df=float(df), p_value=p)


def _effects(fit: Any) -> int:
    """Random effects of a level, over all grouping factors."""
    return sum(map(len, fit.T))


# -- evidence -------------------------------------------------------------------------------------


def _evidence(fit: Any, findings: Sequence[Finding]) -> dict[str, str]:
    """What has been looked at, and the numbers seen there."""
    certificate = convergence(fit)
    rows = dict(certificate._rows())
    out = {"search": f"gradient {rows['gradient']}; {rows['search']}"}
    if np.isfinite(certificate.hessian_eigenvalues).all():
        out["curvature"] = rows["curvature"]
    if fit.theta.size:
        out["random effects"] = _smallest_direction(fit)
    if not fit.linear and not any(one.problem == "separated" for one in findings):
        out["separation"] = "every coefficient has a finite estimate"
    if fit.nAGQ is not None and fit.has_rows:
        out["approximation"] = "m.laplace_error() takes the integral itself"
    return out


def _smallest_direction(fit: Any) -> str:
    """The direction of random effects with the least share of its term's variance, in words."""
    covariance = fit.covariance
    templates = covariance.templates(fit.theta_standard)
    least, where = np.inf, ""
    for term in covariance.terms:
        T = templates[term.factor][term.columns, term.columns]
        values = np.linalg.svd(T, compute_uv=False) ** 2
        if term.structure.ranked:
            values = values[: term.structure.rank]
        lost = values[-1] < SINGULAR_TOLERANCE**2
        share = 0.0 if lost else float(values[-1] / values.sum())
        if share < least:
            group = term.labelled(covariance.group_names[term.factor])
            least, where = share, f"({', '.join(term.names)}) by {group}"
    if least == 0.0:
        return f"a direction of {where} has no variance"
    if least == 1.0:
        return "every variance is above zero"
    nearly = ": nearly lost" if least < NEARLY_LOST else ""
    return f"the least direction of {where} has {100.0 * least:.2g} % of the variance{nearly}"
