"""Random designs as `ZCross`, and M, its inverse and the information by dense numpy."""

from __future__ import annotations

import numpy as np

from interlace.linalg.crossproducts.blocks import PairBlocks, ZCross


def cross_of(codes, Z, n_levels, weights=None):
    """ZCross from level codes and covariates of each factor, by plain sums over rows."""
    n = len(codes[0])
    w = np.ones(n) if weights is None else weights
    widths = tuple(z.shape[1] for z in Z)
    diagonal, pairs = [], {}
    for code, z, levels, k in zip(codes, Z, n_levels, widths):
        block = np.zeros((levels, k, k))
        np.add.at(block, code, w[:, None, None] * z[:, :, None] * z[:, None, :])
        diagonal.append(block)
    for b in range(len(codes)):
        for c in range(b + 1, len(codes)):
            key = codes[b].astype(np.int64) * n_levels[c] + codes[c]
            seen, position = np.unique(key, return_inverse=True)
            values = np.zeros((len(seen), widths[b], widths[c]))
            np.add.at(values, position, w[:, None, None] * Z[b][:, :, None] * Z[c][:, None, :])
            counts = np.bincount(seen // n_levels[c], minlength=n_levels[b])
            indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
            pairs[b, c] = PairBlocks(indptr, (seen % n_levels[c]).astype(np.int32), values)
    return ZCross(tuple(n_levels), widths, tuple(diagonal), pairs)


def covariates(rng, n, k):
    return np.column_stack([np.ones(n)] + [rng.normal(size=n) for _ in range(k - 1)])


def crossed(rng, n, levels, widths):
    """Rows at random; every level occurs (the first rows go through the levels)."""
    codes = [np.r_[np.arange(ell), rng.integers(0, ell, n - ell)] for ell in levels]
    codes = [rng.permutation(code) for code in codes]
    return codes, [covariates(rng, n, k) for k in widths], list(levels)


def nested(rng, n, levels, widths):
    """A chain: level i of factor j lies in a random level of factor j + 1."""
    first = np.r_[np.arange(levels[0]), rng.integers(0, levels[0], n - levels[0])]
    codes = [rng.permutation(first)]
    for ell, up in zip(levels, levels[1:]):
        parent = rng.permutation(np.r_[np.arange(up), rng.integers(0, up, ell - up)])
        codes.append(parent[codes[-1]])
    return codes, [covariates(rng, n, k) for k in widths], list(levels)


def templates(rng, widths, kind="random"):
    """T per factor: random, or singular, tiny, large in the ways of `kind`."""
    T = [np.tril(rng.normal(size=(k, k))) + np.eye(k) for k in widths]
    if kind == "zero diagonal":
        for t in T:
            t[-1, -1] = 0.0
    elif kind == "zero column":
        for t in T:
            t[:, 0] = 0.0
    elif kind == "zero first":
        T[0][:] = 0.0
    elif kind == "zero last":
        T[-1][:] = 0.0
    elif kind == "all zero":
        T = [np.zeros_like(t) for t in T]
    elif kind == "tiny":
        T = [1e-6 * t for t in T]
    elif kind == "large":
        T = [1e4 * t for t in T]
    elif kind == "mixed":
        T = [t * 10.0 ** (-3 * j) for j, t in enumerate(T)]
    return T


class Dense:
    """The same quantities from dense matrices.

    `Z` (n, q) rather than A enters `information`, through V^{-1}, so that nothing of Z'V^{-1}Z is
    lost at singular or tiny T.
    """

    def __init__(self, cross, T):
        self.cross, self.T = cross, T
        self.A = cross.matrix().toarray()
        blocks = [np.kron(np.eye(ell), t) for ell, t in zip(cross.n_levels, T)]
        self.Lam = np.zeros_like(self.A)
        for o, block in zip(cross.offsets, blocks):
            self.Lam[o : o + len(block), o : o + len(block)] = block
        self.M = self.Lam.T @ self.A @ self.Lam + np.eye(len(self.A))
        self.inverse = np.linalg.inv(self.M)

    def logdet(self):
        return np.linalg.slogdet(self.M)[1]

    def _blocks(self, full, b):
        ell, k, o = self.cross.n_levels[b], self.cross.widths[b], self.cross.offsets[b]
        return np.array([full[o + i * k : o + i * k + k, o + i * k : o + i * k + k]
                         for i in range(ell)])  # fmt: skip

    def inverse_blocks(self, b):
        return self._blocks(self.inverse, b)

    def information(self, b):
        """Z'V^{-1}Z = (I + A ΛΛ')^{-1} A: no T^{-1} and no difference of large terms."""
        q = len(self.A)
        full = np.linalg.solve(np.eye(q) + self.A @ self.Lam @ self.Lam.T, self.A)
        return self._blocks(full, b).sum(axis=0)
