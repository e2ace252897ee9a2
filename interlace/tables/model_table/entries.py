"""The numbers of one model, each under the row that it shares with other models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from ...diagnostics.variance_shares import icc, r2
from ...errors import ArgumentError, DataError
from ...inference.components import family_numbers, own_errors
from ...inference.criteria import aic, bic
from ...inference.wald import OF_LINEAR, t_table
from ..random_effects import varcorr
from ..tidy import tidy

if TYPE_CHECKING:
    from ...models.kinds import AnyFit, MixedFit

#: The parts of a table, from top to bottom.
COEFFICIENTS, RANDOM, PARAMETERS, FIT = "coefficients", "random", "parameters", "fit"
PARTS = (COEFFICIENTS, RANDOM, PARAMETERS, FIT)
#: Labels of what residuals have begin with one of these.
RESIDUAL = ("SD residual", "Residual ")


class Key(NamedTuple):
    """What a row is about: the same in each model that has it."""

    part: str
    component: str
    name: str


@dataclass(frozen=True)
class Entry:
    """What one model has to say in a row: numbers by the name of the statistic, or a text."""

    numbers: dict[str, float]
    text: str = ""


@dataclass(frozen=True)
class Wanted:
    """Which numbers, and in which form."""

    conf_level: float
    exponentiate: bool
    r_names: bool
    ddf: str | None
    random: bool
    statistics: tuple[str, ...]


def entries(fit: AnyFit, wanted: Wanted) -> dict[Key, Entry]:
    """All rows of one model, in order."""
    out = dict(_coefficients(fit, wanted))
    if wanted.random:
        out |= dict(_random(fit, wanted.r_names))
    out |= dict(_parameters(fit))
    for name in wanted.statistics:
        out |= dict(STATISTICS[name](fit))
    return out


def _coefficients(fit: AnyFit, wanted: Wanted) -> Iterator[tuple[Key, Entry]]:
    frame = tidy(
        fit,
        "fixed",
        partial(t_table, fit, df_method=wanted.ddf if has_choice(fit) else None),
        conf_int=True,
        conf_level=wanted.conf_level,
        exponentiate=wanted.exponentiate,
        r_names=wanted.r_names,
    )
    for row in frame.to_dict("records"):
        component = str(row.get("component", "cond"))
        numbers = {name: value for name, value in row.items() if isinstance(value, float)}
        if component == "threshold":  # that a threshold is zero means nothing
            numbers["p_value"] = np.nan
        yield Key(COEFFICIENTS, component, row["term"]), Entry(numbers)


def has_choice(fit: AnyFit) -> bool:
    """Whether the degrees of freedom of a fit can be chosen: of linear mixed models."""
    return fit.df_method == OF_LINEAR[0]


def _random(fit: AnyFit, r_names: bool) -> Iterator[tuple[Key, Entry]]:
    """Standard deviations and correlations; the residual one of models without effects, too."""
    if not (fit.T or fit.linear):
        if fit.family.residual_variance and not np.isnan(fit.sigma):
            yield _variance("cond", RESIDUAL[0], float(fit.sigma))
        return
    table = varcorr(cast("MixedFit", fit), r_names)
    for row in table.to_dict("records"):
        component = str(row.get("component", "cond"))
        yield _variance(component, _variance_label(row), float(row["sd_or_corr"]))


def _variance(component: str, label: str, value: float) -> tuple[Key, Entry]:
    label = label if component == "cond" else f"{label} ({component})"
    return Key(RANDOM, component, label), Entry({"estimate": value})


def _variance_label(row: dict[str, Any]) -> str:
    """``SD Intercept | g``, ``Corr Intercept, x | g``, ``rho, ar1 | g``, ``SD residual``."""
    group, first, second = row["group"], row["term1"], row["term2"]
    if pd.isna(row["variance"]):  # of a pattern of correlations, or of residuals
        return f"{RESIDUAL[1]}{first}" if pd.isna(second) else f"{second}, {first} | {group}"
    if not pd.isna(second):
        return f"Corr {first}, {second} | {group}"
    return RESIDUAL[0] if pd.isna(first) else f"SD {first} | {group}"


def _parameters(fit: AnyFit) -> Iterator[tuple[Key, Entry]]:
    """Parameters of the family that are one number, with standard errors."""
    if fit.family.residual_variance:
        return
    values = family_numbers(fit)
    errors = own_errors(fit) if values else {}
    for name, value in values.items():
        numbers = {"estimate": float(value), "std_error": float(errors[name])}
        yield Key(PARAMETERS, "", name), Entry(numbers)


# -- statistics of the fit -------------------------------------------------------------------------


def _number(label: str, value: Callable[[Any], float]) -> Callable[[Any], Any]:
    """Rows of one number; none where the model has no such number, or not without its rows."""

    def rows(fit: Any) -> Iterator[tuple[Key, Entry]]:
        try:
            yield Key(FIT, "", label), Entry({"value": float(value(fit))})
        except (ArgumentError, DataError):
            return

    return rows


def _count(label: str, value: Callable[[Any], float]) -> Callable[[Any], Any]:
    """Rows of one whole number."""
    return lambda fit: [(Key(FIT, "", label), Entry({"count": float(value(fit))}))]


def _words(label: str, value: Callable[[Any], str]) -> Callable[[Any], Any]:
    return lambda fit: [(Key(FIT, "", label), Entry({}, value(fit)))]


def _groups(fit: Any) -> Iterator[tuple[Key, Entry]]:
    for factor in fit.design.factors if fit.T else ():
        yield Key(FIT, "", f"Groups: {factor.name}"), Entry({"count": float(len(factor.levels))})


def _share(of: Callable[[Any], pd.Series], name: str) -> Callable[[Any], float]:
    """A share of variance; refused of models without random effects."""

    def value(fit: Any) -> float:
        if not fit.T:
            raise ArgumentError(f"{name}: the model has no random effects")
        return float(of(fit)[name])

    return value


def _residual_degrees(fit: Any) -> float:
    return float(fit.n - fit.n_parameters)


#: Name in ``fit_statistics`` -> rows of a fit.
STATISTICS: dict[str, Callable[[Any], Any]] = {
    "nobs": _count("Observations", lambda fit: fit.n),
    "groups": _groups,
    "log_lik": _number("Log-likelihood", lambda fit: fit.llf),
    "aic": _number("AIC", aic),
    "bic": _number("BIC", bic),
    "r2_marginal": _number("R² marginal", _share(r2, "marginal")),
    "r2_conditional": _number("R² conditional", _share(r2, "conditional")),
    "icc": _number("ICC", _share(icc, "adjusted")),
    "sigma": _number("Sigma", lambda fit: fit.sigma),
    "deviance": _number("Deviance", lambda fit: fit.deviance),
    "df_residual": _count("Residual df", _residual_degrees),
    "nparams": _count("Parameters", lambda fit: fit.n_parameters),
    "method": _words("Method", lambda fit: fit.method),
    "family": _words("Family", lambda fit: f"{fit.family.name} ({fit.family.link.name})"),
    "response": _words("Response", lambda fit: fit.design.response_name),
}
DEFAULT_STATISTICS = (
    *("nobs", "groups", "log_lik", "aic", "bic", "r2_marginal", "r2_conditional"),
    "method",
)
#: Shown beside these where the models differ in them.
WHERE_DIFFERENT = ("family", "response")


def default_statistics(fits: Sequence[Any]) -> tuple[str, ...]:
    """What is shown where nothing is asked for."""
    texts = {
        name: {row.text for f in fits for _, row in STATISTICS[name](f)} for name in WHERE_DIFFERENT
    }
    return *DEFAULT_STATISTICS, *(name for name, own in texts.items() if len(own) > 1)


def merged(sequences: Sequence[Sequence[Key]]) -> list[Key]:
    """All keys once: a new one after the one that it follows in its own sequence."""
    out: list[Key] = []
    for keys in sequences:
        at = 0
        for key in keys:
            if key in out:
                at = out.index(key) + 1
            else:
                out.insert(at, key)
                at += 1
    components = list(dict.fromkeys(key.component for key in out))

    def place(key: Key) -> tuple[int, bool, int]:
        return PARTS.index(key.part), is_residual(key), components.index(key.component)

    return sorted(out, key=place)


def is_residual(key: Key) -> bool:
    """Whether a row is of the residuals."""
    return key.part == RANDOM and key.name.startswith(RESIDUAL)
