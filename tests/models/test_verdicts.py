"""Verdicts are no better than their evidence: flat, infinite and unsafe optima are called so."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

import interlace as il
from interlace.design.design import GroupingFactor
from interlace.errors import ConvergenceWarning, NumericalError
from interlace.families.names import FAMILIES
from interlace.models import ordinal
from interlace.models.verdicts import Agreement, variance_verdict
from interlace.objective.generalised import base as generalised
from interlace.optimize import OPTIMIZERS, minimise
from interlace.optimize.curvature import final_hessian, to_unit_diagonal

GOOD = ("converged", "singular")


def said(make):
    """A fit and what was warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m = make()
    return m, [str(w.message) for w in caught if w.category is ConvergenceWarning]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    n, levels = 400, 25
    g, h = rng.integers(0, levels, n), rng.integers(0, 8, n)
    x, b = rng.normal(size=n), 0.8 * rng.normal(size=levels)
    eta = 0.3 + 0.3 * x + b[g]
    d = pd.DataFrame({"g": g, "copy": g, "h": h, "x": x, "z": (g < 6) * 1.0})
    d["count"] = rng.poisson(np.exp(eta))
    d["hit"] = (rng.random(n) < 1 / (1 + np.exp(-eta))) * 1.0
    d["y"] = eta + rng.normal(size=n)
    d["agreed"] = (rng.permutation(levels) < 12)[g] * 1.0
    d["lost"] = np.where(d.z > 0, 0.0, d.hit)
    return d


# -- directions in which the criterion is flat -----------------------------------------------------


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("more", ["", " + (1 | h)"])
@pytest.mark.parametrize("y", ["y", "count"])
def test_a_factor_given_twice_is_not_identified(data, y, more, optimizer):
    """Also where another variance is zero, which flatness must not hide behind."""
    formula = f"{y} ~ x + (1 | g) + (1 | copy){more}"

    def make():
        if y == "y":
            return il.fit(formula, data, optimizer=optimizer)
        return il.glmer(formula, data, "poisson", optimizer=optimizer)

    m, words = said(make)
    assert m.convergence.verdict == "not identified"
    assert len(words) == 1 and any(f"{name}.Intercept" in words[0] for name in ("g", "copy"))


@pytest.mark.parametrize("terms", ["(1 | g)", "(1 | g) + (1 | h)"])
@pytest.mark.parametrize("y", ["y", "count"])
def test_a_factor_given_twice_is_not_identified_where_one_has_no_variance(data, y, terms):
    """From there the criterion keeps its value along a circle alone, no straight line."""

    def make(formula):
        if y == "y":
            return il.fit(formula, data)
        return il.glmer(formula, data, "poisson")

    once = make(f"{y} ~ x + {terms}")
    twice = said(lambda: make(f"{y} ~ x + (1 | g) + (1 | copy){terms[7:]}"))[0]
    start = np.insert(once.fit.x, 1, 0.0)  # the search has nowhere to go
    found = minimise(twice.fit.objective, "newton", start)
    assert abs(found.x[1]) < 1e-5 and found.boundary
    assert found.verdict == "not identified" and once.convergence.verdict in GOOD
    assert found.value == pytest.approx(once.fit.criterion, abs=1e-6)


def test_a_flat_direction_behind_a_variance_of_zero():
    rng = np.random.default_rng(5)
    g, h = np.repeat(np.arange(12), 10), np.tile(np.arange(10), 12)
    b = rng.normal(size=12)
    noise = rng.normal(size=120)
    noise -= pd.Series(noise).groupby(h).transform("mean").to_numpy()  # nothing between levels of h
    d = pd.DataFrame({"y": b[g] + noise, "g": g, "copy": g, "h": h})
    m, words = said(lambda: il.fit("y ~ 1 + (1 | g) + (1 | copy) + (1 | h)", d))
    assert m.theta["h.Intercept"] == 0.0
    assert m.convergence.verdict == "not identified" and words


@pytest.mark.parametrize("formula", ["y ~ 1 + (1 + x | g)", "y ~ 1 + (1 | g) + (0 + x | g)"])
def test_parameters_that_a_lost_variance_leaves_free_are_no_flat_model(formula):
    """With the first variance at zero a column of T may turn: the covariance does not."""
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(15), 8), rng.normal(size=120)
    x -= pd.Series(x).groupby(g).transform("mean").to_numpy()
    y = rng.normal(size=15)[g] * x + rng.normal(size=120)
    y -= pd.Series(y).groupby(g).transform("mean").to_numpy()
    m, words = said(lambda: il.fit(formula, pd.DataFrame({"y": y, "x": x, "g": g})))
    assert m.convergence.verdict == "singular" and not words


