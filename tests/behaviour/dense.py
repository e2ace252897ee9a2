"""Criteria by dense algebra, which share no line with the package.

Random effects are columns of one matrix A = Z Lambda, written out; families and links are formulas
of one line; modes are found from u = 0. Covariance matrices enter as loadings: a term with effects
of covariance S S' has columns Z S, whatever the shape of S, so that a variance can be added to a
matrix that has lost rank.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import expit, gammaln, log_expit, log_ndtr, xlogy

LARGEST_ORDINARY = 150  # rows for which V is formed; more go through M = A'WA + I
MODE_STEP = 1e-10
MODE_ITERATIONS = 300
HALVINGS = 12
DAMPINGS = 10
LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass
class Rows:
    """Log-densities of the rows, score, expected and observed information; each (n,)."""

    value: np.ndarray
    score: np.ndarray
    expected: np.ndarray
    observed: np.ndarray


def _mean(link: str, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mu and two derivatives."""
    if link == "log":
        mu = np.exp(eta)
        return mu, mu, mu
    if link == "identity":
        return eta, np.ones_like(eta), np.zeros_like(eta)
    if link == "sqrt":
        return np.where(eta > 0, eta * eta, np.nan), 2.0 * eta, np.full_like(eta, 2.0)
    if link == "inverse":
        return 1.0 / eta, -1.0 / eta**2, 2.0 / eta**3
    raise ValueError(link)


def _binomial(link: str, eta, y, trials, prior) -> Rows:
    """a1 = mu'/mu, a0 = mu'/(1 - mu) and their derivatives, so that no tail is lost."""
    if link == "logit":
        log1, log0 = log_expit(eta), log_expit(-eta)
        a1, a0 = expit(-eta), expit(eta)
        d1, d0 = -a1 * a0, a1 * a0
    elif link == "probit":
        log1, log0 = log_ndtr(eta), log_ndtr(-eta)
        log_phi = -0.5 * (eta**2 + LOG_2PI)
        a1, a0 = np.exp(log_phi - log1), np.exp(log_phi - log0)
        d1, d0 = a1 * (-eta - a1), a0 * (a0 - eta)
    elif link == "cloglog":
        e = np.exp(eta)
        mu = -np.expm1(-e)
        log1, log0, a1, a0 = np.log(mu), -e, np.exp(eta - e) / mu, e
        d1, d0 = a1 * (1.0 - e - a1), e
    elif link == "cauchit":
        # 1/2 + atan(x)/pi = atan2(1, -x)/pi keeps the tails
        mu, nu = np.arctan2(1.0, -eta) / np.pi, np.arctan2(1.0, eta) / np.pi
        slope = 1.0 / (np.pi * (1.0 + eta**2))
        log1, log0, a1, a0 = np.log(mu), np.log(nu), slope / mu, slope / nu
        c = -2.0 * eta / (1.0 + eta**2)
        d1, d0 = a1 * (c - a1), a0 * (c + a0)
    else:
        raise ValueError(link)
    k, m = y * trials, trials
    constant = gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1)

    def both(successes, failures):
        # what nobody observed has no part, also where it is infinite
        return np.where(k > 0, k * successes, 0.0) + np.where(k < m, (m - k) * failures, 0.0)

    value, score, observed = both(log1, log0) + constant, both(a1, -a0), both(-d1, d0)
    expected = np.nan_to_num(m * a1 * a0, nan=0.0)
    return Rows(prior * value, prior * score, prior * expected, prior * observed)


def _rising(y: np.ndarray, theta: float, mu: np.ndarray) -> np.ndarray:
    """log Gamma(y + theta) - log Gamma(theta) - y log(theta + mu) for whole y, for any theta."""
    i = np.arange(int(y.max(initial=0.0)))
    parts = np.log1p((i[:, None] - mu) / (theta + mu))
    return np.where(i[:, None] < y, parts, 0.0).sum(axis=0)


