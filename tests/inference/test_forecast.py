"""Forecasts of new rows of known groups against dense algebra: conditional normal distributions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, DataError
from interlace.inference.satterthwaite import variance_derivatives

RNG = np.random.default_rng(5)
GROUPS, TIMES = 14, 7
DATA = pd.DataFrame(
    {
        "g": np.repeat([f"g{i:02d}" for i in range(GROUPS)], TIMES),
        "t": np.tile(np.arange(TIMES), GROUPS),
        "x": RNG.normal(size=GROUPS * TIMES),
        "f": np.array(list("ab"))[RNG.integers(2, size=GROUPS * TIMES)],
        "w": RNG.uniform(0.5, 2.0, GROUPS * TIMES),
        "o": RNG.normal(size=GROUPS * TIMES),
    }
)


def _response() -> np.ndarray:
    out = RNG.normal(size=(GROUPS, TIMES))
    for t in range(1, TIMES):
        out[:, t] += 0.7 * out[:, t - 1]
    return out.ravel() * np.where(DATA.f == "a", 1.0, 1.6)


DATA["y"] = 20.0 + DATA.x + _response() + 0.8 * RNG.normal(size=GROUPS).repeat(TIMES)
DATA = DATA.drop(index=[3, 4, 17, 40]).sample(frac=1.0, random_state=2)
NEW = pd.DataFrame(
    {
        "g": ["g01", "g05", "g05", "g02", "unknown"],
        "t": [7, 8, 5, 3, 7],
        "x": [0.3, -1.0, 0.2, 1.0, 0.0],
        "f": ["a", "b", "a", "b", "b"],
        "o": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
)
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("y ~ x + (1 | g)", "ar1(t | g)", {"variance": "~ f"}),
    ("y ~ x + (1 | g)", "car1(t | g)", {"weights": "w", "offset": "o"}),
    ("y ~ x + (x | g)", "exp(t | g)", {"variance": "ident(1 | f) * exp(x)"}),
    ("y ~ x", "gau(t + x | g)", {"method": "ML"}),
    ("y ~ x", "cs(1 | g)", {"variance": "power(fitted)"}),
    ("y ~ x + offset(o)", "ar1(t | g)", {"variance": "constpower(w)", "weights": "w"}),
    ("y ~ x", "us(t | g)", {}),
]


def dense(m: Any, new: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """BLUP of new responses, the standard error of their centre and of the responses."""
    fit, design = m.fit, m.fit.design
    own, model = fit.of_rows, fit.residual
    both = pd.concat([DATA, new.assign(y=0.0, w=new.get("w", 1.0))], ignore_index=True)
    n, r = len(DATA), len(new)
    times = _times(own, both, model)
    g = both["g"].to_numpy()
    C = np.array(
        [
            model.correlation.between(fit.phi[model.slices[0]], times, np.tile(t, (n + r, 1)))
            for t in times
        ]
    )
    C = np.where(g[:, None] == g, C, 0.0)
    np.fill_diagonal(C, 1.0)
    new_sd = fit.new_sd(new, np.asarray(m.predict(new, new_levels="population")))
    sd = np.concatenate([fit.sd, new_sd])
    if design.weights is not None:
        sd[:n] /= np.sqrt(design.weights)
    V = C * sd[:, None] * sd
    X = np.column_stack([np.ones(n + r), both["x"]])
    if design.factors:
        Z = X if "(x |" in m.formula else X[:, :1]
        T = fit.T[0]
        V += fit.re_scale**2 * (Z @ T @ T.T @ Z.T) * (g[:, None] == g)
    offset = both["o"].to_numpy() if design.offset is not None else np.zeros(n + r)
    y = DATA["y"].to_numpy() - offset[:n]
    inverse = np.linalg.inv(V[:n, :n])
    cross = V[n:, :n] @ inverse
    mean = offset[n:] + X[n:] @ fit.beta + cross @ (y - X[:n] @ fit.beta)
    left = X[n:] - cross @ X[:n]
    cov = np.linalg.inv(X[:n].T @ inverse @ X[:n])
    whole = V[n:, n:] - cross @ V[:n, n:] + left @ cov @ left.T
    R = C * sd[:, None] * sd
    innovation = R[n:, n:] - R[n:, :n] @ np.linalg.solve(R[:n, :n], R[:n, n:])
    return mean, np.diagonal(whole), np.diagonal(innovation)


def _times(own: Any, data: pd.DataFrame, model: Any) -> np.ndarray:
    kind = own.spec.correlation.kind
    if kind == "cs":
        return np.zeros((len(data), 1))
    if kind == "gau":
        return data[["t", "x"]].to_numpy()
    return data[["t"]].to_numpy(dtype=float)


@pytest.mark.parametrize(("formula", "correlation", "how"), CASES)
def test_forecasts_are_conditional_normal(formula: str, correlation: str, how: Any) -> None:
    m = il.fit(formula, DATA, correlation=correlation, **how)
    new = NEW.assign(w=1.0)
    if correlation.startswith("us"):
        new = new.assign(t=[6, 4, 3, 3, 2])[lambda d: d.g != "g01"]
        new = new[~new.set_index(["g", "t"]).index.isin(DATA.set_index(["g", "t"]).index)]
    mean, variance, innovation = dense(m, new)
    arguments: dict[str, Any] = {"new_levels": "population", "forecast": True}
    if how.get("offset"):
        arguments["offset"] = "o"
    np.testing.assert_allclose(m.predict(new, **arguments), mean, rtol=1e-6)
    known = new["g"].isin(DATA["g"]).to_numpy()
    own = m.get_prediction(new, **arguments, theta_error="none")
    np.testing.assert_allclose(own.obs_se**2, variance, rtol=1e-5)
    np.testing.assert_allclose(own.se[known] ** 2, (variance - innovation)[known], rtol=1e-4)
    told = m.predict(new, **arguments, se=True)
    np.testing.assert_allclose(told["se"], own.se)
    # of an unknown group there is nothing to know
    plain = {k: v for k, v in arguments.items() if k != "forecast"}
    np.testing.assert_allclose(m.predict(new, **plain)[~known], m.predict(new, **arguments)[~known])
    assert (m.predict(new, **plain)[known] - m.predict(new, **arguments)[known]).abs().min() > 1e-6


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x"])
def test_uncertainty_of_the_parameters_is_by_differences_of_whole_forecasts(formula: str) -> None:
    m = il.fit(formula, DATA, correlation="ar1(t | g)", variance="~ f")
    new = NEW[NEW.g != "unknown"]
    fit, h, slopes = m.fit, 1e-4, []
    none, twice = (
        m.get_prediction(new, forecast=True, theta_error=error).se ** 2
        for error in ("none", "corrected")
    )
    for unit in np.eye(fit.x.size):
        ends = []
        for side in (h, -h):
            other = replace(fit, optimum=replace(fit.optimum, x=fit.x + side * unit), memo={})
            moved = object.__new__(type(m))
            moved.__dict__.update(m.__dict__, fit=other)
            ends.append(moved.predict(new, forecast=True).to_numpy())
        slopes.append((ends[0] - ends[1]) / (2.0 * h))
    J, A = np.array(slopes).T, variance_derivatives(fit).A
    k = fit.x.size
    share = np.einsum("ri,ij,rj->r", J, A[:k, :k], J)
    np.testing.assert_allclose(twice - none, 2.0 * share, rtol=1e-4)


def test_a_row_of_the_fit_is_known() -> None:
    m = il.fit("y ~ x + (1 | g)", DATA, correlation="ar1(t | g)")
    same = DATA.head(5)
    np.testing.assert_allclose(m.predict(same, forecast=True), same["y"], rtol=1e-9)
    frame = m.get_prediction(same, forecast=True).summary_frame()
    assert (frame["obs_ci_upper"] - frame["obs_ci_lower"]).abs().max() < 1e-5


def test_by_the_order_of_rows_new_ones_follow() -> None:
    data = DATA.sort_values(["g", "t"])
    m = il.gls("y ~ x", data, "ar1(1 | g)")
    new = NEW.iloc[[1, 1, 0]]
    last = data.groupby("g").tail(1).set_index("g")
    e = (last["y"] - m.fe_params["Intercept"] - m.fe_params["x"] * last["x"])[new["g"]].to_numpy()
    rho = m.correlation_params["rho"]
    expect = m.predict(new).to_numpy() + np.array([rho, rho**2, rho]) * e
    np.testing.assert_allclose(m.predict(new, forecast=True), expect, rtol=1e-9)


def test_compound_symmetry_forecasts_as_a_random_intercept_predicts() -> None:
    gls = il.gls("y ~ x", DATA, "cs(1 | g)")
    lmm = il.fit("y ~ x + (1 | g)", DATA)
    new = NEW.iloc[:4]
    np.testing.assert_allclose(gls.predict(new, forecast=True), lmm.predict(new), rtol=1e-6)
    # the intercept is part of the mean of one, of what is left of the residual of the other
    one, other = gls.get_prediction(new, forecast=True), lmm.get_prediction(new)
    np.testing.assert_allclose(one.obs_se, other.obs_se, rtol=1e-5)


def test_refusals_say_what_serves() -> None:
    m = il.fit("y ~ x + (1 | g)", DATA, correlation="ar1(t | g)")
    with pytest.raises(ArgumentError, match="give newdata"):
        m.predict(forecast=True)
    with pytest.raises(ArgumentError, match="include_re"):
        m.predict(NEW, forecast=True, include_re=False)
    with pytest.raises(ArgumentError, match="correlation="):
        il.fit("y ~ x + (1 | g)", DATA).predict(NEW, forecast=True)
    with pytest.raises(DataError, match="whole numbers"):
        m.predict(NEW.head(2).assign(t=[0.5, 1.0]), forecast=True)
    us = il.gls("y ~ x", DATA, "us(t | g)")
    with pytest.raises(DataError, match="knows no correlation"):
        us.predict(NEW.head(2), forecast=True)
    missing = NEW.head(2).assign(t=[np.nan, 7.0])
    assert m.predict(missing, forecast=True).isna().tolist() == [True, False]
    assert m.predict(missing.head(1), forecast=True).isna().all()
    lacking = NEW.head(2).assign(x=[np.nan, 1.0])
    assert m.predict(lacking, forecast=True).isna().tolist() == [True, False]
    with pytest.raises(DataError, match="'t'"):
        m.predict(NEW.head(2).drop(columns="t"), forecast=True)
