"""Generalised linear mixed models from the formula to the estimates."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.frame_libraries import ALL_LIBRARIES
from scipy.special import gammaln

import interlace as il
from interlace.families import resolve

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
# Standard errors come from differences of the gradient, a thousandth of one wide.
SE = 3e-5


def grouped(seed=0, n=240, levels=16):
    """Two covariates, two factors, and predictors with effects of both."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.uniform(-1.0, 1.0, n)})
    data["g"], data["h"] = rng.permutation(np.arange(n) % levels), np.arange(n) % 6
    b = 0.6 * rng.normal(size=(levels, 2)) * [1.0, 0.5]
    eta = 0.3 + 0.5 * data.x - 0.4 * data.z + b[data.g, 0] + b[data.g, 1] * data.x
    data["eta"] = eta + (0.4 * rng.normal(size=6))[data.h]
    data["hit"] = (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-data.eta))).astype(float)
    data["count"] = rng.poisson(np.exp(data.eta)).astype(float)
    data["size"] = rng.integers(1, 12, n)
    data["k"] = rng.binomial(data["size"], 1.0 / (1.0 + np.exp(-data.eta)))
    data["positive"] = rng.gamma(3.0, np.exp(data.eta) / 3.0)
    data["inverse"] = rng.gamma(3.0, 1.0 / (1.2 + 0.1 * np.tanh(data.eta)) / 3.0)
    return data


@pytest.fixture(scope="module")
def data():
    return grouped()


def same(a, b, beta=1e-5, llf=1e-7):
    """Log-likelihoods agree, and coefficients to this share of their standard errors."""
    assert b.llf == pytest.approx(a.llf, abs=llf)
    assert list(b.fe_params.index) == list(a.fe_params.index)
    difference = np.abs(b.fe_params - a.fe_params) / a.fe_bse
    assert difference.max() <= beta
    np.testing.assert_allclose(b.theta, a.theta, rtol=0.0, atol=1e-4 * (1.0 + a.theta.max()))


