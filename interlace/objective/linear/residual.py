"""The objective of a linear model whose residuals are correlated or of unequal variance.

R = W^{-1}W^{-T}, with parameters phi of its own, in place of the identity. The whitened rows
W[X y Z] have independent residuals: at each phi theirs is the profiled deviance of `Deviance`,
plus log|R|, over x = (theta, phi). With E = V^{-1}[X y], (n, m), and B = Z'E of the whitened rows,
c and C as in `Deviance`, and dD = dW W^{-1} D for the derivative of whitened columns by one phi,

    d log|M| = 2 tr(Lambda M^{-1} Lambda' Z'dZ)
    dK       = E'F + F'E,   F = d[X y] - dZ Lambda Lambda' B
    dd/dphi  = d log|R| + d log|M| + df / r^2 c'dK c [+ tr(C dK_XX)]                  [REML alone]

which is the sum over the rows of dD * G with one G, (n, 1 + p + K), for all phi.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...covariance import CovarianceModel
from ...covariance.residual import ResidualModel, ResidualRoot
from ...errors import NumericalError
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.crossproducts.whitened import RowsToWhiten, whitened_products
from ..base import DIFFERENCE_STEP, NOT_ASKED, Evaluation
from ..theta_scale import ThetaScale
from .deviance import Deviance
from .lmm import SMALL_SAMPLE, LMMObjective, Solution
from .marginal import Marginal
from .no_effects import NoEffectsMarginal
from .whitened_rows import WhitenedRows

__all__ = ["ResidualObjective"]

# Of a forward difference of gradients that steers a search: its error is of this order.
FORWARD_STEP = 1e-5
# Of fewer rows a start with a strong correlation is tried too where it is lower than the usual one:
# of 24 models of nlme's data sets one had its maximum there.
FEW_ROWS = 200
# The criterion at a start, more than at a minimum, from which there may be a lower one.
NEAR = 5.0
# Relative variances of random effects beside strong correlations, among the starts.
WEAK = 0.01
# No parameter of a residual covariance is further from zero.
FURTHEST = 40.0


class ResidualObjective(LMMObjective):
    """Profiled deviance over x = (theta, phi): see `LMMObjective`."""

    curvature_is_cheap = False
    parameters = "variance and correlation parameters"
    simpler = "Remove a random-effect term, or correlation= or variance="

    def __init__(
        self,
        rows: RowsToWhiten,
        covariance: CovarianceModel,
        residual: ResidualModel,
        reml: bool,
        backend: str | None = None,
    ) -> None:
        self.to_whiten, self.residual = rows, residual
        self._held: tuple[np.ndarray, ResidualRoot, np.ndarray] | None = None
        self.q = covariance.n_theta
        self._first: np.ndarray | None = None  # where a search starts
        cross, root = self._products(residual.start())
        marginal = None if rows.codes else NoEffectsMarginal(cross)
        super().__init__(cross, covariance, reml, backend, marginal)
        self._root, self._phi = root, residual.start()
        self.scale = ThetaScale(covariance, rows.z_roots)

    def _products(self, phi: np.ndarray) -> tuple[CrossProducts, ResidualRoot]:
        """The cross-products of the rows whitened at phi."""
        root, D = self._whitened(phi)
        if not (np.isfinite(root.logdet) and np.isfinite(D).all()):
            raise NumericalError("the residual covariance is singular at these parameters")
        return whitened_products(self.to_whiten, D, root.logdet), root

    def _whitened(self, phi: np.ndarray) -> tuple[ResidualRoot, np.ndarray]:
        if not all(abs(value) < FURTHEST for value in phi.tolist()):
            raise NumericalError("a parameter of the residual covariance has no end")
        root = self.residual.at(phi)
        return root, root.whiten(self.to_whiten.columns)

    def _set(self, cross: CrossProducts, marginal: Marginal) -> None:
        self.cross, self.marginal = cross, marginal
        self.deviance = Deviance(cross, marginal, self.reml)
        self.df = self.deviance.df
        self._fused = None  # it knows nothing of the rows
        self._rows: WhitenedRows | None = None

    def _move(self, phi: np.ndarray) -> None:
        """Whiten the rows at other parameters."""
        if phi.size == self.residual.n_parameters and not np.array_equal(phi, self._phi):
            cross, root = self._products(phi)
            self._set(cross, self.marginal.renewed(cross))
            self._root, self._phi = root, phi.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_root": None, "_held": None, "_rows": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._root = self.residual.at(self._phi)

    # -- other data --------------------------------------------------------------------------

    def _other(self, rows: RowsToWhiten) -> ResidualObjective:
        """The same objective of other rows in the same places."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.to_whiten, other._held, other._first = rows, None, None
        cross, other._root = other._products(self._phi)
        other._set(cross, self.marginal.renewed(cross))
        other._set_thresholds(cross)
        return other

    def with_response(self, y: np.ndarray) -> ResidualObjective:
        return self._other(self.to_whiten.with_response(y))

    def with_model(self, residual: ResidualModel) -> ResidualObjective:
        """The same objective with other values in the functions of its variance."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, residual=residual, _phi=residual.start())
        return other._other(self.to_whiten)

    def enlarge(self, units: list[np.ndarray]) -> None:
        self.to_whiten, self._held = self.to_whiten.enlarged(units), None
        if self.scale.units is not None:
            units = [old * new for old, new in zip(self.scale.units, units, strict=True)]
        self.scale = ThetaScale(self.covariance, self.to_whiten.z_roots, units)
        cross, self._root = self._products(self._phi)
        self._set(cross, self.marginal.renewed(cross))

    def as_ml(self) -> ResidualObjective:
        other = cast("ResidualObjective", self.fresh())
        other.reml = False
        other._set(other.cross, other.marginal)
        return other

    # -- parameters --------------------------------------------------------------------------

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """theta's part of x and phi."""
        return x[: self.q], x[self.q :]

    def theta(self, x: np.ndarray) -> np.ndarray:
        x = self.checked_x(x, self.q + self.residual.n_parameters)
        return self.scale.theta(x[: self.q])

    def start(self) -> np.ndarray:
        phi = self.residual.start()
        self._move(phi)
        self._first = np.concatenate([super().start() if self.q else np.empty(0), phi])
        return self._first

    def _value(self, x: np.ndarray) -> float:
        try:
            return self._evaluate(x, 0).value
        except NumericalError:
            return np.inf

    def x_in_units(self, theta: np.ndarray) -> np.ndarray:
        if not self.q:
            return self.residual.start()
        return np.concatenate([super().x_in_units(theta), self.residual.start()])

    def other_starts(self, x: np.ndarray) -> list[np.ndarray]:
        strong = self.residual.strong_start()
        if strong is None or not self.q:
            return []
        # what a random effect explains a correlation may explain too
        weak = self.scale.start(np.full(sum(self.covariance.widths), WEAK))
        other = np.concatenate([weak, strong])
        value, n = self._value(other), self.cross.n
        first = self.start() if self._first is None else self._first
        few = n < SMALL_SAMPLE or (n < FEW_ROWS and value < self._value(first))
        return [other] if few or value < self._value(x) + NEAR else []

    def far_starts(self, x: np.ndarray) -> list[np.ndarray]:
        theta, phi = self.split(x)
        out = [np.concatenate([far, phi]) for far in super().far_starts(theta)]
        far = self.residual.far_start(phi)
        if far is not None:
            out.append(np.concatenate([theta, far]))
        return out

    def names(self) -> list[str]:
        return [*super().names(), *self._phi_names()]

    def _phi_names(self) -> list[str]:
        names = self.residual.names
        return names if len(names) == self.residual.n_parameters else []

    def lower_bounds(self) -> np.ndarray:
        own = self.scale.lower_bounds()
        return np.concatenate([own, np.full(self.residual.n_parameters, -np.inf)])

    def canonical(self, x: np.ndarray) -> np.ndarray:
        theta, phi = self.split(x)
        own = self.scale.canonical(theta)
        return x if own is theta or not self.q else np.concatenate([own, phi])

    def snap(self, x: np.ndarray) -> np.ndarray:
        theta, phi = self.split(x)
        own = self.scale.snap(theta)
        return x if own is theta or not self.q else np.concatenate([own, phi])

    def null_directions(self, x: np.ndarray) -> list[str]:
        theta, phi = self.split(x)
        own = self.scale.null_directions(theta) if self.q else []
        return [*own, *self.residual.at_end(phi)]

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        theta, _ = self.split(x)
        if not self.q:
            return directions
        own = self.scale.changes(theta, directions[: self.q])
        return np.concatenate([own, directions[self.q :]])

    def rounding(self, x: np.ndarray) -> float:
        return super().rounding(x) if self.q else 0.0

    def _templates(self, x: np.ndarray) -> list[np.ndarray]:
        theta, phi = self.split(x)
        self._move(phi)
        return self.scale.templates(theta)

    # -- the criterion -----------------------------------------------------------------------

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        x = self.checked_x(x, self.q + self.residual.n_parameters, order)
        if order < 2:
            return self._evaluate(x, order)
        here = self._evaluate(x, 1)
        H = self._hessian(x, here.gradient, FORWARD_STEP)
        return Evaluation(here.value, here.gradient, H, False)

    def _evaluate(self, x: np.ndarray, order: int) -> Evaluation:
        return self._by_rows(x, order) or self._by_products(x, order)

    def _by_rows(self, x: np.ndarray, order: int) -> Evaluation | None:
        """Straight from the rows, which is faster where it loses no digits."""
        if not WhitenedRows.possible(self.to_whiten):
            return None
        theta, phi = self.split(x)
        root, D = self._rows_at(phi)
        if self._rows is None:
            self._rows = WhitenedRows(self.to_whiten, self.reml, self._smallest)
        here = self._rows.evaluate(D, root.logdet, self.scale.templates(theta), order)
        if here is None or not order:
            return None if here is None else Evaluation(here.value)
        own = self.scale.directions(theta).gradient(here.slopes) if self.q else NOT_ASKED
        slopes = root.logdet_slopes + root.inner(self.to_whiten.columns, here.rows)
        return Evaluation(here.value, np.concatenate([own, slopes]))

    def _rows_at(self, phi: np.ndarray) -> tuple[ResidualRoot, np.ndarray]:
        """The rows whitened at phi, those of before where it has not changed."""
        if self._held is None or self._held[0].tolist() != phi.tolist():
            root, D = self._whitened(phi)
            self._held = phi.copy(), root, D
        return self._held[1], self._held[2]

    def _by_products(self, x: np.ndarray, order: int) -> Evaluation:
        T, profile = self._at(x)
        if order == 0:
            return Evaluation(profile.value)
        return Evaluation(profile.value, self.gradient_at(x, T, self.deviance.weights(profile)))

    def gradient_at(self, x: np.ndarray, T: list[np.ndarray], Q: np.ndarray) -> np.ndarray:
        own = super().gradient_at(x[: self.q], T, Q) if self.q else NOT_ASKED
        return np.concatenate([own, self._phi_gradient(T, Q)])

    def _phi_gradient(self, T: list[np.ndarray], Q: np.ndarray) -> np.ndarray:
        """Derivatives by phi of log|R| + log|M| + tr(QK), Q (m, m) held, (n_phi,)."""
        assert self._root is not None
        G = self._row_gradient(T, Q)
        return self._root.logdet_slopes + self._root.inner(self.to_whiten.columns, G)

    def _row_gradient(self, T: list[np.ndarray], Q: np.ndarray) -> np.ndarray:
        """G: derivatives of it in the whitened columns, (n, 1 + p + K)."""
        p, V = self.cross.p, self._effects(T)
        H = self._residuals(V) @ (2.0 * Q)
        G = np.empty(self.to_whiten.columns.shape)
        G[:, 0], G[:, 1 : 1 + p] = H[:, p], H[:, :p]
        moved = self._moved
        if moved.any():
            G[:, 1 : 1 + p] -= H[:, p, None] * moved
        parts = zip(self.to_whiten.effects(G), self._inverse_rows(T), V, strict=True)
        for z, own, effects in parts:
            z[:] = 2.0 * own - np.einsum("nm,nkm->nk", H, effects)
        return G

    @property
    def _moved(self) -> np.ndarray:
        """The response's coefficients less those that were taken from it before whitening, (p,)."""
        return self.cross.standardisation.gamma - self.to_whiten.std.gamma

    def _effects(self, T: list[np.ndarray]) -> list[np.ndarray]:
        """Lambda Lambda'Z'V^{-1}[X y] of each row's level, (n, k_b, m) each."""
        codes = self.cross.rows.codes
        return [((t @ t.T) @ self.marginal.projected(b))[codes[b]] for b, t in enumerate(T)]

    def _residuals(self, V: list[np.ndarray]) -> np.ndarray:
        """E = V^{-1}[X y], (n, m), by what `_effects` gives."""
        rows, p = self.cross.rows, self.cross.p
        E = np.empty((len(rows.y), p + 1))
        E[:, :p] = rows.X
        E[:, p] = rows.y - rows.X @ self.cross.standardisation.gamma
        for z, effects in zip(rows.Z, V, strict=True):
            E -= np.einsum("nk,nkm->nm", z, effects)
        return E

    def _inverse_rows(self, T: list[np.ndarray]) -> list[np.ndarray]:
        """Z Lambda M^{-1} Lambda' of each row and factor, (n, k_b): only levels that meet count."""
        codes, Z = self.cross.rows.codes, self.cross.rows.Z
        stars = [z @ t for z, t in zip(Z, T, strict=True)]
        out = []
        for b, (own, star) in enumerate(zip(codes, stars, strict=True)):
            out.append(np.einsum("nk,nkl->nl", star, self.marginal.inverse_blocks(b)[own]))
        if len(codes) > 1:
            pairs = self.marginal.inverse_pairs()
            for (b, c), blocks in pairs.items():
                met = blocks[self._meetings[b, c]]
                out[b] += np.einsum("nl,nkl->nk", stars[c], met)
                out[c] += np.einsum("nk,nkl->nl", stars[b], met)
        return [own @ t.T for own, t in zip(out, T, strict=True)]

    @property
    def _meetings(self) -> dict[tuple[int, int], np.ndarray]:
        """The block of each row's pair of levels, (n,)."""
        if "_places" not in self.__dict__:
            places, codes = {}, self.cross.rows.codes
            for (b, c), pair in self.marginal.pattern.pairs.items():
                levels = self.to_whiten.n_levels[c]
                keys = pair.rows * levels + pair.indices
                places[b, c] = np.searchsorted(keys, codes[b].astype(np.int64) * levels + codes[c])
            self.__dict__["_places"] = places
        return self.__dict__["_places"]

    # -- at the optimum ----------------------------------------------------------------------

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The Hessian, (n, n), by differences of the gradient, theta's exact where cheaper."""
        return self._hessian(x, None, DIFFERENCE_STEP)

    def _hessian(self, x: np.ndarray, gradient: np.ndarray | None, h: float) -> np.ndarray:
        """By forward differences from a gradient, or by central ones without any."""
        H = np.empty((x.size, x.size))
        q = 0 if WhitenedRows.possible(self.to_whiten) else self.q
        if q:
            H[:q, :q] = self._theta_hessian(x)
        for j in range(q, x.size):
            step = np.zeros(x.size)
            step[j] = h * max(1.0, abs(x[j]))
            up = self._evaluate(x + step, 1).gradient
            if gradient is None:
                H[j] = (up - self._evaluate(x - step, 1).gradient) / (2.0 * step[j])
            else:
                H[j] = (up - gradient) / step[j]
        H[q:, q:] = 0.5 * (H[q:, q:] + H[q:, q:].T)
        H[:q, q:] = H[q:, :q].T
        return H

    def _theta_hessian(self, x: np.ndarray) -> np.ndarray:
        T, profile = self._at(x)
        sums = self.deviance.level_sums(profile)
        H = self.deviance.hessian(T, self.scale.directions(x[: self.q]), profile, sums)
        if H is not None:
            return H
        H = np.empty((self.q, self.q))
        for i in range(self.q):
            step = np.zeros(x.size)
            step[i] = DIFFERENCE_STEP * max(1.0, abs(x[i]))
            up, down = self._evaluate(x + step, 1).gradient, self._evaluate(x - step, 1).gradient
            H[i] = (up - down)[: self.q] / (2.0 * step[i])
        return 0.5 * (H + H.T)

    def variance_derivatives(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """d r^2 / dx and -d X'V^{-1}X / dx: see `LMMObjective`."""
        T, profile = self._at(x)
        p = self.cross.p
        slope, Y = np.empty(0), np.empty((0, p, p))
        if self.q:
            sums, directions = self.deviance.level_sums(profile), self.scale.directions(x[: self.q])
            a, Y = self.deviance.variance_slopes(T, directions, profile, sums)
            slope, Y = -a, Y[:, :p, :p]
        V = self._effects(T)
        E, moved = self._residuals(V), self._moved
        slopes, own = [], []
        assert self._root is not None
        for D in self._root.slopes(self.to_whiten.columns):
            F = np.empty(E.shape)
            F[:, :p] = D[:, 1 : 1 + p]
            F[:, p] = D[:, 0] - F[:, :p] @ moved
            for z, effects in zip(self.to_whiten.effects(D), V, strict=True):
                F -= np.einsum("nk,nkm->nm", z, effects)
            dK = E.T @ F
            dK += dK.T.copy()
            slopes.append(float(profile.c @ dK @ profile.c))
            own.append(-dK[:p, :p])
        return np.concatenate([slope, slopes]), np.concatenate([Y, np.array(own).reshape(-1, p, p)])

    def centred(self, x: np.ndarray) -> ResidualObjective:
        c = self._at(x)[1].c
        gamma = self.cross.standardisation.gamma - c[: self.cross.p]
        return self._other(self.to_whiten.recentred(gamma))

    def without_residual(self, x: np.ndarray) -> tuple[np.ndarray, Solution]:
        own, solution = super().without_residual(x)
        phi = self.residual.start()
        return np.concatenate([own[: self.q], phi]), solution

    def marginal_at(self, x: np.ndarray) -> Marginal:
        T = self._templates(x)
        marginal = self.marginal.fresh()
        marginal.update(T)
        return marginal
