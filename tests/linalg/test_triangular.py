import numpy as np
import pytest

from interlace.linalg.triangular import solve_triangle


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("columns", [0, 1, 3])
def test_triangular_systems_are_solved(lower, transposed, columns):
    rng = np.random.default_rng(1)
    R = np.triu(rng.normal(size=(5, 5))) + 4.0 * np.eye(5)
    R = np.asfortranarray(R.T if lower else R)
    B = rng.normal(size=(5, columns))
    before = B.copy()
    X = solve_triangle(R, B, lower=lower, transposed=transposed)
    np.testing.assert_allclose((R.T if transposed else R) @ X, B, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(B, before)


def test_what_stands_beside_the_triangle_is_not_read():
    R = np.full((2, 2), np.nan)
    R[0] = 2.0, 1.0
    R[1, 1] = 4.0
    np.testing.assert_allclose(solve_triangle(R, np.eye(2)), [[0.5, -0.125], [0.0, 0.25]])
