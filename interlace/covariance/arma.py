"""Autoregressive moving averages: correlations of stationary series of any order.

    e_t = phi_1 e_{t-1} + ... + phi_p e_{t-p} + a_t + theta_1 a_{t-1} + ... + theta_q a_{t-q}

x are the inverse hyperbolic tangents of partial autocorrelations, of which the Durbin-Levinson
recursion makes the coefficients of stationary and invertible series and no others (Jones 1980).
Derivatives are imaginary parts at complex steps, exact but for rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from .correlations import START, Groups
from .dense_correlations import DenseCorrelation

__all__ = ["AutoRegressiveMovingAverage"]

# Of derivatives by complex steps: its square is no part of one.
STEP = 1e-30
# A partial autocorrelation as near as this to one is at it.
AT_END = 1e-5


def _coefficients(partial: np.ndarray) -> np.ndarray:
    """Coefficients (..., p) of an autoregression with these partial autocorrelations."""
    out = partial[..., :0]
    for k in range(partial.shape[-1]):
        last = partial[..., k : k + 1]
        out = np.concatenate([out - last * out[..., ::-1], last], axis=-1)
    return out


def _partial(coefficients: np.ndarray) -> np.ndarray:
    """Partial autocorrelations (p,) of an autoregression."""
    out, rest = [], np.array(coefficients, dtype=float)
    while rest.size:
        last, rest = rest[-1], rest[:-1]
        out.append(last)
        rest = (rest + last * rest[::-1]) / (1.0 - last**2)
    return np.array(out[::-1])


def autocorrelations(phi: np.ndarray, theta: np.ndarray, last: int) -> np.ndarray:
    """Autocorrelations at lags 0 to ``last``, (last + 1, ...), of coefficients (..., p), (..., q).

    Covariances up to lag max(p, q) solve g_k - sum_i phi_i g_|k - i| = sum_{j >= k} theta_j
    psi_{j - k} with psi the weights of the innovations; later ones follow by the recursion.
    """
    p, q = phi.shape[-1], theta.shape[-1]
    shape, m = phi.shape[:-1], max(p, q)
    theta = np.concatenate([np.ones((*shape, 1)), theta], axis=-1)
    psi = np.zeros((*shape, q + 1), dtype=phi.dtype)
    for j in range(q + 1):
        psi[..., j] = theta[..., j]
        for i in range(1, min(p, j) + 1):
            psi[..., j] += phi[..., i - 1] * psi[..., j - i]
    A = np.zeros((*shape, m + 1, m + 1), dtype=phi.dtype)
    b = np.zeros((*shape, m + 1), dtype=phi.dtype)
    for k in range(m + 1):
        A[..., k, k] += 1.0
        for i in range(1, p + 1):
            A[..., k, abs(k - i)] -= phi[..., i - 1]
        for j in range(k, q + 1):
            b[..., k] += theta[..., j] * psi[..., j - k]
    first = np.linalg.solve(A, b[..., None])[..., 0]
    out = np.zeros((last + 1, *shape), dtype=phi.dtype)
    for k in range(last + 1):
        if k <= m:
            out[k] = first[..., k]
        elif p:
            out[k] = sum(phi[..., i] * out[k - 1 - i] for i in range(p))
    return out / first[..., 0]


class AutoRegressiveMovingAverage(DenseCorrelation):
    """An ARMA(p, q) at whole-numbered times (nlme's corARMA).

    Parameters
    ----------
    groups : Groups
    names : sequence of str
        Not used.
    p, q : int
        Numbers of coefficients of the autoregression and of the moving average.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.arma import AutoRegressiveMovingAverage
    >>> from interlace.covariance.correlations import Groups
    >>> rows = Groups(np.array([0]), np.array([2]), np.array([[0.0], [2.0]]))
    >>> ar2 = AutoRegressiveMovingAverage(rows, p=2)
    >>> x = ar2.x_of(np.array([0.5, 0.2]))
    >>> ar2.between(x, rows.times[:1], rows.times[1:]).round(4)
    array([0.5125])
    """

    name = "arma"
    nlme = "corARMA"
    counts = True
    options: ClassVar[Mapping[str, type]] = {"p": int, "q": int}

    def __init__(self, groups: Groups, names: Sequence[str] = (), p: int = 0, q: int = 0) -> None:
        super().__init__(groups, names)
        self.p, self.q, self.n_parameters = p, q, p + q
        self.parameters = (
            *(f"phi_{i + 1}" for i in range(p)),
            *(f"theta_{j + 1}" for j in range(q)),
        )
        self.bounds = tuple(
            (-1.0, 1.0) if order == 1 else (-np.inf, np.inf)
            for order in (p, q)
            for _ in range(order)
        )
        spans = groups.times[groups.starts + groups.sizes - 1, 0] - groups.times[groups.starts, 0]
        self._last = int(spans.max(initial=0.0))

    def start(self) -> np.ndarray:
        out = np.zeros(self.n_parameters)
        out[:1] = np.arctanh(START)
        return out if self.p else -out

    def strong_start(self) -> np.ndarray:
        out = self.start()
        out[:1] = np.arctanh(0.8) * np.sign(out[:1])
        return out

    def _parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        partial = np.tanh(x)
        return _coefficients(partial[..., : self.p]), -_coefficients(partial[..., self.p :])

    def _steps(self, x: np.ndarray) -> np.ndarray:
        """x, and x a complex step further in each parameter, (1 + m, m)."""
        return np.concatenate([x[None], x + 1j * STEP * np.eye(x.size)])

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate(self._parts(x), axis=-1)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return self.natural(self._steps(x)[1:]).imag.T / STEP

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        natural = np.asarray(natural, dtype=float)
        with np.errstate(all="ignore"):
            return np.arctanh(
                np.concatenate([_partial(natural[: self.p]), _partial(-natural[self.p :])])
            )

    def matrices(self, x: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lags = np.abs(times[:, :, None, 0] - times[:, None, :, 0]).astype(int)
        values = autocorrelations(*self._parts(self._steps(x)), self._last)
        slopes = values[:, 1:].imag / STEP
        return values[lags, 0].real, np.moveaxis(slopes[lags], -1, 0)

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        lags = np.abs(left[:, 0] - right[:, 0]).astype(int)
        return autocorrelations(*self._parts(x), int(lags.max(initial=0)))[lags]

    def at_end(self, x: np.ndarray) -> str:
        at = np.flatnonzero(1.0 - np.abs(np.tanh(x)) < AT_END)
        if not at.size:
            return ""
        which = "autoregression" if at[0] < self.p else "moving average"
        word = "stationary" if at[0] < self.p else "invertible"
        return f"the {which} of the residual correlation arma is at the end of what is {word}"
