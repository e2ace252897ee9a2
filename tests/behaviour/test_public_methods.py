"""Every public name of a result answers, for models with one linear predictor and with several.

Names are read off the classes: a new method is called here without being listed, and has to be
listed only if it needs arguments or has a reason to refuse.
"""

from __future__ import annotations

import inspect
import json
import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError

RNG = np.random.default_rng(1)
N = 240
X = RNG.normal(size=N)
DATA = pd.DataFrame(
    {
        "x": X,
        "z": RNG.normal(size=N),
        "g": [f"g{i}" for i in RNG.integers(8, size=N)],
        "f": np.array(list("abc"))[RNG.integers(3, size=N)],
        "count": RNG.poisson(np.exp(0.8 + 0.4 * X) * RNG.gamma(2.0, 0.5, N))
        * (RNG.random(N) > 0.25),
        "share": np.clip(RNG.beta(2.0 / (1.0 + np.exp(-X)), 1.5), 0.01, 0.99),
        "heavy": X + RNG.standard_t(4, N),
        "wait": np.exp(0.3 * X + 0.5 * RNG.normal(size=N)),
        "m": 8,
        "k": RNG.binomial(8, RNG.beta(2.0, 2.0, N)) * (RNG.random(N) > 0.2),
        "w": RNG.integers(1, 4, N),
    }
)
DATA["ends"] = np.where(RNG.random(N) < 0.15, 0.0, DATA.share)
DATA["ends"] = np.where(RNG.random(N) < 0.15, 1.0, DATA.ends)
DATA["t"] = DATA.groupby("g").cumcount()

MODELS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "zinb2": ("count ~ x + f", "nbinom2", {"ziformula": "~ z", "weights": "w"}),
    "nb1": ("count ~ x + offset(0.1 * z)", "nbinom1", {}),
    "nb1 disp": ("count ~ x + f", "nbinom1", {"dispformula": "~ z + offset(0.1 * x)"}),
    "hurdle": ("count ~ x", "truncated_poisson", {"ziformula": "~ z"}),
    "truncated": ("I(count + 1) ~ x", "truncated_poisson", {}),
    "beta": ("share ~ x", "beta", {"dispformula": "~ z"}),
    "zoib": ("ends ~ x", il.ZeroOneInflatedBeta(), {"zoiformula": "~ z", "coiformula": "~ x"}),
    "ordered": ("ends ~ x", "ordbeta", {}),
    "t": ("heavy ~ x", "t", {"dispformula": "~ z"}),
    "gaussian": ("heavy ~ x + f", "gaussian", {"dispformula": "~ z"}),
    "gamma": ("wait ~ x", "Gamma(log)", {"dispformula": "~ z"}),
    "zi binomial": ("cbind(k, m - k) ~ x", "binomial", {"ziformula": "~ z"}),
    "poisson": ("count ~ x", "poisson", {}),
    "negative binomial": ("count ~ x", "nbinom2", {}),
}
#: Linear models with a covariance of their residuals, with random effects and without.
RESIDUAL: dict[str, tuple[str, dict[str, Any]]] = {
    "lme": ("heavy ~ x + f + (1 | g)", {"correlation": "ar1(t | g)", "variance": "~ f"}),
    "lme fitted": ("wait ~ x + f + (1 | g)", {"variance": "power(fitted)"}),
    "gls": ("heavy ~ x + f", {"correlation": "ar1(t | g)", "variance": "exp(z)"}),
    "gls cs": ("heavy ~ x + f", {"correlation": "cs(1 | g)", "weights": "w"}),
}
CASES = [(name, mixed) for name in MODELS for mixed in (False, True)]

#: Arguments of the methods that need some, given a result.
ARGUMENTS: dict[str, Any] = {
    "refit": lambda m: (m.simulate(seed=3)["sim_1"],),
    "refit_many": lambda m: (m.simulate(2, seed=3),),
    "simulate_refit": lambda m: (2,),
    "params_of": lambda m: ("cond",),
    "bse_of": lambda m: ("cond",),
    "random_effects_of": lambda m: ("cond",),
    "t_test": lambda m: ("x",),
    "wald_test": lambda m: ("x",),
    "f_test": lambda m: ("x",),
    "emmeans": lambda m: ("x",),
    "emtrends": lambda m: ("x", "x"),
    "bootstrap": lambda m: (2,),
    "bootMer": lambda m: (None, 2, 1),
    "bootstrap_se": lambda m: ("median", 2, "group" if m.fit.T else "observation"),
}
TYPES = ("response", "link", "conditional", "zprob", "zlink", "disp")


