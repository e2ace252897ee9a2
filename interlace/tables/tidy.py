"""One row per parameter, one row for a model: the frames of broom and broom.mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..calls import one_of
from ..errors import ArgumentError, brief, listing
from ..inference.components import (
    component_of,
    family_numbers,
    has_components,
    is_logarithm,
    own_errors,
    own_link,
    parameter_component,
    parts,
    predictor_of,
)
from ..inference.criteria import aic, bic
from ..inference.names import names_as
from ..inference.residual_covariance import residual_parts
from ..inference.tails import t_quantile
from ..inference.wald import add_intervals, t_table
from .random_effects import coefficients_by_level, ranef, term_covariances

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit, MixedFit
    from ..models.regression import RegressionFit

TIDY_COLUMNS = (
    *("effect", "component", "group", "level", "term", "estimate", "std_error", "statistic"),
    *("df", "p_value", "conf_low", "conf_high"),
)


@dataclass(frozen=True)
class Shown:
    """Form of the parameters: level of intervals (or None), exponentials, names, component."""

    level: float | None
    exponentiate: bool
    r_names: bool
    component: str | None = None


def tidy(
    fit: AnyFit,
    effects: str | Sequence[str],
    table: Callable[[], pd.DataFrame],
    conf_int: bool = False,
    conf_level: float = 0.95,
    exponentiate: bool = False,
    r_names: bool = False,
    component: str | None = None,
) -> pd.DataFrame:
    """One row per parameter, with the columns of broom.mixed, or broom's without random effects.

    ``table`` gives the coefficients of the mean with their tests. As in broom.mixed, a column that
    none of the effects has is left out; ``df`` is of linear models alone, ``component`` of those
    with several.
    """
    chosen = _wanted_effects(effects)
    mixed = bool(fit.T) or fit.linear
    if not mixed and chosen != ["fixed"]:
        raise ArgumentError(
            f"effects={brief(effects)}: this model has no random effects; write effects='fixed'"
        )
    level = checked_level("conf_level", conf_level)
    if conf_int and not {"fixed", "ran_vals"} & set(chosen):
        raise ArgumentError(
            f"conf_int=True: there are no intervals of {listing(map(repr, chosen))}, only of "
            "'fixed' and 'ran_vals'"
        )
    if component is not None:
        component = component_of(predictor_of(fit, component))
    shown = Shown(level if conf_int else None, exponentiate, r_names, component)
    tables = []
    for effect in EFFECTS:
        if effect in chosen:
            of_kind = _fixed(fit, table, shown) if effect == "fixed" else RANDOM[effect](fit, shown)
            tables.append(of_kind.assign(effect=effect))
    rows = [record for part in tables for record in part.to_dict("records")]
    if component is not None and has_components(fit):
        rows = [row for row in rows if row["component"] == component]
    absent = set() if fit.linear else {"df"}
    absent |= set() if mixed else {"effect"}
    absent |= set() if has_components(fit) else {"component"}
    known = {name for part in tables for name in part} - absent
    return pd.DataFrame(rows, columns=[name for name in TIDY_COLUMNS if name in known])


def _wanted_effects(effects: Any) -> list[str]:
    """The kinds of parameters asked for, one or several."""
    listed = not isinstance(effects, (str, Mapping)) and isinstance(effects, Iterable)
    chosen = list(effects) if listed else [effects]
    if not chosen:
        raise ArgumentError(f"effects is empty; use {listing(map(repr, EFFECTS))}")
    return [one_of("effects", effect, EFFECTS) for effect in chosen]


def _fixed(fit: AnyFit, table: Callable[[], pd.DataFrame], shown: Shown) -> pd.DataFrame:
    """Coefficients of all components asked for."""
    components = parts(fit).items()
    own = [(c, part) for c, part in components if shown.component in (None, c)]
    tables = [_coefficients_of(part, c, table() if c == "cond" else None, shown) for c, part in own]
    return tables[0] if len(tables) == 1 else pd.concat(tables)


def _coefficients_of(
    fit: AnyFit, component: str, table: pd.DataFrame | None, shown: Shown
) -> pd.DataFrame:
    table = t_table(fit) if table is None else table
    out = table.assign(component=component, term=names_as(table.index, shown.r_names))
    if shown.level is not None:
        out = add_intervals(out, shown.level)
    if not shown.exponentiate or component == "threshold":
        return out
    _check_exponentials(fit, component)
    return _exponentiated(out)


def _check_exponentials(fit: AnyFit, component: str) -> None:
    """Refuse exponentials of coefficients that are not differences of logarithms."""
    link = own_link(fit)
    if link.ratios or is_logarithm(fit):
        return
    raise ArgumentError(
        "exponentiate=True gives ratios under the links 'log', 'logit', 'cloglog'; the link here "
        f"is {link.name!r}, under which exp() of a coefficient means nothing. Leave it out, or fit "
        "with one of these links"
    )


def _exponentiated(table: pd.DataFrame) -> pd.DataFrame:
    """exp() of estimates and intervals; statistic and p-value are those of the coefficients."""
    logs = [name for name in ("estimate", "conf_low", "conf_high") if name in table]
    with np.errstate(over="ignore"):
        table = table.assign(**{name: np.exp(table[name]) for name in logs})
        return table.assign(std_error=table["std_error"] * table["estimate"])


def _parameters(fit: MixedFit, shown: Shown) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for t in term_covariances(fit, shown.r_names):
        sds = zip(t.names, t.sd, strict=True)
        of = t.component, t.group
        rows += [_parameter(*of, f"sd__{name or 'Observation'}", sd) for name, sd in sds]
        for i, j in zip(*np.triu_indices(len(t.names) if t.correlated else 0, 1), strict=True):
            term = f"cor__{t.names[i]}.{t.names[j]}"
            rows.append(_parameter(*of, term, t.correlation[i, j]))
        rows += [_parameter(*of, f"{word}__{t.structure}", value) for word, value in t.pattern]
    if fit.family.residual_variance:
        for part in residual_parts(fit):
            own = zip(part.names, part.values.tolist(), strict=True)
            rows += [_parameter("cond", "Residual", *pair) for pair in own]
        return pd.DataFrame(rows)
    if fit.family.free_dispersion:
        if not np.isnan(fit.sigma):
            rows.append(_parameter("cond", "Residual", "sd__Observation", fit.sigma))
        return pd.DataFrame(rows)
    values = family_numbers(fit)
    errors = own_errors(fit) if values else {}
    for name, value in values.items():
        row = _parameter(parameter_component(fit, name), "Residual", name, value)
        rows.append(row | {"std_error": errors[name]})
    return pd.DataFrame(rows)


def _parameter(component: str, group: str, term: str, estimate: float) -> dict[str, Any]:
    return {"component": component, "group": group, "term": term, "estimate": estimate}


def _values(fit: MixedFit, shown: Shown) -> pd.DataFrame:
    names = {"value": "estimate", "cond_sd": "std_error"}
    table = ranef(fit, r_names=shown.r_names).rename(columns=names)
    if shown.level is None:
        return table
    half = t_quantile(shown.level, np.inf) * table["std_error"]
    return table.assign(conf_low=table["estimate"] - half, conf_high=table["estimate"] + half)


def _coefficients(fit: MixedFit, shown: Shown) -> pd.DataFrame:
    parts = []
    for component, group, table in coefficients_by_level(fit):
        names = np.asarray(names_as(table.columns, shown.r_names), dtype=object)
        columns = {
            "component": component,
            "group": group,
            "level": np.tile(np.asarray(table.index), table.shape[1]),
            "term": np.repeat(names, len(table)),
            "estimate": table.to_numpy().T.ravel(),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


#: The rows of each kind of parameter that only models with random effects have.
RANDOM: dict[str, Callable[[Any, Shown], pd.DataFrame]] = {
    "ran_pars": _parameters,
    "ran_vals": _values,
    "ran_coefs": _coefficients,
}
EFFECTS = ("fixed", *RANDOM)


def glance(fit: AnyFit) -> pd.DataFrame:
    """One row on the whole fit, with broom.mixed's columns, or broom's without random effects.

    ``nobs, sigma, log_lik, aic, bic, reml_crit`` (REML) or ``deviance`` (others), and
    ``df_residual``; or ``null_deviance, df_null, log_lik, aic, bic, deviance, df_residual, nobs``.
    Of a generalised model also the ``theta`` or the ``dispersion`` that was estimated, or the
    parameters of the family by name; where a family has no deviance it is -2 log-likelihood.
    """
    criteria = {"log_lik": float(fit.llf), "aic": aic(fit), "bic": bic(fit)}
    if not (fit.T or fit.linear):
        glm = cast("GLMFit | RegressionFit", fit)
        first = {"null_deviance": glm.null_deviance, "df_null": glm.df_null}
        last = {"deviance": glm.deviance, "df_residual": glm.df_resid, "nobs": fit.n}
        return pd.DataFrame([first | criteria | last | _own_parameter(glm)])
    if fit.is_reml:
        name, value = "reml_crit", fit.criterion
    else:
        name, value = "deviance", fit.deviance
    row = {"nobs": fit.n, "sigma": fit.sigma, **criteria, name: value}
    row["df_residual"] = fit.n - fit.n_parameters
    return pd.DataFrame([row | ({} if fit.linear else _own_parameter(fit))])


def _own_parameter(fit: AnyFit) -> dict[str, float]:
    """``theta`` of a negative binomial model, the ``dispersion`` of one that estimates it."""
    parameters = family_numbers(fit)
    if fit.several and not fit.family.free_dispersion:
        return parameters
    if "theta" in parameters:
        return {"theta": parameters["theta"]}
    return {"dispersion": float(fit.dispersion)} if parameters else {}
