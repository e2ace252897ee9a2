"""Sums of drawn responses: their mean and covariance are those of rows that nobody makes."""

import numpy as np
import pytest
from helpers import dense_lmm

from interlace.errors import NumericalError
from interlace.linalg.crossproducts.drawn import drawn_sums
from interlace.objective.linear.design_products import cross_products_of

DRAWS = 6000
SIGMA = 1.7
# Standard errors that a mean or a variance of so many may be off by, of some hundred looked at.
MARGIN = 5.0

DESIGNS = {
    "one effect": ((1,), (9,)),
    "two effects": ((2,), (12,)),
    "levels of one row": ((3,), (40,)),
    "crossed": ((2, 1), (8, 5)),
    "three factors": ((1, 1, 1), (6, 5, 4)),
}


def dense_z(cross):
    """The standardised columns of Z times the roots of the weights, (n, q)."""
    parts = []
    for (codes, Z, scale), levels in zip(cross._standard_effects(), cross.z.n_levels, strict=True):
        part = np.zeros((cross.n, levels, scale.size))
        part[np.arange(cross.n), codes] = Z / scale
        parts.append(part.reshape(cross.n, -1))
    Z = np.concatenate(parts, axis=1)
    return Z * cross.rows.root[:, None] if cross.rows.root.size else Z


def loaded(sums, drawn, i):
    """Z'y, X'y and y'y of one response."""
    sums.load(drawn, i)
    cross = sums.cross
    Zy = np.concatenate([zxy[:, :, -1].ravel() for zxy in cross.ZXy])
    return np.concatenate([Zy, cross.XyXy[-1]])


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("name", DESIGNS)
def test_moments_are_those_of_rows(name, weights):
    widths, levels = DESIGNS[name]
    design = dense_lmm.random_design(4, widths, levels, n=60, weights=weights)
    cross = cross_products_of(design)
    sums = drawn_sums(cross, np.zeros(cross.p))
    Z, X = dense_z(cross), cross.columns
    rng = np.random.default_rng(1)
    b = [rng.normal(size=(1, n, k)) for n, k in zip(levels, widths, strict=True)]
    b = [np.repeat(effects, DRAWS, axis=0) for effects in b]
    drawn = sums.draw(rng, DRAWS, SIGMA, b)
    S = np.array([loaded(sums, drawn, i) for i in range(DRAWS)])
    ZX = np.c_[Z, X]
    fixed = Z @ np.concatenate([effects[0].ravel() for effects in b])
    mean = np.r_[ZX.T @ fixed, fixed @ fixed + SIGMA**2 * cross.n]
    # [Z X]'e has covariance sigma^2 G, y'y the variance 4 sigma^2 f'f + 2 sigma^4 n, f = Z b
    G = np.empty((mean.size, mean.size))
    G[:-1, :-1] = SIGMA**2 * ZX.T @ ZX
    G[-1, :-1] = G[:-1, -1] = 2.0 * SIGMA**2 * ZX.T @ fixed
    G[-1, -1] = 4.0 * SIGMA**2 * fixed @ fixed + 2.0 * SIGMA**4 * cross.n
    sd = np.sqrt(np.diagonal(G))
    assert np.abs((S.mean(axis=0) - mean) / sd).max() < MARGIN / np.sqrt(DRAWS)
    # the kurtosis of y'y is above that of a normal variable
    correlation = np.cov(S.T) / np.outer(sd, sd)
    expected = G / np.outer(sd, sd)
    assert np.abs(correlation - expected).max() < MARGIN * np.sqrt(2.0 / DRAWS) * 1.2


def test_no_row_space_is_left_out_nor_added():
    """What is orthogonal to all columns has a squared length of n - rank degrees of freedom."""
    design = dense_lmm.random_design(2, (2, 1), (8, 5), n=60)
    cross = cross_products_of(design)
    sums = drawn_sums(cross, np.zeros(cross.p))
    ZX = np.c_[dense_z(cross), cross.columns]
    rank = np.linalg.matrix_rank(ZX)
    assert rank < ZX.shape[1]
    b = [np.zeros((DRAWS, n, k)) for n, k in ((8, 2), (5, 1))]
    drawn = sums.draw(np.random.default_rng(3), DRAWS, 1.0, b)
    S = np.array([loaded(sums, drawn, i) for i in range(DRAWS)])
    G = np.linalg.pinv(ZX.T @ ZX, rcond=1e-10)
    inside = np.einsum("ij,jk,ik->i", S[:, :-1], G, S[:, :-1])
    for square, df in ((inside, rank), (S[:, -1] - inside, 60 - rank)):
        assert abs(square.mean() - df) < MARGIN * np.sqrt(2.0 * df / DRAWS)
        assert abs(square.var() / (2.0 * df) - 1.0) < MARGIN * np.sqrt((2.0 + 12.0 / df) / DRAWS)


def test_sums_without_rows_say_so():
    cross = cross_products_of(dense_lmm.random_design(2, (2,), (8,), n=60))
    sums = drawn_sums(cross, np.zeros(3))
    with pytest.raises(NumericalError, match="drawn response"):
        sums.cross.with_response(np.zeros(60))


def test_large_designs_are_drawn_row_by_row():
    cross = cross_products_of(dense_lmm.random_design(2, (1, 1), (150, 140), n=300))
    assert drawn_sums(cross, np.zeros(3)) is None
