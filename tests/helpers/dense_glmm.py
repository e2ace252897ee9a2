"""Small generalised models with responses of their family, and Laplace's formula by dense algebra.

Nothing here looks at levels or patterns: Z Lambda is written out, the modes are found by Newton's
method on it, the determinant is that of the whole matrix.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from helpers import dense_lmm
from interlace.covariance import CovarianceModel
from interlace.design.design import GroupingFactor
from interlace.families import Family, resolve
from interlace.models.glmm import make_objective
from interlace.models.observations import Observations

# A predictor well inside the range of each link.
POSITIVE = {
    "log": 0.7,
    "identity": 4.0,
    "sqrt": 2.0,
    "inverse": 0.5,
    "inverse_square": 0.25,
    "power(0.7)": 2.5,
    "power(-0.5)": 0.6,
}
CENTRES = {
    "binomial": {"logit": -0.3, "probit": -0.2, "cloglog": -0.6, "loglog": 0.5, "cauchit": 0.2}
    | {"log": -1.5, "identity": 0.4},
    "poisson": POSITIVE,
    "negativebinomial": POSITIVE | {"nbcanonical": -0.5},
    "gamma": POSITIVE,
    "inverse_gaussian": POSITIVE,
    "gaussian": POSITIVE,
}
PAIRS = [(family, link) for family, links in CENTRES.items() for link in links]
ZETA = {"negativebinomial": 0.5, "gamma": 1.5, "inverse_gaussian": 1.0, "gaussian": 1.0}

# Widths and levels of the grouping factors, structure, nested or not.
SHAPES = {
    "one scalar": ((1,), (12,), "us", False),
    "one vector": ((2,), (12,), "us", False),
    "one wide": ((3,), (10,), "us", False),
    "one diagonal": ((2,), (12,), "diag", False),
    "crossed": ((1, 1), (15, 6), "us", False),
    "crossed vectors": ((2, 2), (12, 6), "us", False),
    "crossed diagonal": ((2, 1), (12, 6), "diag", False),
    "nested": ((1, 1), (18, 6), "us", True),
    "nested vectors": ((2, 1), (16, 4), "us", True),
    "three": ((2, 1, 1), (14, 8, 4), "us", False),
}


def size_of(family: str, link: str) -> float:
    """A standard deviation of effects that keeps every mean in its range."""
    free = link in ("logit", "probit", "cloglog", "loglog", "cauchit")
    free = free or (link == "log" and family != "binomial")
    return 0.5 if free else 0.05 * abs(CENTRES[family][link])


def model(
    family: str | Family, link: str | None = None, shape="one scalar", seed=1, n=120, plain=False
):
    """A design with responses drawn from the family.

    Unless ``plain`` there are an offset, prior weights and, for the binomial, trials. Attributes
    ``beta``, ``theta`` and ``zeta`` are near the truth.
    """
    rng = np.random.default_rng(seed)
    made = resolve(family, link)
    name, link = made.name, made.link.name
    centre, size = CENTRES[name][link], size_of(name, link)
    X = np.c_[np.ones(n), rng.uniform(-1.0, 1.0, (n, 2)) * [1.0, 30.0] + [0.0, 20.0]]
    beta = np.array([centre, 0.5 * size, 0.0])
    offset = np.zeros(n) if plain else 0.1 * size * rng.normal(size=n)
    eta = X @ beta + offset
    widths, levels, structure, nested = SHAPES[shape]
    groups, codes = [], None
    for k, ell in zip(widths, levels, strict=True):
        if nested and codes is not None:
            codes = codes * ell // (codes.max() + 1)
        else:
            codes = rng.permutation(np.arange(n) % ell)
        Z = np.c_[np.ones(n), 7.0 * rng.uniform(-1.0, 1.0, (n, k - 1))]
        b = size * rng.normal(size=(ell, k)) / np.r_[1.0, np.full(k - 1, 10.0)]
        eta += 0.7 * np.einsum("ij,ij->i", Z, b[codes])
        groups.append((codes, Z, ("Intercept", "a", "b")[:k], structure))
    zeta = np.full(len(made.parameters), ZETA.get(name, 0.0))
    trials = rng.integers(1, 9, n).astype(float) if name == "binomial" else np.ones(n)
    prior = np.ones(n) if plain else rng.choice([0.5, 1.0, 2.0], n)
    mu = made.mean(eta, zeta)
    y = np.asarray(made.sample(rng, mu, prior, trials, zeta), dtype=float)
    d = dense_lmm.design(y, X, ("Intercept", "x", "z"), groups, offset=None if plain else offset)
    observations = Observations(y, trials * prior, trials, prior)
    found = SimpleNamespace(design=d, family=made, observations=observations, beta=beta, zeta=zeta)
    found.covariance = CovarianceModel.of(d)
    found.theta = size * starting_theta(found.covariance)
    return found


def starting_theta(covariance: CovarianceModel) -> np.ndarray:
    """Something inside the parameter space, for covariates of size 1 and then about 4."""
    size = np.where(covariance.row == 0, 1.0, 0.2)
    values = np.where(covariance.row == covariance.col, 0.8 + 0.1 * covariance.factor, -0.3)
    return size * values


def reordered(m, order: np.ndarray):
    """The same model with its rows in another order."""
    d, o = m.design, m.observations
    factors = [GroupingFactor(f.name, f.levels, f.codes[order], f.Z[order]) for f in d.factors]
    moved = type(d)(**vars(d))
    moved.factors, moved.X, moved.y = tuple(factors), d.X[order], d.y[order]
    moved.offset = None if d.offset is None else d.offset[order]
    observations = Observations(o.y[order], o.weights[order], o.trials[order], o.prior[order])
    return SimpleNamespace(**{**vars(m), "design": moved, "observations": observations})


def objective(m, expected: bool, backend: str | None = None, nAGQ: int = 1):
    """The engine's objective of a model."""
    return make_objective(m.design, m.covariance, m.family, m.observations, nAGQ, expected, backend)


