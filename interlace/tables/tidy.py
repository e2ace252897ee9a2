"""Tidy frames of a fit: what summary, plots and exports all read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..calls import one_of
from ..errors import ArgumentError, listing
from ..formula.tokens import split_outside
from ..inference.names import names_as
from ..inference.random_effects import conditional_sd
from ..inference.tails import t_quantile
from ..inference.wald import add_intervals, t_table
from ..models.lmm import LMMFit

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, GeneralisedFit, MixedFit

VERSIONS_OF = ("interlace", "numpy", "scipy", "pandas", "formulaic")
# Under these links exp() of a coefficient is a ratio; a link of the user's own may be one of them.
LOG_LINKS = ("log", "logit", "cloglog", "custom")
LOGARITHMS = ("log(", "np.log(")
TIDY_COLUMNS = (
    *("effect", "group", "level", "term", "estimate", "std_error", "statistic", "df", "p_value"),
    *("conf_low", "conf_high"),
)
EFFECTS = ("fixed", "ran_pars", "ran_vals", "ran_coefs")


# -- variance parameters --------------------------------------------------------------------


def varcorr(fit: MixedFit, r_names: bool = False) -> pd.DataFrame:
    """Variances and covariances, and the residual variance of a Gaussian model, in lme4's order.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    r_names : bool, default False
        ``(Intercept)`` and R's names of factor levels.

    Returns
    -------
    DataFrame
        ``group, term1, term2, variance, sd_or_corr``. Rows without ``term2`` are variances, with
        the standard deviation; the others covariances, with the correlation (NaN when a standard
        deviation is zero).
    """
    rows: list[tuple] = []
    covariances = fit.covariance.relative_covariances(fit.theta)
    labels = fit.covariance.term_labels
    for term, label, relative in zip(fit.covariance.terms, labels, covariances, strict=True):
        S = fit.re_scale**2 * relative
        sd = np.sqrt(np.diagonal(S))
        names = names_as(term.names, r_names)
        rows += [(label, n, None, S[i, i], sd[i]) for i, n in enumerate(names)]
        if term.structure.name == "diag":
            continue
        for i in range(len(names)):
            for j in range(i + 1, len(names)):
                product = sd[i] * sd[j]
                correlation = S[i, j] / product if product > 0.0 else np.nan
                rows.append((label, names[i], names[j], S[i, j], correlation))
    if isinstance(fit, LMMFit) or fit.family.residual_variance:
        rows.append(("Residual", None, None, fit.sigma**2, fit.sigma))
    group, term1, term2, variance, sd_or_corr = zip(*rows, strict=True)
    columns = {
        "group": np.array(group, dtype=object),
        # One kind of missing value whatever the rows are: pandas keeps None in some cases only.
        "term1": np.array([np.nan if t is None else t for t in term1], dtype=object),
        "term2": np.array([np.nan if t is None else t for t in term2], dtype=object),
        "variance": np.array(variance, dtype=float),
        "sd_or_corr": np.array(sd_or_corr, dtype=float),
    }
    return pd.DataFrame(columns)


def variance_components(fit: MixedFit) -> dict[str, float | pd.DataFrame]:
    """Covariance of the random effects of each grouping factor.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    dict
        Grouping factor -> variance (one effect), or covariance DataFrame (several).
    """
    out: dict[str, float | pd.DataFrame] = {}
    for b, (factor, T) in enumerate(zip(fit.design.factors, fit.T, strict=True)):
        S = fit.re_scale**2 * (T @ T.T)
        names = fit.covariance.effect_names(b)
        one = len(names) == 1
        out[factor.name] = float(S[0, 0]) if one else pd.DataFrame(S, index=names, columns=names)
    return out


def principal_components(fit: MixedFit) -> pd.DataFrame:
    """Principal components of each term's covariance (lme4's ``rePCA``).

    Components with a share of zero are directions that the data do not support.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    DataFrame
        ``group, component, sd, proportion, cumulative``; ``sd`` relative to sigma, as in lme4.
    """
    parts = []
    for b, factor in enumerate(fit.design.factors):
        values = np.linalg.svd(fit.T[b], compute_uv=False)
        squares = values**2
        total = squares.sum()
        share = squares / total if total > 0.0 else np.full(values.size, np.nan)
        columns = {
            "group": factor.name,
            "component": np.arange(1, values.size + 1),
            "sd": values,
            "proportion": share,
            "cumulative": np.cumsum(share),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


# -- random effects ---------------------------------------------------------------------------


def random_effects(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """Conditional modes: grouping factor -> DataFrame (levels x terms).

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    dict
    """
    return {
        factor.name: pd.DataFrame(
            np.array(b), index=_levels(factor), columns=fit.covariance.effect_names(i)
        )
        for i, (factor, b) in enumerate(zip(fit.design.factors, fit.b, strict=True))
    }


def random_effects_se(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """Conditional standard deviations of the modes, shaped as :func:`random_effects`.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    dict
    """
    out = {}
    for i, factor in enumerate(fit.design.factors):
        sd = conditional_sd(fit, i)
        out[factor.name] = pd.DataFrame(
            np.array(sd), index=_levels(factor), columns=fit.covariance.effect_names(i)
        )
    return out


def _levels(factor) -> pd.Index:
    return pd.Index(factor.levels, name=factor.name)


def ranef(fit: MixedFit, cond_sd: bool = True, r_names: bool = False) -> pd.DataFrame:
    """All conditional modes in one tidy frame.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    cond_sd : bool, default True
        With their conditional standard deviations.
    r_names : bool, default False

    Returns
    -------
    DataFrame
        ``group, level, term, value[, cond_sd]``, term by term as R's ``as.data.frame(ranef(m))``.
    """
    parts = []
    for i, (factor, b) in enumerate(zip(fit.design.factors, fit.b, strict=True)):
        names = names_as(fit.covariance.effect_names(i), r_names)
        columns = {
            "group": factor.name,
            "level": np.tile(np.asarray(factor.levels), len(names)),
            "term": np.repeat(np.asarray(names, dtype=object), len(factor.levels)),
            "value": b.T.ravel(),
        }
        if cond_sd:
            columns["cond_sd"] = conditional_sd(fit, i).T.ravel()
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def coef(fit: MixedFit) -> dict[str, pd.DataFrame]:
    """Coefficients of each level: fixed effects plus conditional modes.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    dict
        Grouping factor -> DataFrame (levels x coefficients). A random effect without a fixed
        counterpart is added to zero, as in lme4. Interactions are the same whatever the order of
        their factors, ``a:b`` and ``b:a``; in lme4 they are two columns.
    """
    out = {}
    fixed = dict(zip(fit.design.x_names, fit.beta, strict=True))
    counterparts = {_factors(name): name for name in fixed}
    for group, modes in random_effects(fit).items():
        meant = [counterparts.get(_factors(name), name) for name in modes.columns]
        names = [*(n for n in dict.fromkeys(meant) if n not in fixed), *fixed]
        values = np.zeros((len(modes), len(names)))
        values += [fixed.get(n, 0.0) for n in names]
        for j, name in enumerate(meant):
            values[:, names.index(name)] += modes.iloc[:, j].to_numpy()
        out[group] = pd.DataFrame(values, index=modes.index, columns=names)
    return out


def _factors(name: str) -> tuple[str, ...]:
    """The factors of an interaction, in one order."""
    return tuple(sorted(split_outside(name, ":")))


# -- broom.mixed -----------------------------------------------------------------------------


def tidy(
    fit: MixedFit,
    effects: str | Sequence[str] = ("fixed", "ran_pars"),
    *,
    conf_int: bool = False,
    conf_level: float = 0.95,
    df_method: str | None = None,
    exponentiate: bool = False,
    r_names: bool = False,
    table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per parameter, with broom.mixed's columns.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    effects : {"fixed", "ran_pars", "ran_vals", "ran_coefs"} or sequence of them
        Coefficients; standard deviations and correlations; conditional modes; coefficients of
        each level. Default the first two.
    conf_int : bool, default False
        Columns ``conf_low, conf_high``: t intervals of coefficients, normal ones of conditional
        modes; missing for the others.
    conf_level : float, default 0.95
    df_method : {"satterthwaite", "residual", "normal"}, optional
        Default: Satterthwaite's for linear models, normal for others.
    exponentiate : bool, default False
        exp() of coefficients and their intervals, with standard errors by the delta method. For
        the links log, logit and cloglog, and linear models of a logarithm.
    r_names : bool, default False
    table : DataFrame, optional
        The fixed-effects table if made already.

    Returns
    -------
    DataFrame
        ``effect, group, level, term, estimate, std_error, statistic, df, p_value, conf_low,
        conf_high``, as far as one of the effects has them; ``df`` for linear models.

    Raises
    ------
    ArgumentError
        If an effect or the level is not known, or exponentials mean nothing under the link.
    """
    wanted = wanted_effects(effects)
    level = checked_level("conf_level", conf_level)
    if conf_int and not {"fixed", "ran_vals"} & set(wanted):
        raise ArgumentError(
            f"conf_int=True: there are no intervals of {listing(map(repr, wanted))}, only of "
            "'fixed' and 'ran_vals'"
        )
    parts = []
    if "fixed" in wanted:
        table = t_table(fit, df_method=df_method) if table is None else table
        parts.append(_tidy_fixed(table, r_names))
        if conf_int:
            parts[-1] = add_intervals(parts[-1], level)
        if exponentiate:
            _check_exponentials(fit)
            parts[-1] = _exponentiated(parts[-1])
    if "ran_pars" in wanted:
        parts.append(_tidy_parameters(fit, r_names))
    if "ran_vals" in wanted:
        parts.append(_tidy_values(fit, level if conf_int else None, r_names))
    if "ran_coefs" in wanted:
        parts.append(_tidy_coefficients(fit, r_names))
    rows = [record for part in parts for record in part.to_dict("records")]
    # As broom.mixed: a column that none of these effects has is left out.
    known = {name for part in parts for name in part if name != "df" or isinstance(fit, LMMFit)}
    return pd.DataFrame(rows, columns=[name for name in TIDY_COLUMNS if name in known])