def test_a_random_intercept_beside_the_same_fixed_one():
    m, _ = said(lambda: il.fit("Reaction ~ Subject + (1 | Subject)", il.load_dataset("sleepstudy")))
    assert m.convergence.verdict == "not identified"


def test_nAGQ_0_knows_flat_directions(data):
    make = lambda: il.glmer("count ~ x + (1 | g) + (1 | copy)", data, "poisson", nAGQ=0)  # noqa: E731
    assert said(make)[0].convergence.verdict == "not identified"


def test_small_curvatures_of_differences_are_looked_at_again(data):
    """Along a valley the exact Hessian is zero; differences with one step leave 1e-6 of it."""
    m, _ = said(lambda: il.glmer("count ~ x + (1 | g) + (1 | copy)", data, "poisson"))
    objective, x = m.fit.objective, m.fit.x
    H = final_hessian(objective, x)
    scale = to_unit_diagonal(H)[0]
    values = np.linalg.eigvalsh(H * scale[:, None] * scale)
    assert abs(values[0]) < 1e-9 * values[-1] < abs(values[1])
    # what has curvature keeps it
    plain = objective.hessian(x)
    np.testing.assert_allclose(H[2:, 2:], plain[2:, 2:], rtol=1e-4)


# -- estimates at infinity -------------------------------------------------------------------------


@pytest.mark.parametrize("nAGQ", [0, 1, 5])
@pytest.mark.parametrize("y", ["lost", "won"])
def test_a_separated_coefficient_is_found_by_every_approximation(data, nAGQ, y):
    data = data.assign(won=1.0 - data.lost)
    m, words = said(lambda: il.glmer(f"{y} ~ x + z + (1 | g)", data, "binomial", nAGQ=nAGQ))
    assert m.convergence.verdict == "separated"
    assert len(words) == 1 and "z" in words[0]
    assert not m.fe_bse["z"] < 1e3
    # what is determined keeps its standard errors, and tests of it
    rest = said(lambda: il.glmer(f"{y} ~ x + (1 | g)", data[data.z == 0], "binomial", nAGQ=nAGQ))[0]
    np.testing.assert_allclose(m.fe_bse["x"], rest.fe_bse["x"], rtol=0.02)
    assert m.t_test("x")["std_error"].iloc[0] == pytest.approx(m.fe_bse["x"])
    assert np.isfinite(m.get_prediction(data[data.z == 0].head(3), include_re=False).se).all()


@pytest.mark.parametrize("nAGQ", [1, 5])
def test_separation_is_found_where_long_tails_keep_means_from_the_border(data, nAGQ):
    formula, family = "lost ~ x + z + (1 | g)", "binomial(cauchit)"
    m, words = said(lambda: il.glmer(formula, data, family, nAGQ=nAGQ))
    assert m.convergence.verdict == "separated"
    assert len(words) == 1 and "z falls without bound" in words[0]
    assert np.isfinite(m.fe_bse["x"]) and not np.isfinite(m.fe_bse["z"])


def test_a_refit_lost_to_separation_says_so_as_a_fit_does(data):
    formula, family = "{} ~ x + z + (1 | g)", "binomial(cauchit)"
    m = il.glmer(formula.format("hit"), data, family, nAGQ=0)
    with pytest.raises(NumericalError, match="z falls without bound"):
        il.glmer(formula.format("lost"), data, family, nAGQ=0)
    with pytest.raises(NumericalError, match="z falls without bound"):
        m.refit(data.lost)


@pytest.mark.parametrize("nAGQ", [0, 1, 7])
@pytest.mark.parametrize("flipped", [False, True])
def test_levels_whose_rows_agree_have_no_finite_variance(data, nAGQ, flipped):
    d = data.assign(agreed=1.0 - data.agreed) if flipped else data
    m, words = said(lambda: il.glmer("agreed ~ 1 + (1 | g)", d, "binomial", nAGQ=nAGQ))
    assert m.convergence.verdict == "separated"
    assert len(words) == 1 and "Intercept by g tends to infinity" in words[0]