def exact(a, b):
    """The same numbers, but for rounding of sums in another order."""
    assert b.llf == pytest.approx(a.llf, abs=1e-9)
    np.testing.assert_allclose(b.fe_params, a.fe_params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(b.fe_bse, a.fe_bse, rtol=SE)
    np.testing.assert_allclose(b.theta, a.theta, rtol=1e-5, atol=1e-7)


MODELS = {
    "logit": ("hit ~ x + (1 | g)", "binomial", {}),
    "logit with slope": ("hit ~ x + z + (1 + x | g)", "binomial", {}),
    "probit crossed": ("hit ~ x + (1 | g) + (1 | h)", "binomial", {"link": "probit"}),
    "poisson": ("count ~ x + z + (1 + x | g)", "poisson", {}),
    "uncorrelated": ("count ~ x + (1 + x || g)", "poisson", {}),
    "negative binomial": ("count ~ x + (1 | g)", "negativebinomial", {}),
    "gamma": ("positive ~ x + (1 | g)", "gamma", {"link": "log"}),
    "gamma inverse": ("inverse ~ z + (1 | g)", "gamma", {}),
    "inverse gaussian": ("positive ~ z + (1 | g)", "inverse_gaussian", {"link": "log"}),
    "gaussian log": ("positive ~ z + (1 | g)", "gaussian", {"link": "log"}),
}


@pytest.mark.parametrize("optimizer", ["lbfgsb", "bobyqa"])
@pytest.mark.parametrize("model", MODELS)
def test_optimisers_agree(data, model, optimizer):
    formula, family, options = MODELS[model]
    a = il.glmer(formula, data, family, **options)
    b = il.glmer(formula, data, family, optimizer=optimizer, **options)
    assert a.convergence.verdict == b.convergence.verdict
    same(a, b)


@pytest.mark.parametrize("nAGQ", [0, 9])
def test_optimisers_agree_without_laplace(data, nAGQ):
    fits = [
        il.glmer("hit ~ x + (1 | g)", data, "binomial", nAGQ=nAGQ, optimizer=name)
        for name in ("newton", "lbfgsb", "bobyqa")
    ]
    for other in fits[1:]:
        same(fits[0], other)


def test_the_likelihood_of_cbpp_is_lme4s(dataset):
    m = il.glmer(CBPP, dataset("cbpp"), "binomial")
    assert m.llf == pytest.approx(-92.02628, abs=1e-4)
    assert m.theta.iloc[0] == pytest.approx(0.64226, abs=1e-4)
    np.testing.assert_allclose(m.fe_params, [-1.3983, -0.9919, -1.1282, -1.5797], atol=1e-3)
    assert m.convergence.verdict == "converged"


@pytest.mark.parametrize("backend", ["blocked", "nested", "superlu", "cholmod"])
def test_back_ends_agree(data, backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    a = il.glmer("count ~ x + (1 + x | g)", data, "poisson")
    assert a.fit.backend == "levels"
    b = il.glmer("count ~ x + (1 + x | g)", data, "poisson", backend=backend)
    assert b.fit.backend == ("nested" if backend == "blocked" else backend)
    same(a, b, beta=1e-6, llf=1e-8)


@pytest.mark.parametrize("backend", ["nested", "superlu"])
def test_quadrature_takes_the_back_end_that_is_asked_for(data, backend):
    a = il.glmer("count ~ x + (1 | g)", data, "poisson", nAGQ=9)
    b = il.glmer("count ~ x + (1 | g)", data, "poisson", nAGQ=9, backend=backend)
    assert a.fit.backend == "levels" and b.fit.backend == backend
    same(a, b, beta=1e-6, llf=1e-8)
    with pytest.raises(il.ArgumentError, match="two or more grouping factors"):
        il.glmer("count ~ x + (1 | g)", data, "poisson", nAGQ=9, backend="schur")


# -- ways to say the same --------------------------------------------------------------------------


def test_terms_in_the_formula_or_apart(data):
    a = il.glmer("hit ~ x + (1 | g)", data, "binomial")
    exact(a, il.glmer("hit ~ x", data, "binomial", groups="g"))
    exact(a, il.glmer("hit ~ x", data, "binomial", random="(1 | g)"))
    b = il.glmer("count ~ x + (1 + x | g) + (1 | h)", data, "poisson")
    exact(b, il.glmer("count ~ x", data, "poisson", random=["(1 + x | g)", "(1 | h)"]))


def test_a_family_by_name_class_object_or_r_spelling(data):
    fits = [
        il.glmer("hit ~ x + (1 | g)", data, family, link=link)
        for family, link in (
            ("binomial(probit)", None),
            ("binomial", "probit"),
            (il.Binomial, "probit"),
            (il.Binomial(link="probit"), None),
            (il.Binomial(), "probit"),
        )
    ]
    for other in fits[1:]:
        assert other.llf == fits[0].llf
    gamma = [il.glmer("positive ~ x + (1 | g)", data, f) for f in ("Gamma(log)", il.GammaFamily())]
    assert gamma[0].llf == gamma[1].llf


def test_forms_of_binomial_counts(data):
    """cbind, k / n with and without weights, proportions with weights: one model."""
    data = data.assign(p=data.k / data["size"], fail=data["size"] - data.k)
    a = il.glmer("cbind(k, size - k) ~ x + (1 | g)", data, "binomial")
    for formula, options in (
        ("cbind(k, fail) ~ x + (1 | g)", {}),
        ("k / size ~ x + (1 | g)", {}),
        ("k / size ~ x + (1 | g)", {"weights": "size"}),
        ("p ~ x + (1 | g)", {"weights": "size"}),
        ("p ~ x + (1 | g)", {"weights": data["size"].to_numpy()}),
    ):
        exact(a, il.glmer(formula, data, "binomial", **options))


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_counts_are_bernoulli_rows_up_to_the_binomial_coefficients(data, link):
    rows = []
    for _, row in data.iterrows():
        k, n = int(row["k"]), int(row["size"])
        rows += [{**row, "one": 1.0}] * k + [{**row, "one": 0.0}] * (n - k)
    long = pd.DataFrame(rows)
    short = il.glmer("cbind(k, size - k) ~ x + (1 + x | g)", data, "binomial", link=link)
    full = il.glmer("one ~ x + (1 + x | g)", long, "binomial", link=link)
    n, k = data["size"], data.k
    constant = (gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)).sum()
    assert short.llf - full.llf == pytest.approx(constant, abs=1e-7)
    np.testing.assert_allclose(full.fe_params, short.fe_params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(full.fe_bse, short.fe_bse, rtol=SE)
    np.testing.assert_allclose(full.theta, short.theta, rtol=1e-5, atol=1e-7)


FORMS = {
    "bool": lambda v: v.astype(bool),
    "nullable bool": lambda v: v.astype(bool).astype("boolean"),
    "int": lambda v: v.astype(int),
    "text": lambda v: pd.Series(np.where(v == 1.0, "yes", "no")),
    "factor": lambda v: pd.Series(
        pd.Categorical(np.where(v == 1.0, "a", "b"), categories=["b", "a"])
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_success(data, form):
    """The first level of a factor is failure."""
    a = il.glmer("hit ~ x + (1 | g)", data, "binomial")
    exact(a, il.glmer("hit ~ x + (1 | g)", data.assign(hit=FORMS[form](data.hit)), "binomial"))


@pytest.mark.parametrize("library", ALL_LIBRARIES)
def test_every_data_frame_library(data, library):
    small = data[["x", "g", "h", "count", "k", "size"]].assign(g="l" + data.g.astype(str))
    for formula, family in (
        ("count ~ x + (1 | g) + (1 | h)", "poisson"),
        ("cbind(k, size - k) ~ x + (1 | g)", "binomial"),
    ):
        a = il.glmer(formula, small, family)
        b = il.glmer(formula, ALL_LIBRARIES[library](small), family)
        assert b.llf == pytest.approx(a.llf, abs=1e-10)
        np.testing.assert_allclose(b.fe_params, a.fe_params, rtol=1e-9)
        assert list(b.random_effects["g"].index) == list(a.random_effects["g"].index)


def test_offsets(data):
    data = data.assign(exposure=np.exp(0.3 * np.sin(np.arange(len(data)))))
    known = np.log(data.exposure)
    a = il.glmer("count ~ x + offset(log(exposure)) + (1 | g)", data, "poisson")
    data["known"] = known
    exact(a, il.glmer("count ~ x + (1 | g)", data, "poisson", offset=known.to_numpy()))
    exact(a, il.glmer("count ~ x + (1 | g)", data, "poisson", offset="known"))
    both = il.glmer(
        "count ~ x + offset(0.5 * known) + (1 | g)", data, "poisson", offset=0.5 * known
    )
    exact(a, both)
    none = il.glmer("count ~ x + (1 | g)", data, "poisson")
    assert abs(none.llf - a.llf) > 0.1
    shifted = il.glmer("count ~ x + (1 | g)", data, "poisson", offset=np.full(len(data), 2.0))
    assert shifted.fe_params["Intercept"] == pytest.approx(none.fe_params["Intercept"] - 2.0)
    assert shifted.llf == pytest.approx(none.llf, abs=1e-8)


def test_subset_is_the_smaller_table(data):
    a = il.glmer("count ~ x + (1 | g)", data[data.z > 0.0], "poisson")
    exact(a, il.glmer("count ~ x + (1 | g)", data, "poisson", subset="z > 0"))


def test_contrasts_change_coefficients_alone(dataset):
    cbpp = dataset("cbpp")
    a = il.glmer(CBPP, cbpp, "binomial")
    for name in ("sum", "helmert"):
        b = il.glmer(CBPP, cbpp, "binomial", contrasts={"period": name})
        assert b.llf == pytest.approx(a.llf, abs=1e-9)
        np.testing.assert_allclose(b.theta, a.theta, rtol=1e-6)
        np.testing.assert_allclose(b.fittedvalues, a.fittedvalues, rtol=1e-6)


@pytest.mark.parametrize("theta", [[0.0], [0.1], [2.0], [20.0]])
def test_where_theta_starts_does_not_matter(data, theta):
    a = il.glmer("hit ~ x + (1 | g)", data, "binomial")
    same(a, il.glmer("hit ~ x + (1 | g)", data, "binomial", theta0=theta), beta=1e-6)


# -- the approximation -----------------------------------------------------------------------------


def test_expected_and_observed_information(data):
    """They differ without a canonical link alone, and each family has its own default."""
    for family, link, default, differ in (
        ("binomial", "logit", "expected", False),
        ("binomial", "probit", "expected", True),
        ("negativebinomial", "log", "observed", True),
        ("gamma", "log", "observed", True),
    ):
        y = {"binomial": "hit", "gamma": "positive"}.get(family, "count")
        fits = {
            name: il.glmer(f"{y} ~ x + (1 | g)", data, family, link=link, laplace=name)
            for name in (None, "expected", "observed")
        }
        assert fits[None].llf == fits[default].llf
        assert (abs(fits["expected"].llf - fits["observed"].llf) > 1e-4) is differ


def test_a_gaussian_family_is_the_linear_model(data):
    """Laplace's approximation is exact there: maximum likelihood, sigma included."""
    for formula in ("positive ~ x + (1 | g)", "positive ~ x + (1 + x | g) + (1 | h)"):
        a = il.fit(formula, data, method="ML")
        b = il.glmer(formula, data, "gaussian")
        assert b.llf == pytest.approx(a.llf, abs=1e-7)
        np.testing.assert_allclose(b.fe_params, a.fe_params, rtol=1e-5, atol=1e-7)
        assert b.fit.sigma == pytest.approx(np.sqrt(a.scale), rel=1e-5)
        # theta of linear models is relative to sigma
        np.testing.assert_allclose(b.theta, a.theta * b.fit.sigma, rtol=1e-3, atol=1e-4)


def test_theta_of_the_negative_binomial_given_or_estimated(data):
    free = il.glmer(
        "count ~ x + (1 | g)", data.assign(count=2 * data["count"]), il.NegativeBinomial
    )
    theta = float(np.exp(free.fit.zeta[0]))
    fixed = il.glmer(
        "count ~ x + (1 | g)", data.assign(count=2 * data["count"]), il.NegativeBinomial(theta)
    )
    assert fixed.llf == pytest.approx(free.llf, abs=1e-7)
    np.testing.assert_allclose(fixed.fe_params, free.fe_params, rtol=1e-4)
    assert fixed.fit.n_parameters == free.fit.n_parameters - 1
    other = il.NegativeBinomial(2.0 * theta)
    lower = il.glmer("count ~ x + (1 | g)", data.assign(count=2 * data["count"]), other)
    assert lower.llf < free.llf


def poisson_by_hand():
    def deviance(y, mu, weights):
        return 2.0 * weights * (y * np.log(np.where(y > 0.0, y, 1.0) / mu) - (y - mu))

    return SimpleNamespace(
        name="by hand", link=np.log, linkinv=np.exp, mu_eta=np.exp, variance=lambda mu: mu,
        dev_resids=deviance,
    )  # fmt: skip


@pytest.mark.parametrize("formula", ["count ~ x + (1 + x | g)", "count ~ x + (1 | g) + (1 | h)"])
def test_a_family_of_ones_own(data, formula):
    """Through the protocol alone: the fit of the built-in family, up to what y alone determines."""
    a, b = il.glmer(formula, data, "poisson"), il.glmer(formula, data, poisson_by_hand())
    y = data["count"]
    constant = (y * np.log(np.where(y > 0, y, 1.0)) - y - gammaln(y + 1.0)).sum()
    assert a.llf - b.llf == pytest.approx(constant, abs=1e-6)
    np.testing.assert_allclose(b.fe_params, a.fe_params, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(b.fe_bse, a.fe_bse, rtol=1e-4)
    np.testing.assert_allclose(b.theta, a.theta, rtol=0.0, atol=1e-5)
    assert resolve(poisson_by_hand()).name != "poisson"


# -- refits ----------------------------------------------------------------------------------------


def test_refit_is_the_fit_to_the_new_response(data):
    m = il.glmer("count ~ x + (1 + x | g)", data, "poisson")
    y = np.random.default_rng(3).poisson(m.fittedvalues).astype(float)
    same(il.glmer("count ~ x + (1 + x | g)", data.assign(count=y), "poisson"), m.refit(y), 1e-4)
    exact(m, m.refit(data["count"].to_numpy()))


# -- arguments -------------------------------------------------------------------------------------

WRONG = {
    "no random term": (il.FormulaError, {"formula": "hit ~ x"}, "random term"),
    "no such family": (il.ArgumentError, {"family": "binomal"}, "binomial"),
    "no such link": (il.ArgumentError, {"link": "logt"}, "logit"),
    "a link of others": (il.ArgumentError, {"link": "sqrt"}, "links that do"),
    "no such optimiser": (il.ArgumentError, {"optimizer": "nelder"}, "bobyqa"),
    "no such back end": (il.ArgumentError, {"backend": "dense"}, "superlu"),
    "nodes below zero": (il.ArgumentError, {"nAGQ": -1}, "nAGQ=-1"),
    "too many nodes": (il.ArgumentError, {"nAGQ": 101}, "nAGQ=101"),
    "a fraction of nodes": (il.ArgumentTypeError, {"nAGQ": 2.5}, "2.5"),
    "a truth of nodes": (il.ArgumentTypeError, {"nAGQ": True}, "True"),
    "nodes of two factors": (
        il.ArgumentError, {"formula": "hit ~ x + (1 | g) + (1 | h)", "nAGQ": 5}, "one grouping",
    ),
    "no such information": (il.ArgumentError, {"laplace": "fisher"}, "observed"),
    "theta of another length": (il.ArgumentError, {"theta0": [1.0, 2.0]}, "theta0"),
    "an infinite theta": (il.ArgumentError, {"theta0": [np.inf]}, "finite"),
    "a column that is not there": (il.DataError, {"formula": "hit ~ y + (1 | g)"}, "y"),
    "negative weights": (il.ArgumentError, {"weights": -np.ones(240)}, "weights"),
    "an offset of another length": (il.ArgumentError, {"offset": np.ones(3)}, "offset"),
    "counts for a binomial": (il.DataError, {"formula": "count ~ x + (1 | g)"}, r"\[0, 1\]"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_named(data, case):
    error, change, words = WRONG[case]
    arguments = {"formula": "hit ~ x + (1 | g)", "family": "binomial", **change}
    with pytest.raises(error, match=words):
        il.glmer(data=data, **arguments)
