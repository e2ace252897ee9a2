"""Profiled ML and REML deviance of a linear mixed model, with gradient and curvature.

Sections 2 to 4 of the mathematics page. [X y], (n, m) with m = p + 1, and Z stand for the
standardised columns times the roots of the prior weights, beta for the correction to least squares;
df = n (ML) or n - p (REML). At the templates T_b, (k_b, k_b),

    V = I + Z Lambda Lambda'Z',   log|V| = log|M|,   M = Lambda'Z'Z Lambda + I       (q, q)
    K = [X y]'V^{-1}[X y]         (m, m), its leading (p, p) block X'V^{-1}X = C^{-1}
    c = [-beta; 1]                (m,), beta = C X'V^{-1}y,   r^2 = c'Kc

value, with the constants of the weights and of the standardisation:

    d = log|M| + df (1 + log(2 pi r^2 / df)) [+ log|X'V^{-1}X|] + constant           [REML alone]

gradient, of the levels l of factor b, with B_l = Z_l'V^{-1}[X y], (k, m), g_l = B_l c:

    dd/dT_b = 2 N_b T_b,   N_b = sum_l { Z_l'V^{-1}Z_l [- B_l C B_l'] - (df / r^2) g_l g_l' }

curvature, over parameters i with dT_i = dT / dx_i, D_i = dT_i T' + T dT_i' (k, k) and
V_i = Z D_i Z' of all levels; Py = V^{-1}[X y]c, Q = V^{-1} [- V^{-1}X C X'V^{-1}]:

    a_i   = y'PV_iPy = -d r^2 / dx_i
    AI_ij = df (y'PV_iPV_jPy / r^2 - a_i a_j / r^4)
    S_ij  = 2 tr(dT_i'N_b dT_j) + 2 <N_b T_b, d2T_ij>
    H_ij  = S_ij + 2 AI_ij + df a_i a_j / r^4 - tr(QV_iQV_j)

The curvature is H where its traces are cheap and it is positive definite, else AI + S.
All of V comes from a `Marginal`. With one grouping factor ``linalg/kernels/_onefactor.pyx`` does
the same in one call, in the same order, and with few effects of several ``_fewcolumns.pyx``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from ...errors import NumericalError
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.wide import product
from ..directions import Directions
from .marginal import Marginal

LOG_2PI = float(np.log(2.0 * np.pi))


class Profile(NamedTuple):
    """The criterion at one T, beta and sigma profiled out."""

    value: float
    r2: float
    c: np.ndarray  # [-beta; 1] in standardised coordinates
    C: np.ndarray  # (X'V^{-1}X)^{-1}
    share: float = 1.0  # r2 over y'V^{-1}y


class LevelSums(NamedTuple):
    """Sums over the levels of each grouping factor."""

    N: list[np.ndarray]  # (k, k)
    BB: list[np.ndarray]  # sum_l B_l (x) B_l, (k k, m m)


def not_positive_definite() -> NumericalError:
    """The error of a corner K without a Cholesky factor."""
    return NumericalError(
        "the cross-products are numerically singular at these covariance parameters; check for a "
        "response that the model fits exactly, or start nearer to theta = 1"
    )


class Deviance:
    """The criterion as a function of the templates T and, through `Directions`, of parameters."""

    def __init__(self, cross: CrossProducts, marginal: Marginal, reml: bool) -> None:
        self.cross, self.marginal, self.reml = cross, marginal, reml
        self.p = cross.p
        self.df = cross.n - cross.p if reml else cross.n
        logdet = cross.standardisation.logdet
        self.constant = -cross.log_weights - (2.0 * logdet if reml else 0.0)

    def corner(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        """log|V| and K, with the marginal brought to T."""
        return self.marginal.update(T)

    def profile(self, T: Sequence[np.ndarray]) -> Profile:
        """The value at T, with beta and r^2."""
        logdet, K = self.corner(T)
        p, df = self.p, self.df
        R, info = lapack.dpotrf(K)
        r2 = R[p, p] ** 2
        if info == p + 1:  # all but the response was factorised
            r2 = float(R[p, p])
        elif info or not r2 > 0.0:
            raise not_positive_definite()
        with np.errstate(invalid="ignore", divide="ignore"):
            value = logdet + df * (1.0 + LOG_2PI + np.log(r2 / df)) + self.constant
        c = np.ones(p + 1)
        C = np.zeros((0, 0))
        if p:
            diagonal = np.diagonal(R)[:p]
            if self.reml:
                value += 2.0 * np.log(diagonal).sum()
            inverse, _ = lapack.dtrtri(R[:p, :p])
            C = inverse @ inverse.T
            c[:p] = -(inverse @ R[:p, p])
        return Profile(float(value), float(r2), c, C, float(r2 / K[p, p]))

    def level_sums(self, profile: Profile) -> LevelSums:
        """N_b and the sums of B_l (x) B_l."""
        return self.sums_of(self.weights(profile), self.cross.z.widths)

    def weights(self, profile: Profile) -> np.ndarray:
        """Q (m, m) with dd = tr(V^{-1}dV) - tr(Q [X y]'V^{-1}dV V^{-1}[X y])."""
        Q = (self.df / profile.r2) * np.outer(profile.c, profile.c)
        if self.reml:
            Q[: self.p, : self.p] += profile.C
        return Q

    def sums_of(self, Q: np.ndarray, widths: Sequence[int]) -> LevelSums:
        """The sums for grouping factors of these numbers of columns."""
        N, BB = [], []
        for b, k in enumerate(widths):
            G, bb = self.marginal.level_sums(b)
            N.append(G - (bb @ Q.ravel()).reshape(k, k))
            BB.append(bb)
        return LevelSums(N, BB)

    def gradient(
        self, T: Sequence[np.ndarray], directions: Directions, sums: LevelSums
    ) -> np.ndarray:
        """<2 N_b T_b, dT_i>."""
        return directions.gradient(_slopes(T, sums))

    def curvature(
        self, T: Sequence[np.ndarray], directions: Directions, profile: Profile, sums: LevelSums
    ) -> tuple[np.ndarray, bool]:
        """A curvature over the parameters, and whether it is the Hessian."""
        D = directions.changes(T)
        known, AI, a = self._information(T, D, directions, profile, sums)
        if self.marginal.exact_is_cheap:
            H = self._hessian(D, directions, known, AI, a, profile)
            assert H is not None
            if not lapack.dpotrf(H)[1]:
                return H, True
        return AI + known, False

    def hessian(
        self, T: Sequence[np.ndarray], directions: Directions, profile: Profile, sums: LevelSums
    ) -> np.ndarray | None:
        """H, or None where its traces are too large to form."""
        D = directions.changes(T)
        parts = self._information(T, D, directions, profile, sums)
        return self._hessian(D, directions, *parts, profile)

    def variance_slopes(
        self, T: Sequence[np.ndarray], directions: Directions, profile: Profile, sums: LevelSums
    ) -> tuple[np.ndarray, np.ndarray]:
        """a_i and [X y]'V^{-1}V_iV^{-1}[X y], (n, m, m)."""
        return self._moments(directions.changes(T), directions, profile, sums)

    def _hessian(self, D, directions, known, AI, a, profile: Profile) -> np.ndarray | None:
        trace = self.marginal.traces(D, profile.C if self.reml else None)
        if trace is None:
            return None
        outer = (self.df / profile.r2**2) * np.outer(a, a)
        return known + 2.0 * AI + outer - directions.matrix_in_order(trace)

    def _moments(
        self, D, directions: Directions, profile: Profile, sums: LevelSums
    ) -> tuple[np.ndarray, np.ndarray]:
        m = self.p + 1
        parts = zip(D, sums.BB, strict=True)
        Y = np.concatenate([(d.reshape(len(d), -1) @ bb).reshape(-1, m, m) for d, bb in parts])
        Y = directions.in_order(Y)
        return Y @ profile.c @ profile.c, Y

    def _information(
        self, T, D, directions: Directions, profile: Profile, sums: LevelSums
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """S, AI and a."""
        a, Y = self._moments(D, directions, profile, sums)
        quadratic = directions.matrix_in_order(self.marginal.quadratic(D, profile.c))
        s = Y[:, : self.p, :] @ profile.c
        quadratic = quadratic - s @ profile.C @ s.T
        AI = self.df * (quadratic / profile.r2 - np.outer(a, a) / profile.r2**2)
        return directions.curvature(sums.N, _slopes(T, sums)), AI, a


def _slopes(T: Sequence[np.ndarray], sums: LevelSums) -> list[np.ndarray]:
    """2 N_b T_b."""
    return [2.0 * product(N, t) for N, t in zip(sums.N, T, strict=True)]