def wanted_effects(effects: Any) -> list[str]:
    """The kinds of parameters asked for, one or several.

    Raises
    ------
    ArgumentError
        If one of them is not known, or there are none.
    """
    listed = not isinstance(effects, (str, Mapping)) and isinstance(effects, Iterable)
    wanted = list(effects) if listed else [effects]
    if not wanted:
        raise ArgumentError(f"effects is empty; use {listing(map(repr, EFFECTS))}")
    return [one_of("effects", effect, EFFECTS) for effect in wanted]


def _tidy_fixed(table: pd.DataFrame, r_names: bool) -> pd.DataFrame:
    return table.assign(effect="fixed", term=names_as(table.index, r_names))


def _check_exponentials(fit: AnyFit) -> None:
    """Refuse exponentials of coefficients that are not differences of logarithms."""
    link = "identity" if isinstance(fit, LMMFit) else fit.family.link.name
    logarithm = fit.design.response_name.startswith(LOGARITHMS)
    if link in LOG_LINKS or (link == "identity" and logarithm):
        return
    raise ArgumentError(
        f"exponentiate=True gives ratios under the links {listing(map(repr, LOG_LINKS[:-1]))}; the "
        f"link here is {link!r}, under which exp() of a coefficient means nothing. Leave it out, "
        "or fit with one of these links"
    )


