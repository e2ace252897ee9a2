"""Families given by their log-densities: all else against sums, integrals and differences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import special, stats

from interlace.errors import ArgumentError
from interlace.families import (
    Bell,
    Beta,
    BetaBinomial,
    Binomial,
    ConwayMaxwellPoisson,
    Family,
    Gamma,
    Gaussian,
    GeneralisedPoisson,
    Hurdle,
    InverseGaussian,
    LogNormal,
    NegativeBinomial,
    NegativeBinomial1,
    OrderedBeta,
    Poisson,
    SkewNormal,
    StudentT,
    Truncated,
    Tweedie,
    ZeroInflated,
    ZeroOneInflatedBeta,
)
from interlace.families.jets import packed
from interlace.families.several import SeveralParameters, stacked


class Case(NamedTuple):
    family: Family
    zeta: tuple[float, ...]
    eta: tuple[float, ...] = (-1.0, 0.3, 1.5)
    trials: float = 1.0


POISSON, NB2, NB1 = Poisson(), NegativeBinomial(), NegativeBinomial1()
CASES = {
    "nb1": Case(NB1, (0.4,)),
    "nb1-sqrt": Case(NegativeBinomial1(link="sqrt"), (-1.0,), (0.4, 1.0, 2.5)),
    "nb1-fixed": Case(NegativeBinomial1(phi=3.0), ()),
    "beta": Case(Beta(), (1.2,)),
    "beta-probit": Case(Beta(link="probit"), (4.0,), (-1.0, 0.3, 1.0)),
    "betabinomial": Case(BetaBinomial(), (0.8,), trials=7.0),
    "betabinomial-cloglog": Case(BetaBinomial(link="cloglog"), (3.0,), (-1.0, 0.3), 12.0),
    "zip": Case(ZeroInflated(POISSON), (-0.5,)),
    "zip-fixed": Case(ZeroInflated(POISSON, zi=0.2), ()),
    "zinb2": Case(ZeroInflated(NB2), (0.5, -0.7)),
    "zinb2-fixed": Case(ZeroInflated(NegativeBinomial(theta=2.0)), (-0.7,)),
    "zinb1": Case(ZeroInflated(NB1), (0.5, -0.7)),
    "zi-binomial": Case(ZeroInflated(BetaBinomial()), (1.0, -0.7), trials=5.0),
    "zi-gamma": Case(ZeroInflated(Gamma("log")), (0.9, -0.4)),
    "zi-beta": Case(ZeroInflated(Beta()), (1.4, -0.4)),
    "hurdle-poisson": Case(Hurdle(POISSON), (0.2,)),
    "hurdle-nb2": Case(Hurdle(NB2), (0.3, 0.2)),
    "hurdle-nb1": Case(Hurdle(NB1), (0.3, 0.2)),
    "hurdle-lognormal": Case(Hurdle(LogNormal()), (0.3, 0.2)),
    "truncated-poisson": Case(Truncated(POISSON), ()),
    "truncated-nb2": Case(Truncated(NB2), (0.3,)),
    "truncated-nb1": Case(Truncated(NB1), (0.3,)),
    "genpois": Case(GeneralisedPoisson(), (0.5,)),
    "compois-under": Case(ConwayMaxwellPoisson(), (-0.9,)),
    "compois-over": Case(ConwayMaxwellPoisson(), (0.8,)),
    "tweedie": Case(Tweedie(), (0.3, 0.2)),
    "tweedie-fixed": Case(Tweedie(power=1.3), (0.3,)),
    "t": Case(StudentT(), (0.2, 1.6)),
    "t-fixed": Case(StudentT(df=5.0), (0.2,)),
    "skewnormal": Case(SkewNormal(), (0.3, 2.0)),
    "skewnormal-left": Case(SkewNormal(), (0.3, -0.6)),
    "lognormal": Case(LogNormal(), (0.3,)),
    "ordbeta": Case(OrderedBeta(), (1.1, -1.5, 1.8)),
    "zoib": Case(ZeroOneInflatedBeta(), (1.1, -1.0, 0.4)),
    "bell": Case(Bell(), ()),
}  # fmt: skip
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
#: The first counts; what is beyond has a probability below 1e-12 in every case.
COUNTS = np.arange(600.0)


def masses(case: Case) -> np.ndarray:
    """Responses of positive probability."""
    support = case.family.support
    if support == "proportion":
        return np.arange(case.trials + 1.0) / case.trials
    if case.family.discrete:
        return COUNTS[1:] if support == "positive count" else COUNTS
    return {
        "half-open unit": np.zeros(1),
        "non-negative": np.zeros(1),
        "closed unit": np.array([0.0, 1.0]),
    }.get(support or "", np.empty(0))


def interval(case: Case) -> tuple[float, float] | None:
    """Where responses have a density."""
    if case.family.discrete:
        return None
    support = case.family.support or ""
    if support.endswith("unit"):
        return 0.0, 1.0
    return (-np.inf, np.inf) if support == "real" else (0.0, np.inf)


def density(case: Case, y: np.ndarray, mu: float) -> np.ndarray:
    y = np.atleast_1d(y)
    value = case.family.log_density(y, np.full(y.shape, mu), None, case.trials, np.array(case.zeta))
    return np.exp(value)


def nodes(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of double-exponential quadrature (Takahasi and Mori 1974)."""
    t = np.arange(-4.2, 4.2, 0.02)
    u, du = 0.5 * np.pi * np.sinh(t), 0.02 * 0.5 * np.pi * np.cosh(t)
    if np.isinf(low) and np.isinf(high):
        return np.sinh(0.4 * u), 0.4 * np.cosh(0.4 * u) * du
    if np.isinf(low):
        return high - np.exp(u), np.exp(u) * du
    if np.isinf(high):
        return low + np.exp(u), np.exp(u) * du
    p, q = special.expit(2.0 * u), special.expit(-2.0 * u)
    return low + (high - low) * p, (high - low) * 2.0 * p * q * du


