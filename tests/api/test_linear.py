"""The front door: arguments, warnings, optimisers and back ends through whole calls."""

import warnings

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.linalg.factor.choose import BACKENDS

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def sleep(dataset):
    return dataset("sleepstudy")


BAD_ARGUMENTS = [
    ({"method": "MLE"}, r"method='MLE' is not known; use 'REML' or 'ML'"),
    ({"method": 3}, r"method=3 is not known"),
    ({"REML": True, "method": "ML"}, r"contradict each other: REML=True means method='REML'"),
    ({"optimizer": "nelder"}, r"optimizer='nelder' is not known; use one of 'newton'"),
    ({"optimizer": 3}, r"optimizer=3 is not known"),
    ({"backend": "gpu"}, r"backend='gpu' is not known; use one of 'auto', 'blocked'"),
    (
        {"theta0": [1.0]},
        r"theta0 has shape \(1,\) but the model has 3 covariance parameters: "
        r"Subject.Intercept, Subject.Days.Intercept, Subject.Days",
    ),
    ({"theta0": ["a", "b", "c"]}, r"theta0 must be a sequence of 3 numbers"),
    ({"theta0": [1.0, np.nan, 1.0]}, r"theta0 must be finite"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_named_with_the_remedy(sleep, arguments, message):
    with pytest.raises(il.ArgumentError, match=message):
        il.fit(SLEEP, sleep, **arguments)


def test_lmer_speaks_lme4(sleep):
    ml = il.lmer(SLEEP, sleep, REML=False)
    assert ml.method == "ML"
    assert il.lmer(SLEEP, sleep).method == il.lmer(SLEEP, sleep, True).method == "REML"
    assert il.lmer(SLEEP, sleep, REML=False, method="ML").method == "ML"
    assert il.fit(SLEEP, sleep, REML=np.False_).llf == ml.llf
    assert il.update(il.fit(SLEEP, sleep), REML=False).llf == ml.llf
    assert il.update(ml, REML=True).method == "REML"
    with pytest.raises(il.ArgumentError, match="contradict each other"):
        il.lmer(SLEEP, sleep, REML=True, method="ML")
    with pytest.raises(il.ArgumentTypeError, match="REML must be True or False, got 'yes'"):
        il.lmer(SLEEP, sleep, REML="yes")


def test_both_spellings_of_a_model_are_the_same_model(sleep):
    whole = il.fit(SLEEP, sleep)
    parts = il.fit("Reaction ~ Days", sleep, random=["(1 + Days | Subject)"])
    assert whole.llf == parts.llf
    scalar = il.fit("Reaction ~ Days + (1 | Subject)", sleep)
    assert il.fit("Reaction ~ Days", sleep, groups="Subject").llf == scalar.llf


def test_method_is_read_in_any_case(sleep):
    assert il.fit(SLEEP, sleep, method="ml").method == "ML"


@pytest.mark.parametrize("optimizer", ["lbfgsb", "bobyqa"])
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("sleepstudy", SLEEP),
        ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
        ("Machines", "score ~ Machine + (Machine | Worker)"),
    ],
)
def test_every_optimiser_finds_the_optimum(fit_cache, name, formula, optimizer):
    newton = fit_cache(name, formula)
    other = fit_cache(name, formula, optimizer=optimizer)
    assert other.converged
    assert other.llf == pytest.approx(newton.llf, abs=1e-7)


