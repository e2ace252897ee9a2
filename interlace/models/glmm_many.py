"""A generalised mixed model fitted to many responses by compiled searches, where there are any.

Of models with one grouping factor, by Laplace's approximation: families with one parameter at most
and links that leave every row's likelihood log-concave. All of a search is one call of the kernel
of the criterion; what it is not sure of is refitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np

from ..families.several import in_support
from ..linalg.threads import one_thread
from ..objective.generalised.density import FamilyDensity
from ..objective.generalised.infinity import endless
from ..objective.generalised.laplace import (
    HESSIAN_STEP,
    LEAST_INFORMATION,
    ZETA_STEP,
    LaplaceObjective,
)
from ..objective.theta_scale import SNAP_TOLERANCE
from ..optimize.minimise import LOWER
from .glmm import GLMMFit
from .many import Estimates, Other, filled, verdicts_of
from .observations import WHOLE_COUNT, WHOLE_SUCCESSES
from .verdicts import HUGE

__all__ = ["LevelSearches"]

#: Of the responses that are known to be ones of a family without a message.
SUPPORTS = ("proportion", "count", "positive", None)

# A search goes by gradients until a step promises the second number, then by Hessians: its last
# step promises less than the first. Estimates are then those of a refit, which takes such a step
# where 1e-8 is promised, to a hundred millionth of a standard error.
LAST_PROMISE = 1e-9
NEAR = 1e-11
RULE = SNAP_TOLERANCE, LAST_PROMISE, LOWER, NEAR
DIFFERENCES = HESSIAN_STEP, ZETA_STEP, LEAST_INFORMATION


class LevelSearches:
    """Refits of one model to responses, from the estimates of the fit; for one thread."""

    def __init__(self, fit: GLMMFit) -> None:
        self.fit = fit
        objective = fit.objective
        assert isinstance(objective, LaplaceObjective)
        self.objective, own = objective, copy(objective.problem)
        d = objective.problem.density
        assert isinstance(d, FamilyDensity)
        own.density = FamilyDensity(fit.family, d.y.copy(), d.weights, d.trials)
        modes = objective.modes.fresh(own.Z, own.density)
        self._kernel = modes.criterion(own, fit.covariance).kernel
        self._density, self._order = own.density, own.order
        self._bounded = objective.lower_bounds() == 0.0
        self._jacobian = fit.scale.jacobian()
        self._moved = list(self._moved_rows())

    @staticmethod
    def possible(fit: Any) -> bool:
        """Whether the kernel knows the model, and a search from the estimates is all of a refit."""
        if not isinstance(fit, GLMMFit) or fit.several or fit.ordered or fit.nAGQ != 1:
            return False
        family = fit.family
        if len(family.parameters) > 1 or family.support not in SUPPORTS:
            return False
        if fit.is_reml or fit.optimizer != "newton" or not fit.theta.all():
            return False
        objective = fit.objective
        compiled = isinstance(objective, LaplaceObjective) and objective._compiled is not None
        return bool(compiled and family.log_concave and not objective.other_starts(fit.x))

    def estimates(self, Y: np.ndarray, other: Callable[[int], Other]) -> Estimates:
        """Estimates for checked responses (m, n); ``other`` fits those that have no such search."""
        plain = self._plain(Y)
        rows = Y if self._order is None else np.ascontiguousarray(Y[:, self._order])
        densities = self._densities(rows[plain])
        x, value, H, sure = self._searched(rows[plain], densities)
        verdicts = verdicts_of(self.objective, x, self._bounded, sure)
        own, at = self.fit, self.objective.at
        theta = own.scale.clean(x[:, at.theta]) @ self._jacobian.T
        beta = x[:, at.beta] @ self.objective.problem.back.T
        if theta.shape[1] > 1:  # where one variance is lost another might be: the start decides
            sure &= np.array(verdicts) != "singular"
        sure &= self._moderate(x, H, sure)
        sure &= self._finite_zeta(x, H, sure, densities)
        out = Estimates.empty(len(Y), theta.shape[1], beta.shape[1])
        out.theta[plain], out.beta[plain] = theta, beta
        out.criterion[plain] = value - 2.0 * self._constants(rows[plain])
        out.sigma[plain] = self._numbers(x[:, at.zeta])
        for i, verdict in zip(np.flatnonzero(plain).tolist(), verdicts, strict=True):
            out.verdicts[i] = verdict
        plain[plain] = sure
        return filled(out, plain, other)

    def _densities(self, Y: np.ndarray) -> list[FamilyDensity]:
        """Those of responses (m, n) that zeta is asked of; none where there is no zeta."""
        d = self._density
        if not d.n_zeta:
            return []
        return [FamilyDensity(d.family, y, d.weights, d.trials) for y in Y]

    def _numbers(self, zeta: np.ndarray) -> np.ndarray:
        """The family's one number, (m,): sigma, its parameter, or 1 where it has none."""
        family = self.fit.family
        if not zeta.shape[1]:
            return np.ones(len(zeta))
        if family.residual_variance:
            return np.array([family.sigma(own) for own in zeta])
        return np.exp(zeta[:, 0])

    def _searched(self, Y: np.ndarray, densities: list[FamilyDensity]) -> tuple[np.ndarray, ...]:
        """x (m, P), the criterion, the Hessian, and whether they are sure.

        Without zeta the criterion is without its constant.
        """
        m, P = len(Y), self.fit.x.size
        kernel = self._density.kernel
        x, value, gradient = np.empty((m, P)), np.empty(m), np.empty((m, P))
        H, sure = np.empty((m, P, P)), np.empty(m, dtype=np.uint8)
        reads = kernel.log_y.size > 0
        logs = np.log(np.where(Y > 0.0, Y, 1.0)) if reads else np.empty((m, 0))
        self._kernel.searched(
            Y, kernel.y, logs, kernel.log_y, self.fit.x[None].copy(),
            np.ascontiguousarray(self.fit.optimum.curvature),
            self._bounded.astype(np.uint8), RULE, DIFFERENCES, [d.constant for d in densities],
            np.array([d.zeta_limit for d in densities]), x, value, gradient, H, sure,
        )  # fmt: skip
        return x, value, H, sure.astype(bool)

    def _constants(self, Y: np.ndarray) -> np.ndarray:
        """What the log-likelihoods of `_searched` lack, which depends on no parameter, (m,)."""
        d, m = self._density, len(Y)
        if d.n_zeta or not m:
            return np.zeros(m)
        weights, trials = np.tile(d.weights, m), np.tile(d.trials, m)
        value, _ = d.family.constant(Y.ravel(), weights, trials, np.empty(0))
        return np.broadcast_to(value, Y.size).reshape(Y.shape).sum(axis=1)

    # -- what a refit would look at again ------------------------------------------------------

    def _plain(self, Y: np.ndarray) -> np.ndarray:
        """Responses (m, n) of which a refit says nothing and that random effects do not predict."""
        varying, support = Y.min(axis=1) != Y.max(axis=1), self.fit.family.support
        if support is None:
            return varying
        if support != "proportion":
            broken = ~in_support(support, Y)
            if support == "count":
                broken |= np.abs(Y - np.round(Y)) > WHOLE_COUNT * np.maximum(1.0, Y)
            return varying & ~broken.any(axis=1)
        successes = Y * self.fit.observations.trials
        broken = np.abs(successes - np.round(successes)) > WHOLE_SUCCESSES
        return varying & ~broken.any(axis=1) & ~self._all_agree(Y)

    def _all_agree(self, Y: np.ndarray) -> np.ndarray:
        """Whether all rows of each level agree in what they want of some effect, (m,)."""
        ends = np.where(Y >= 1.0, 1.0, np.where(Y <= 0.0, -1.0, 0.0))
        out = np.zeros(len(Y), dtype=bool)
        for order, starts, sign, _ in self._moved:
            pull = ends[:, order] * sign
            low, high = (f.reduceat(pull, starts, axis=1) for f in (np.minimum, np.maximum))
            out |= (low == high).all(axis=1) & (pull != 0.0).all(axis=1)
        return out

    def _moved_rows(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
        """Of each effect: its rows by level, where levels begin, signs of its covariate, its reach.

        The reach is the size of the covariate in the rows that it moves, relative to that in all.
        """
        factor = self.fit.design.factors[0]
        for column in np.asarray(factor.Z).T:
            moved = np.flatnonzero(column)
            order = moved[np.argsort(factor.codes[moved], kind="stable")]
            starts = np.flatnonzero(np.diff(factor.codes[order], prepend=-1))
            yield order, starts, np.sign(column[order]), (len(column) / max(moved.size, 1)) ** 0.5

    def _moderate(self, x: np.ndarray, H: np.ndarray, sure: np.ndarray) -> np.ndarray:
        """Whether no coefficient and no variance looks infinite, (m,)."""
        at, design = self.objective.at, self.fit.design
        out = np.zeros(len(x), dtype=bool)
        reach = np.array([own for *_, own in self._moved])
        for i in np.flatnonzero(sure).tolist():
            size = self.fit.scale.sizes(x[i, at.theta])[0]
            out[i] = bool((size * reach <= HUGE).all())
        if not self.fit.p:
            return out
        known = np.flatnonzero(out)
        with one_thread(x.size):
            inverse = 2.0 * np.linalg.inv(H[known])[:, at.beta, at.beta]
        back, sizes = self.objective.problem.back, np.sqrt((design.X**2).mean(axis=0))
        variance = np.einsum("ij,mjk,ik->mi", back, inverse, back)
        with np.errstate(invalid="ignore"):
            out[known] = (np.sqrt(variance) * sizes < HUGE).all(axis=1)
        return out

    def _finite_zeta(
        self, x: np.ndarray, H: np.ndarray, sure: np.ndarray, densities: list[FamilyDensity]
    ) -> np.ndarray:
        """Whether the family's parameter has a finite best value, (m,)."""
        out = sure.copy()
        if not densities:
            return out
        at, problem = self.objective.at, copy(self.objective.problem)
        places = np.arange(x.shape[1])
        places = np.concatenate([places[at.beta], places[at.zeta]])
        for i in np.flatnonzero(sure).tolist():
            problem.density = densities[i]
            out[i] = x[i, at.zeta][0] < densities[i].zeta_limit and not endless(
                problem, x[i, at.beta], x[i, at.zeta], places, H[i]
            )
        return out