def test_slopes_and_trials_that_predict_every_row_have_no_finite_variance(data):
    d = data.assign(sign=lambda d: (d.x * np.where(d.g % 2, 1, -1) > 0) * 1.0, size=3)
    m, words = said(lambda: il.glmer("sign ~ 1 + (0 + x | g)", d, "binomial(probit)"))
    assert m.convergence.verdict == "separated" and "x by g tends to infinity" in words[0]
    one = d.groupby("g", as_index=False)[["agreed", "size"]].first()
    m, words = said(lambda: il.glmer("agreed ~ 1 + (1 | g)", one, "binomial", weights="size"))
    assert m.convergence.verdict == "separated" and words


@pytest.mark.parametrize("nAGQ", [1, 25])
def test_variances_beyond_the_approximations_are_not_called_converged(data, nAGQ):
    """One row that disagrees makes the variance finite; no approximation comes near it."""
    d = data.assign(agreed=np.where(data.index == data.index[0], 1.0 - data.agreed, data.agreed))
    m, words = said(lambda: il.glmer("agreed ~ x + (1 | g)", d, "binomial", nAGQ=nAGQ))
    assert m.convergence.verdict == "breaks down"
    assert len(words) == 1 and "standard deviation of Intercept by g" in words[0]


@pytest.mark.parametrize(("effect", "verdict"), [(300.0, "breaks down"), (3.0, "")])
def test_effects_that_predict_every_row_together_say_nothing_of_the_likelihood(effect, verdict):
    """Rows of a level differ: nothing says that the likelihood rises with the variances."""
    g, h = np.divmod(np.arange(42), 6)
    d = {"g": g, "h": h, "y": (g + h > 5) * 1.0}  # a scale of Guttman's
    fit = il.glmer("y ~ 1 + (1 | g) + (1 | h)", d, "binomial", theta0=[1.0, 1.0]).fit
    sizes = [np.array([effect]), np.array([effect])]
    found, words = variance_verdict(
        fit.design, fit.covariance, sizes, fit.observations, fit.family, lambda: d["y"]
    )
    assert found == verdict
    assert ("Intercept by g" in words and "Intercept by h tend to infinity" in words) == bool(
        verdict
    )
    assert "has no maximum" not in words


@pytest.mark.parametrize("categories", [2, 3, 5])
def test_ordered_categories_that_agree_have_no_finite_variance(categories):
    rng = np.random.default_rng(0)
    g, own = np.repeat(np.arange(40), 5), rng.integers(0, categories, 40)
    d = pd.DataFrame({"g": g, "x": rng.normal(size=200), "y": own[g]})
    ordered = d.assign(y=pd.Categorical(d.y, ordered=True))
    m, words = said(lambda: il.clmm("y ~ x + (1 | g)", ordered))
    assert m.convergence.verdict == "separated" and not m.converged
    assert len(words) == 1 and "Intercept by g tends to infinity" in words[0]
    assert "with clm()" in words[0]
    if categories == 2:
        binary, _ = said(lambda: il.glmer("y ~ x + (1 | g)", d, "binomial"))
        assert binary.convergence.verdict == "separated"
    # one that disagrees makes it finite, and out of reach all the same
    codes = np.where(d.index == 0, (d.y + 1) % categories, d.y)
    odd = d.assign(y=pd.Categorical(codes, ordered=True))
    m, words = said(lambda: il.clmm("y ~ x + (1 | g)", odd))
    assert m.convergence.verdict == "breaks down"
    assert "all rows agree in 39 of 40 levels" in words[0]


@pytest.mark.parametrize("y", ["two", "four"])
def test_places_of_one_row_each_are_as_levels_of_one_row(y):
    """A series of a binary or ordered response has a state for each row."""
    rng = np.random.default_rng(3)
    d = pd.DataFrame({"g": np.repeat(np.arange(30), 12), "t": np.tile(np.arange(12), 30)})
    d["x"] = rng.normal(size=360)
    series = lfilter([0.7], [1.0, -0.7], rng.normal(size=(30, 12))) + rng.normal(size=(30, 1))
    latent = 0.5 * d.x + series.ravel()
    d["two"] = (latent > 0.0) * 1.0
    d["four"] = pd.Categorical(np.digitize(latent, [-1.0, 0.0, 1.0]), ordered=True)

    if y == "two":
        m, words = said(lambda: il.glmer("two ~ x + ar1(0 + t | g)", d, "binomial"))
    else:
        m, words = said(lambda: il.clmm("four ~ x + ar1(0 + t | g)", d))
    assert m.convergence.verdict == "breaks down" and "agree in 30 of 30 levels" in words[0]


def test_levels_of_one_row_each_or_mixed_levels_are_left_alone(data):
    mixed, words = said(lambda: il.glmer("hit ~ x + (1 | g)", data, "binomial"))
    assert mixed.convergence.verdict in GOOD and not words