def rows(family: str, link: str, eta, y, trials, prior, zeta) -> Rows:
    """The family's rows at linear predictors; minus infinity where the mean is out of range."""
    with np.errstate(all="ignore"):
        if family == "binomial":
            out = _binomial(link, eta, y, trials, prior)
        else:
            out = _others(family, link, eta, y, prior, zeta)
    bad = ~np.isfinite(out.value + out.score + out.observed)
    if bad.any():
        nothing = np.zeros_like(eta)
        return Rows(np.where(bad, -np.inf, out.value), nothing, nothing, nothing)
    return out


def _others(family: str, link: str, eta, y, prior, zeta) -> Rows:
    mu, d1, d2 = _mean(link, eta)
    if family != "gaussian":
        mu = np.where(mu > 0, mu, np.nan)
    s = float(np.exp(zeta[0])) if len(zeta) else 1.0
    if family in ("gamma", "inverse_gaussian", "gaussian"):  # the dispersion is divided by weights
        s, prior = s * prior, 1.0
    precision = 1.0
    if family == "poisson":
        value, V, dV = xlogy(y, mu) - mu - gammaln(y + 1), mu, np.ones_like(mu)
    elif family == "negativebinomial":
        value = _rising(y, s, mu) + xlogy(y, mu) - s * np.log1p(mu / s) - gammaln(y + 1)
        V, dV = mu + mu * mu / s, 1.0 + 2.0 * mu / s
    elif family == "gamma":
        precision, V, dV = s, mu * mu, 2.0 * mu
        value = s * np.log(s * y / mu) - s * y / mu - np.log(y) - gammaln(s)
    elif family == "inverse_gaussian":
        precision, V, dV = s, mu**3, 3.0 * mu * mu
        value = 0.5 * (np.log(s) - LOG_2PI - 3.0 * np.log(y)) - 0.5 * s * (y / mu - 1.0) ** 2 / y
    elif family == "gaussian":
        precision, V, dV = s, np.ones_like(mu), np.zeros_like(mu)
        value = 0.5 * (np.log(s) - LOG_2PI) - 0.5 * s * (y - mu) ** 2
    else:
        raise ValueError(family)
    residual = precision * (y - mu) / V
    expected = precision * d1 * d1 / V
    observed = expected - residual * (d2 - d1 * d1 * dV / V)
    return Rows(prior * value, prior * residual * d1, prior * expected, prior * observed)


@dataclass
class Term:
    """A random-effect term: level of each row, covariates (n, k), structure "us" or "diag"."""

    codes: np.ndarray
    Z: np.ndarray
    structure: str
    group: str = ""


@dataclass
class Problem:
    """A model in arrays."""

    y: np.ndarray
    X: np.ndarray
    terms: list[Term]
    offset: np.ndarray
    prior: np.ndarray
    trials: np.ndarray
    family: str | None = None
    link: str = "identity"
    nAGQ: int = 1
    expected: bool = True
    reml: bool = False
    n_zeta: int = 0
    extended: bool = False
    starts: dict = field(default_factory=dict, repr=False)

    @property
    def n_theta(self) -> int:
        return sum(count(t) for t in self.terms)

    @property
    def profiled(self) -> bool:
        """Coefficients are no parameters of the criterion."""
        return self.family is None or self.nAGQ == 0


def count(term: Term) -> int:
    k = term.Z.shape[1]
    return k if term.structure == "diag" else k * (k + 1) // 2


def loadings(problem: Problem, theta: np.ndarray) -> list[np.ndarray]:
    """S of each term: theta fills the lower triangle by columns, or the diagonal."""
    out, start = [], 0
    for term in problem.terms:
        k, stop = term.Z.shape[1], start + count(term)
        S = np.zeros((k, k))
        if term.structure == "diag":
            S[np.arange(k), np.arange(k)] = theta[start:stop]
        else:
            S.T[np.triu_indices(k)] = theta[start:stop]
        out.append(S)
        start = stop
    return out


