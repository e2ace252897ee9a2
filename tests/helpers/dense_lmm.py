"""Small designs and the dense n x n formulas that every engine is checked against."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from interlace.design.design import GroupingFactor, RandomTerm


class DenseDesign(SimpleNamespace):
    """What the numerics ask of a design."""

    def X_in(self, order, gather=None):  # noqa: N802
        return self.X[order]


def design(y, X, x_names, groups, weights=None, offset=None):
    """A design from arrays; ``groups``: (codes, Z, names, structure) per factor, or with a list
    of (columns, names, structure) for several terms on one factor."""
    factors, terms = [], []
    for i, (codes, Z, names, structure) in enumerate(groups):
        codes = np.asarray(codes, dtype=np.int32)
        Z = np.ascontiguousarray(Z, dtype=float)
        levels = np.array([str(v) for v in range(codes.max() + 1)], dtype=object)
        factors.append(GroupingFactor(f"g{i}", levels, codes, Z))
        columns = slice(0, Z.shape[1])
        terms.append(RandomTerm(i, columns, names, structure, f"({i})"))
    return DenseDesign(
        y=np.asarray(y, dtype=float),
        X=np.ascontiguousarray(X, dtype=float),
        x_names=tuple(x_names),
        factors=tuple(factors),
        terms=tuple(terms),
        predictors={"mean": None},
        weights=weights,
        offset=offset,
    )


def random_design(seed, widths, levels, n=160, weights=False, structure="us", nested=False):
    """Random groups, an intercept and two covariates, of which the first k_b - 1 vary by level.

    More of them than that have covariates of their own.
    """
    rng = np.random.default_rng(seed)
    X = np.c_[np.ones(n), rng.normal(size=(n, 2)) * [3.0, 0.5] + [5.0, 0.0]]
    groups, y = [], X @ [2.0, 1.0, -1.0] + rng.normal(size=n)
    codes = None
    for k, ell in zip(widths, levels, strict=True):
        if nested and codes is not None:
            codes = codes * ell // (codes.max() + 1)
        else:
            codes = rng.permutation(np.arange(n) % ell)
        Z = X[:, :k] if k <= 3 else np.c_[X, rng.normal(size=(n, k - 3))]
        y = y + np.einsum("ij,ij->i", Z, rng.normal(size=(ell, k))[codes])
        names = ("Intercept", "x", "z", *(f"v{j}" for j in range(3, k)))[:k]
        groups.append((codes, Z, names, structure))
    w = rng.uniform(0.5, 2.0, n) if weights else None
    return design(y, X, ("Intercept", "x", "z"), groups, w)


def templates(d, theta):
    """T of each factor from theta, read column by column (or as a diagonal)."""
    out, start = [], 0
    for factor, term in zip(d.factors, d.terms, strict=True):
        k = factor.Z.shape[1]
        T = np.zeros((k, k))
        cols, rows = np.triu_indices(k) if term.structure == "us" else (np.arange(k),) * 2
        T[rows, cols] = theta[start : start + rows.size]
        start += rows.size
        out.append(T)
    return out


def covariance(d, theta):
    """V = W^{-1} + Z Lambda Lambda' Z', (n, n)."""
    n = d.y.size
    V = np.eye(n) if d.weights is None else np.diag(1.0 / d.weights)
    for factor, T in zip(d.factors, templates(d, theta), strict=True):
        ZT = factor.Z @ T
        V += (ZT @ ZT.T) * (factor.codes[:, None] == factor.codes)
    return V


def solve(d, theta, reml):
    """Criterion, beta, sigma and (X'V^{-1}X)^{-1} by dense algebra."""
    n, p = d.X.shape
    y = d.y if d.offset is None else d.y - d.offset
    V = covariance(d, theta)
    XV = np.linalg.solve(V, d.X).T
    C = np.linalg.inv(XV @ d.X)
    beta = C @ (XV @ y)
    e = y - d.X @ beta
    r2 = e @ np.linalg.solve(V, e)
    df = n - p if reml else n
    value = np.linalg.slogdet(V)[1] + df * (1.0 + np.log(2.0 * np.pi * r2 / df))
    if reml:
        value -= np.linalg.slogdet(C)[1]
    return SimpleNamespace(value=value, beta=beta, sigma=np.sqrt(r2 / df), C=C, V=V, e=e)


def differences(function, x, step=1e-4):
    """Fourth-order central differences of a vector function along each coordinate."""
    x = np.asarray(x, dtype=float)
    rows = []
    for i in range(x.size):
        h = np.zeros(x.size)
        h[i] = step
        near = function(x + h) - function(x - h)
        far = function(x + 2 * h) - function(x - 2 * h)
        rows.append((8.0 * near - far) / (12.0 * step))
    return np.array(rows)