@pytest.mark.parametrize("y", ["lost", "agreed"])
def test_refits_are_judged_as_fits_are(data, y):
    fitted, _ = said(lambda: il.glmer(f"{y} ~ x + z + (1 | g)", data, "binomial"))
    first, _ = said(lambda: il.glmer("hit ~ x + z + (1 | g)", data, "binomial"))
    again, words = said(lambda: first.refit(data[y]))
    assert again.convergence.verdict == fitted.convergence.verdict == "separated"
    assert again.convergence.message == fitted.convergence.message
    assert len(words) == 1


# -- where Laplace's approximation does not hold ---------------------------------------------------


def small_and_noisy(seed):
    rng = np.random.default_rng(seed)
    levels = int(rng.integers(8, 25))
    n = levels * int(rng.integers(2, 5))
    g, h, x = np.arange(n) % levels, rng.integers(0, 6, n), rng.normal(size=n)
    mu = np.exp(0.3 + 0.5 * x + 0.8 * rng.normal(size=levels)[g])
    return pd.DataFrame({"y": rng.wald(mu, 0.3), "x": x, "g": g, "h": h})


@pytest.mark.parametrize("laplace", ["observed", "expected"])
@pytest.mark.parametrize("seed", [0, 3, 4, 10, 11, 18, 22, 29, 32, 36, 43])
def test_rows_that_are_not_log_concave_give_an_answer_or_true_words(seed, laplace):
    d, family = small_and_noisy(seed), "inverse_gaussian" if seed % 2 else "gaussian"
    formula = "y ~ x + (1 | g) + (1 | h)"
    m, words = said(lambda: il.glmer(formula, d, family, link="log", laplace=laplace))
    verdict = m.convergence.verdict
    assert bool(words) is (verdict not in GOOD)
    if verdict not in GOOD:
        assert any(way in words[0] for way in ("laplace='expected'", "nAGQ", "link", "Remove"))
        return
    # the criterion is a function: from u = 0 it is the same, and it is a minimum
    o = m.fit.objective
    fresh = type(o)(o.problem.fresh(), o.covariance, o.expected)
    value = fresh.evaluate(m.fit.x, 1).value
    assert value == pytest.approx(m.fit.criterion, rel=1e-8, abs=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(5):
        there = m.fit.x + 0.02 * rng.normal(size=m.fit.x.size)
        assert fresh.evaluate(there, 0).value > value - 1e-8


def test_a_fold_is_named_with_its_level_and_a_way_out():
    m, words = said(
        lambda: il.glmer(
            "y ~ x + (1 | g) + (1 | h)", small_and_noisy(3), "inverse_gaussian", link="log"
        )
    )
    assert m.convergence.verdict == "breaks down" and not m.converged
    assert "at level '13' of g" in words[0] and "laplace='expected'" in words[0]


def test_an_unpickled_fit_agrees_with_itself():
    import pickle

    d = small_and_noisy(10)
    m, _ = said(lambda: il.glmer("y ~ x + (1 | g) + (1 | h)", d, "gaussian", link="log"))
    again = pickle.loads(pickle.dumps(m))
    assert again.convergence.verdict == m.convergence.verdict == "breaks down"
    assert again.llf == m.llf


PAIRS = [
    (name, link)
    for name, family in FAMILIES.items()
    if not family.own_predictors
    for link in family.links
    if link != "power"
]


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_families_know_where_they_are_log_concave(name, link):
    """Observed information over a grid of predictors and responses, of either sign or not."""
    family = FAMILIES[name](link=link)
    eta, y = np.meshgrid(np.linspace(-4, 4, 161), [0.0, 0.05, 0.3, 1.0, 4.0, 20.0])
    eta, y = eta.ravel(), y.ravel()
    if family.support == "proportion":
        y = np.clip(y, 0.0, 1.0)
    if family.support == "positive":
        y = np.maximum(y, 0.05)
    keep = family.valid(eta) & (np.abs(eta) > 1e-3)
    zeta = np.full(len(family.parameters), 0.3)
    observed = family.rows(eta[keep], y[keep], np.ones(keep.sum()), zeta, False).observed
    assert family.log_concave is bool((observed >= -1e-12).all())


def slopes_of_an_inverse_link(seed):
    r = np.random.default_rng(seed)
    g, x = np.arange(160) % 20, r.normal(size=160)
    eta = 2.0 + 0.1 * x + (r.normal(size=20) * 0.08)[g] + x * (r.normal(size=20) * 0.08)[g]
    data = {"y": 1.0 / eta + 0.06 * r.normal(size=160), "x": x, "g": g}
    return il.glmer("y ~ x + (1 + x | g)", data, "gaussian", link="inverse")


@pytest.mark.parametrize("seed", [3, 19])
def test_a_rejected_step_does_not_leave_a_search_at_other_modes(seed, monkeypatch):
    monkeypatch.setattr(generalised, "SEVERAL_MINIMA", 0)  # one search
    m = slopes_of_an_inverse_link(seed)
    assert m.fit.optimum.converged
    assert m.fit.optimum.evaluations < 20


@pytest.mark.parametrize("nAGQ", [1, 5])
def test_a_criterion_of_several_modes_comes_back_after_a_detour(nAGQ):
    fit = il.update(slopes_of_an_inverse_link(16), nAGQ=nAGQ).fit
    objective, x = fit.objective, fit.x
    here = objective.evaluate(x, 1).value
    far = objective.evaluate(x + [0.5, 0.9, 0.3, 0.0, 0.0, 0.0], 1).value
    assert far > here + 100.0
    assert objective.evaluate(x + 1e-9, 1).value == pytest.approx(here, abs=1e-3)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"threshold": "equidistant"},
        {"threshold": "symmetric"},
        {"scale": "~ contact"},
        {"nominal": "~ contact"},
        {"link": "cauchit"},
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_bounds_on_standard_errors_of_thresholds_are_bounds(how, monkeypatch):
    """A fit that bounds pass has no parameter without a finite estimate; far covariates may."""
    wine = il.load_dataset("wine").assign(far=lambda d: (d["temp"] == "warm") + 1e4)
    wine["never"] = np.where(wine["rating"] == "5", 1.0, 0.0)  # separates the last category
    seen = set()
    for covariate in ("temp", "far", "never"):
        fit = il.clm(f"rating ~ {covariate}", wine, **how).fit
        plain = ordinal._plainly_finite(fit)
        with monkeypatch.context() as patch:
            patch.setattr(ordinal, "_plainly_finite", lambda fit: False)
            lost = ordinal.endless(fit)
        assert not (plain and lost)
        seen.add((plain, bool(lost)))
    assert (False, True) in seen and ((True, False) in seen or "nominal" in how)