@cache
def fitted(name: str, mixed: bool) -> Any:
    """Shared by the tests, which must not change it."""
    formula, family, given = MODELS[name]
    if mixed:
        return il.glmer(f"{formula} + (1 | g)", DATA, family, **given)
    return il.glm(formula, DATA, family, **given)


def refusal(m: Any, name: str) -> str | None:
    """Why a name has no answer for a model, None if it has one."""
    if name == "to_r" and m.call.get("weights"):
        return "powers of the density"
    if name == "to_r" and "zoi" in m.components:
        return "zoiformula="
    if name == "level_residuals":
        return "linear mixed model"
    if name in ("hatvalues", "leverage", "cooks_distance") and len(m.components) > 1:
        return "are for models with one linear predictor"
    if name in ("dfbeta", "dfbetas", "rstudent") and not (m.fit.irls or m.fit.T):
        return "iteratively reweighted least squares"
    if name == "rstudent" and m.fit.T:
        return "iteratively reweighted least squares"
    if name == "vif" and len(m.fit.design.x_terms) < 3:
        return "beside the intercept"
    if name in ("r2", "icc") and {*m.components} - {"cond", "disp"}:
        return "one linear predictor"
    if name == "overdispersion" and not m.fit.family.discrete:
        return "estimates its own dispersion"
    if name in ("influence", "dfbeta", "dfbetas") and len(m.components) > 1:
        return "exact=True"
    return None


