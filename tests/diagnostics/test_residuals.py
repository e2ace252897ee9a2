"""Residuals, leverage and Cook's distance against lme4 and dense formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ArgumentError

SLEEP = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")
NESTED = ("Machines", "score ~ Machine + (1 | Worker/Machine)")


def test_residuals_of_each_type(dataset) -> None:
    sleep, weights = dataset("sleepstudy"), np.linspace(1.0, 4.0, 180)
    m = interlace.fit(SLEEP[1], sleep, weights=weights)
    raw = sleep["Reaction"] - m.fittedvalues
    for type in ("response", "working"):
        np.testing.assert_allclose(m.residuals(type), raw, rtol=1e-12)
    for type in ("pearson", "deviance"):
        np.testing.assert_allclose(m.residuals(type), raw * np.sqrt(weights), rtol=1e-12)
    np.testing.assert_allclose(m.residuals(scaled=True), raw / m.sigma, rtol=1e-12)
    assert m.resid.index.equals(sleep.index)
    with pytest.raises(ArgumentError, match="'pearson'"):
        m.residuals("partial")


def test_weights_and_linear_predictor(dataset, fit_cache) -> None:
    weights = np.linspace(1.0, 4.0, 180)
    m = interlace.fit(SLEEP[1], dataset("sleepstudy"), weights=weights)
    for type in ("prior", "working"):
        np.testing.assert_array_equal(m.weights(type), weights)
    pd.testing.assert_series_equal(m.linear_predictor, m.fittedvalues, check_names=False)
    assert (fit_cache(*SLEEP).weights() == 1.0).all()


def test_against_lme4(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    # hatvalues, cooks.distance and scaled residuals of rows 1 to 3; lme4's theta is good to 1e-5.
    np.testing.assert_allclose(
        m.hatvalues().head(3), [0.22930404, 0.16972999, 0.12682372], rtol=2e-5
    )
    np.testing.assert_allclose(
        m.cooks_distance().head(3), [0.00496313, 0.0402062, 0.2260992], rtol=5e-5
    )
    np.testing.assert_allclose(
        m.residuals("pearson", scaled=True).head(3),
        [-0.16035044, -0.57148071, -1.64879322],
        rtol=2e-5,
    )


@pytest.mark.parametrize(("name", "formula"), [SLEEP, NESTED])
def test_hat_values_are_the_derivative_of_the_fit(fit_cache, name, formula) -> None:
    # Fitted values are linear in y at fixed theta: y_hat = y - V^{-1}(y - X beta) W^{-1}.
    fit = fit_cache(name, formula).fit
    V = np.eye(fit.n)
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        Z = np.asarray(factor.Z) @ T
        V += (Z @ Z.T) * (factor.codes[:, None] == factor.codes)
    Vi = np.linalg.inv(V)
    X = fit.design.X
    P = Vi - Vi @ X @ np.linalg.solve(X.T @ Vi @ X, X.T @ Vi)
    expected = np.diag(np.eye(fit.n) - P)
    np.testing.assert_allclose(fit_cache(name, formula).hatvalues(), expected, rtol=1e-8)


def test_augment(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    table = m.augment()
    for name in ("Reaction", "Days", "Subject", ".fitted", ".resid", ".hat", ".cooksd", ".fixed"):
        assert name in table.columns
    np.testing.assert_allclose(table[".fitted"] + table[".resid"], table["Reaction"], rtol=1e-12)
    np.testing.assert_allclose(table[".fixed"], m.predict(include_re=False), rtol=1e-12)
    assert ".hat" not in m.augment(influence=False).columns
    data = dataset("sleepstudy").assign(extra=1)
    assert list(m.augment(data).columns)[:4] == list(data.columns)
    with pytest.raises(ArgumentError, match="index"):
        m.augment(data.iloc[:10])


def test_augment_keeps_the_rows_of_the_fit(dataset) -> None:
    data = dataset("sleepstudy")
    data.index = pd.Index([f"row {i}" for i in range(180)])
    data.loc["row 5", "Days"] = np.nan
    with pytest.warns(interlace.errors.DataWarning):
        m = interlace.fit(SLEEP[1], data)
    table = m.augment(data)
    assert len(table) == 179 and "row 5" not in table.index
    assert table.loc["row 6", "Reaction"] == data.loc["row 6", "Reaction"]


def test_verdict(fit_cache) -> None:
    found = fit_cache(*SLEEP).convergence
    assert (found.verdict, found.optimizer) == ("converged", "newton")
    assert found.gradient_norm < 1e-3 and found.decrement < 1e-6
    assert (found.hessian_eigenvalues > 0.0).all()
    assert found.evaluations >= 1
    text = repr(found)
    assert text.startswith("converged") and "newton" in text
    singular = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)").convergence
    assert singular.verdict == "singular"
    assert "Batch" in singular.singular_terms[0]


def test_augment_of_any_library(dataset, frame_library) -> None:
    data = frame_library(dataset("sleepstudy"))
    table = interlace.fit(SLEEP[1], data).augment(data)
    assert isinstance(table, pd.DataFrame)
    np.testing.assert_allclose(table[".fitted"] + table[".resid"], table["Reaction"], rtol=1e-12)