def _exponentiated(table: pd.DataFrame) -> pd.DataFrame:
    """exp() of estimates and intervals; statistic and p-value are those of the coefficients."""
    logs = [name for name in ("estimate", "conf_low", "conf_high") if name in table]
    with np.errstate(over="ignore"):
        table = table.assign(**{name: np.exp(table[name]) for name in logs})
        return table.assign(std_error=table["std_error"] * table["estimate"])


def _tidy_parameters(fit: MixedFit, r_names: bool) -> pd.DataFrame:
    table = varcorr(fit, r_names)
    terms = []
    for row in table.itertuples():
        if row.group == "Residual" and pd.isna(row.term1):
            terms.append("sd__Observation")
        elif pd.isna(row.term2):
            terms.append(f"sd__{row.term1}")
        else:
            terms.append(f"cor__{row.term1}.{row.term2}")
    columns = {"group": table["group"], "term": terms, "estimate": table["sd_or_corr"]}
    out = pd.DataFrame(columns)
    if (
        not isinstance(fit, LMMFit)
        and fit.family.free_dispersion
        and not fit.family.residual_variance
    ):
        out.loc[len(out)] = ["Residual", "sd__Observation", fit.sigma]
    elif not isinstance(fit, LMMFit) and not fit.family.free_dispersion and len(fit.zeta):
        # of the exponential by the delta method; cov_all has the logarithms last
        values, m = np.exp(fit.zeta), len(fit.zeta)
        rows = {"term": list(fit.family.parameters), "estimate": values, "group": "Residual"}
        errors = values * np.sqrt(np.diagonal(fit.cov_all)[-m:])
        out = pd.concat([out, pd.DataFrame({**rows, "std_error": errors})], ignore_index=True)
    return out.assign(effect="ran_pars")


