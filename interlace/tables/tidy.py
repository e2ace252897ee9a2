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
from ..inference.criteria import aic, bic, own_parameters
from ..inference.names import names_as
from ..inference.tails import t_quantile
from ..inference.wald import add_intervals
from .random_effects import coef, ranef, term_covariances

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.glmm import GLMMFit
    from ..models.kinds import AnyFit, MixedFit

LOGARITHMS = ("log(", "np.log(")
TIDY_COLUMNS = (
    *("effect", "group", "level", "term", "estimate", "std_error", "statistic", "df", "p_value"),
    *("conf_low", "conf_high"),
)


@dataclass(frozen=True)
class Shown:
    """Form of the parameters: level of intervals (None without), exponentials, R's names."""

    level: float | None
    exponentiate: bool
    r_names: bool


def tidy(
    fit: AnyFit,
    effects: str | Sequence[str],
    table: Callable[[], pd.DataFrame],
    conf_int: bool = False,
    conf_level: float = 0.95,
    exponentiate: bool = False,
    r_names: bool = False,
) -> pd.DataFrame:
    """One row per parameter, with the columns of broom.mixed, or broom's without random effects.

    ``table`` gives the coefficients with their tests. As in broom.mixed, a column that none of the
    effects has is left out; ``df`` is of linear models alone.
    """
    wanted = _wanted_effects(effects)
    if not fit.T and wanted != ["fixed"]:
        raise ArgumentError(
            f"effects={brief(effects)}: a model without random effects has 'fixed' ones only"
        )
    level = checked_level("conf_level", conf_level)
    if conf_int and not {"fixed", "ran_vals"} & set(wanted):
        raise ArgumentError(
            f"conf_int=True: there are no intervals of {listing(map(repr, wanted))}, only of "
            "'fixed' and 'ran_vals'"
        )
    shown = Shown(level if conf_int else None, exponentiate, r_names)
    parts = []
    for effect in EFFECTS:
        if effect in wanted:
            part = _fixed(fit, table(), shown) if effect == "fixed" else RANDOM[effect](fit, shown)
            parts.append(part.assign(effect=effect))
    rows = [record for part in parts for record in part.to_dict("records")]
    absent = set() if fit.linear else {"df"}
    absent |= set() if fit.T else {"effect"}
    known = {name for part in parts for name in part} - absent
    return pd.DataFrame(rows, columns=[name for name in TIDY_COLUMNS if name in known])


def _wanted_effects(effects: Any) -> list[str]:
    """The kinds of parameters asked for, one or several."""
    listed = not isinstance(effects, (str, Mapping)) and isinstance(effects, Iterable)
    wanted = list(effects) if listed else [effects]
    if not wanted:
        raise ArgumentError(f"effects is empty; use {listing(map(repr, EFFECTS))}")
    return [one_of("effects", effect, EFFECTS) for effect in wanted]


def _fixed(fit: AnyFit, table: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    out = table.assign(term=names_as(table.index, shown.r_names))
    if shown.level is not None:
        out = add_intervals(out, shown.level)
    if not shown.exponentiate:
        return out
    _check_exponentials(fit)
    return _exponentiated(out)


def _check_exponentials(fit: AnyFit) -> None:
    """Refuse exponentials of coefficients that are not differences of logarithms."""
    link = fit.family.link
    if link.ratios or (link.linear and fit.design.response_name.startswith(LOGARITHMS)):
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
        rows += [_parameter(t.group, f"sd__{name or 'Observation'}", sd) for name, sd in sds]
        for i, j in zip(*np.triu_indices(len(t.names) if t.correlated else 0, 1), strict=True):
            term = f"cor__{t.names[i]}.{t.names[j]}"
            rows.append(_parameter(t.group, term, t.correlation[i, j]))
    if fit.family.residual_variance:
        return pd.DataFrame(rows)
    if fit.family.free_dispersion:
        rows.append(_parameter("Residual", "sd__Observation", fit.sigma))
    elif len(fit.zeta):
        # of the exponential by the delta method; cov_all has the logarithms last
        errors = np.sqrt(np.diagonal(cast("GLMMFit", fit).cov_all)[-len(fit.zeta) :])
        for (name, value), error in zip(own_parameters(fit).items(), errors, strict=True):
            rows.append(_parameter("Residual", name, value) | {"std_error": value * error})
    return pd.DataFrame(rows)


def _parameter(group: str, term: str, estimate: float) -> dict[str, Any]:
    return {"group": group, "term": term, "estimate": estimate}


def _values(fit: MixedFit, shown: Shown) -> pd.DataFrame:
    names = {"value": "estimate", "cond_sd": "std_error"}
    table = ranef(fit, r_names=shown.r_names).rename(columns=names)
    if shown.level is None:
        return table
    half = t_quantile(shown.level, np.inf) * table["std_error"]
    return table.assign(conf_low=table["estimate"] - half, conf_high=table["estimate"] + half)


def _coefficients(fit: MixedFit, shown: Shown) -> pd.DataFrame:
    parts = []
    for group, table in coef(fit).items():
        names = np.asarray(names_as(table.columns, shown.r_names), dtype=object)
        columns = {
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
    Of a generalised model also the ``theta`` or the ``dispersion`` that was estimated.
    """
    criteria = {"log_lik": float(fit.llf), "aic": aic(fit), "bic": bic(fit)}
    if not fit.T:
        glm = cast("GLMFit", fit)
        first = {"null_deviance": glm.null_deviance, "df_null": glm.df_null}
        last = {"deviance": glm.deviance, "df_residual": glm.df_resid, "nobs": fit.n}
        return pd.DataFrame([first | criteria | last | _own_parameter(glm)])
    name, value = ("reml_crit", fit.criterion) if fit.is_reml else ("deviance", fit.deviance)
    row = {"nobs": fit.n, "sigma": fit.sigma, **criteria, name: value}
    row["df_residual"] = fit.n - fit.n_parameters
    return pd.DataFrame([row | ({} if fit.linear else _own_parameter(fit))])


def _own_parameter(fit: AnyFit) -> dict[str, float]:
    """``theta`` of a negative binomial model, the ``dispersion`` of one that estimates it."""
    parameters = own_parameters(fit)
    if "theta" in parameters:
        return {"theta": parameters["theta"]}
    return {"dispersion": float(fit.dispersion)} if parameters else {}