def columns(problem: Problem, S: Sequence[np.ndarray]) -> np.ndarray:
    """A = Z Lambda, (n, q), written out."""
    parts = []
    for term, s in zip(problem.terms, S, strict=True):
        levels = np.arange(term.codes.max() + 1)
        here = (term.codes[:, None] == levels)[:, :, None] * (term.Z @ s)[:, None, :]
        parts.append(here.reshape(len(term.codes), -1))
    return np.concatenate(parts, axis=1)


# -- linear models -----------------------------------------------------------------------------


def linear(problem: Problem, S: Sequence[np.ndarray]) -> tuple[float, np.ndarray, float]:
    """Criterion, coefficients and sigma of a linear model."""
    n, p = problem.X.shape
    root = np.sqrt(problem.prior)
    A = columns(problem, S) * root[:, None]
    # orthogonal columns first: of a covariate far from zero no digit is lost
    scale = np.linalg.norm(problem.X, axis=0)
    Q, R = np.linalg.qr(problem.X / np.where(scale > 0, scale, 1.0))
    y = problem.y - problem.offset
    first = Q.T @ y
    B = np.column_stack([Q, y - Q @ first]) * root[:, None]
    # log|V| with V = W^{-1} + A A' is log|M| - log|W|
    logdet = -np.log(problem.prior).sum()
    if n <= LARGEST_ORDINARY:
        L = np.linalg.cholesky(np.eye(n) + A @ A.T)
        half = solve_triangular(L, B, lower=True, check_finite=False)
        G = half.T @ half
    else:
        L = np.linalg.cholesky(np.eye(A.shape[1]) + A.T @ A)
        half = solve_triangular(L, A.T @ B, lower=True, check_finite=False)
        u = np.linalg.solve(L.T, half)
        E = B - A @ u
        G = E.T @ E + u.T @ u  # what is left after projection, not a difference of squares
    logdet += 2.0 * np.log(np.diagonal(L)).sum()
    C = np.linalg.cholesky(G[:p, :p])
    c = np.linalg.solve(C, G[:p, p])
    beta = np.linalg.solve(R, np.linalg.solve(C.T, c) + first) / scale
    df = n - p if problem.reml else n
    r2 = float(G[p, p] - c @ c)
    value = logdet + df * (1.0 + LOG_2PI + np.log(r2 / df))
    if problem.reml:
        value += 2.0 * (np.log(np.diagonal(C)).sum() + np.log(np.abs(np.diagonal(R))).sum())
        value += 2.0 * np.log(scale).sum()
    return float(value), beta, float(np.sqrt(r2 / df))


def extended(problem: Problem, S: Sequence[np.ndarray]) -> float:
    """The criterion of a linear model in extended precision, by orthogonal columns.

    Of [A, X, y; I, 0, 0] what is left of the columns of A has the determinant of M, what is left
    of X and y that of X'V^{-1}X and the residual: no cross-product loses a ratio of variances.
    """
    T = np.longdouble
    n, p = problem.X.shape
    root = np.sqrt(problem.prior.astype(T))
    A = columns(problem, S).astype(T) * root[:, None]
    q = A.shape[1]
    B = np.column_stack([problem.X, problem.y - problem.offset]).astype(T) * root[:, None]
    C = np.vstack([np.column_stack([A, B]), np.zeros((q, q + p + 1), dtype=T)])
    C[n + np.arange(q), np.arange(q)] = 1
    size = np.empty(q + p + 1, dtype=T)
    for j in range(q + p + 1):
        v = C[:, j]
        for _ in range(2):  # twice, so that what is left is orthogonal to the last digit
            v = v - C[:, :j] @ (C[:, :j].T @ v)
        size[j] = np.sqrt(v @ v)
        C[:, j] = v / size[j]
    df = n - p if problem.reml else n
    value = 2 * np.log(size[:q]).sum() - 2 * np.log(root).sum()
    value += df * (1 + np.log(2 * T(np.pi) * size[-1] ** 2 / df))
    return float(value + 2 * np.log(size[q:-1]).sum() if problem.reml else value)


# -- generalised models --------------------------------------------------------------------------


