"""The Python packages that are timed: how each is called, and the criterion it reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd


class Package(ABC):
    """A Python package that fits linear mixed models by REML.

    Each is imported when one is made, so that a process holds only the package it times.
    ``variants`` are sets of arguments: of the ways to call a package, the fastest counts.
    """

    module: str
    variants: Mapping[str, Mapping[str, Any]] = {"": {}}
    refits: Mapping[str, Mapping[str, Any]] = {"": {}}
    tested: Mapping[str, Mapping[str, Any]] = {"": {}}

    @classmethod
    def ways(cls, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """The sets of arguments for a kind of task."""
        return {"fit": cls.variants, "refit": cls.refits, "p-values": cls.tested}[kind]

    @classmethod
    def available(cls) -> bool:
        return find_spec(cls.module) is not None

    @abstractmethod
    def fit(self, formula: str, frame: pd.DataFrame, **options: Any) -> Any:
        """The whole call, from the text of a formula and a data frame."""

    @abstractmethod
    def criterion(self, result: Any) -> float:
        """-2 times the restricted log-likelihood at the estimates."""

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
        return self._interlace.fit(formula, frame, **options)

    def criterion(self, result):
        return result.reml_criterion

    def p_values(self, result):
        return result.fe_pvalues

    def refit_all(self, result, frame, responses, **options):
        return (result.refit(y, **options) for y in responses)


class Glmm(Package):
    module = "glmm"
    #: Degrees of freedom are part of a fit unless it is told otherwise.
    variants = {"": {}, "without df": {"satterthwaite": False}}
    refits = {
        "without df": {"satterthwaite": False},
        "warm, without df": {"satterthwaite": False, "warm": True},
    }

    def __init__(self) -> None:
        import glmm

        self._glmm = glmm

    def fit(self, formula, frame, **options):
        return self._glmm.fit(frame, formula, **options)

    def criterion(self, result):
        return -2.0 * result.loglik

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
        return self._mixedlm.lmer(formula, frame, **options)

    def criterion(self, result):
        return float(result.REMLcrit())

    def p_values(self, result):
        return self._mixedlm.pvalues_with_ddf(result, method="Satterthwaite")

    def refit_all(self, result, frame, responses, **options):
        return (result.refit(y, **options) for y in responses)


PACKAGES: dict[str, type[Package]] = {
    "interlace": Interlace,
    "glmm": Glmm,
    "mixedlm": Mixedlm,
}
