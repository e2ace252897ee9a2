"""What each compiled kernel of the factorisations computes, in a few lines of numpy."""

from __future__ import annotations

import numpy as np


def factor_blocks(A, T):
    L = np.linalg.cholesky(T.T @ A @ T + np.eye(len(T)))
    return L, 2 * np.log(np.einsum("lii->li", L)).sum()


def solve_blocks(L, B, transposed):
    return np.linalg.solve(L.transpose(0, 2, 1) if transposed else L, B)


def invert_blocks(L, W):
    inverse = np.linalg.inv(L)
    return inverse.transpose(0, 2, 1) @ (np.eye(L.shape[1]) + W) @ inverse


def eliminate_fronts(F, T, parent, F_up):
    k, F_up = len(T), F_up.copy()
    L, logdet = factor_blocks(F[:, :k, :k], T)
    H = np.linalg.solve(L, T.T @ F[:, :k, k:])
    np.add.at(F_up, parent, F[:, k:, k:] - H.transpose(0, 2, 1) @ H)
    return L, H, F_up, logdet


def start_fronts(A, width, coupling, column):
    """Zeros, A, and one coupling beside it."""
    k, m = coupling.shape[1:]
    F = np.zeros((len(A), width, width))
    F[:, :k, :k] = A
    F[:, :k, column : column + m] = coupling
    return F


def invert_fronts(L, J, parent, S_up):
    """The inverse of [[LL' + ..]] as the blocks of the partitioned inverse."""
    S_p = S_up[parent]
    own = invert_blocks(L, J @ S_p @ J.transpose(0, 2, 1))
    across = -np.linalg.solve(L.transpose(0, 2, 1), J @ S_p)
    return np.concatenate(
        (np.concatenate((own, across), 2), np.concatenate((across.transpose(0, 2, 1), S_p), 2)), 1
    )


def solve_up(L, H, T, carried, parent, X, carried_up):
    k, carried_up = L.shape[1], carried_up.copy()
    X = np.linalg.solve(L, X + T.T @ carried[:, :k])
    np.add.at(carried_up, parent, carried[:, k:] - H.transpose(0, 2, 1) @ X)
    return X, carried_up


def solve_down(L, H, T, parent, full_up, X):
    y = full_up[parent]
    X = np.linalg.solve(L.transpose(0, 2, 1), X - H @ y)
    return X, np.concatenate((T @ X, y), axis=1)


def level_information(A, W, T):
    E = np.linalg.inv(np.eye(len(T)) + A @ T @ T.T)
    return (E @ A - E @ W @ E.transpose(0, 2, 1)).sum(0)


def scale_tail(values, T, position, n_entries):
    out = np.zeros((n_entries, values.shape[1]))
    for e, place in enumerate(position):
        out[place : place + len(T)] = (values[e] @ T).T
    return out


def dense_rows(blocks, row, level, start, shape):
    J, k = np.zeros(shape), blocks.shape[2]
    for block, r, c in zip(blocks, row, level):
        J[r, :, start + k * c : start + k * c + k] = block
    return J


def tail_pair(indptr, indices, values, start_b, start_c, q):
    """The blocks of a pair of tail factors in an array (q, q), rows of the second one."""
    out, (kb, kc) = np.zeros((q, q)), values.shape[1:]
    for l in range(len(indptr) - 1):
        for e in range(indptr[l], indptr[l + 1]):
            row, column = start_c + kc * indices[e], start_b + kb * l
            out[row : row + kc, column : column + kb] = values[e].T
    return out


def rows_of_flat(indptr, cols, J, q):
    """The flat coupling as an array (levels, k0, q)."""
    out = np.zeros((len(indptr) - 1, J.shape[1], q))
    for level in range(len(out)):
        own = slice(indptr[level], indptr[level + 1])
        out[level][:, cols[own]] = J[own].T
    return out


def elimination(pattern):
    """Parents, and the pattern of L, by eliminating columns of a boolean matrix."""
    full = pattern.copy()
    for j in range(len(full)):
        below = np.flatnonzero(full[j + 1 :, j]) + j + 1
        full[np.ix_(below, below)] = True
    L = np.tril(full)
    parents = [next(iter(np.flatnonzero(L[j + 1 :, j]) + j + 1), -1) for j in range(len(L))]
    return np.array(parents), L


def dense_z(codes, Z, scale, levels):
    """(n, l k): every row's scaled covariates in the columns of its level."""
    out = np.zeros((len(codes), levels, Z.shape[1]))
    out[np.arange(len(codes)), codes] = Z / scale
    return out.reshape(len(codes), -1)


def places(codes_b, codes_c, indptr, indices):
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    table = {pair: e for e, pair in enumerate(zip(rows.tolist(), indices.tolist()))}
    return np.array([table[pair] for pair in zip(codes_b.tolist(), codes_c.tolist())])


# -- several linear predictors: w and h (P, n) are packed K x K, of (k,) the column's predictor


def unpacked(w):
    """(P, n) -> (n, K, K)."""
    K = int(np.sqrt(2 * len(w)))
    row, column = np.tril_indices(K)
    out = np.zeros((w.shape[1], K, K))
    out[:, row, column] = out[:, column, row] = w.T
    return out


def product(w, a):
    return np.einsum("ikj,jir->kir", unpacked(w), a)


def predictor_columns(codes, Z, inverse, of, levels, K):
    """The columns of Z of all predictors, (n, K, levels k)."""
    n, k = Z.shape
    out = np.zeros((n, K, levels * k))
    for j in range(k):
        out[np.arange(n), of[j], codes * k + j] = Z[:, j] * inverse[j]
    return out


def centred_times(X, mean, c):
    return (X - mean) @ c


def centred_transposed(X, mean, t):
    return (X - mean).T @ t


def reorder(X, order):
    X[:] = X[order]


def centred_by_level(codes, Z, inverse, w, X, mean, levels):
    out = np.zeros((levels, Z.shape[1], X.shape[1]))
    np.add.at(out, codes, (w[:, None] * inverse * Z)[:, :, None] * (X - mean)[:, None, :])
    return out
