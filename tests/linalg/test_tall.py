"""Matrices of many rows: their triangular factor and rows that span them."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.linalg import tall


@pytest.fixture
def X(monkeypatch) -> np.ndarray:
    monkeypatch.setattr(tall, "BLOCK", 7)
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(40), 1e6 + rng.normal(size=40), rng.normal(size=40)])
    return np.column_stack([X, X[:, 1] - X[:, 2], np.arange(40) == 33])


def test_root_has_the_products_and_the_digits(X) -> None:
    R = tall.root_of_rows(X)
    np.testing.assert_allclose(R.T @ R, X.T @ X, rtol=1e-12)
    # what is left of the second column beside the first: no digit of it is lost
    spread = np.sqrt(((X[:, 1] - X[:, 1].mean()) ** 2).sum())
    assert abs(R[1, 1]) == pytest.approx(spread, rel=1e-8)
    assert tall.root_of_rows(np.empty((0, 2))).shape == (0, 2)


def test_few_rows_span_all(X) -> None:
    rows = tall.spanning_rows(X)
    assert len(rows) <= X.shape[1] and 33 in rows
    scaled = X / np.abs(X).max(axis=0)
    left = scaled - scaled @ np.linalg.pinv(scaled[rows], rcond=1e-9) @ scaled[rows]
    np.testing.assert_allclose(left, 0.0, atol=1e-6)
    assert tall.spanning_rows(np.zeros((5, 2))).size == 0


def test_rows_of_the_first_block_do_where_they_plainly_span_all(X) -> None:
    rows = tall.spanning_rows(X[:, :3])
    assert sorted(rows)[-1] >= tall.BLOCK  # the second column hardly varies beside its mean
    X = np.column_stack([X[:, 0], X[:, 1] - 1e6])
    rows = tall.spanning_rows(X)
    assert max(rows) < tall.BLOCK and np.linalg.matrix_rank(X[rows]) == 2
