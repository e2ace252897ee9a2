"""Leverages and prediction variances from the selected inverse, against dense matrices."""

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.inference import inverse_quadratic
from interlace.models.lmm import LMMFit


def data(nested=False):
    rng = np.random.default_rng(3)
    n = 400
    a = rng.integers(0, 60, n)
    b = a % 9 if nested else rng.integers(0, 9, n)
    d = pd.DataFrame({"a": a, "b": b, "x": rng.normal(size=n), "w": rng.uniform(0.5, 2.0, n)})
    d["y"] = d.x + rng.normal(size=60)[a] + d.x * rng.normal(size=9)[b] + rng.normal(size=n)
    d["count"] = rng.poisson(np.exp(0.3 * d.x + 0.3 * rng.normal(size=60)[a]))
    return d


def dense_joint_inverse(fit, W):
    """[X Z] and the inverse of its normal equations with the prior of the random effects."""
    blocks, priors = [fit.design.X], [np.zeros((fit.p, fit.p))]
    for f, T in zip(fit.design.factors, fit.T, strict=True):
        Z = np.zeros((fit.n, len(f.levels), T.shape[0]))
        Z[np.arange(fit.n), f.codes] = f.Z
        blocks.append((Z @ T).reshape(fit.n, -1))
        priors.append(np.eye(blocks[-1].shape[1]))
    XZ = np.concatenate(blocks, axis=1)
    M = XZ.T @ (W[:, None] * XZ)
    start = 0
    for prior in priors:
        k = len(prior)
        M[start : start + k, start : start + k] += prior
        start += k
    return XZ, np.linalg.inv(M)


@pytest.mark.parametrize(
    "nested, backend",
    [(False, "auto"), (False, "schur"), (False, "superlu"), (True, "nested"), (True, "superlu")],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_hat_values_are_those_of_the_dense_smoother(nested, backend, weighted) -> None:
    d = data(nested)
    weights = d.w if weighted else None
    m = il.fit("y ~ x + (x | a) + (1 | b)", d, backend=backend, weights=weights)
    W = d.w.to_numpy() if weighted else np.ones(len(d))
    XZ, inverse = dense_joint_inverse(m.fit, W)
    expected = W * np.einsum("ri,ij,rj->r", XZ, inverse, XZ)
    np.testing.assert_allclose(m.augment()[".hat"], expected, rtol=1e-9)


def test_hat_values_of_a_generalised_model_with_crossed_factors() -> None:
    m = il.glmer("count ~ x + (1 | a) + (x | b)", data(), "poisson")
    W = m.fit.working_weights
    XZ, inverse = dense_joint_inverse(m.fit, W)
    expected = W * np.einsum("ri,ij,rj->r", XZ, inverse, XZ)
    np.testing.assert_allclose(m.augment()[".hat"], expected, rtol=1e-9)


@pytest.mark.parametrize("backend", ["auto", "schur", "superlu"])
def test_levels_that_never_met_are_solved_for(backend) -> None:
    d = data()
    d = d[(d.a != 5) | (d.b != 4)]
    m = il.fit("y ~ x + (x | a) + (1 | b)", d, backend=backend)
    new = pd.DataFrame({"a": [5, 5, 7, 999], "b": [4, 888, 3, 3], "x": [0.3, -1.0, 2.0, 1.0]})
    shown = m.get_prediction(new, new_levels="population").summary_frame()["mean_se"]
    _, inverse = dense_joint_inverse(m.fit, np.ones(len(d)))
    levels = [list(f.levels) for f in m.fit.design.factors]
    for i, row in new.iterrows():
        z = np.zeros(len(inverse))
        z[:2] = 1.0, row.x
        start = 2
        for f, T, known in zip(m.fit.design.factors, m.fit.T, levels, strict=True):
            if row[f.name] in known:
                at = start + known.index(row[f.name]) * len(T)
                z[at : at + len(T)] = np.array([1.0, row.x])[: len(T)] @ T
            start += len(known) * len(T)
        expected = m.fit.sigma * np.sqrt(z @ inverse @ z)
        np.testing.assert_allclose(shown[i], expected, rtol=1e-9)


def test_rows_of_the_fit_need_no_solve(monkeypatch) -> None:
    m = il.fit("y ~ x + (1 | a) + (1 | b)", data(), backend="schur")
    monkeypatch.setattr(inverse_quadratic, "_by_solving", None)
    m.augment()


def test_degrees_of_freedom_are_worked_out_once(monkeypatch) -> None:
    m = il.fit("y ~ x + (1 | a) + (1 | b)", data())
    first = m.anova(type=3)
    frame = m.tidy()
    monkeypatch.setattr(LMMFit, "objective", property(lambda fit: pytest.fail("worked out again")))
    pd.testing.assert_frame_equal(m.anova(type=3), first)
    pd.testing.assert_frame_equal(m.tidy(), frame)
    m.anova(type=1)
    assert not m.fit.__getstate__()["memo"]
