"""Data that break generalised fits elsewhere: a right answer, or a verdict in words.

Whatever happens inside, nothing but the package's own errors and warnings may come out.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

import interlace as il
from interlace.errors import InterlaceError

N, LEVELS = 200, 20
# A convergence verdict of these says that the estimates can be used.
GOOD = ("converged", "singular")


def frame(**columns):
    """A covariate, a factor, responses of several families; columns replaced or added."""
    rng = np.random.default_rng(3)
    g = np.arange(N) % LEVELS
    x = rng.normal(size=N)
    eta = -0.3 + 0.8 * x + 0.7 * rng.normal(size=LEVELS)[g]
    data = pd.DataFrame({"x": x, "g": g, "row": np.arange(N)})
    data["hit"] = (rng.uniform(size=N) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    data["count"] = rng.poisson(np.exp(0.5 * eta + 0.5)).astype(float)
    data["positive"] = rng.gamma(4.0, np.exp(0.5 * eta) / 4.0)
    return data.assign(**columns)


def run(formula, data, family, **options):
    """The result or the package's own error; the package's own warnings, as texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = il.glmer(formula, data, family, **options)
            assert_sane(found)
        except InterlaceError as error:
            found = error
    own = (il.DataWarning, il.ConvergenceWarning)
    foreign = [w for w in caught if not issubclass(w.category, own)]
    assert not foreign, [f"{w.filename}:{w.lineno}: {w.message}" for w in foreign]
    return found, [str(w.message) for w in caught]


def assert_sane(m):
    """Nothing that is not a number, and a verdict that stands by its numbers."""
    estimates = np.concatenate([m.fe_params, m.theta, m.fit.zeta, [m.llf]])
    assert np.isfinite(estimates).all()
    assert np.isfinite(m.fittedvalues).all()
    for effects in m.random_effects.values():
        assert np.isfinite(effects).all().all()
    assert not np.isnan(m.fe_bse).any()
    assert m.convergence.message
    if m.convergence.verdict in GOOD:
        assert np.isfinite(m.fe_bse).all() and (m.fe_bse > 0.0).all()
        assert m.convergence.decrement <= 1e-6


def answer(formula, data, family, **options):
    """A fit that converged, with nothing to warn of."""
    m, said = run(formula, data, family, **options)
    assert not isinstance(m, InterlaceError), m
    assert m.convergence.verdict in GOOD and not said, (m.convergence.message, said)
    return m


def in_words(words, formula, data, family, **options):
    """An error or a warning that has these words, and names what to do."""
    m, said = run(formula, data, family, **options)
    text = str(m) if isinstance(m, InterlaceError) else " ".join(said)
    assert words in text, text or m.convergence.message
    if not isinstance(m, InterlaceError):
        assert m.convergence.verdict not in GOOD
    return m


def answer_or_words(formula, data, family, **options):
    """Either; a verdict that is not good has been warned of."""
    m, said = run(formula, data, family, **options)
    if isinstance(m, InterlaceError):
        assert len(str(m)) > 40
    elif m.convergence.verdict not in GOOD:
        assert said
    return m


# -- separation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("nAGQ", [0, 1, 7])
@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_complete_separation(link, nAGQ):
    data = frame(hit=lambda d: (d.x > 0.0) * 1.0)
    in_words("separation", "hit ~ x + (1 | g)", data, "binomial", link=link, nAGQ=nAGQ)


def test_quasi_complete_separation():
    data = frame(d=lambda d: (d.x > 0.5) * 1.0).assign(hit=lambda d: d.hit.where(d.d == 0.0, 1.0))
    in_words("separation", "hit ~ x + d + (1 | g)", data, "binomial")


def test_a_category_without_a_count():
    """Poisson data separate too: a category of zeros."""
    data = frame(c=lambda d: np.where(d.x > 1.0, "none", "some"))
    data["count"] = data["count"].where(data.c == "some", 0.0)
    answer_or_words("count ~ c + (1 | g)", data, "poisson")


def test_nearly_separated_data_have_an_answer():
    data = frame(hit=lambda d: (d.x > 0.0) * 1.0)
    data.loc[[3, 10, 57, 120], "hit"] = 1.0 - data.loc[[3, 10, 57, 120], "hit"]
    m = answer("hit ~ x + (1 | g)", data, "binomial")
    assert 1.0 < m.fe_params["x"] < 50.0


