"""The part of a fit that families with one linear predictor and several share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from ..design.design import Design
from ..design.predictor import MEAN
from ..frames.columns import read_only
from ..linalg.crossproducts.predictors import place
from ..linalg.information import Information
from ..objective.generalised.density import FamilyDensity
from .base import BaseFit


@dataclass(frozen=True)
class PredictorsEstimates:
    """Estimates of all linear predictors, on the scale of the data.

    Attributes
    ----------
    beta : ndarray, shape (p,)
        Of all linear predictors, one after the other: `slices` say where each is, by name.
    zeta : ndarray, shape (m,) or (m, n)
        Linear predictors of the family's parameters; (m, n) where some are not one number.
    eta, weight : ndarray, shape (n,)
        Linear predictor, and information of the rows, at the modes; (K, n) and packed where there
        are K predictors. Of many rows with one predictor ``weight`` is None: `working_weights`
        makes it of eta.
    covariance : ndarray, shape (n_parameters, n_parameters), or Information
        Covariance matrix of (theta, beta, zeta), or what it is the inverse of.
    """

    beta: np.ndarray
    slices: dict[str, slice]
    zeta: np.ndarray
    eta: np.ndarray
    weight: np.ndarray | None
    covariance: np.ndarray | Information

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name != "covariance"}
        return {**state, "cov_all": self.cov_all}

    @cached_property
    def cov_all(self) -> np.ndarray:
        """Covariance matrix of (theta, beta, zeta), made when first asked for."""
        own = self.covariance
        return read_only(own.covariance if isinstance(own, Information) else own)


class PredictorsFit(BaseFit):
    """A fit whose X, beta and eta, and all that goes with them, are those of one linear predictor.

    Of the mean's, unless it is a `part`.
    """

    design: Design
    solution: Any

    if TYPE_CHECKING:

        @property
        def criterion(self) -> float: ...

    @property
    def theta_names(self) -> list[str]:
        """Names of the covariance parameters."""
        return []

    def part(self, predictor: str) -> Self:
        """The fit whose X, beta and covariances are those of another linear predictor."""
        own = replace(cast("Any", self), design=self.design.changed(current=predictor))
        own.__dict__["solution"] = self.solution
        return own

    @property
    def zeta(self) -> np.ndarray:
        """Linear predictors of the family's estimated parameters, (m,), or (m, n) if they vary."""
        return self.solution.zeta

    @property
    def predictor(self) -> str:
        return self.design.current

    @property
    def beta(self) -> np.ndarray:
        return self.solution.beta[self.solution.slices[self.predictor]]

    @property
    def n_parameters(self) -> int:
        return len(self.parameter_names)

    @property
    def estimated_parameters(self) -> dict[str, tuple[float, float]]:
        """Parameters of the family that are one number: their predictor and its standard error."""
        variances = np.diagonal(self.cov_all)
        if not self.several:
            errors = np.sqrt(variances[len(variances) - len(self.zeta) :])
            return dict(zip(self.family.parameters, zip(self.zeta, errors), strict=True))
        out = {}
        names = zip(self.family.parameters, list(self.design.predictors)[1:], strict=True)
        for parameter, name in names:
            if self.is_number(name):
                at = self.solution.slices[name].start
                error = np.sqrt(variances[self.theta.size + at])
                out[parameter] = (float(self.solution.beta[at]), float(error))
        return out

    @property
    def scale_free(self) -> bool:
        """Whether the linear predictor is a logarithm or a quantile: it has no unit."""
        links = (self.family.link, *self.family.parameter_links)
        return links[self.index].scale_free

    @property
    def several(self) -> bool:
        return len(self.design.predictors) > 1

    def is_number(self, predictor: str) -> bool:
        """Whether a linear predictor is the same in all rows."""
        moved = any(term.predictor == predictor for term in self.design.terms)
        return self.design.predictors[predictor].is_constant and not moved

    @property
    def cov_all(self) -> np.ndarray:
        """Covariance matrix of (theta, beta, zeta): twice the inverse Hessian of the deviance."""
        return self.solution.cov_all

    @property
    def parameter_names(self) -> list[str]:
        """Names of the rows of ``cov_all``."""
        if not self.several:
            logs = [f"log({name})" for name in self.family.parameters]
            return [*self.theta_names, *self.design.x_names, *logs]
        own = [
            name if predictor == MEAN else f"{predictor}~{name}"
            for predictor, part in self.design.predictors.items()
            for name in part.names
        ]
        return [*self.theta_names, *own]

    @property
    def cov_beta(self) -> np.ndarray:
        """Covariance matrix of the coefficients, (p, p)."""
        at = self.solution.slices[self.predictor]
        rows = slice(self.theta.size + at.start, self.theta.size + at.stop)
        return self.solution.cov_all[rows, rows]

    @property
    def sigma(self) -> float:
        """As R's ``sigma``: 1 unless the family has a dispersion; nan where that varies."""
        zeta = self.zeta if self.zeta.ndim == 1 else self.zeta[:, 0]
        return np.nan if np.isnan(self.dispersion) else float(self.family.sigma(zeta))

    @property
    def deviance(self) -> float:
        """Squared deviance residuals, summed; -2 log-likelihood where the family has none."""
        if not self.family.has_deviance:
            return self.criterion
        o = self.observations
        return float(self.family.deviance(o.y, self.mu, o.weights, self.zeta).sum())

    @property
    def dispersion(self) -> float:
        """Dispersion of the family, 1 where it has none; nan where it differs between rows."""
        values = np.ravel(self.family.dispersion(self.zeta))
        return float(values[0]) if (values == values[0]).all() else np.nan

    @property
    def eta(self) -> np.ndarray:
        """Linear predictor at the modes, offset included, (n,)."""
        return self.etas[self.index]

    @property
    def index(self) -> int:
        """The place of the linear predictor among all."""
        return list(self.design.predictors).index(self.predictor)

    @property
    def etas(self) -> np.ndarray:
        """All linear predictors at the modes, offsets included, (K, n)."""
        return np.atleast_2d(self.solution.eta)

    @cached_property
    def mu(self) -> np.ndarray:
        """Means at the modes, (n,)."""
        return read_only(self.family.mean(self.etas[0], self.zeta))

    @property
    def working_weights(self) -> np.ndarray:
        """Information of the rows in the determinant, at the modes, (n,)."""
        weight, k = self.solution.weight, self.index
        if weight is None:
            return self._weight_again()
        return weight[place(k, k)] if self.several else weight

    def _weight_again(self) -> np.ndarray:
        """Information of the rows at eta, which is not held where they are many."""
        o = self.observations
        density = FamilyDensity(self.family, o.y, o.weights, o.trials)
        rows = density.rows(self.eta, self.zeta, self.expected, order=0)
        return read_only(rows.weight.copy())
