"""Covariances of the random effects, their conditional modes, and coefficients of each level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..design.predictor import MEAN
from ..errors import ArgumentError
from ..formula.tokens import split_outside
from ..inference.components import component_of, has_components, part_of, predictor_of
from ..inference.names import names_as
from ..inference.random_effects import conditional_sd, effect_places, effect_predictors, modes
from ..inference.residual_covariance import residual_parts
from ..inference.tails import t_quantile
from ..lookups import ByGroup, VarianceTable

if TYPE_CHECKING:
    from ..design.design import GroupingFactor
    from ..models.kinds import MixedFit


@dataclass(frozen=True)
class TermCovariance:
    """Covariance matrix of the effects of one random term, or the residual variance.

    Where all effects have one standard deviation it is named after the structure, and alone.

    Attributes
    ----------
    group : str
        lme4's label of the term; ``"Residual"``.
    names : list of str
        Its effects; ``[""]`` for the residual.
    component : str
        Of the model: ``"cond"`` for the mean.
    covariance, correlation : ndarray, shape (k, k)
        A correlation is NaN when a standard deviation is zero.
    sd : ndarray, shape (k,)
    correlated : bool
        The model has covariances of these effects.
    """

    group: str
    names: list[str]
    covariance: np.ndarray
    correlation: np.ndarray
    sd: np.ndarray
    correlated: bool
    component: str = "cond"
    #: What the structure says of the correlations: words and values, ``("rho", 0.7)``.
    pattern: tuple[tuple[str, float], ...] = ()
    structure: str = ""


def term_covariances(fit: MixedFit, r_names: bool = False) -> list[TermCovariance]:
    """Covariances of each random term, and the residual variance of a Gaussian model."""
    out = []
    model = fit.covariance
    matrices = model.relative_covariances(fit.theta)
    terms = zip(model.terms, model.term_labels, model.theta_slices, matrices, strict=True)
    for term, label, own, relative in terms:
        S = fit.re_scale**2 * relative
        sd = np.sqrt(np.diagonal(S))
        with np.errstate(divide="ignore", invalid="ignore"):
            R = np.where(np.outer(sd, sd) > 0.0, S / np.outer(sd, sd), np.nan)
        names, group = names_as(term.names, r_names), label.removeprefix(term.labelled(""))
        kind = component_of(term.component or MEAN)
        readings = term.structure.readings(tuple(names))
        values = term.structure.read(fit.theta[own])
        pattern = tuple(
            (one.word, float(value))
            for one, value in zip(readings, values, strict=True)
            if one.kind == "pattern"
        )
        deviations = [one.effects[0] for one in readings if one.kind == "sd"]
        if len(deviations) < len(names):
            names, S, R, sd = deviations, S[:1, :1], R[:1, :1], sd[:1]
        correlated = term.structure.correlated and not pattern
        out.append(
            TermCovariance(group, names, S, R, sd, correlated, kind, pattern, term.structure.name)
        )
    if fit.family.residual_variance and not np.isnan(fit.sigma):
        sd = np.array([fit.sigma])
        S = np.array([[fit.sigma**2]])
        out.append(TermCovariance("Residual", [""], S, np.ones((1, 1)), sd, False))
    return out


def varcorr(fit: MixedFit, r_names: bool = False, se: bool = False) -> pd.DataFrame:
    """Variances, covariances and the residual variance, in lme4's order.

    Columns ``group, term1, term2, variance, sd_or_corr``, after ``component`` where the model has
    several. Rows without ``term2`` are variances, with the standard deviation; the others
    covariances, with the correlation, or parameters of a structure, ``term2`` being ``"rho"``. With
    ``se`` standard errors of ``sd_or_corr`` by the delta method. Parameters of the covariance of
    residuals follow, by name.
    """
    rows: list[tuple] = []
    for t in term_covariances(fit, r_names):
        of = t.component, t.group
        for i, name in enumerate(t.names):
            rows.append((*of, name or np.nan, np.nan, t.covariance[i, i], t.sd[i]))
        if t.correlated:
            rows += [
                (*of, t.names[i], t.names[j], t.covariance[i, j], t.correlation[i, j])
                for i, j in zip(*np.triu_indices(len(t.names), 1), strict=True)
            ]
        rows += [(*of, t.structure, word, np.nan, value) for word, value in t.pattern]
    for part in residual_parts(fit):
        rows += [
            ("cond", "Residual", name, np.nan, np.nan, value)
            for name, value in zip(part.names, part.values, strict=True)
        ]
    columns = ("component", "group", "term1", "term2", "variance", "sd_or_corr")
    kinds = (object, object, object, object, float, float)
    entries = zip(columns, zip(*rows, strict=True), kinds, strict=True)
    shown = list(entries)[0 if has_components(fit) else 1 :]
    out = VarianceTable({name: np.array(v, dtype=kind) for name, v, kind in shown})
    if se:
        from ..inference.intervals import variance_errors

        errors = variance_errors(fit)
        out["se"] = np.append(errors, np.full(len(out) - len(errors), np.nan))
    return out


def variance_components(fit: MixedFit) -> dict[str, float | pd.DataFrame]:
    """Grouping factor -> variance (one effect), or covariance DataFrame (several)."""
    out = ByGroup(source="m.variance_components")
    for b, factor in enumerate(fit.design.factors):
        T = _template(fit, b)
        S = fit.re_scale**2 * (T @ T.T)
        names = fit.covariance.effect_names(b)
        one = len(names) == 1
        out[factor.name] = float(S[0, 0]) if one else pd.DataFrame(S, index=names, columns=names)
    return out


def _template(fit: MixedFit, factor: int) -> np.ndarray:
    """The template of the effects of one level, (k, k)."""
    own = effect_places(fit, factor)
    return fit.T[factor][np.ix_(own, own)]


def principal_components(fit: MixedFit) -> pd.DataFrame:
    """Principal components of each term's covariance (lme4's ``rePCA``).

    Columns ``group, component, sd, proportion, cumulative``; ``sd`` relative to sigma, as in lme4.
    Components with a share of zero are directions that the data do not support. Effects of several
    linear predictors are apart, the predictor in front of the group: ``"zi.g"``.
    """
    if not fit.T:
        raise ArgumentError("rePCA needs random effects, and this model has none")
    parts = []
    for name, T in _templates(fit):
        values = np.linalg.svd(T, compute_uv=False)
        squares = values**2
        total = squares.sum()
        share = squares / total if total > 0.0 else np.full(values.size, np.nan)
        columns = {
            "group": name,
            "component": np.arange(1, values.size + 1),
            "sd": values,
            "proportion": share,
            "cumulative": np.cumsum(share),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _templates(fit: MixedFit) -> Iterator[tuple[str, np.ndarray]]:
    """Name and template of the effects of each grouping factor in each linear predictor."""
    for b, factor in enumerate(fit.design.factors):
        T, of = _template(fit, b), effect_predictors(fit, b)
        for k, predictor in enumerate(fit.design.predictors):
            own = np.flatnonzero(of == k)
            if own.size:
                yield factor.name if k == 0 else f"{predictor}.{factor.name}", T[np.ix_(own, own)]


def random_effects(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """Conditional modes: grouping factor -> DataFrame (levels x terms)."""
    factors = enumerate(fit.design.factors)
    return ByGroup((f.name, _by_level(fit, i, f, modes(fit, i))) for i, f in factors)


def random_effects_se(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """Conditional standard deviations of the modes, shaped as :func:`random_effects`."""
    factors = enumerate(fit.design.factors)
    own = ((f.name, _by_level(fit, i, f, conditional_sd(fit, i))) for i, f in factors)
    return ByGroup(own, "m.random_effects_se")


def random_effects_intervals(fit: MixedFit, level: float) -> dict[str, pd.DataFrame]:
    """Normal intervals of the modes, as wide as their conditional standard deviations say."""
    half = float(t_quantile(level, np.inf))
    out = ByGroup(source="m.random_effects_ci()")
    centres, errors = random_effects(fit), random_effects_se(fit)
    for name, values in centres.items():
        sides = {"lower": values - half * errors[name], "upper": values + half * errors[name]}
        table = pd.concat(sides, axis=1).swaplevel(axis=1)
        table = table[[(effect, side) for effect in values for side in sides]]
        out[name] = table.droplevel(0, axis=1) if values.shape[1] == 1 else table
    return out


def _by_level(fit: MixedFit, i: int, factor: GroupingFactor, values: np.ndarray) -> pd.DataFrame:
    index = pd.Index(factor.labels, name=factor.name)
    return pd.DataFrame(np.array(values), index=index, columns=fit.covariance.effect_names(i))


def effects_of_component(fit: MixedFit) -> Iterator[tuple[int, list[int], list[str]]]:
    """Factor, places among its effects and names, of the effects of the fit's own predictor."""
    for i in range(len(fit.design.factors)):
        own = np.flatnonzero(effect_predictors(fit, i) == fit.index).tolist()
        names = [name for term in fit.covariance.terms_of(i) for name in term.names]
        if own:
            yield i, own, [names[j] for j in own]