@pytest.mark.parametrize("variance", [np.inf, np.nan, -1.0])
def test_variances_that_are_no_numbers_have_no_bounds(variance):
    fit = il.clm("rating ~ temp", il.load_dataset("wine"), threshold="symmetric").fit
    assert ordinal._plainly_finite(fit)
    for at in range(len(fit.cov_coefficients)):
        V = fit.cov_coefficients.copy()
        V[at, at] = variance
        changed = SimpleNamespace(
            design=fit.design, family=fit.family, n_thresholds=fit.n_thresholds, zeta=fit.zeta,
            cov_coefficients=V,
        )  # fmt: skip
        assert not ordinal._plainly_finite(changed)


@pytest.mark.parametrize("low, high", [(0.2, 1.0), (0.0, 0.0), (1.0, 1.0), (0.3, 0.7)])
def test_levels_of_some_of_the_rows_agree_as_counted_one_by_one(low, high):
    rng = np.random.default_rng(5)
    codes = rng.choice([3, 4, 7, 8, 11], 40).astype(np.int32)
    y = rng.choice([low, high, high], 40)
    y[codes == 7] = high
    trials = np.ones(40) if high in (0.0, 1.0) else np.full(40, 10.0)
    ones = np.broadcast_to(1.0, (40, 1))
    for Z in (ones, np.ones((40, 1)), np.where(codes[:, None] == 4, 0.0, 2.0)):
        factor = GroupingFactor("g", np.arange(12), codes, Z)
        moved = Z[:, 0] != 0.0
        wanted = np.where(y >= 1.0, 1.0, np.where(y <= 0.0, -1.0, np.nan))
        of_level = [wanted[moved & (codes == level)] for level in np.unique(codes)]
        agreed = [own.size > 0 and abs(own.sum()) == own.size for own in of_level]
        ends = wanted[moved & ~np.isnan(wanted)]
        assert Agreement.of(factor, 0, y, trials) == (
            40, moved.sum(), 5, sum(agreed), all(a for a, own in zip(agreed, of_level) if own.size),
            ends.min(initial=np.inf), ends.max(initial=-np.inf), True, True,
        )  # fmt: skip
