"""The names users expect, and what makes a result last: pickling, copying, refitting."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ArgumentError
from interlace.results.lmm import LMMResult

SLEEP = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")


def test_fixed_effects(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    assert isinstance(m, LMMResult)
    for name in ("params", "bse", "df", "tvalues", "pvalues"):
        series = getattr(m, name)
        assert isinstance(series, pd.Series)
        assert list(series.index) == ["Intercept", "Days"]
        pd.testing.assert_series_equal(series, getattr(m, f"fe_{name}"))
    np.testing.assert_allclose(m.tvalues, m.params / m.bse, rtol=1e-12)
    np.testing.assert_allclose(m.df, [17.0, 17.0], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(m.vcov())), m.bse, rtol=1e-12)
    assert m.cov_params().equals(m.fe_cov)
    correlation = m.vcov(correlation=True)
    assert correlation.loc["Days", "Intercept"] == pytest.approx(-0.1375534, rel=1e-4)


def test_what_a_user_changes_stays_with_the_user(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    before = m.fe_params.copy()
    for name in ("fe_params", "fe_pvalues", "df", "theta", "fittedvalues"):
        mine = getattr(m, name)
        mine.iloc[0] = -1.0
        assert getattr(m, name).iloc[0] != -1.0, name
    V, modes = m.vcov(), m.random_effects["Subject"]
    V.iloc[0, 0] = -1.0
    modes.iloc[0, 0] = 1e9
    assert m.vcov().iloc[0, 0] > 0.0 and m.random_effects["Subject"].iloc[0, 0] < 1e3
    pd.testing.assert_series_equal(m.fe_params, before)


def test_intervals(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    interval = m.conf_int()
    half = 2.109815578 * m.bse  # qt(.975, 17)
    np.testing.assert_allclose(interval["upper"], m.params + half, rtol=1e-7)
    assert interval.equals(m.fe_conf_int)
    assert m.conf_int(alpha=0.1).equals(m.conf_int(0.9))
    # confint(m, method = "Wald"): 238.02933 264.78088, 7.43760 13.49697 at lme4's theta.
    wald = m.confint("beta_", method="Wald")
    np.testing.assert_allclose(wald, [[238.02922, 264.78099], [7.437597, 13.496975]], rtol=2e-6)
    assert m.confint(["(Intercept)", "Days"], method="wald").equals(wald)
    with pytest.raises(ArgumentError, match="'Wald'"):
        m.confint(method="bot")
    with pytest.raises(ArgumentError, match="df_method"):
        m.conf_int(df_method="containment")


def test_numbers_of_the_fit(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    assert (m.nobs, m.ngroups, m.nparams, m.df_model) == (180, {"Subject": 18}, 6, 6)
    assert m.df_resid == 174
    assert m.llf == pytest.approx(-871.8141359795, abs=1e-8)
    assert m.reml_criterion == pytest.approx(1743.628271959, abs=1e-8)
    assert m.aic == pytest.approx(12 - 2 * m.llf) and m.bic > m.aic
    assert m.scale == pytest.approx(m.sigma**2) and m.sigma == pytest.approx(25.591816, rel=1e-6)
    assert (m.method, m.family, m.formula) == ("REML", "gaussian", SLEEP[1])
    assert m.theta.index.tolist() == [
        "Subject.Intercept",
        "Subject.Days.Intercept",
        "Subject.Days",
    ]
    assert m.converged and not m.is_singular and m.boundary_flags == {"Subject": False}
    ml = fit_cache(*SLEEP, method="ML")
    assert np.isnan(ml.reml_criterion) and ml.deviance == pytest.approx(-2 * ml.llf)


def test_a_singular_fit_has_converged(fit_cache) -> None:
    m = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)")
    assert m.converged and m.is_singular and m.boundary_flags == {"Batch": True}


def test_ranef_in_both_shapes(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    assert m.ranef()["Subject"].equals(m.random_effects["Subject"])
    tidy = m.ranef(cond_sd=True, r_names=True)
    assert tidy["term"].iloc[0] == "(Intercept)"


def test_refit(fit_cache, dataset) -> None:
    m = fit_cache(*SLEEP)
    sleep = dataset("sleepstudy")
    y = sleep["Reaction"] + 5.0 * np.sin(np.arange(180.0))
    found = m.refit(y)
    fresh = interlace.fit(SLEEP[1], sleep.assign(Reaction=y))
    np.testing.assert_allclose(found.fe_params, fresh.fe_params, rtol=1e-7)
    assert found.llf == pytest.approx(fresh.llf, abs=1e-7)
    np.testing.assert_allclose(found.fittedvalues, fresh.fittedvalues, rtol=1e-5)
    # The first fit is what it was, also in what is computed after the refit.
    np.testing.assert_allclose(m.hatvalues().iloc[0], 0.22930404, rtol=2e-5)
    again = m.refit(sleep["Reaction"])
    assert again.llf == pytest.approx(m.llf, abs=1e-8)


def test_refit_of_crossed_factors_leaves_the_first_fit_alone(fit_cache, dataset) -> None:
    formula = "diameter ~ 1 + (1 | plate) + (1 | sample)"
    m = interlace.fit(formula, dataset("Penicillin"))
    other = m.refit(np.random.default_rng(0).normal(size=144))
    assert other.random_effects_se["plate"].shape == (24, 1)
    expected = interlace.fit(formula, dataset("Penicillin")).random_effects_se["plate"]
    np.testing.assert_allclose(m.random_effects_se["plate"], expected, rtol=1e-9)
    np.testing.assert_allclose(m.fe_bse, fit_cache("Penicillin", formula).fe_bse, rtol=1e-9)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(179), r"\(179,\)"),
        (np.full(180, np.nan), "not finite"),
        (np.r_[np.inf, -np.inf, np.zeros(178)], "not finite"),
        (["a"] * 180, "numbers"),
        (np.zeros((180, 2)), r"\(180, 2\).*frame.apply\(m.refit\)"),
    ],
)
def test_responses_that_cannot_be_refitted(fit_cache, y, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        fit_cache(*SLEEP).refit(y)


def test_refit_does_not_hold_on_to_the_array(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    y = m.simulate(1, seed=1).to_numpy()[:, 0].copy()
    again = m.refit(y)
    before = again.resid.copy()
    y[:] = 0.0
    pd.testing.assert_series_equal(again.resid, before)


def test_refit_ml(fit_cache) -> None:
    m = fit_cache(*SLEEP).refit_ml()
    assert m.method == "ML"
    assert m.llf == pytest.approx(-875.969672232, abs=1e-8)
    assert m.refit_ml() is m


IN_A_FRESH_PROCESS = """
import pickle, sys
import numpy as np, pandas as pd
m = pickle.load(sys.stdin.buffer)
new = pd.DataFrame({"Days": [1.0, 12.0], "Subject": ["308", "372"]})
values = [m.predict(new), m.get_prediction(new).se, m.fe_bse, m.df, m.hatvalues().head(3)]
values += [m.random_effects_se["Subject"].to_numpy().ravel()[:4], [m.deviance, m.llf]]
values += [m.refit(m.fittedvalues + m.resid).fe_params]
print(*(float(v).hex() for part in values for v in part))
"""


@pytest.mark.parametrize("used", [False, True])
def test_a_fit_loaded_in_a_fresh_process_gives_the_same_numbers(dataset, used) -> None:
    m = interlace.fit(SLEEP[1], dataset("sleepstudy"))
    if used:
        assert str(m.summary()) and len(m.hatvalues()) and m.random_effects_se
    stored = pickle.dumps(m)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS], input=stored, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [float.fromhex(text) for text in done.stdout.decode().split()]
    new = pd.DataFrame({"Days": [1.0, 12.0], "Subject": ["308", "372"]})
    values = [m.predict(new), m.get_prediction(new).se, m.fe_bse, m.df, m.hatvalues().head(3)]
    values += [m.random_effects_se["Subject"].to_numpy().ravel()[:4], [m.deviance, m.llf]]
    values += [m.refit(m.fittedvalues + m.resid).fe_params]
    # The factorisation is made anew: equal up to the order of its sums.
    np.testing.assert_allclose(found, np.concatenate(values), rtol=1e-9)


def test_copies(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    for other in (copy.copy(m), copy.deepcopy(m)):
        assert str(other.summary()) == str(m.summary())
        pd.testing.assert_series_equal(other.predict(), m.predict())


def test_to_dict_is_json(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    found = json.loads(json.dumps(m.to_dict(), allow_nan=False))
    assert found["formula"] == SLEEP[1] and found["method"] == "REML"
    assert found["fe_params"] == m.fe_params.to_dict()
    assert found["theta"] == m.theta.to_dict()
    assert found["VarCorr"][2]["term2"] == "Days"
    assert found["convergence"]["verdict"] == "converged"
    assert "numpy" in found["versions"]