def search(problem: Problem, A, base, zeta, B=None, start=None):
    """The mode of loglik - |u|^2 / 2 over u, or over (u, beta) where B is given."""
    q = A.shape[1]
    C = A if B is None else np.column_stack([A, B])
    penalty = np.r_[np.ones(q), np.zeros(C.shape[1] - q)]
    v = np.zeros(C.shape[1]) if start is None else start.copy()

    def at(v):
        r = rows(
            problem.family, problem.link, base + C @ v, problem.y, problem.trials, problem.prior,
            zeta,
        )  # fmt: skip
        return r, r.value.sum() - 0.5 * (penalty * v) @ v

    r, value = at(v)
    if not np.isfinite(value):
        return None
    damping = 0.0
    for _ in range(MODE_ITERATIONS):
        gradient = C.T @ r.score - penalty * v
        moved = None
        for _ in range(DAMPINGS):
            # Newton's step; damped (Levenberg) where that finds nothing better
            for w in (r.observed, r.expected, np.abs(r.observed)):
                H = (C * w[:, None]).T @ C + np.diag(penalty)
                step = _solved(H + damping * np.diag(np.diagonal(H)), gradient)
                if step is not None:
                    break
            for _ in range(HALVINGS if step is not None else 0):
                r2, v2 = at(v + step)
                if v2 >= value - 1e-13 * abs(value):
                    moved = v + step
                    break
                step = 0.5 * step
            if moved is not None:
                break
            damping = max(10.0 * damping, 1e-9)
        if moved is None:
            break
        promise = gradient @ step
        damping *= 0.1
        v, r, value = moved, r2, v2
        if promise < MODE_STEP**2 * (1.0 + abs(value)) or np.abs(step).max(initial=0) < 1e-12:
            break
    return v, r


def _solved(H: np.ndarray, g: np.ndarray) -> np.ndarray | None:
    """H^{-1} g with H scaled to a diagonal of ones; None if H is not positive definite."""
    d = np.diagonal(H)
    if not (d > 0.0).all():
        return None
    size = 1.0 / np.sqrt(d)
    try:
        L = np.linalg.cholesky(H * size[:, None] * size)
    except np.linalg.LinAlgError:
        return None
    return size * np.linalg.solve(L.T, np.linalg.solve(L, size * g))


def generalised(problem: Problem, S, beta, zeta, key: str | None = None) -> float:
    """-2 log-likelihood by Laplace's approximation or quadrature, or lme4's nAGQ = 0.

    ``key`` names a search whose last mode starts the next one: the differences of a criterion
    follow one branch of the modes.
    """
    A = columns(problem, S)
    start = problem.starts.get(key)
    q = A.shape[1]
    if problem.nAGQ == 0:
        scale = np.linalg.norm(problem.X, axis=0)
        B = np.linalg.qr(problem.X / scale)[0] if len(scale) else problem.X
        if start is None or len(start) != q + B.shape[1]:
            start = np.r_[np.zeros(q), fixed_start(problem, B, zeta)]
        found = search(problem, A, problem.offset, zeta, B, start)
    else:
        base = problem.offset + problem.X @ beta
        if start is not None and len(start) != q:
            start = None
        found = search(problem, A, base, zeta, None, start)
        if found is None and start is not None:
            found = search(problem, A, base, zeta)
        if found is None and problem.link in ("identity", "sqrt", "inverse"):
            found = search(problem, A, base, zeta, None, effects_inside(A, base))
    if found is None:
        return np.inf
    v, r = found
    if key is not None:
        problem.starts[key] = v
    u = v[:q]
    w = r.expected if problem.expected else r.observed
    M = (A * w[:, None]).T @ A + np.eye(q)
    size = np.sqrt(np.maximum(np.diagonal(M), 0.0))
    try:
        L = np.linalg.cholesky(M / size[:, None] / size) * size[:, None]
    except np.linalg.LinAlgError:
        return np.inf
    if problem.nAGQ <= 1:
        return float(-2.0 * r.value.sum() + u @ u + 2.0 * np.log(np.diagonal(L)).sum())
    return _quadrature(problem, A, base, zeta, u, L)