def test_a_group_of_successes_alone():
    data = frame(hit=lambda d: d.hit.where(d.g != 0, 1.0))
    m = answer("hit ~ x + (1 | g)", data, "binomial")
    effects = m.random_effects["g"]["Intercept"]
    assert effects.idxmax() == 0 and effects.max() < 10.0


def test_every_group_of_one_kind():
    """The variance is large and the likelihood still has a maximum."""
    data = frame(hit=lambda d: (d.g % 2 == 0) * 1.0)
    answer_or_words("hit ~ x + (1 | g)", data, "binomial")


# -- too little ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["poisson", "negativebinomial"])
def test_all_counts_zero(family):
    in_words("zero in all", "count ~ x + (1 | g)", frame(count=0.0), family)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_rows_alike(value):
    in_words("in all", "hit ~ x + (1 | g)", frame(hit=value), "binomial")


@pytest.mark.parametrize("family", ["poisson", "gamma", "gaussian"])
def test_a_constant_response(family):
    in_words("constant", "count ~ x + (1 | g)", frame(count=3.0), family)


def test_one_count_or_success_in_all():
    one = (np.arange(N) == 5) * 1.0
    for family in ("poisson", "binomial"):
        m = answer("hit ~ x + (1 | g)", frame(hit=one), family)
        assert m.fe_params["Intercept"] < -3.0


@pytest.mark.parametrize(
    ("y", "family"), [("hit", "binomial"), ("count", "poisson"), ("positive", "Gamma(log)")]
)
def test_every_group_with_one_row(y, family):
    answer_or_words(f"{y} ~ x + (1 | row)", frame(), family)


def test_a_gaussian_level_for_every_row_is_not_identified():
    """Only theta^2 + sigma^2 is: no verdict but one in words will do."""
    m, said = run("positive ~ x + (1 | row)", frame(), "gaussian")
    assert isinstance(m, InterlaceError) or (said and m.convergence.verdict not in GOOD)


def test_one_level():
    in_words("only one level", "hit ~ x + (1 | g)", frame(g="a"), "binomial")


