"""Products with wide matrices are those of NumPy, whatever is zero in them."""

import numpy as np
import pytest

from interlace.linalg.wide import WIDE, product


@pytest.mark.parametrize("columns", [1, 3, WIDE + 2])
def test_products_with_columns_that_happen_to_be_zero(columns):
    k = WIDE + 2
    A, B = np.random.default_rng(1).normal(size=(k, k)), np.zeros((4, k, columns))
    B[0, 0, 0] = 2.0  # nothing beside the diagonal of what is no square
    B[1:3] = 1.0
    np.testing.assert_allclose(product(A, B), A @ B, atol=1e-12)
    np.testing.assert_allclose(product(A, B[0]), A @ B[0], atol=1e-12)
