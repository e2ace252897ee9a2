"""Correlated residuals and residuals of unequal variance, as users ask for them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import interlace as il
from interlace.errors import ArgumentError, DataError, FormulaError, InterlaceError

RNG = np.random.default_rng(8)
GROUPS, TIMES = 15, 6
N = GROUPS * TIMES


def series(rho: float) -> np.ndarray:
    out = RNG.normal(size=(GROUPS, TIMES))
    for t in range(1, TIMES):
        out[:, t] = rho * out[:, t - 1] + np.sqrt(1.0 - rho**2) * out[:, t]
    return out.ravel()


DATA = pd.DataFrame(
    {
        "g": np.repeat([f"g{i}" for i in range(GROUPS)], TIMES),
        "t": np.tile(np.arange(TIMES), GROUPS),
        "x": RNG.normal(size=N),
        "v": RNG.uniform(1.0, 3.0, N),
        "f": np.array(list("ab"))[RNG.integers(2, size=N)],
    }
)
DATA["y"] = 5.0 + DATA.x + series(0.6) * np.where(DATA.f == "a", 1.0, 2.0)


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_compound_symmetry_is_a_random_intercept(method: str) -> None:
    gls = il.gls("y ~ x + f", DATA, "cs(1 | g)", method=method)
    lmm = il.fit("y ~ x + f + (1 | g)", DATA, method=method)
    assert gls.llf == pytest.approx(lmm.llf, abs=1e-8)
    np.testing.assert_allclose(gls.fe_params, lmm.fe_params, rtol=1e-6)
    np.testing.assert_allclose(gls.fe_bse, lmm.fe_bse, rtol=1e-5)
    np.testing.assert_allclose(gls.fe_df, lmm.fe_df, rtol=1e-4)
    rho = lmm.variance_components["g"] / (lmm.variance_components["g"] + lmm.sigma**2)
    assert gls.correlation_params["rho"] == pytest.approx(rho, rel=1e-4)
    one, other = gls.conf_int(), lmm.conf_int()
    np.testing.assert_allclose(one, other, rtol=1e-4)
    assert gls.nparams == lmm.nparams


def test_a_known_variance_is_a_weight() -> None:
    fixed = il.fit("y ~ x + (1 | g)", DATA, variance="fixed(v)")
    weighted = il.fit("y ~ x + (1 | g)", DATA, weights=1.0 / DATA.v)
    assert fixed.llf == pytest.approx(weighted.llf, abs=1e-8)
    np.testing.assert_allclose(fixed.fe_df, weighted.fe_df, rtol=1e-5)


def test_units_of_response_and_time_do_not_matter() -> None:
    small = il.fit("y ~ x + (1 | g)", DATA, correlation="car1(t | g)", variance="power(v)")
    other = DATA.assign(y=1e6 * DATA.y, t=1e-7 * DATA.t, v=1e3 * DATA.v)
    large = il.fit("y ~ x + (1 | g)", other, correlation="car1(t | g)", variance="power(v)")
    np.testing.assert_allclose(large.fe_params, 1e6 * small.fe_params, rtol=1e-5)
    assert large.variance_params.iloc[0] == pytest.approx(small.variance_params.iloc[0], rel=1e-4)
    assert large.correlation_params["rho"] == pytest.approx(
        small.correlation_params["rho"] ** 1e7, abs=1e-12
    )


def test_rows_in_any_order_from_any_frame() -> None:
    import polars as pl

    arguments = {"correlation": "ar1(t | g)", "variance": "~ f"}
    sorted_fit = il.fit("y ~ x + (1 | g)", DATA, **arguments)
    mixed = DATA.sample(frac=1.0, random_state=3)
    mixed_fit = il.fit("y ~ x + (1 | g)", mixed, **arguments)
    assert mixed_fit.llf == pytest.approx(sorted_fit.llf, abs=1e-9)
    residuals = mixed_fit.residuals("normalized")
    expect = sorted_fit.residuals("normalized").loc[residuals.index]
    np.testing.assert_allclose(residuals, expect, rtol=1e-5, atol=1e-6)
    polars = il.fit("y ~ x + (1 | g)", pl.from_pandas(DATA), **arguments)
    assert polars.llf == pytest.approx(sorted_fit.llf, abs=1e-9)


def test_missing_times_drop_their_rows() -> None:
    data = DATA.assign(t=np.where(np.arange(N) == 4, np.nan, DATA.t))
    with pytest.warns(il.DataWarning, match="t"):
        m = il.gls("y ~ x", data, "ar1(t | g)")
    assert m.nobs == N - 1


def test_draws_have_the_covariance_of_the_model() -> None:
    m = il.gls("y ~ x", DATA, "ar1(t | g)", "~ f")
    draws = m.simulate(20_000, seed=1).to_numpy() - m.fittedvalues.to_numpy()[:, None]
    S = np.cov(draws[:TIMES])
    rho, ratio = m.correlation_params["rho"], m.variance_params["sd_ratio_b"]
    sd = m.sigma * np.where(DATA.f[:TIMES] == "a", 1.0, ratio)
    t = np.arange(TIMES)
    expect = sd[:, None] * rho ** np.abs(t[:, None] - t) * sd
    # standard errors of covariances of n draws are below sqrt(2 / n) of the variances
    assert np.abs(S - expect).max() < 5.0 * np.sqrt(2.0 / 20_000) * sd.max() ** 2


def test_refits_pickles_and_updates() -> None:
    m = il.fit("y ~ x + (1 | g)", DATA, correlation="ar1(t | g)", variance="power(fitted)")
    y = m.simulate(1, seed=4)["sim_1"]
    again = m.refit(y)
    whole = il.fit(
        "y ~ x + (1 | g)", DATA.assign(y=y), correlation="ar1(t | g)", variance="power(fitted)"
    )
    assert again.llf == pytest.approx(whole.llf, abs=1e-5)
    loaded = pickle.loads(pickle.dumps(m))
    np.testing.assert_allclose(loaded.fe_df, m.fe_df)
    np.testing.assert_array_equal(loaded.predict(DATA), m.predict(DATA))
    plain = m.update(correlation=None, variance=None)
    assert plain.fit.phi.size == 0
    table = il.anova(m.refit_ml(), plain.refit_ml())
    assert table.shape[0] == 2


def test_intervals_of_observations_know_the_variance() -> None:
    m = il.gls("y ~ x", DATA, variance="~ f")
    new = m.get_prediction({"x": [0.0, 0.0], "f": ["a", "b"]}).summary_frame()
    width = (new["obs_ci_upper"] - new["obs_ci_lower"]).to_numpy()
    sd = m.sigma * np.array([1.0, m.variance_params["sd_ratio_b"]])
    whole = np.sqrt(new["mean_se"] ** 2 + sd**2)
    assert width[1] / width[0] == pytest.approx(whole[1] / whole[0], rel=1e-12)
    lacking = m.get_prediction({"x": [0.0]}).summary_frame()
    assert lacking["obs_ci_lower"].isna().all() and lacking["mean"].notna().all()


def test_intervals_of_observations_know_a_variance_without_parameters() -> None:
    m = il.gls("y ~ 1", DATA, variance="fixed(v)")
    new = m.get_prediction({"v": [1.0, 4.0]})
    np.testing.assert_allclose(new.obs_se**2 - new.se**2, m.sigma**2 * np.array([1.0, 4.0]))


def test_a_correlation_beside_what_says_the_same_is_not_identified() -> None:
    with pytest.warns(il.ConvergenceWarning):
        m = il.fit("y ~ x + (1 | g)", DATA, correlation="cs(1 | g)")
    assert m.convergence.verdict == "not identified"


REFUSED: list[tuple[dict[str, Any], type[InterlaceError], str]] = [
    ({"correlation": "ar1(v | g)"}, DataError, "whole numbers.*car1"),
    ({"correlation": "ar1(t)"}, DataError, "same time"),
    ({"correlation": "ar1(t | h)"}, DataError, "'h'"),
    ({"correlation": "cs(1 | t:g)"}, DataError, "one row only"),
    ({"correlation": "toep(t | g)"}, FormulaError, r"us\(\) has every correlation"),
    ({"correlation": "corAR1(0.3, form = ~ t | g)"}, FormulaError, "give the form alone"),
    ({"correlation": "car1(f | g)"}, DataError, "asks for distances"),
    ({"correlation": "arma(t | g)"}, FormulaError, "has no order"),
    ({"correlation": "arma(t | g, p=x)"}, FormulaError, "not a whole number"),
    ({"correlation": "ar1(t | g, p=2)"}, FormulaError, r"ar1\(\) has no p=; leave it out"),
    ({"correlation": "exp(t | g, nugget=0.1)"}, FormulaError, "True or False"),
    ({"correlation": "ma1(t | g)"}, FormulaError, "q=1"),
    ({"correlation": 3}, InterlaceError, "correlation must be a text"),
    ({"variance": "~ v"}, DataError, r"write exp\(v\) or power\(v\)"),
    ({"variance": "power(t)"}, DataError, "is 0 in row"),
    ({"variance": "exp(f)"}, DataError, "not numeric; write '~ f'"),
    ({"variance": "ident(1)"}, FormulaError, "needs a factor"),
    ({"variance": ""}, ArgumentError, "empty"),
]


@pytest.mark.parametrize(("arguments", "kind", "match"), REFUSED)
def test_refusals_say_what_serves(arguments: Any, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        il.gls("y ~ x", DATA, **arguments)


def test_groups_that_cross_a_factor_are_refused() -> None:
    with pytest.raises(DataError, match="they have to lie in one"):
        il.fit("y ~ x + (1 | f)", DATA, correlation="ar1(t | g)")


def test_spellings_of_nlme_mean_the_same() -> None:
    ours = il.gls("y ~ x", DATA, "ar1(t | g)", "ident(1 | f) * exp(v)")
    weights = "varComb(varIdent(form = ~ 1 | f), varExp(form = ~ v))"
    theirs = il.gls("y ~ x", DATA, "corAR1(form = ~ t | g)", weights)
    assert theirs.llf == ours.llf


def test_summaries_and_tables_have_the_parameters() -> None:
    m = il.fit("y ~ x + (1 | g)", DATA, correlation="ar1(t | g)", variance="~ f")
    text = str(m.summary())
    assert "Correlation of residuals: ar1(t | g)" in text and "sd_ratio_b" in text
    assert m.VarCorr(se=True).set_index("term1").loc["rho", "se"] > 0.0
    assert set(m.tidy("ran_pars")["term"]) >= {"rho", "sd_ratio_b"}
    limits = m.confint(["rho", "sd_ratio_b"], method="Wald")
    values = pd.concat([m.correlation_params, m.variance_params])
    assert (limits["lower"] < values).all() and (values < limits["upper"]).all()


def test_limits_of_correlations_are_those_of_the_likelihood() -> None:
    m = il.gls("y ~ x", DATA, "us(t | g)", method="ML")
    parm, fit = m.correlation_params.index[0], m.fit
    objective, model, z = fit.objective, fit.residual, 1.959963984540054
    profile, wald = m.confint(parm).to_numpy().ravel(), m.confint(parm, method="Wald")

    def criterion(x: np.ndarray) -> tuple[float, np.ndarray]:
        here = objective.evaluate(x, 1)
        return here.value, here.gradient

    for limit in profile:
        held = {
            "type": "eq",
            "fun": lambda x, limit=limit: model.natural(x)[:1] - limit,
            "jac": lambda x: model.jacobian(x)[:1],
        }
        best = minimize(
            criterion, fit.x, jac=True, method="SLSQP", constraints=held, options={"ftol": 1e-12}
        )
        # a limit is sought until zeta is right to 1e-4
        assert best.fun - fit.criterion == pytest.approx(z**2, abs=2.0 * z * 1e-4)
    J, value = model.jacobian(fit.phi)[0], m.correlation_params.iloc[0]
    error = np.sqrt(2.0 * J @ np.linalg.solve(objective.hessian(fit.x), J))
    # half the logit of (1 + r) / 2 is artanh(r), whose derivative is 1 / (1 - r^2)
    half = z * error / (1.0 - value**2)
    expect = np.tanh(np.arctanh(value) + np.array([[-half, half]]))
    np.testing.assert_allclose(wald, expect, rtol=1e-10)
    assert np.abs(profile - wald.to_numpy().ravel()).max() < 0.05


def test_groups_are_left_out_by_fitting_again() -> None:
    m = il.gls("y ~ x", DATA, "ar1(t | g)", "~ f")
    with pytest.raises(ArgumentError, match="exact=True"):
        m.influence("g")
    change = m.influence("g", exact=True).dfbeta.loc["g3"]
    without = il.gls("y ~ x", DATA[DATA.g != "g3"], "ar1(t | g)", "~ f")
    np.testing.assert_allclose(change, without.fe_params - m.fe_params, atol=1e-5)


def test_even_steps_leave_the_sign_of_rho_open_and_say_so() -> None:
    with pytest.warns(il.DataWarning, match="rho and -rho fit alike"):
        even = il.gls("y ~ x", DATA.assign(t=2 * DATA.t), "ar1(t | g)")
    m = il.gls("y ~ x", DATA, "ar1(t | g)")
    assert even.llf == pytest.approx(m.llf, abs=1e-8)
    assert even.correlation_params["rho"] ** 2 == pytest.approx(
        m.correlation_params["rho"], rel=1e-4
    )


def test_orders_and_nuggets_are_read_in_both_spellings() -> None:
    ours = il.gls("y ~ x", DATA, "arma(t | g, p=1, q=1)")
    theirs = il.gls("y ~ x", DATA, "corARMA(form = ~ t | g, q = 1L, p = 1)")
    assert theirs.llf == ours.llf
    assert list(ours.correlation_params.index) == ["phi_1", "theta_1"]
    assert "arma(t | g, p=1, q=1)" in str(ours.summary())
    inner = il.fit("y ~ x + (1 | g)", DATA, correlation="arma(t, p=2)")
    assert "arma(t | g, p=2)" in str(inner.summary())
    assert ours.update(correlation="arma(t | g, p=1)").llf == pytest.approx(
        il.gls("y ~ x", DATA, "ar1(t | g)").llf, abs=1e-8
    )
    nugget = il.gls("y ~ x", DATA, "corExp(form = ~ t | g, nugget = TRUE)")
    plain = il.gls("y ~ x", DATA, "exp(t | g, nugget=False)")
    assert nugget.nparams == plain.nparams + 1 and nugget.llf >= plain.llf - 1e-6


def test_a_nugget_that_there_is_none_of_is_at_its_boundary() -> None:
    smooth = np.cumsum(series(0.9).reshape(GROUPS, TIMES), axis=1).ravel()
    data = DATA.assign(y=smooth)
    m, plain = il.gls("y ~ x", data, "exp(t | g, nugget=True)"), il.gls("y ~ x", data, "exp(t | g)")
    assert m.llf == pytest.approx(plain.llf, abs=1e-6)
    assert m.convergence.verdict == "singular" and "nugget" in m.convergence.message
    assert m.correlation_params["nugget"] == pytest.approx(0.0, abs=1e-8)
    assert str(m.summary()) and m.conf_int().notna().all(axis=None)