def vector(o, theta, beta, zeta) -> np.ndarray:
    """Parameters on the scale of the data -> what the objective takes."""
    return np.concatenate([o.scale.x(theta), o.problem.gamma(beta), zeta])


def point(m, o, kind: str = "inside") -> np.ndarray:
    """A parameter vector: inside, with the last diagonal entry of T at zero, or theta = 0."""
    theta = m.theta.copy()
    if kind == "singular":
        theta[-1] = 0.0
    elif kind == "zero":
        theta[:] = 0.0
    return vector(o, theta, m.beta, m.zeta + 0.1)


def random_part(m, theta: np.ndarray) -> np.ndarray:
    """Z Lambda, (n, q)."""
    columns = []
    for factor, T in zip(m.design.factors, m.covariance.templates(theta), strict=True):
        ZT = factor.Z @ T
        for level in range(len(factor.levels)):
            columns.append(np.where((factor.codes == level)[:, None], ZT, 0.0))
    return np.concatenate(columns, axis=1)


def laplace(m, theta, beta, zeta, expected: bool) -> SimpleNamespace:
    """-2 log-likelihood by Laplace's approximation, with its modes."""
    A, obs, family = random_part(m, theta), m.observations, m.family
    base = m.design.X @ beta + (0.0 if m.design.offset is None else m.design.offset)
    identity = np.eye(A.shape[1])

    def rows(u):
        return family.rows(base + A @ u, obs.y, obs.weights, zeta, expected)

    u = np.zeros(A.shape[1])
    r = rows(u)
    value = r.loglik.sum()
    for _ in range(200):
        H = A.T @ (r.observed[:, None] * A) + identity
        try:
            np.linalg.cholesky(H)
        except np.linalg.LinAlgError:
            H = A.T @ (np.abs(r.observed)[:, None] * A) + identity
        step = np.linalg.solve(H, A.T @ r.score - u)
        while True:
            moved = rows(u + step)
            there = moved.loglik.sum() - 0.5 * (u + step) @ (u + step)
            if there >= value - 1e-12 * abs(value):
                break
            step = 0.5 * step
        u, r, value = u + step, moved, there
        if np.abs(step).max() < 1e-9:
            break
    M = A.T @ (r.weight[:, None] * A) + identity
    eta = base + A @ u
    density = family.log_density(obs.y, family.mean(eta, zeta), obs.weights, obs.trials, zeta)
    deviance = -2.0 * density.sum() + u @ u + np.linalg.slogdet(M)[1]
    return SimpleNamespace(value=float(deviance), u=u, eta=eta, weight=r.weight, M=M)
