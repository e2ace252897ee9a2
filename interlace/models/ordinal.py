"""Models of ordered categories: cumulative link models, with and without random effects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

import numpy as np

from ..design.design import Design
from ..design.predictor import ALL, MEAN, NOMINAL, SCALE, THRESHOLD, without_columns
from ..errors import listing
from ..families.ordinal import Ordinal
from ..frames.columns import read_only
from ..linalg.information import Information, side_by_side, variance_of
from ..linalg.threads import one_thread
from ..objective.generalised.ordinal_regression import OrdinalRegression
from ..optimize import Optimum, minimise
from .base import closed, others
from .density import problem_of
from .glmm import GLMMFit, fit_glmm, mode_differences, refit_glmm
from .observations import Observations, observe
from .predictors_fit import PredictorsEstimates
from .regression import RegressionFit
from .verdicts import HUGE


class Reported(NamedTuple):
    """Parameters as R has them: of the thresholds, coefficients, those of log sigma.

    ``J`` takes changes of (beta, zeta) to theirs; ``located`` (k,) are those of the thresholds that
    move with all of these.
    """

    names: list[str]
    values: np.ndarray
    J: np.ndarray
    located: np.ndarray


class OrdinalPart:
    """What fits of ordered categories share: thresholds, and the rows' own ones."""

    ordered: ClassVar[bool] = True

    if TYPE_CHECKING:
        design: Design
        solution: Any

        @property
        def family(self) -> Ordinal: ...
        @property
        def theta(self) -> np.ndarray: ...
        @property
        def theta_names(self) -> list[str]: ...
        @property
        def zeta(self) -> np.ndarray: ...
        @property
        def eta(self) -> np.ndarray: ...
        @property
        def n(self) -> int: ...
        @property
        def cov_all(self) -> np.ndarray: ...

    @property
    def several(self) -> bool:
        """Thresholds and log sigma are parameters of one linear predictor's density."""
        return False

    @property
    def scale_free(self) -> bool:
        """Linear predictors are quantiles of a distribution."""
        return True

    @property
    def predictor(self) -> str:
        """The component that X, beta and its covariances are of."""
        return self.design.current

    @property
    def index(self) -> int:
        """The place of the linear predictor that random effects are in."""
        return 0

    @property
    def component_predictors(self) -> tuple[str, ...]:
        """Location, thresholds, and log sigma where it has coefficients."""
        return (MEAN, THRESHOLD, *([SCALE] if self.scale_names else []))

    def part(self, predictor: str) -> Any:
        """The fit whose X, beta and covariances are those of another component."""
        design = self.design
        if predictor in (THRESHOLD, ALL):
            count = self.n_thresholds if predictor == THRESHOLD else None
            nominal = design.predictors.get(NOMINAL)
            formula = None if nominal is None else nominal.formula
            own = without_columns(tuple(self.reported.names[:count]), len(design.y), formula)
            design = replace(design, predictors={**design.predictors, predictor: own})
        part = replace(cast("Any", self), design=replace(design, current=predictor))
        part.__dict__["solution"] = self.solution
        return part

    @property
    def location(self) -> np.ndarray:
        """Coefficients of the location, (p,)."""
        return self.solution.beta

    @property
    def _at(self) -> slice:
        """The place of the component's coefficients among the reported ones."""
        k, p = self.n_thresholds, self.location.size
        places = {THRESHOLD: slice(0, k), MEAN: slice(k, k + p), SCALE: slice(k + p, None)}
        return places.get(self.predictor, slice(None))

    @property
    def beta(self) -> np.ndarray:
        """Coefficients of the component."""
        return self.location if self.predictor == MEAN else self.reported.values[self._at]

    @property
    def cov_beta(self) -> np.ndarray:
        """Their covariance matrix."""
        return self.cov_reported[self._at, self._at]

    @property
    def levels(self) -> np.ndarray:
        """The categories."""
        return self.family.levels

    @property
    def nominal_names(self) -> tuple[str, ...]:
        """Columns that thresholds depend on; an intercept alone as a rule."""
        own = self.design.predictors.get(NOMINAL)
        return ("Intercept",) if own is None else own.names

    @property
    def scale_names(self) -> tuple[str, ...]:
        """Columns that log sigma depends on."""
        own = self.design.predictors.get(SCALE)
        return () if own is None else own.names

    @property
    def n_thresholds(self) -> int:
        """Parameters of the thresholds, the first ones of zeta."""
        return self.family.thresholds.count * len(self.nominal_names)

    @property
    def delta(self) -> np.ndarray:
        """Coefficients of log sigma, (r,)."""
        return self.zeta[self.n_thresholds :]

    @property
    def sigma(self) -> float:
        """1: the scale of the latent variable is that of the link's distribution."""
        return 1.0

    @property
    def dispersion(self) -> float:
        """1."""
        return 1.0

    @property
    def alpha(self) -> np.ndarray:
        """Thresholds, (a, size): a coefficient for each column that they depend on."""
        own = self.zeta[: self.n_thresholds]
        thresholds = self.family.thresholds
        if NOMINAL not in self.design.predictors:
            return thresholds.at(own)[None]
        return own.reshape(len(self.nominal_names), -1) @ thresholds.linear.T

    @property
    def alpha_jacobian(self) -> np.ndarray:
        """Derivatives of ``alpha.ravel()`` in zeta, (a size, m)."""
        thresholds, a = self.family.thresholds, len(self.nominal_names)
        own = self.zeta[: self.n_thresholds]
        J = np.zeros((a * thresholds.size, self.zeta.size))
        if NOMINAL not in self.design.predictors:
            J[:, : self.n_thresholds] = thresholds.jacobian(own)
        else:
            J[:, : self.n_thresholds] = np.kron(np.eye(a), thresholds.linear)
        return J

    @property
    def cov_coefficients(self) -> np.ndarray:
        """Covariance matrix of (beta, zeta)."""
        m = self.theta.size
        return self.cov_all[m:, m:]

    @cached_property
    def reported(self) -> Reported:
        """All but theta as R has them."""
        thresholds, p, m = self.family.thresholds, self.location.size, self.zeta.size
        own = self.zeta[: self.n_thresholds]
        if NOMINAL in self.design.predictors:
            first, J = own, np.eye(own.size)
            names = [
                f"{name}.{column}"
                for column in self.nominal_names
                for name in thresholds.names(self.levels)
            ]
        else:
            first = thresholds.reported @ thresholds.parts(own)
            J = thresholds.reported * np.where(thresholds.logs, thresholds.parts(own), 1.0)
            names = thresholds.names(self.levels)
        k, r = own.size, m - own.size
        whole = np.zeros((k + p + r, p + m))
        whole[:k, p : p + k] = J
        whole[k : k + p, :p] = np.eye(p)
        whole[k + p :, p + k :] = np.eye(r)
        return Reported(
            [*names, *self.design.mean.names, *(f"scale~{name}" for name in self.scale_names)],
            np.concatenate([first, self.location, self.delta]),
            whole,
            (np.arange(k) < thresholds.count) * self._located,
        )

    def zeta_of(self, values: np.ndarray) -> np.ndarray:
        """zeta of parameters of thresholds and scale as they are reported."""
        k, thresholds = self.n_thresholds, self.family.thresholds
        own = np.array(values[:k], dtype=float)
        if NOMINAL not in self.design.predictors:
            own = np.linalg.solve(thresholds.reported, own)
            with np.errstate(invalid="ignore", divide="ignore"):
                own = np.where(thresholds.logs, np.log(own), own)
        return np.concatenate([own, values[k:]])

    @property
    def _located(self) -> np.ndarray:
        """How far each parameter of the thresholds moves with all of these, (k,)."""
        thresholds = self.family.thresholds
        one = np.zeros(thresholds.count)
        if not thresholds.logs[0]:
            one = thresholds.reported[:, 0].copy()
        return np.tile(one, len(self.nominal_names))

    @property
    def cov_reported(self) -> np.ndarray:
        """Covariance matrix of `reported`."""
        J = self.reported.J
        return J @ self.cov_coefficients @ J.T

    @property
    def zeta_names(self) -> list[str]:
        """Names of zeta as the search has it."""
        if NOMINAL in self.design.predictors:
            own = self.reported.names[: self.n_thresholds]
        else:
            own = [
                f"log({name})" if log else name
                for name, log in zip(
                    self.family.parameters, self.family.thresholds.logs.tolist(), strict=True
                )
            ]
        return [*own, *(f"scale~{name}" for name in self.scale_names)]

    @property
    def parameter_names(self) -> list[str]:
        """Names of the rows of ``cov_all``."""
        return [*self.theta_names, *self.design.mean.names, *self.zeta_names]

    @property
    def estimated_parameters(self) -> dict[str, tuple[float, float]]:
        """None but the thresholds, which have a table of their own."""
        return {}

    def standard(
        self, eta: np.ndarray, nominal: np.ndarray | None = None, log_scale: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predictors and thresholds of rows over their sigma, as the family takes them.

        By default for the rows of the fit; the thresholds of all rows, or (size, n).
        """
        if nominal is None and NOMINAL in self.design.predictors:
            nominal = self.design.predictors[NOMINAL].X
        if log_scale is None and SCALE in self.design.predictors:
            log_scale = self.log_scale_of(self.design.predictors[SCALE])
        if nominal is None and log_scale is None:
            return eta, self.zeta
        alpha = self.alpha.T @ nominal.T if nominal is not None else self.alpha.T
        if log_scale is None:
            return eta, alpha
        tau = np.exp(-log_scale)
        return eta * tau, alpha * tau

    def log_scale_of(self, predictor: Any) -> np.ndarray:
        """log sigma of rows with the matrix and the offset of a predictor."""
        out = predictor.X @ self.delta
        return out if predictor.offset is None else out + predictor.offset

    @cached_property
    def mu(self) -> np.ndarray:
        """Expected numbers of the categories at the modes, (n,)."""
        return read_only(self.family.mean(*self.standard(self.eta)))

    @property
    def deviance(self) -> float:
        """-2 log-likelihood."""
        return cast("Any", self).criterion


@dataclass(frozen=True, eq=False)
class OrdinalMixedFit(OrdinalPart, GLMMFit):
    """A fitted cumulative link mixed model."""

    family: Ordinal

    def all_mode_slopes(self) -> list[np.ndarray]:
        """Derivatives of the modes b in all parameters, (P, l_b, k_b) each.

        Those of thresholds and scale are in the parameters of the search.
        """
        objective: Any = self.objective
        natural = objective.problem.natural(self.zeta.size)
        return mode_differences(
            objective, self.x, side_by_side(objective.scale.jacobian(), natural)
        )


@dataclass(frozen=True, eq=False)
class OrdinalFit(OrdinalPart, RegressionFit):
    """A fitted cumulative link model without random effects."""

    family: Ordinal

    @property
    def objective(self) -> OrdinalRegression:  # type: ignore[override]
        """The criterion, a new one each time."""
        return OrdinalRegression(
            cast("Any", problem_of(self.design, self.family, self.observations))
        )

    @property
    def infinite(self) -> dict[str, int]:
        """Coefficients without a finite estimate, and which way they go: 1 or -1."""
        if self.verdict != "separated":
            return {}
        values, lost = self.reported.values, endless(self)
        return {name: int(np.sign(values[i])) for i, name in lost}

    @property
    def df_null(self) -> int:
        """Rows less thresholds."""
        return self.n - self.family.thresholds.count

    @cached_property
    def null_deviance(self) -> float:
        """-2 log-likelihood of the model with thresholds and the offset alone."""
        design = self.design
        mean = design.predictors[MEAN]
        own = without_columns((), self.n, mean.formula)
        own = replace(own, offset=mean.offset, X=np.zeros((self.n, 0)))
        null = replace(design, predictors={MEAN: own}, current=MEAN)
        return fit_ordinal(null, self.family, self.observations).deviance

    def without(self, gone: np.ndarray) -> OrdinalFit:
        """The fit without some of its rows."""
        design = self.design.of(others(self.n, gone))
        return fit_ordinal(design, self.family, observe(design, self.family))


def fit_ordinal(
    design: Design,
    family: Ordinal,
    observations: Observations,
    *,
    seconds: dict[str, float] | None = None,
) -> OrdinalFit:
    """Fit a model without random terms by maximum likelihood, with the verdict on separation."""
    seconds = dict(seconds or {})
    clock = perf_counter()
    with one_thread(design.size):
        objective = OrdinalRegression(cast("Any", problem_of(design, family, observations)))
        optimum = minimise(objective)
    solution = closed(_estimates(objective, optimum))
    seconds["optimise"] = perf_counter() - clock
    fit = OrdinalFit(
        design, family, observations, closed(optimum), solution, optimum.optimizer, seconds
    )
    return _judged(fit)


def fit_ordinal_mixed(
    design: Design, family: Ordinal, observations: Observations, **how: Any
) -> OrdinalMixedFit:
    """Fit a model with random terms: see `fit_glmm`."""
    fit = fit_glmm(design, family, observations, kind=OrdinalMixedFit, **how)
    if fit.converged:
        return _judged(cast("OrdinalMixedFit", fit))
    # what has no maximum without random effects has none with them
    alone = fit_ordinal(replace(design, factors=(), terms=()), family, observations)
    if alone.verdict != "separated":
        return cast("OrdinalMixedFit", fit)
    optimum = fit.optimum.judged(alone.verdict, alone.message)
    return cast("OrdinalMixedFit", replace(fit, optimum=optimum))


def refit_ordinal_mixed(fit: OrdinalMixedFit, y: np.ndarray) -> OrdinalMixedFit:
    """The same model for other categories, (n,) numbers, started at the old estimates."""
    return _judged(refit_glmm(fit, y))


def refit_ordinal(fit: OrdinalFit, y: np.ndarray) -> OrdinalFit:
    """The same model for other categories, (n,) numbers."""
    design = fit.design.with_response(y)
    return fit_ordinal(design, fit.family, observe(design, fit.family))


def _estimates(objective: OrdinalRegression, optimum: Optimum) -> PredictorsEstimates:
    x, problem = optimum.x, objective.problem
    p, zeta = objective.p, optimum.x[objective.p :]
    H = objective.evaluate(x, 2).curvature
    eta = objective.predictors(x)
    rows = problem.density.rows(eta, zeta, False, order=0)
    return PredictorsEstimates(
        beta=problem.beta(x[:p]),
        slices=problem.slices,
        zeta=problem.parameters(eta, x[:p], zeta),
        eta=problem.natural_eta(problem.unsorted(eta), x[:p]),
        weight=problem.unsorted(rows.observed),
        covariance=Information(H, problem.natural(zeta.size)),
    )


def endless(fit: Any) -> list[tuple[int, str]]:
    """Parameters without a finite estimate: their places among the reported ones, and names.

    Coefficients are judged by the spread of their columns, and thresholds where these are at their
    means.
    """
    if _plainly_finite(fit):
        return []
    k, design, p = fit.n_thresholds, fit.design, fit.location.size
    centre, spread = _moments(design.mean.X)
    L = np.eye(fit.reported.values.size)
    L[k : k + p] *= spread[:, None]
    count = fit.family.thresholds.count
    if NOMINAL in design.predictors:
        own, size = _moments(design.predictors[NOMINAL].X)
        for j, name in enumerate(fit.nominal_names):
            if name != "Intercept":
                at = slice(j * count, (j + 1) * count)
                L[at] *= size[j]
                L[:count, at] = own[j] * np.eye(count)
    moves = fit.reported.located
    L[:k, k : k + p] = -moves[:, None] * centre
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(variance_of(L, fit.cov_reported))
    lost = ~(errors < HUGE)
    return [(int(i), fit.reported.names[i]) for i in np.flatnonzero(lost)]


def _plainly_finite(fit: Any) -> bool:
    """Whether bounds show that no parameter is `endless`, without the covariances.

    A standard error of a sum is at most the sum of those of its parts, and mean and standard
    deviation of a column are at most its root mean square.
    """
    if NOMINAL in fit.design.predictors:
        return False
    X, thresholds, k = fit.design.mean.X, fit.family.thresholds, fit.n_thresholds
    variances = fit.cov_coefficients.diagonal()
    if not (variances.min(initial=0.0) >= 0.0 and variances.max(initial=0.0) < np.inf):
        return False  # nor are there bounds where one is not a number
    errors = np.sqrt(variances)
    p = X.shape[1]
    own = np.sqrt(np.einsum("ij,ij->j", X, X) / len(X)) * errors[:p]
    slopes = np.abs(thresholds.reported) * np.where(
        thresholds.logs, thresholds.parts(fit.zeta[:k]), 1.0
    )
    reported = slopes @ errors[p : p + k] + own.sum()
    largest = max(float(part.max(initial=0.0)) for part in (own, reported, errors[p + k :]))
    return largest < HUGE


def _moments(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of columns, (p,) each."""
    centre = X.mean(axis=0)
    return centre, np.sqrt(((X - centre) ** 2).mean(axis=0))


def _judged(fit: Any) -> Any:
    """The fit, its verdict changed where parameters have no finite estimate."""
    if fit.verdict == "separated" or fit.optimum.certificate.saddle:
        return fit
    lost = endless(fit)
    if not lost:
        return fit
    text = (
        f"the parameters {listing(name for _, name in lost)} have no finite estimate: some "
        "categories are predicted the better the larger they are, as where all rows of a group "
        "are in the lowest or in the highest categories. Their standard errors mean nothing; join "
        "such groups or categories, leave the term out, or test it by likelihood ratio"
    )
    return replace(fit, optimum=fit.optimum.judged("separated", text))