def names_of(m: Any) -> list[str]:
    return [name for name in dir(type(m)) if not name.startswith("_")]


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_every_name_answers(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    for attribute in names_of(m):
        value = getattr(m, attribute)
        if not inspect.ismethod(value):
            continue
        arguments = ARGUMENTS[attribute](m) if attribute in ARGUMENTS else ()
        why = refusal(m, attribute)
        if why is None:
            assert value(*arguments) is not None, attribute
        else:
            with pytest.raises(ArgumentError, match=why):
                value(*arguments)


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_every_component_has_tests_and_tables(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    for component in m.components:
        own = m.params_of(component)
        assert (m.bse_of(component) > 0.0).all()
        for method in (m.vcov, m.conf_int, m.anova):
            assert np.isfinite(method(component=component).to_numpy(float)).all()
        wald = m.confint(method="Wald", component=component)
        assert np.isfinite(wald).all(axis=None)
        profile = m.confint(component=component)  # of zeros that there are none of: infinite
        assert (profile["lower"] < own.to_numpy()).all() and (
            profile["upper"] > own.to_numpy()
        ).all()
        for method in (m.t_test, m.wald_test, m.f_test):
            method(own.index[-1], component=component)
        table = m.tidy("fixed", component=component, conf_int=True)
        np.testing.assert_array_equal(table["estimate"], own)
        assert m.predict(DATA.head(3), type="link", component=component).notna().all()
    assert m.vcov(full=True).shape == (m.nparams, m.nparams)


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_predictions_of_all_types_are_the_same_on_the_same_rows(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    for kind in TYPES:
        if kind == "disp" and m.fit.family.dispersion_parameter not in m.fit.family.parameters:
            with pytest.raises(ArgumentError, match="estimates no dispersion"):
                m.predict(type=kind)
            continue
        here, there = m.predict(type=kind, se=True), m.predict(DATA, type=kind, se=True)
        np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-12)
        if kind == "zlink" and (m.predict(type="zprob") == 0.0).all():
            assert (here["prediction"] == -np.inf).all()
            continue
        assert np.isfinite(here.to_numpy()).all()
        frame = m.get_prediction(DATA.head(4), type=kind).summary_frame()
        np.testing.assert_allclose(frame["mean"], here["prediction"].head(4), rtol=1e-9)
        np.testing.assert_allclose(frame["mean_se"], here["se"].head(4), rtol=1e-9)
    response, zero = m.predict(), m.predict(type="zprob")
    if name not in ("zoib", "ordered"):
        np.testing.assert_allclose(response, (1.0 - zero) * m.predict(type="conditional"))


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")  # of what is drawn
@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_a_refit_pickled_is_as_good_as_the_fit(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    again = pickle.loads(pickle.dumps(m.refit(m.simulate(seed=5)["sim_1"])))
    new = DATA.head(5)
    for attribute in ("summary", "glance", "tidy", "augment", "residuals", "simulate", "anova"):
        assert getattr(again, attribute)() is not None
    assert again.predict(new).notna().all()
    json.dumps(again.to_dict())
    loaded = pickle.loads(pickle.dumps(m))
    np.testing.assert_allclose(loaded.predict(new), m.predict(new), rtol=1e-12)
    # modes, good to 1e-10, are differenced with steps of 1e-4
    there, here = loaded.predict(new, se=True), m.predict(new, se=True)
    np.testing.assert_allclose(there, here, rtol=2e-6)
    assert loaded.llf == m.llf and str(loaded.summary()) == str(m.summary())


@pytest.mark.parametrize(("name", "mixed"), CASES)
def test_a_smaller_model_by_update_is_compared(name: str, mixed: bool) -> None:
    m = fitted(name, mixed)
    smaller = il.update(m, ". ~ . - x")
    table = il.anova(m, smaller, names=["with x", "without"])
    assert smaller.nparams == m.nparams - 1 and len(table) == 2
    assert smaller.llf < m.llf + 1e-6


@cache
def residual(name: str) -> Any:
    """A model with a covariance of its residuals."""
    formula, given = RESIDUAL[name]
    return il.fit(formula, DATA, **given)


def residual_refusal(m: Any, name: str) -> str | None:
    """Why a name has no answer for such a model, None if it has one."""
    if name == "laplace_error":
        return "for generalised mixed models"
    if name == "overdispersion":
        return "estimates its own dispersion"
    if name == "rstudent":
        return "iteratively reweighted least squares"
    if name in ("ranova", "rePCA") and not m.fit.T:
        return "random effects"
    if name == "level_residuals":
        return "independent residuals of one variance"
    if name == "to_r" and m.call.get("weights") is not None:
        return "no argument of nlme's functions"
    of_rows = ("cooks_distance", "dfbeta", "dfbetas", "hatvalues", "influence", "leverage")
    if name in of_rows and m.fit.of_rows.spec.correlation is not None:
        return "independent residuals"
    return None


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")  # of what is drawn
@pytest.mark.parametrize("name", RESIDUAL)
def test_every_name_answers_with_a_residual_covariance(name: str) -> None:
    m = residual(name)
    for attribute in names_of(m):
        value = getattr(m, attribute)
        if not inspect.ismethod(value):
            continue
        arguments = ARGUMENTS[attribute](m) if attribute in ARGUMENTS else ()
        why = residual_refusal(m, attribute)
        if why is None:
            assert value(*arguments) is not None, attribute
        else:
            with pytest.raises(ArgumentError, match=why):
                value(*arguments)


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")  # of what is drawn
@pytest.mark.parametrize("name", RESIDUAL)
def test_a_model_with_a_residual_covariance_again(name: str) -> None:
    m, new = residual(name), DATA.head(5)
    np.testing.assert_allclose(m.predict(DATA), m.predict(), rtol=1e-9)
    here, there = m.predict(se=True).head(5), m.predict(new, se=True)
    np.testing.assert_allclose(there, here, rtol=1e-7)
    again = pickle.loads(pickle.dumps(m.refit(m.simulate(seed=5)["sim_1"])))
    for attribute in ("summary", "glance", "tidy", "augment", "residuals", "simulate", "anova"):
        assert getattr(again, attribute)() is not None
    json.dumps(again.to_dict())
    loaded = pickle.loads(pickle.dumps(m))
    np.testing.assert_allclose(loaded.predict(new, se=True), m.predict(new, se=True), rtol=1e-9)
    assert loaded.llf == m.llf and str(loaded.summary()) == str(m.summary())
    smaller = il.update(m, ". ~ . - x")
    table = il.anova(m.refit_ml(), smaller.refit_ml(), names=["with x", "without"])
    assert smaller.nparams == m.nparams - 1 and len(table) == 2