def test_two_levels_and_six_rows():
    answer_or_words("hit ~ x + (1 | g)", frame(g=np.arange(N) % 2), "binomial")
    answer_or_words("hit ~ x + (1 | g)", frame(g=np.arange(N) // 2 % 3).iloc[:6], "binomial")


@pytest.mark.parametrize("formula", ["{} ~ 1 + (1 | g)", "{} ~ 0 + x + (1 | g)"])
@pytest.mark.parametrize(("y", "family"), [("hit", "binomial"), ("count", "poisson")])
def test_one_fixed_effect(formula, y, family):
    assert len(answer(formula.format(y), frame(), family).fe_params) == 1


@pytest.mark.parametrize("nAGQ", [0, 1, 5])
def test_no_fixed_effects(nAGQ):
    m = answer("hit ~ 0 + (1 | g)", frame(), "binomial", nAGQ=nAGQ)
    assert len(m.fe_params) == 0 and m.theta.iloc[0] > 0.1
    answer("count ~ 0 + (1 + x | g)", frame(), "poisson", nAGQ=min(nAGQ, 1))
    # the inverse link has no mean at eta = 0
    in_words("within its range", "positive ~ 0 + (1 | g)", frame(), "gamma", nAGQ=nAGQ)


def test_missing_values():
    data = frame(hit=lambda d: d.hit.where(d.row != 4), x=lambda d: d.x.where(d.row != 9))
    m, said = run("hit ~ x + (1 | g)", data, "binomial")
    assert m.nobs == N - 2 and "dropped 2 row" in said[0]
    assert m.convergence.verdict == "converged"


def test_collinear_and_nearly_collinear_columns():
    data = frame(z=lambda d: 2.0 * d.x)
    m, said = run("hit ~ x + z + (1 | g)", data, "binomial")
    assert "z" in said[0] and "z" not in m.fe_params
    assert m.llf == pytest.approx(answer("hit ~ x + (1 | g)", data, "binomial").llf, abs=1e-8)
    data["z"] += 1e-6 * np.random.default_rng(1).normal(size=N)
    near = answer("hit ~ x + z + (1 | g)", data, "binomial")
    assert near.llf >= m.llf - 1e-8
    assert near.fe_bse["x"] > 1e3


# -- theta at zero, and far away -------------------------------------------------------------------


@pytest.mark.parametrize("theta", [0.0, 1e-8, 1e3])
def test_starts_far_off(theta):
    m = answer("hit ~ x + (1 | g)", frame(), "binomial", theta0=[theta])
    assert m.llf == pytest.approx(answer("hit ~ x + (1 | g)", frame(), "binomial").llf, abs=1e-7)


def test_an_absurd_start_is_no_accident():
    answer_or_words("hit ~ x + (1 | g)", frame(), "binomial", theta0=[1e8])
    answer_or_words("count ~ x + (1 | g)", frame(), "poisson", theta0=[1e8])


def test_no_variance_at_all():
    counts = np.random.default_rng(2).binomial(20, 0.3, N).astype(float)
    m = answer("count ~ x + (1 | g)", frame(count=counts), "poisson")
    assert m.convergence.verdict == "singular" and m.theta.iloc[0] < 1e-8
    assert "estimated as zero" in m.convergence.message


# -- huge numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-1e6, -1e3, 1e3, 1e6])
@pytest.mark.parametrize(
    ("y", "family"),
    [
        ("hit", "binomial"),
        ("hit", "binomial(cloglog)"),
        ("hit", "binomial(probit)"),
        ("count", "poisson"),
        ("count", "negativebinomial"),
        ("positive", "Gamma(log)"),
    ],
)
def test_huge_offsets_move_the_intercept(y, family, offset):
    a = answer(f"{y} ~ x + (1 | g)", frame(), family)
    b = answer(f"{y} ~ x + (1 | g)", frame(), family, offset=np.full(N, offset))
    assert b.llf == pytest.approx(a.llf, abs=1e-6)
    assert b.fe_params["Intercept"] + offset == pytest.approx(a.fe_params["Intercept"], abs=1e-5)
    assert b.fe_params["x"] == pytest.approx(a.fe_params["x"], abs=1e-5)


@pytest.mark.parametrize("offset", [-1e6, -1e3, -40.0, 40.0, 1e3, 1e6])
@pytest.mark.parametrize("family", ["binomial", "binomial(cloglog)", "poisson", "negativebinomial"])
def test_a_huge_offset_in_one_row(family, offset):
    one = np.where(np.arange(N) == 7, offset, 0.0)
    answer_or_words("hit ~ x + (1 | g)", frame(), family, offset=one)


@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_cloglog_at_forty(hit):
    """One row whose predictor would be 40; where it fails the slope gives way."""
    data = frame(x=lambda d: d.x.where(d.row != N - 1, 60.0))
    data.loc[N - 1, "hit"] = hit
    m = answer("hit ~ x + (1 | g)", data, "binomial", link="cloglog")
    assert bool(m.fe_params["x"] > 0.3) is bool(hit)
    offset = np.where(np.arange(N) < 20, 40.0, 0.0)
    certain = data.assign(hit=data.hit.where(data.row >= 20, 1.0))
    rest = answer("hit ~ x + (1 | g)", certain, "binomial", link="cloglog", offset=offset)
    without = answer("hit ~ x + (1 | g)", certain.iloc[20:], "binomial", link="cloglog")
    # certain rows say nothing
    assert rest.llf == pytest.approx(without.llf, abs=1e-7)


@pytest.mark.parametrize("size", [1e6, 1e8])
def test_large_counts(size):
    rng = np.random.default_rng(5)
    base = frame()
    b = 0.3 * rng.normal(size=LEVELS)
    counts = rng.poisson(size * np.exp(0.4 * base.x + b[base.g])).astype(float)
    m = answer("count ~ x + (1 | g)", base.assign(count=counts), "poisson")
    assert m.fe_params["x"] == pytest.approx(0.4, abs=6.0 * m.fe_bse["x"])
    effects = m.random_effects["g"]["Intercept"] + m.fe_params["Intercept"]
    np.testing.assert_allclose(effects, np.log(size) + b, atol=20.0 / np.sqrt(size))
    more = rng.poisson(counts * rng.gamma(3.0, 1.0 / 3.0, N)).astype(float)
    nb = answer("count ~ x + (1 | g)", base.assign(count=more), "negativebinomial")
    assert 1.5 < np.exp(nb.fit.zeta[0]) < 6.0
    both = answer("count ~ x + (1 | g) + (1 | row)", base.assign(count=more), "poisson")
    assert both.theta.min() > 0.1


@pytest.mark.parametrize("family", ["poisson", "negativebinomial"])
def test_one_huge_count(family):
    data = frame(count=lambda d: d["count"].where(d.row != 3, 1e7))
    m = answer_or_words("count ~ x + (1 | g)", data, family)
    assert m.convergence.verdict in GOOD


@pytest.mark.parametrize("family", ["Gamma(log)", "gamma", "inverse_gaussian", "gaussian(log)"])
@pytest.mark.parametrize("value", [1e7, 1e-9])
def test_one_outlier(family, value):
    data = frame(positive=lambda d: d.positive.where(d.row != 3, value))
    answer_or_words("positive ~ x + (1 | g)", data, family)


@pytest.mark.parametrize(("y", "family"), [("hit", "binomial"), ("count", "poisson")])
def test_one_huge_covariate(y, family):
    data = frame(x=lambda d: d.x.where(d.row != 3, 1e7))
    m = answer(f"{y} ~ x + (1 | g)", data, family)
    assert abs(m.fe_params["x"]) < 1e-3


@pytest.mark.parametrize("weight", [1e-8, 1e8])
@pytest.mark.parametrize(("y", "family"), [("count", "poisson"), ("positive", "Gamma(log)")])
def test_extreme_weights(y, family, weight):
    data = frame()
    m = answer(f"{y} ~ x + (1 | g)", data, family, weights=np.full(N, weight))
    assert m.fe_params["x"] == pytest.approx(0.43, abs=0.1)
    if family == "poisson" and weight < 1.0:
        # hardly any data: no variance, the coefficients of the fit without effects
        assert m.convergence.verdict == "singular"
    elif family != "poisson":  # weights that are all the same are in the unit of the dispersion
        assert m.llf == pytest.approx(answer(f"{y} ~ x + (1 | g)", data, family).llf)
    mixed = np.where(data.x > 0.0, 1e8, 1e-8)
    answer_or_words(f"{y} ~ x + (1 | g)", data, family, weights=mixed)


# -- ranges ----------------------------------------------------------------------------------------


def test_an_identity_link_within_its_range():
    rng = np.random.default_rng(6)
    base = frame()
    b = rng.normal(size=LEVELS)[base.g]
    data = base.assign(count=rng.poisson(9.0 + 1.5 * base.x + b).astype(float))
    m = answer("count ~ x + (1 | g)", data, "poisson", link="identity")
    assert m.fe_params["x"] == pytest.approx(1.5, abs=4.0 * m.fe_bse["x"])
    assert (m.fittedvalues > 0.0).all()


@pytest.mark.parametrize(
    ("y", "family", "link"),
    [
        ("count", "poisson", "identity"),
        ("count", "poisson", "inverse"),
        ("count", "negativebinomial", "identity"),
        ("hit", "binomial", "log"),
        ("hit", "binomial", "identity"),
        ("positive", "gamma", "identity"),
        ("positive", "gamma", "inverse"),
        ("positive", "inverse_gaussian", "inverse_square"),
        ("positive", "gaussian", "inverse"),
    ],
)
def test_links_that_leave_their_range(y, family, link):
    m = answer_or_words(f"{y} ~ x + (1 | g)", frame(), family, link=link)
    if not isinstance(m, InterlaceError) and family != "gaussian":
        assert (m.fittedvalues > 0.0).all()
        assert family != "binomial" or (m.fittedvalues < 1.0).all()


def test_gamma_with_means_that_go_to_infinity():
    rng = np.random.default_rng(7)
    base = frame()
    eta = np.maximum(0.1 + 0.05 * base.x, 1e-3)
    data = base.assign(positive=rng.gamma(4.0, 1.0 / eta / 4.0))
    m = answer_or_words("positive ~ x + (1 | g)", data, "gamma")
    assert isinstance(m, InterlaceError) or (m.fit.eta > 0.0).all()


# -- dispersion at its ends ------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["log", "sqrt", "nbcanonical"])
def test_counts_that_vary_less_than_poisson_counts(link):
    """theta goes to infinity: said, and what is left is the Poisson fit."""
    counts = np.random.default_rng(2).binomial(20, 0.3, N).astype(float)
    data = frame(count=counts)
    m = in_words("Poisson", "count ~ x + (1 | g)", data, "negativebinomial", link=link)
    if link != "nbcanonical":
        poisson = answer("count ~ x + (1 | g)", data, "poisson", link=link)
        assert m.llf == pytest.approx(poisson.llf, abs=1e-3)
        np.testing.assert_allclose(m.fe_params, poisson.fe_params, rtol=1e-3, atol=1e-3)


def test_a_row_effect_takes_all_that_theta_could():
    m, said = run("count ~ x + (1 | g) + (1 | row)", frame(), "negativebinomial")
    assert m.convergence.verdict in GOOD or "Poisson" in " ".join(said)


@pytest.mark.parametrize(("family", "link"), [("gaussian", "identity"), ("gamma", "log")])
def test_responses_without_any_error(family, link):
    """The dispersion goes to zero and the likelihood to infinity."""
    data = frame(positive=lambda d: d.x if family == "gaussian" else np.exp(d.x))
    m, said = run("positive ~ x + (1 | g)", data, family, link=link)
    assert isinstance(m, InterlaceError) or (said and m.convergence.verdict not in GOOD)


# -- what the answer must be -----------------------------------------------------------------------


def test_two_observations_of_one_level_each_by_hand():
    """Poisson, one intercept, no other effect: the equations can be solved on paper.

    With balanced levels of equal totals the variance is zero and exp(beta) the mean.
    """
    data = pd.DataFrame({"y": [1.0, 3.0, 3.0, 1.0, 2.0, 2.0], "g": list("aabbcc")})
    m = answer("y ~ 1 + (1 | g)", data, "poisson")
    assert m.theta.iloc[0] < 1e-8
    assert m.fe_params["Intercept"] == pytest.approx(np.log(2.0), abs=1e-7)
    assert m.fe_bse["Intercept"] == pytest.approx(np.sqrt(1.0 / 12.0), rel=1e-4)


def test_the_mode_of_a_level_by_hand():
    """exp(b + beta) n + b / theta^2 = total, solved for each level's b."""
    data = frame()
    m = answer("count ~ 1 + (1 | g)", data, "poisson")
    beta, variance = m.fe_params["Intercept"], m.theta.iloc[0] ** 2
    for level, rows in data.groupby("g"):
        total, n = rows["count"].sum(), len(rows)
        b = brentq(
            lambda b, total=total, n=n: n * np.exp(beta + b) + b / variance - total, -9.0, 9.0,
            xtol=1e-12,
        )  # fmt: skip
        assert m.random_effects["g"].loc[level, "Intercept"] == pytest.approx(b, abs=1e-7)


def test_levels_that_the_fit_has_not_seen():
    m = answer("hit ~ x + (1 | g)", frame(), "binomial")
    new = pd.DataFrame({"x": [0.0, 0.0], "g": [0, 99]})
    with pytest.raises(il.DataError, match="99"):
        m.predict(new)
    predicted = np.asarray(m.predict(new, new_levels="population"))
    assert np.isfinite(predicted).all() and ((predicted > 0.0) & (predicted < 1.0)).all()


@pytest.mark.parametrize("family", ["poisson", "gamma"])
def test_a_start_within_the_range_without_an_intercept(family) -> None:
    """x and x^2 alone: predictors are positive only for coefficients far from the regression."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(8), 12)
    x = np.r_[rng.normal(size=95), 0.15]
    mean = 5.0 + rng.normal(size=8)[g] - 0.15 * x**2
    y = rng.poisson(mean) if family == "poisson" else rng.gamma(4.0, mean / 4.0)
    d = pd.DataFrame({"g": g, "x": x, "y": y})
    m = il.glmer("y ~ 0 + x + I(x**2) + (1 | g)", d, family, link="identity")
    assert m.convergence.verdict == "converged"
    assert (m.fittedvalues > 0.0).all()