@pytest.mark.parametrize("backend", ["auto", *(b for b in BACKENDS if b != "nested")])
@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
        ("Pastes", "strength ~ 1 + (1 | batch/cask)"),
        ("Oats", "yield ~ nitro + (1 | Block/Variety)"),
        ("ScotsSec", "attain ~ verbal + sex + (1 | primary) + (1 | second)"),
    ],
)
def test_back_ends_give_the_same_fit(fit_cache, name, formula, method, backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    plain = fit_cache(name, formula, method=method)
    forced = fit_cache(name, formula, method=method, backend=backend)
    assert forced.llf == pytest.approx(plain.llf, rel=1e-9)
    np.testing.assert_allclose(forced.fe_params, plain.fe_params, rtol=1e-7)
    np.testing.assert_allclose(forced.fe_bse, plain.fe_bse, rtol=1e-6)
    np.testing.assert_allclose(forced.theta, plain.theta, rtol=1e-5)
    modes, expected = forced.ranef(cond_sd=True), plain.ranef(cond_sd=True)
    scale = expected["cond_sd"].to_numpy()
    assert np.abs((modes["value"] - expected["value"]) / scale).max() < 1e-5
    np.testing.assert_allclose(modes["cond_sd"], scale, rtol=1e-5)


def test_frames_of_any_library_give_the_identical_fit(frame_library, dataset):
    data = dataset("Pastes")
    formula = "strength ~ 1 + (1 | batch/cask)"
    plain, other = il.fit(formula, data), il.fit(formula, frame_library(data))
    assert other.llf == plain.llf
    pd.testing.assert_series_equal(other.fe_params, plain.fe_params)
    assert other.theta.tolist() == plain.theta.tolist()


def test_a_forced_back_end_that_cannot_do_the_model_says_so(dataset):
    with pytest.raises(il.ArgumentError, match="nested"):
        il.fit("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("Penicillin"), backend="nested")


def test_start_far_away_or_singular_ends_in_the_same_place(sleep):
    best = il.fit(SLEEP, sleep)
    for theta0 in ([50.0, 0.0, 50.0], [0.0, 0.0, 0.0], [1.0, 3.0, 0.0], [1e-3, 0.0, 1e-3]):
        again = il.fit(SLEEP, sleep, theta0=theta0)
        assert again.llf == pytest.approx(best.llf, abs=1e-7), theta0
        assert again.converged


def test_singular_fits_are_quiet_and_explained(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = il.fit("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2"))
    assert m.is_singular and il.isSingular(m) and m.converged
    assert "variance of Intercept by Batch is estimated as zero" in m.fit.optimum.message
    assert m.theta.iloc[0] == 0.0


def test_what_the_data_cannot_determine_is_a_warning_with_a_remedy():
    rng = np.random.default_rng(0)
    g, f = np.repeat(np.arange(40), 6), np.arange(240) % 2
    y = rng.normal(size=40)[g] + rng.normal(size=(40, 2))[g, f] + 0.3 * rng.normal(size=240)
    frame = pd.DataFrame({"g": g, "f": np.where(f, "a", "b"), "y": y})
    # An intercept beside full indicator columns of a factor: their variances trade off.
    with pytest.warns(il.ConvergenceWarning, match="do not determine.*Remove a random-effect"):
        m = il.fit("y ~ 1 + (1 | g) + (0 + f | g)", frame)
    assert not m.converged


def test_update_fills_dots_and_needs_its_data(sleep):
    import pickle

    m = il.fit(SLEEP, sleep)
    smaller = il.update(m, ". ~ . - Days")
    assert list(smaller.fe_params.index) == ["Intercept"]
    assert il.update(m, "log(.) ~ .".replace("log(.)", "Reaction")).llf == m.llf
    assert il.update(m, method="ML").llf == il.fit(SLEEP, sleep, method="ML").llf
    half = il.update(m, data=sleep.iloc[:90])
    assert half.nobs == 90
    with pytest.raises(il.ArgumentError, match="pass formula=, data= and"):
        il.update(pickle.loads(pickle.dumps(m)), method="ML")


def test_functions_and_methods_say_the_same(sleep):
    m = il.fit(SLEEP, sleep)
    pd.testing.assert_frame_equal(il.VarCorr(m), m.VarCorr())
    n = il.fit("Reaction ~ 1 + (Days | Subject)", sleep)
    pd.testing.assert_frame_equal(il.anova(n, m), n.anova(m))
    with pytest.raises(il.ArgumentTypeError, match="anova takes fitted models"):
        il.anova(3)
    assert not il.isSingular(m)


def test_refits_are_the_fits_to_the_new_response(sleep):
    m = il.fit(SLEEP, sleep)
    draws = m.simulate(8, seed=3)
    for name in draws:
        fresh = il.fit(SLEEP, sleep.assign(Reaction=draws[name]))
        again = m.refit(draws[name])
        assert again.llf == pytest.approx(fresh.llf, abs=1e-7)
        np.testing.assert_allclose(again.fe_params, fresh.fe_params, rtol=1e-6)
    # ... also from a singular fit, whose own theta would hold it at zero
    dull = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
    lively = il.load_dataset("Dyestuff")["Yield"].to_numpy()
    fresh = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    assert dull.refit(lively).llf == pytest.approx(fresh.llf, abs=1e-8)


def test_evaluations_are_few(fit_cache):
    for name, formula in [
        ("sleepstudy", SLEEP),
        ("Machines", "score ~ Machine + (Machine | Worker)"),
        ("Orthodont", "distance ~ age * Sex + (age | Subject)"),
        ("ScotsSec", "attain ~ verbal + sex + (1 | primary) + (1 | second)"),
    ]:
        assert fit_cache(name, formula).convergence.evaluations <= 12


def test_functions_of_the_caller_work_in_formulas_and_on_new_data(sleep):
    def halved(x):
        return x / 2.0

    m = il.fit("Reaction ~ halved(Days) + (1 | Subject)", sleep)
    plain = il.fit("Reaction ~ I(Days / 2) + (1 | Subject)", sleep)
    assert m.llf == pytest.approx(plain.llf, rel=1e-12)
    np.testing.assert_allclose(m.predict(sleep.head(3)), plain.predict(sleep.head(3)))


def test_warnings_point_at_the_line_that_called(sleep):
    sleep.loc[3, "Days"] = np.nan
    with pytest.warns(il.DataWarning, match="dropped 1 row") as caught:
        il.lmer(SLEEP, sleep)
    assert caught[0].filename == __file__


def test_update_keeps_a_start_that_fits_the_new_model(sleep):
    theta0 = [0.9, 0.02, 0.2]
    m = il.fit(SLEEP, sleep, theta0=theta0)
    assert m.call["theta0"] == theta0
    same = il.update(m, ". ~ . - Days", REML=False)
    assert same.call["theta0"] == theta0
    np.testing.assert_allclose(same.fit.optimum.log[0][0], same.fit.scale.x(np.array(theta0)))
    other = il.update(m, "Reaction ~ Days + (1 | Subject)")
    assert other.call["theta0"] is None and other.theta.size == 1
    assert il.update(other, SLEEP, theta0=theta0).call["theta0"] == theta0
    with pytest.raises(il.ArgumentError, match="theta0 has shape"):
        il.update(m, theta0=[1.0])


def test_update_takes_random_terms_away_and_keeps_the_response():
    sleep = il.load_dataset("sleepstudy")
    full = il.fit("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", sleep)
    smaller = il.update(full, ". ~ . - (0 + Days | Subject)")
    alone = il.fit("Reaction ~ Days + (1 | Subject)", sleep)
    assert smaller.llf == pytest.approx(alone.llf, abs=1e-9)
    assert list(il.update(full, "~ . - Days").fe_params.index) == ["Intercept"]


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_a_formula_of_the_residual_variance(method):
    sleep = il.load_dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + (Days | Subject)", sleep, method=method, dispformula="~ Days")
    # glmmTMB(Reaction ~ Days + (Days | Subject), dispformula = ~ Days, REML = ...)
    assert m.llf == pytest.approx({"REML": -865.825720755, "ML": -870.000347732}[method], abs=1e-7)
    one = il.update(m, dispformula=None)
    assert type(one) is il.LMMResult
    assert one.method == method