def effects_inside(A: np.ndarray, base: np.ndarray) -> np.ndarray | None:
    """Effects with all predictors positive, as far from zero as can be up to one."""
    from scipy.optimize import linprog

    q = A.shape[1]
    # the largest t with base + A u >= t
    found = linprog(
        np.r_[np.zeros(q), -1.0], np.column_stack([-A, np.ones(len(A))]), base,
        bounds=[(None, None)] * q + [(0.0, 1.0)],
    )  # fmt: skip
    return found.x[:-1] if found.status == 0 else None


def fixed_start(problem: Problem, B, zeta) -> np.ndarray:
    """Coefficients whose predictors are in the range of the link: those of the mean."""
    mean = np.average(problem.y, weights=problem.prior * problem.trials)
    if problem.link in ("log", "sqrt", "inverse", "identity"):
        eta = {"log": np.log, "sqrt": np.sqrt, "inverse": np.reciprocal, "identity": np.abs}[
            problem.link
        ](abs(mean))
        return B.T @ (np.full(len(problem.y), eta) - problem.offset)
    return np.zeros(B.shape[1])


def _quadrature(problem: Problem, A, base, zeta, u, L) -> float:
    """Adaptive Gauss-Hermite quadrature, one grouping factor, level by level."""
    codes = problem.terms[0].codes
    levels = int(codes.max()) + 1
    widths = [t.Z.shape[1] for t in problem.terms]
    # columns of a level, over all terms of the factor
    first = np.cumsum([0, *(levels * k for k in widths)])
    x, w = np.polynomial.hermite.hermgauss(problem.nAGQ)
    k = A.shape[1] // levels
    nodes = np.stack([a.ravel() for a in np.meshgrid(*[np.sqrt(2.0) * x] * k)], axis=1)
    logs = sum(a.ravel() for a in np.meshgrid(*[np.log(w) + x * x - 0.5 * np.log(np.pi)] * k))
    M = L @ L.T
    total = 0.0
    for level in range(levels):
        own = np.concatenate(
            [first[i] + np.arange(level * c, (level + 1) * c)
             for i, c in enumerate([(first[j + 1] - first[j]) // levels
                                    for j in range(len(widths))])]
        )  # fmt: skip
        here = np.flatnonzero(codes == level)
        C = np.linalg.cholesky(M[np.ix_(own, own)])
        points = u[own] + np.linalg.solve(C.T, nodes.T).T
        eta = base[here][:, None] + A[np.ix_(here, own)] @ points.T
        r = rows(
            problem.family, problem.link, eta.T, problem.y[here], problem.trials[here],
            problem.prior[here], zeta,
        ) if problem.family != "negativebinomial" else _each(problem, eta, here, zeta)  # fmt: skip
        f = r.value.sum(axis=1) - 0.5 * (points**2).sum(axis=1) + logs
        top = f.max()
        total += 2.0 * np.log(np.diagonal(C)).sum() - 2.0 * (top + np.log(np.exp(f - top).sum()))
    return float(total)


def _each(problem: Problem, eta, here, zeta) -> Rows:
    parts = [
        rows(
            problem.family, problem.link, column, problem.y[here], problem.trials[here],
            problem.prior[here], zeta,
        ).value
        for column in eta.T
    ]  # fmt: skip
    value = np.array(parts)
    return Rows(value, value, value, value)


# -- both ------------------------------------------------------------------------------------------


def criterion(problem: Problem, key: str | None = None) -> Callable[[np.ndarray], float]:
    """The criterion as a function of (theta, coefficients where they are parameters, zeta)."""
    k, p = problem.n_theta, 0 if problem.profiled else problem.X.shape[1]

    def value(v: np.ndarray) -> float:
        return at(problem, loadings(problem, v[:k]), v[k : k + p], v[k + p :], key)

    return value


def at(problem: Problem, S, beta, zeta, key: str | None = None) -> float:
    """The criterion for any loadings."""
    if problem.family is None:
        return extended(problem, S) if problem.extended else linear(problem, S)[0]
    return generalised(problem, S, beta, zeta, key)