def _tidy_values(fit: MixedFit, level: float | None, r_names: bool) -> pd.DataFrame:
    table = ranef(fit, r_names=r_names).rename(
        columns={"value": "estimate", "cond_sd": "std_error"}
    )
    table = table.assign(effect="ran_vals")
    if level is None:
        return table
    half = t_quantile(level, np.inf) * table["std_error"]
    return table.assign(conf_low=table["estimate"] - half, conf_high=table["estimate"] + half)


def _tidy_coefficients(fit: MixedFit, r_names: bool) -> pd.DataFrame:
    parts = []
    for group, table in coef(fit).items():
        long = {
            "group": group,
            "level": np.tile(np.asarray(table.index), table.shape[1]),
            "term": np.repeat(
                np.asarray(names_as(table.columns, r_names), dtype=object), len(table)
            ),
            "estimate": table.to_numpy().T.ravel(),
        }
        parts.append(pd.DataFrame(long))
    return pd.concat(parts, ignore_index=True).assign(effect="ran_coefs")


def glance(fit: MixedFit) -> pd.DataFrame:
    """One row on the whole fit, with broom.mixed's columns.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    DataFrame
        ``nobs, sigma, log_lik, aic, bic, reml_crit`` (REML) or ``deviance`` (others), and
        ``df_residual``; of a generalised model also :func:`own_parameter`.
    """
    row = {
        "nobs": fit.n,
        "sigma": fit.sigma,
        "log_lik": fit.llf,
        "aic": aic(fit),
        "bic": bic(fit),
        ("reml_crit" if fit.is_reml else "deviance"): (
            fit.criterion if fit.is_reml else deviance(fit)
        ),
        "df_residual": fit.n - fit.n_parameters,
    }
    return pd.DataFrame([row | ({} if isinstance(fit, LMMFit) else own_parameter(fit))])


def own_parameter(fit: GeneralisedFit) -> dict[str, float]:
    """``theta`` of a negative binomial model, the ``dispersion`` of one that estimates it."""
    parameters = fit.family.parameters
    if "theta" in parameters:
        return {"theta": float(np.exp(fit.zeta[parameters.index("theta")]))}
    return {"dispersion": float(fit.dispersion)} if parameters else {}


def aic(fit: AnyFit) -> float:
    """Akaike's criterion, -2 llf + 2 parameters; of the REML criterion for a REML fit."""
    return float(fit.criterion + 2.0 * fit.n_parameters)


def bic(fit: AnyFit) -> float:
    """Schwarz's criterion, -2 llf + log(n) parameters; of the REML criterion for a REML fit."""
    return float(fit.criterion + np.log(fit.n) * fit.n_parameters)


