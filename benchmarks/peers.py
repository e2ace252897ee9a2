"""The Python packages that are timed: how each is called, and the criterion it reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from tasks import Task


class Package(ABC):
    """A Python package that fits linear mixed models by REML, and generalised ones.

    Each is imported when one is made, so that a process holds only the package it times.
    ``variants`` are sets of arguments: of the ways to call a package, the fastest counts.
    """

    module: str
    variants: Mapping[str, Mapping[str, Any]] = {"": {}}
    refits: Mapping[str, Mapping[str, Any]] = {"": {}}
    tested: Mapping[str, Mapping[str, Any]] = {"": {}}
    generalised: Mapping[str, Mapping[str, Any]] = {"": {}}
    generalised_refits: Mapping[str, Mapping[str, Any]] = {"": {}}

    @classmethod
    def ways(cls, task: Task) -> Mapping[str, Mapping[str, Any]]:
        """The sets of arguments for a task."""
        if task.distribution is not None:
            return cls.generalised_refits if task.kind == "refit" else cls.generalised
        return {"fit": cls.variants, "refit": cls.refits, "p-values": cls.tested}[task.kind]

    @classmethod
    def available(cls) -> bool:
        return find_spec(cls.module) is not None

    @abstractmethod
    def fit(self, formula: str, frame: pd.DataFrame, **options: Any) -> Any:
        """The whole call, from the text of a formula and a data frame."""

    @abstractmethod
    def arguments(self, distribution: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
        """What makes ``fit`` fit a generalised model: family, weights, nAGQ of a `Distribution`."""

    @abstractmethod
    def criterion(self, result: Any) -> float:
        """-2 times the log-likelihood at the estimates; the restricted one of a linear model."""

    @abstractmethod
    def standard_errors(self, result: Any) -> np.ndarray:
        """Of the fixed effects."""

    @abstractmethod
    def p_values(self, result: Any) -> Any:
        """Of t tests of the fixed effects, with Satterthwaite's degrees of freedom."""

    @abstractmethod
    def refit_all(
        self, result: Any, frame: pd.DataFrame, responses: list[np.ndarray], **options: Any
    ) -> Iterator[Any]:
        """Fits to new responses, in the cheapest way that the package has."""


class Interlace(Package):
    module = "interlace"

    def __init__(self) -> None:
        import interlace

        self._interlace = interlace

    def fit(self, formula, frame, **options):
        if "family" in options:
            return self._interlace.glmer(formula, frame, **options)
        return self._interlace.fit(formula, frame, **options)

    def arguments(self, distribution, frame):
        family, link = {
            "binomial": ("binomial", None),
            "poisson": ("poisson", None),
            "nbinom2": ("negativebinomial", None),
            "gamma": ("gamma", "log"),
        }.get(distribution["family"], (distribution["family"], None))
        weights = distribution["weights"] or None
        formulas = {
            "ziformula": distribution["zi"] or None,
            "dispformula": distribution["dispersion"] or None,
        }
        own = {"family": family, "link": link, "weights": weights, "nAGQ": distribution["nAGQ"]}
        return own | {name: text for name, text in formulas.items() if text}

    def criterion(self, result):
        return -2.0 * result.llf

    def standard_errors(self, result):
        return result.fe_bse.to_numpy()

    def p_values(self, result):
        return result.fe_pvalues

    def refit_all(self, result, frame, responses, **options):
        return (result.refit(y) for y in responses)


class Glmm(Package):
    module = "glmm"
    #: Degrees of freedom are part of a fit unless it is told otherwise.
    variants = {"": {}, "without df": {"satterthwaite": False}}
    refits = {
        "without df": {"satterthwaite": False},
        "warm, without df": {"satterthwaite": False, "warm": True},
    }
    #: A fit of counts comes with likelihood-ratio tests, which are more fits, unless told not to.
    generalised = {"": {"anova_test": "Wald"}}
    generalised_refits = {
        "": {"anova_test": "Wald"},
        "warm": {"anova_test": "Wald", "warm": True},
    }

    def __init__(self) -> None:
        import glmm

        self._glmm = glmm

    def fit(self, formula, frame, **options):
        return self._glmm.fit(frame, formula, **options)

    def arguments(self, distribution, frame):
        family, link = {
            "binomial": ("binomial", None),
            "poisson": ("poisson", None),
            "nbinom2": ("negativebinomial", None),
            "gamma": ("gamma", "log"),
        }[distribution["family"]]
        weights = distribution["weights"]
        trials = frame[weights].to_numpy(float) if weights else None
        return {"family": family, "link": link, "weights": trials, "nagq": distribution["nAGQ"]}

    def criterion(self, result):
        return -2.0 * result.loglik

    def standard_errors(self, result):
        return np.asarray(result.se)

    def p_values(self, result):
        return result.coef_p

    def refit_all(self, result, frame, responses, *, warm=False, **options):
        response = result.formula.partition("~")[0].strip()
        columns = {name: frame[name] for name in frame}
        if warm:
            # Variances relative to that of the residuals, as a Cholesky factor: lme4's theta.
            options["warm_start"] = {"beta": result.beta, "theta": theta_of(result)}
        for y in responses:
            yield self._glmm.fit({**columns, response: y}, result.formula, **options)


def theta_of(result: Any) -> list[float]:
    """lme4's theta of a glmm fit with one random term: columns of its Cholesky factor."""
    packed = np.asarray(result.varcorr[0]) / result.dispersion
    width = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
    lower = np.zeros((width, width))
    lower[np.tril_indices(width)] = packed
    factor = np.linalg.cholesky(lower + np.tril(lower, -1).T)
    return [float(factor[i, j]) for j in range(width) for i in range(j, width)]


class Mixedlm(Package):
    module = "mixedlm"

    def __init__(self) -> None:
        import mixedlm

        self._mixedlm = mixedlm

    def fit(self, formula, frame, **options):
        if "family" in options:
            return self._mixedlm.glmer(formula, frame, **options)
        return self._mixedlm.lmer(formula, frame, **options)

    def arguments(self, distribution, frame):
        families = self._mixedlm.families
        family = {"binomial": families.Binomial, "poisson": families.Poisson}
        weights = distribution["weights"] or None
        made = family[distribution["family"]]()
        return {"family": made, "weights": weights, "nAGQ": distribution["nAGQ"]}

    def criterion(self, result):
        if result.isGLMM():
            return -2.0 * float(result.logLik().value)
        return float(result.REMLcrit())

    def standard_errors(self, result):
        return np.sqrt(np.diagonal(result.vcov()))

    def p_values(self, result):
        return self._mixedlm.pvalues_with_ddf(result, method="Satterthwaite")

    def refit_all(self, result, frame, responses, **options):
        return (result.refit(y) for y in responses)


PACKAGES: dict[str, type[Package]] = {
    "interlace": Interlace,
    "glmm": Glmm,
    "mixedlm": Mixedlm,
}
