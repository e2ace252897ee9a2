"""A fit for other tools: plain numbers and texts, and the versions they come from."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..diagnostics.convergence import convergence
from ..inference.components import dispersion_coefficients, own_parameters, parts
from ..inference.criteria import aic, bic
from .random_effects import varcorr

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit, MixedFit
    from ..models.regression import RegressionFit

    Unmixed = GLMFit | RegressionFit

VERSIONS_OF = ("interlace", "numpy", "scipy", "pandas", "formulaic")


def as_dict(fit: AnyFit) -> dict[str, Any]:
    """Estimates and what they rest on, as plain numbers and texts that JSON can hold."""
    criteria = {"criterion": fit.criterion, "llf": fit.llf, "aic": aic(fit), "bic": bic(fit)}
    verdict = convergence(fit)
    own, *rest = (_component(part) for part in parts(fit).values())
    others = dict(zip(list(parts(fit))[1:], rest, strict=True))
    return {
        "formula": fit.design.formula.text,
        "family": fit.family.name,
        "link": fit.family.link.name,
        "dispersion": _finite(fit.dispersion),
        "family_params": _plain(own_parameters(fit)),
        "disp_params": _plain(dispersion_coefficients(fit)[0]),
        "sigma": _finite(fit.sigma),
        "method": fit.method,
        "nobs": fit.n,
        "fe_params": own["params"],
        "vcov": own["vcov"],
        **({"components": others} if others else {}),
        **{name: _finite(value) for name, value in criteria.items()},
        **(
            _of_mixed(cast("MixedFit", fit))
            if fit.T or fit.linear
            else _of_glm(cast("Unmixed", fit))
        ),
        "convergence": {
            "verdict": verdict.verdict,
            "message": verdict.message,
            "evaluations": verdict.evaluations,
            "optimizer": verdict.optimizer,
        },
        "versions": versions(),
    }


def _of_mixed(fit: MixedFit) -> dict[str, Any]:
    """Numbers that only models with random effects have."""
    table = varcorr(fit).astype(object)
    return {
        "ngroups": {f.name: f.n_labels for f in fit.design.factors},
        "theta": dict(zip(fit.covariance.theta_names, fit.theta.tolist(), strict=True)),
        "VarCorr": table.where(table.notna(), None).to_dict("records"),
        "df_resid": fit.n - fit.n_parameters,
        "nAGQ": fit.nAGQ,
    }


def _of_glm(fit: Unmixed) -> dict[str, Any]:
    """Numbers that only models without random effects have."""
    return {
        "deviance": _finite(fit.deviance),
        "null_deviance": _finite(fit.null_deviance),
        "df_resid": fit.df_resid,
        "df_null": fit.df_null,
    }


def _component(fit: AnyFit) -> dict[str, Any]:
    """Coefficients of one linear predictor."""
    return {
        "params": dict(zip(fit.design.x_names, fit.beta.tolist(), strict=True)),
        "vcov": [[_finite(v) for v in row] for row in fit.cov_beta.tolist()],
    }


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    """JSON has no infinities."""
    return float(value) if np.isfinite(value) else None


def versions() -> dict[str, str]:
    """Version of each package that results rest on."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Names and versions, found once: each look reads and parses a whole file."""
    out = []
    for name in VERSIONS_OF:
        try:
            out.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(out)