def random_effects_of(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """As :func:`random_effects`, of one linear predictor."""
    out = ByGroup(source=f"m.random_effects_of({component_of(fit.design.current)!r})")
    for i, own, names in effects_of_component(fit):
        factor = fit.design.factors[i]
        index = pd.Index(factor.labels, name=factor.name)
        out[factor.name] = pd.DataFrame(modes(fit, i)[:, own], index=index, columns=names)
    return out


def variance_components_of(fit: MixedFit) -> dict[str, float | pd.DataFrame]:
    """As :func:`variance_components`, of one linear predictor."""
    out = ByGroup(source=f"m.{component_of(fit.design.current)}_variance_components")
    for i, own, names in effects_of_component(fit):
        T = _template(fit, i)
        S = (T @ T.T)[np.ix_(own, own)]
        one = len(own) == 1
        value = float(S[0, 0]) if one else pd.DataFrame(S, index=names, columns=names)
        out[fit.design.factors[i].name] = value
    return out


def ranef(fit: MixedFit, cond_sd: bool = True, r_names: bool = False) -> pd.DataFrame:
    """All conditional modes in one frame ``[component,] group, level, term, value[, cond_sd]``.

    Term by term, as R's ``as.data.frame(ranef(m))``.
    """
    parts = []
    several = has_components(fit)
    for i, factor in enumerate(fit.design.factors):
        effects = [
            (component_of(term.component or MEAN), name)
            for term in fit.covariance.terms_of(i)
            for name in term.names
        ]
        names = names_as([name for _, name in effects], r_names)
        of = np.repeat([component for component, _ in effects], len(factor.labels))
        columns = {
            **({"component": of.astype(object)} if several else {}),
            "group": factor.name,
            "level": np.tile(np.asarray(factor.labels), len(names)),
            "term": np.repeat(np.asarray(names, dtype=object), len(factor.labels)),
            "value": modes(fit, i).T.ravel(),
        }
        if cond_sd:
            columns["cond_sd"] = conditional_sd(fit, i).T.ravel()
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def latent(fit: MixedFit, se: bool = False) -> pd.Series | pd.DataFrame:
    """All conditional modes as predictions, (q,), by component, group, level and term."""
    table = ranef(fit, se).rename(columns={"value": "prediction", "cond_sd": "se"})
    shown = ["prediction", "se"] if se else ["prediction"]
    table = table.set_index([name for name in table if name not in shown])
    return table if se else table["prediction"]


def coef(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """Coefficients of each level: fixed effects plus conditional modes.

    Grouping factor -> DataFrame (levels x coefficients). A random effect without a fixed
    counterpart is added to zero, as in lme4. Interactions are the same whatever the order of their
    factors, ``a:b`` and ``b:a``; in lme4 they are two columns. Coefficients of another linear
    predictor than the mean's, where it has random effects of the factor, have its name in front.
    """
    out: dict[str, list[pd.DataFrame]] = {}
    for component, group, table in coefficients_by_level(fit):
        front = "" if component == "cond" else f"{predictor_of(fit, component)}."
        out.setdefault(group, []).append(table.add_prefix(front) if front else table)
    joined = ((g, pd.concat(own, axis=1) if len(own) > 1 else own[0]) for g, own in out.items())
    return ByGroup(joined, "m.coef()")


def coefficients_by_level(fit: MixedFit) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Component, grouping factor and DataFrame (levels x coefficients) of each that has effects."""
    for i, factor in enumerate(fit.design.factors):
        terms, values_of = fit.covariance.terms_of(i), modes(fit, i)
        effects = [(t.component or MEAN, name) for t in terms for name in t.names]
        for name in fit.design.predictors:
            columns = [j for j, (of, _) in enumerate(effects) if of == name]
            if columns:
                names = [effects[j][1] for j in columns]
                values = _with_fixed(part_of(fit, name), names, values_of[:, columns])
                values.index = pd.Index(factor.labels, name=factor.name)
                yield component_of(name), factor.name, values


def _with_fixed(fit: MixedFit, effects: list[str], values: np.ndarray) -> pd.DataFrame:
    """Coefficients of the levels, fixed plus random, of one linear predictor."""
    fixed = dict(zip(fit.design.x_names, fit.beta, strict=True))
    counterparts = {_factors(name): name for name in fixed}
    meant = [counterparts.get(_factors(name), name) for name in effects]
    names = [*(n for n in dict.fromkeys(meant) if n not in fixed), *fixed]
    out = np.zeros((len(values), len(names)))
    out += [fixed.get(n, 0.0) for n in names]
    for j, name in enumerate(meant):
        out[:, names.index(name)] += values[:, j]
    return pd.DataFrame(out, columns=names)


def _factors(name: str) -> tuple[str, ...]:
    """The factors of an interaction, in one order."""
    return tuple(sorted(split_outside(name, ":")))