def deviance(fit: MixedFit) -> float:
    """Deviance as lme4's.

    Of a linear model -2 log-likelihood, for a REML fit at its theta with beta and sigma profiled
    out; of a generalised one the sum of squared deviance residuals at the modes.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    float
    """
    if not isinstance(fit, LMMFit):
        seen = fit.observations
        return float(fit.family.deviance(seen.y, fit.mu, seen.weights, fit.zeta).sum())
    if not fit.is_reml:
        return fit.criterion
    return fit.objective.as_ml().evaluate(fit.x, order=0).value


def as_dict(fit: MixedFit) -> dict[str, Any]:
    """Estimates and what they rest on, as plain numbers and texts that JSON can hold.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    dict
    """
    names = list(fit.design.x_names)
    table = varcorr(fit).astype(object)
    optimum = fit.optimum
    return {
        "formula": fit.design.formula.text,
        **distribution(fit),
        "method": fit.method,
        "nobs": fit.n,
        "ngroups": {f.name: len(f.levels) for f in fit.design.factors},
        "fe_params": dict(zip(names, fit.beta.tolist(), strict=True)),
        "vcov": [[v if np.isfinite(v) else None for v in row] for row in fit.cov_beta.tolist()],
        "theta": dict(zip(fit.covariance.theta_names, fit.theta.tolist(), strict=True)),
        "sigma": float(fit.sigma),
        "VarCorr": table.where(table.notna(), None).to_dict("records"),
        "criterion": float(fit.criterion),
        "llf": float(fit.llf),
        "aic": float(aic(fit)),
        "bic": float(bic(fit)),
        "df_resid": fit.n - fit.n_parameters,
        "convergence": {
            "verdict": optimum.verdict,
            "message": optimum.message,
            "evaluations": optimum.evaluations,
            "optimizer": fit.optimizer,
        },
        "versions": versions(),
    }


def distribution(fit: MixedFit) -> dict[str, Any]:
    """Family, and for a generalised model its link, its parameters and the approximation."""
    if isinstance(fit, LMMFit):
        return {"family": "gaussian"}
    values = np.exp(fit.zeta).tolist()
    return {
        "family": fit.family.name,
        "link": fit.family.link.name,
        "nAGQ": fit.nAGQ,
        "dispersion": float(fit.dispersion),
        "disp_params": dict(zip(fit.family.parameters, values, strict=True)),
    }


def named_matrix(
    values: np.ndarray, names: Sequence[str], correlation: bool = False
) -> pd.DataFrame:
    """A covariance matrix with its names, or the correlations.

    Parameters
    ----------
    values : ndarray, shape (m, m)
    names : sequence of str
    correlation : bool, default False

    Returns
    -------
    DataFrame, shape (m, m)
    """
    if correlation:
        # Missing where a variance is: the data do not determine that parameter.
        with np.errstate(divide="ignore", invalid="ignore"):
            sd = np.sqrt(np.diagonal(values))
            values = values / np.outer(sd, sd)
    return pd.DataFrame(np.array(values), index=list(names), columns=list(names))


def versions() -> dict[str, str]:
    """Version of each package that results rest on."""
    found = {}
    for name in VERSIONS_OF:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Maketables:
    """What the regression tables of maketables ask of a model: its plug-in attributes.

    A class with an attribute ``fit`` inherits them.
    """

    fit: Any

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        table = add_intervals(t_table(self.fit))
        names = {"estimate": "b", "std_error": "se", "statistic": "t", "p_value": "p"}
        names |= {"conf_low": "ci95l", "conf_high": "ci95u"}
        return table.rename(columns=names)[list(names.values())].rename_axis("Coefficient")

    def __maketables_stat__(self, key: str) -> Any:
        fit = self.fit
        if key == "groups":
            return ", ".join(f"{f.name}: {len(f.levels)}" for f in fit.design.factors)
        stats = {"N": fit.n, "ll": fit.llf, "aic": aic(fit), "bic": bic(fit), "sigma": fit.sigma}
        return stats.get(key)

    @property
    def __maketables_depvar__(self) -> str:
        return self.fit.design.response_name

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return {"vcov_type": "model-based", "clustervar": None}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return {"groups": "Groups", "sigma": "Residual SD", "ll": "Log-likelihood"}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "groups", "aic"]