def expectation(case: Case, mu: float, function, upper: float = np.inf) -> float:
    """The mean of a function of responses up to a bound."""
    at = masses(case)
    at = at[at <= upper]
    total = float(density(case, at, mu) @ function(at)) if at.size else 0.0
    ends = interval(case)
    if ends is None:
        return total
    y, weights = nodes(ends[0], min(ends[1], upper))
    inside = (y > ends[0]) & (y < ends[1]) & (np.abs(y) < 1e60) & (y != 0.0)
    y, weights = y[inside], weights[inside]
    return total + float(np.sum(weights * density(case, y, mu) * function(y)))


def means(case: Case) -> np.ndarray:
    return case.family.mean(np.array(case.eta), np.array(case.zeta))


@each
def test_probabilities_add_up_to_one_with_the_mean_and_the_variance(case):
    family, zeta = case.family, np.array(case.zeta)
    variance = family.variance(means(case), zeta)
    for mu, expected in zip(means(case), variance, strict=True):
        one = expectation(case, mu, np.ones_like)
        mean = expectation(case, mu, lambda y: y)
        square = expectation(case, mu, lambda y, m=mu: (y - m) ** 2)
        np.testing.assert_allclose(one, 1.0, rtol=1e-8)
        np.testing.assert_allclose(mean, mu, rtol=1e-7)
        if family.support == "proportion":
            continue
        np.testing.assert_allclose(
            square, expected, rtol=1e-5 if family.name == "student_t" else 1e-7
        )


@each
def test_distribution_function(case):
    mu = means(case)[1]
    discrete = case.family.discrete
    at = masses(case)[:4] if discrete else np.array([0.05, 0.4, 0.9, 1.7])
    for y in at:
        made = case.family.cdf(np.array([y]), np.array([mu]), 1.0, case.trials, np.array(case.zeta))
        np.testing.assert_allclose(made[0], expectation(case, mu, np.ones_like, y), atol=1e-8)
    below = case.family.cdf(np.array([-0.5]), np.array([mu]), 1.0, case.trials, np.array(case.zeta))
    assert below[0] == 0.0 or case.family.support == "real"


def responses(case: Case, rng: np.random.Generator, n: int) -> np.ndarray:
    mu = np.resize(means(case), n)
    return case.family.sample(rng, mu, case.trials, case.trials, np.array(case.zeta))


@each
def test_samples(case):
    """Means and variances of samples, within five standard errors."""
    rng, n = np.random.default_rng(5), 20_000
    zeta = np.array(case.zeta)
    for mu in means(case):
        y = case.family.sample(rng, np.full(n, mu), case.trials, case.trials, zeta)
        assert abs(y.mean() - mu) < 5.0 * y.std() / np.sqrt(n)
        if case.family.support == "proportion" or case.family.name == "student_t":
            continue
        square = (y - mu) ** 2
        expected = case.family.variance(np.array([mu]), zeta)[0]
        assert abs(square.mean() - expected) < 5.0 * square.std() / np.sqrt(n)
        share = case.family.cdf(np.median(y)[None], np.array([mu]), 1.0, case.trials, zeta)[0]
        assert abs(np.mean(y <= np.median(y)) - share) < 5.0 * 0.5 / np.sqrt(n)


def points(case: Case, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictors (K, n) about those of the case, responses of it, weights and trials."""
    rng, n = np.random.default_rng(8), 60
    y = responses(case, rng, n)
    eta = stacked(np.resize(case.eta, n), case.zeta)
    eta = eta + spread * rng.normal(size=eta.shape)
    if case.family.link.name == "sqrt":
        eta[0] = np.abs(eta[0]) + 0.1
    if case.family.name == "ordered_beta":
        eta[3] = np.maximum(eta[3], eta[2] + 0.2)
    trials = np.full(n, case.trials)
    return eta, y, trials * rng.uniform(0.5, 2.0, n), trials


@each
@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_derivatives_are_those_of_what_is_below_them(case, spread):
    """Scores, information and its contraction, each against five-point differences."""
    eta, y, weights, trials = points(case, spread)
    K, n = eta.shape
    family, h = case.family, 1e-4
    made = family.derivatives(eta, y, weights, trials)
    # with phi < 1 the generalised Poisson has no large counts
    assert np.isfinite(made.value).mean() > (
        0.9 if family.name == "generalised_poisson" else 1 - 1e-9
    )
    H = np.random.default_rng(4).normal(size=(len(packed(K)), n))
    twice = np.array([1.0 if a == b else 2.0 for a, b in packed(K)])[:, None]
    third = family.contracted(eta, y, weights, trials, H)
    for a in range(K):
        step = np.zeros((K, 1))
        step[a] = h
        ends = [family.derivatives(eta + s * step, y, weights, trials) for s in (2, 1, -1, -2)]
        inside = np.all([np.isfinite(e.value) for e in ends], axis=0)

        def slope(pick, ends=ends, inside=inside):
            p2, p1, m1, m2 = (np.where(inside, pick(e), 0.0) for e in ends)
            return (8.0 * (p1 - m1) - (p2 - m2)) / (12.0 * h)

        def close(got, pick, size, inside=inside, slope=slope):
            np.testing.assert_allclose(
                np.where(inside, got, 0.0), np.where(inside, slope(pick), 0.0), rtol=1e-6,
                atol=1e-7 * (1.0 + np.abs(size[..., inside]).max()),
            )  # fmt: skip

        close(made.score[a], lambda e: e.value, made.value)
        for i, (b, c) in enumerate(packed(K)):
            if c == a:
                close(-made.information[i], lambda e, b=b: e.score[b], made.score)
        close(third[a], lambda e: (twice * H * e.information).sum(axis=0), made.information)
        assert inside.mean() > 0.9


@each
def test_lower_orders_agree(case):
    eta, y, weights, trials = points(case, 0.3)
    full = case.family.derivatives(eta, y, weights, trials)
    first = case.family.derivatives(eta, y, weights, trials, 1)
    none = case.family.derivatives(eta, y, weights, trials, 0)
    np.testing.assert_allclose(none.value, full.value, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(first.score, full.score, rtol=1e-12, atol=1e-13)
    assert none.score is None and first.information is None


@each
def test_means_and_predictors(case):
    eta, zeta = np.array(case.eta), np.array(case.zeta)
    mu = case.family.mean(eta, zeta)
    np.testing.assert_allclose(case.family.linear_predictor(mu, zeta), eta, rtol=1e-9)
    full = stacked(eta, zeta)
    mean, gradient = case.family.mean_derivatives(full)
    np.testing.assert_allclose(mean, mu, rtol=1e-12)
    np.testing.assert_allclose(case.family.mean_slope(eta, zeta), gradient[0], rtol=1e-12)
    for k in range(len(full)):
        h = np.zeros((len(full), 1))
        h[k] = 1e-5
        slope = (
            case.family.mean_derivatives(full + h)[0] - case.family.mean_derivatives(full - h)[0]
        )
        np.testing.assert_allclose(gradient[k], slope / 2e-5, rtol=1e-6, atol=1e-9)


@each
def test_parameters_of_rows_may_differ(case):
    """(m, n) predictors of parameters give what each row has by itself."""
    family = case.family
    eta, y, _, trials = points(case, 0.2)
    mu = family.mean(eta[0], eta[1:])
    everything = (
        family.variance(mu, eta[1:]),
        family.cdf(y, mu, 1.0, trials, eta[1:]),
        family.log_density(y, mu, None, trials, eta[1:]),
        family.zero_probability(eta[0], eta[1:]),
        family.conditional_mean(eta[0], eta[1:]),
    )
    i = slice(3, 4)
    alone = (
        family.variance(mu[i], eta[1:, i]),
        family.cdf(y[i], mu[i], 1.0, trials[i], eta[1:, i]),
        family.log_density(y[i], mu[i], None, trials[i], eta[1:, i]),
        family.zero_probability(eta[0, i], eta[1:, i]),
        family.conditional_mean(eta[0, i], eta[1:, i]),
    )
    for whole, one in zip(everything, alone, strict=True):
        np.testing.assert_allclose(whole[i], one, rtol=1e-12)
    rng = np.random.default_rng(1)
    assert family.sample(rng, mu, trials, trials, eta[1:]).shape == mu.shape


@each
def test_starts_are_near(case):
    """Moments are finite, and the likelihood's own estimates near the truth."""
    rng, n = np.random.default_rng(3), 4000
    family, zeta = case.family, np.array(case.zeta)
    mu = np.resize(means(case), n)
    trials = np.full(n, case.trials)
    y = family.sample(rng, mu, trials, trials, zeta)
    assert np.isfinite(family.start_eta(y, trials)).all()
    start = family.start_zeta(y, mu, trials, trials)
    assert start.shape == zeta.shape and np.isfinite(start).all()
    found = family.update_zeta(y[:n], mu[:n], trials[:n], trials[:n])
    eta = family.linear_predictor(mu[:n], start)

    def likelihood(zeta):
        rows = y[:n], trials[:n], trials[:n]
        return family.derivatives(stacked(eta, zeta), *rows, 0).value.sum()

    assert likelihood(found) >= max(likelihood(start), likelihood(zeta)) - 1e-8
    if case.family.link.inverse(eta) == pytest.approx(mu[:n]):
        assert likelihood(found) - likelihood(zeta) < 15.0
        assert likelihood(zeta) - likelihood(start) < 0.2 * n


REFERENCES = {
    "nb1": (NegativeBinomial1(phi=1.5), lambda mu: stats.nbinom(mu / 1.5, 1.0 / 2.5)),
    "beta": (Beta(precision=4.0), lambda mu: stats.beta(4.0 * mu, 4.0 * (1.0 - mu))),
    "t": (StudentT(df=3.5, sigma=2.0), lambda mu: stats.t(3.5, mu, 2.0)),
    "lognormal": (
        LogNormal(sigma=0.7),
        lambda mu: stats.lognorm(
            np.sqrt(np.log1p((0.7 / mu) ** 2)), scale=mu / np.sqrt(1.0 + (0.7 / mu) ** 2)
        ),
    ),
    "truncated": (Truncated(POISSON), None),
}


@pytest.mark.parametrize("name", ["nb1", "beta", "t", "lognormal"])
def test_against_scipy(name):
    family, reference = REFERENCES[name]
    mu = np.array([0.1, 0.3, 0.5, 0.9])
    y = np.array([0.0, 1.0, 3.0, 40.0]) if family.discrete else np.array([0.02, 0.4, 0.6, 0.99])
    y, mu = (x.ravel() for x in np.meshgrid(y, mu))
    exact = reference(mu)
    log = exact.logpmf(y) if family.discrete else exact.logpdf(y)
    np.testing.assert_allclose(family.log_density(y, mu), log, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(family.cdf(y, mu), exact.cdf(y), rtol=1e-9)
    np.testing.assert_allclose(family.variance(mu), exact.var(), rtol=1e-10)


def test_beta_binomial_against_scipy():
    k, mu = (x.ravel() for x in np.meshgrid(np.arange(9.0), [0.1, 0.5, 0.97]))
    exact = stats.betabinom(8, 3.0 * mu, 3.0 * (1.0 - mu))
    family = BetaBinomial(precision=3.0)
    np.testing.assert_allclose(family.log_density(k / 8, mu, trials=8), exact.logpmf(k), rtol=1e-11)
    np.testing.assert_allclose(family.cdf(k / 8, mu, trials=8), exact.cdf(k), rtol=1e-11)
    square = (k / 8 - mu) ** 2 / (exact.var() / 64)
    np.testing.assert_allclose(family.pearson(k / 8, mu, 8.0), square, rtol=1e-10)


def test_skew_normal_against_scipy():
    alpha, sigma, mu = 2.5, 1.3, 0.4
    delta = alpha / np.sqrt(1.0 + alpha**2)
    omega = sigma / np.sqrt(1.0 - 2.0 * delta**2 / np.pi)
    exact = stats.skewnorm(alpha, mu - omega * delta * np.sqrt(2.0 / np.pi), omega)
    y = np.array([-8.0, -1.0, 0.3, 2.0, 9.0])
    family = SkewNormal(sigma=sigma, shape=alpha)
    np.testing.assert_allclose(family.log_density(y, np.full(5, mu)), exact.logpdf(y), rtol=1e-11)
    np.testing.assert_allclose(family.cdf(y, np.full(5, mu)), exact.cdf(y), rtol=1e-8, atol=1e-12)


def test_special_cases_are_the_families_they_are_of():
    y, mu = np.array([0.0, 1.0, 4.0, 30.0]), np.array([0.5, 1.0, 3.0, 28.0])
    poisson = POISSON.log_density(y, mu)
    close = {"rtol": 1e-10, "atol": 1e-11}
    np.testing.assert_allclose(GeneralisedPoisson(phi=1.0).log_density(y, mu), poisson, **close)
    np.testing.assert_allclose(ConwayMaxwellPoisson(phi=1.0).log_density(y, mu), poisson, **close)
    normal = Gaussian(precision=1.0).log_density(y, mu)
    np.testing.assert_allclose(SkewNormal(1.0, 0.0).log_density(y, mu), normal, **close)
    np.testing.assert_allclose(StudentT(df=1e9, sigma=1.0).log_density(y, mu), normal, rtol=1e-6)
    # of success and failure with equal chances of every probability
    share = BetaBinomial(precision=2.0).log_density(np.arange(5.0) / 4, np.full(5, 0.5), trials=4)
    np.testing.assert_allclose(share, -np.log(5.0), **close)
    # one trial has no overdispersion
    single = BetaBinomial(precision=0.3).log_density(np.array([0.0, 1.0]), np.full(2, 0.2))
    np.testing.assert_allclose(single, Binomial().log_density([0.0, 1.0], np.full(2, 0.2)), **close)


def test_tweedie_against_the_gamma_sum_and_its_own_distribution_function():
    """The density is the derivative of the distribution function, a sum of incomplete gammas."""
    family = Tweedie(power=1.6, phi=0.8)
    y, mu, h = np.array([0.02, 0.5, 2.0, 9.0]), np.full(4, 1.7), 1e-5
    slope = (family.cdf(y * (1 + h), mu) - family.cdf(y * (1 - h), mu)) / (2 * h * y)
    np.testing.assert_allclose(np.exp(family.log_density(y, mu)), slope, rtol=1e-6)
    # inverse Gaussian and gamma are not special cases; Poisson's zero is the limit
    near = Tweedie(power=1.0 + 1e-9, phi=1.0).log_density(np.zeros(1), np.ones(1))
    np.testing.assert_allclose(near, -1.0, rtol=1e-8)


@each
def test_tails_have_finite_derivatives_or_none(case):
    """Far from the response rows are numbers, or marked as out of range."""
    for far in (-25.0, 25.0):
        eta = stacked(np.array(case.eta), case.zeta)
        eta[0] = far if case.family.link.name != "sqrt" else 25.0
        y = responses(case, np.random.default_rng(2), len(case.eta))
        made = case.family.derivatives(eta, y, np.full(y.size, case.trials), case.trials)
        assert not np.isnan(made.value).any()
        assert np.isfinite(made.score).all() and np.isfinite(made.information).all()


def test_zero_inflation_in_its_tails():
    """With hardly any structural zeros the score of zi is their probability times 1/f(0) - 1."""
    family = ZeroInflated(POISSON)
    eta = np.array([[0.0, 0.0], [-40.0, -40.0]])
    made = family.derivatives(eta, np.array([0.0, 2.0]), np.ones(2))
    p = np.exp(-40.0)
    np.testing.assert_allclose(made.score[1], [p * np.expm1(1.0), -p], rtol=1e-12)
    np.testing.assert_allclose(made.information[2], [-p * np.expm1(1.0), p], rtol=1e-12)
    # a large mean with a zero: the zero is structural
    made = family.derivatives(np.array([[8.0], [0.3]]), np.zeros(1), np.ones(1))
    np.testing.assert_allclose(made.value, -np.log1p(np.exp(-0.3)), rtol=1e-14)
    assert made.score[0, 0] == 0.0


def test_large_precision_of_the_beta_keeps_its_digits():
    """At mu = y the density is that of a normal peak: no cancellation of gamma functions."""
    phi, y = 1e10, np.array([0.2, 0.7])
    value = Beta(precision=phi).log_density(y, y)
    peak = 0.5 * np.log(phi / (2.0 * np.pi * y * (1.0 - y)))
    np.testing.assert_allclose(value, peak, atol=1e-6)
    score = (
        Beta()
        .derivatives(np.array([np.log(y / (1.0 - y)), np.full(2, np.log(phi))]), y, np.ones(2))
        .score
    )
    np.testing.assert_allclose(score[1], 0.5, atol=1e-5)


def test_names_of_parameters_and_their_links():
    assert ZeroInflated(NB2).parameters == ("theta", "zi")
    assert [link.name for link in ZeroInflated(NB2).parameter_links] == ["log", "logit"]
    assert ZeroOneInflatedBeta().parameters == ("precision", "zoi", "coi")
    assert [link.name for link in OrderedBeta().parameter_links] == ["log", "identity", "identity"]
    assert Tweedie().parameters == ("phi", "power")
    assert Tweedie(power=1.5).parameters == ("phi",)
    assert StudentT().dispersion_parameter == "sigma" and StudentT().shape_parameter == "df"
    assert Hurdle(NB1).dispersion_parameter == "phi"
    assert Gamma().dispersion_parameter == "shape" and Poisson().dispersion_parameter is None


@each
def test_equal_families_and_other_links(case):
    family = case.family
    assert isinstance(family, SeveralParameters)
    assert type(family)(**family._arguments()) == family
    assert repr(family) == repr(type(family)(**family._arguments()))
    for link in family.links:
        if link not in (family.link.name, "power", "nbcanonical"):
            other = family.with_link(link)
            assert other.link.name == link and other.parameters == family.parameters
            break


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="out of its range"):
        Tweedie(power=2.5)
    with pytest.raises(ArgumentError, match="out of its range"):
        ZeroInflated(POISSON, zi=1.0)
    with pytest.raises(ArgumentError, match="families of counts"):
        Truncated(Gamma())
    with pytest.raises(ArgumentError, match="has no deviance"):
        NB1.deviance(np.ones(1), np.ones(1), zeta=[0.0])
    assert not NB1.has_deviance and Bell().has_deviance and Poisson().has_deviance
    with pytest.raises(ArgumentError, match="3 linear predictors: .* sigma, df; got 1"):
        StudentT().derivatives(np.zeros((1, 2)), np.zeros(2), np.ones(2))
    with pytest.raises(ArgumentError, match="2 predictors; got 1"):
        StudentT().variance(np.ones(1), [0.0])


def test_unit_deviances():
    """Twice the gap to the density with the mean at the response, where there is one."""
    y, mu = np.array([1.0, 3.0, 7.0]), np.array([2.0, 2.5, 9.0])
    gap = 2.0 * (Bell().log_density(y, y) - Bell().log_density(y, mu))
    np.testing.assert_allclose(Bell().deviance(y, mu), gap, rtol=1e-10)
    family = Tweedie(power=1.4, phi=0.7)
    gap = 2.0 * 0.7 * (family.log_density(y, y) - family.log_density(y, mu))
    np.testing.assert_allclose(family.deviance(y, mu), gap, rtol=1e-9)


def test_limits_in_words():
    assert "Poisson" in NB1.infinite(np.array([-20.0]), 1.0, np.zeros(1))
    assert NB1.infinite(np.array([0.0]), 1.0, np.zeros(1)) is None
    assert "structural zero" in ZeroInflated(POISSON).infinite(np.array([-20.0]), 1.0, np.zeros(1))
    zinb = ZeroInflated(NB2)
    assert "theta" in zinb.infinite(np.array([40.0, 0.0]), 1.0, np.zeros(2))
    assert "heavy tails" in StudentT().infinite(np.array([0.0, 15.0]), 1.0, np.zeros(2))
    assert "exactly" in StudentT().infinite(np.array([-20.0, 1.0]), 1.0, np.zeros(2))
    assert "exactly" in Beta().infinite(np.array([30.0]), 1.0, np.zeros(1))
    assert "stationary" in SkewNormal().infinite(np.array([0.0, 0.01]), 1.0, np.zeros(2))
    assert SkewNormal().infinite(np.array([0.0, -1.0]), 1.0, np.zeros(2)) is None
    assert "infinity" in SkewNormal().infinite(np.array([0.0, -600.0]), 1.0, np.zeros(2))
    text = OrderedBeta().infinite(np.array([1.0, -2.0, 20.0]), 1.0, np.zeros(3))
    assert "no response is 1" in text and "cut2=30" in text
    assert OrderedBeta().infinite(np.array([1.0, -2.0, 2.0]), 1.0, np.zeros(3)) is None
    zoib = ZeroOneInflatedBeta()
    assert "coi" in zoib.infinite(np.array([1.0, 0.0, -20.0]), 1.0, np.zeros(3))
    assert "family='beta'" in zoib.infinite(np.array([1.0, -20.0, 0.0]), 1.0, np.zeros(3))
    assert "binomial" in BetaBinomial().infinite(np.array([30.0]), 5.0, np.zeros(1))


def test_inverse_gaussian_with_zeros():
    family = ZeroInflated(InverseGaussian("log"))
    value = family.log_density(np.array([0.0, 1.0]), np.array([0.5, 0.5]), zeta=[0.0, 0.0])
    inner = InverseGaussian().log_density(np.ones(1), np.ones(1), zeta=[0.0])
    np.testing.assert_allclose(value, [np.log(0.5), np.log(0.5) + inner[0]], rtol=1e-12)
