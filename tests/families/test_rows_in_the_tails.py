"""Rows against the textbook formulas in several hundred decimal digits, far into the tails.

Derivatives of the reference are differences with steps of 1e-20: with the digits at hand their
error is below 1e-35.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from functools import cache, lru_cache
from math import factorial

import numpy as np

STEP = Decimal("1e-20")
HALF = Decimal("0.5")
ETA = (-700.0, -37.5, -9.0, -3.1, -2.9, -0.7, -1e-3, 1e-3, 0.3, 0.9, 3.0, 37.5, 700.0)

# An exponential of x has a relative error of about |x| units in the last place, at most
# 700 * 2.2e-16 = 1.6e-13; weights and slopes are sums of products of up to three of them.
RTOL = 1e-12
# In sums of terms of opposite sign the error is relative to the terms, not to their sum.
ATOL = 1e-13


def digits(eta: float, link: str = "log") -> decimal.Context:
    """Enough of them for exp(-|eta|) relative to 1, twice, and for third differences."""
    algebraic = link.startswith("power") or link in (
        "identity",
        "sqrt",
        "inverse",
        "inverse_square",
    )
    prec = 140 if algebraic else 140 + int(abs(eta))
    return decimal.Context(prec=prec, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)


@cache
def pi() -> Decimal:
    with decimal.localcontext(digits(max(ETA))):
        return 16 * arctan(Decimal(1) / 5) - 4 * arctan(Decimal(1) / 239)


def resolution() -> Decimal:
    return Decimal(10) ** -decimal.getcontext().prec


def arctan(x: Decimal) -> Decimal:
    halvings = 0
    while abs(x) > Decimal("0.05"):
        x = x / (1 + (1 + x * x).sqrt())
        halvings += 1
    total, power, k = Decimal(0), x, 0
    while abs(power) > abs(x) * resolution():
        total += power / (2 * k + 1) * (-1) ** k
        power *= x * x
        k += 1
    return total * 2**halvings


def normal_tail(z: Decimal) -> Decimal:
    """1 - Phi(z), z > 0: the power series about 0, and Laplace's continued fraction beyond 3."""
    density = (-z * z / 2).exp() / (2 * pi()).sqrt()
    if z < 3:
        total, term, k = Decimal(0), z, 0
        while abs(term) > resolution():
            total += term
            k += 1
            term *= z * z / (2 * k + 1)
        return HALF - density * total
    fraction = z
    for k in range(2500 if z < 30 else 200, 0, -1):
        fraction = z + k / fraction
    return density / fraction


def log_complement(x: Decimal) -> Decimal:
    """log(1 - x), 0 <= x < 1, also for x below any resolution."""
    if x > Decimal("1e-30"):
        return (1 - x).ln()
    total, power, k = Decimal(0), x, 1
    while power > x * resolution():
        total -= power / k
        power *= x
        k += 1
    return total


# The same few arguments come again and again, and to the same digits each time.
@lru_cache(maxsize=16)
def log_pair(link: str, eta: Decimal) -> tuple[Decimal, Decimal]:
    """log mu and log(1 - mu)."""
    if link == "logit":
        return -(1 + (-eta).exp()).ln(), -(1 + eta.exp()).ln()
    if link == "cloglog":
        return (1 - (-eta.exp()).exp()).ln(), -eta.exp()
    if link == "loglog":
        return -(-eta).exp(), (1 - (-(-eta).exp()).exp()).ln()
    if link == "probit":
        tail = normal_tail(abs(eta))
        small = tail.ln(), log_complement(tail)
        return small if eta < 0 else small[::-1]
    if link == "cauchit":
        p, q = HALF + arctan(eta) / pi(), HALF - arctan(eta) / pi()
    else:
        p = eta.exp() if link == "log" else eta
        q = 1 - p
    return p.ln(), q.ln()


@lru_cache(maxsize=16)
def mean(family, eta: Decimal, theta: Decimal) -> Decimal:
    link = family.link.name
    if link == "log":
        return eta.exp()
    if link == "inverse":
        return 1 / eta
    if link == "nbcanonical":
        return theta * eta.exp() / (1 - eta.exp())
    return (eta.ln() / Decimal(family.link.power)).exp()


def log_density(family, eta: Decimal, y: Decimal, parameter: Decimal) -> Decimal:
    """What depends on eta, as the textbook writes it."""
    if family.name == "binomial":
        lp, lq = log_pair(family.link.name, eta)
        return (y * lp if y else Decimal(0)) + ((1 - y) * lq if y != 1 else Decimal(0))
    if family.name == "gaussian" and family.link.name == "identity":
        return -parameter * (y - eta) ** 2 / 2
    mu = mean(family, eta, parameter)
    if family.name == "poisson":
        return y * mu.ln() - mu - Decimal(factorial(int(y))).ln()
    if family.name == "negativebinomial":
        share = mu / (mu + parameter)
        return y * share.ln() + parameter * (parameter / (mu + parameter)).ln()
    if family.name == "gamma":
        return -parameter * (y / mu - 1 - (y / mu).ln())
    if family.name == "inverse_gaussian":
        return -parameter * (y / mu - 1) ** 2 / (2 * y)
    return -parameter * (y - mu) ** 2 / 2


def information(family, eta: Decimal, parameter: Decimal) -> Decimal:
    """mu'^2 / (V phi), for the binomial as - (log mu)' (log(1 - mu))'."""
    link = family.link.name
    if family.name == "binomial":
        ends = log_pair(link, eta + STEP), log_pair(link, eta - STEP)
        p, q = ((up - down) / (2 * STEP) for up, down in zip(*ends, strict=True))
        return -p * q

    def mu_at(x: Decimal) -> Decimal:
        return x if link == "identity" else mean(family, x, parameter)

    slope, mu = (mu_at(eta + STEP) - mu_at(eta - STEP)) / (2 * STEP), mu_at(eta)
    variance = {
        "poisson": mu,
        "negativebinomial": mu + mu * mu / parameter,
        "gamma": mu * mu / parameter,
        "inverse_gaussian": mu**3 / parameter,
        "gaussian": 1 / parameter,
    }
    return slope * slope / variance[family.name]


def first(function, x: Decimal) -> Decimal:
    return (function(x + STEP) - function(x - STEP)) / (2 * STEP)


def second(function, x: Decimal) -> Decimal:
    return (function(x + STEP) - 2 * function(x) + function(x - STEP)) / STEP**2


def third(function, x: Decimal) -> Decimal:
    far = function(x + 2 * STEP) - function(x - 2 * STEP)
    return (far - 2 * (function(x + STEP) - function(x - STEP))) / (2 * STEP**3)


def check_row(family, number: float, y: float, zeta: np.ndarray, parameter: Decimal) -> bool:
    """One row at one eta; False where the log-density is no double any more."""
    one, at = np.array([y]), np.array([number])
    expected = family.rows(at, one, np.ones(1), zeta, True)
    observed = family.rows(at, one, np.ones(1), zeta, False)
    eta = Decimal(number)

    def density(response: Decimal):
        return cache(lambda x: log_density(family, x, response, parameter))

    value = density(Decimal(y))
    if expected.loglik[0] == -np.inf:
        assert value(eta) < Decimal("-1e303")
        return False
    # Derivatives of the density are y A - B: each of the two is computed to rounding, and so is
    # the curvature of the mean, of which the parts may cancel (as for Poisson with the identity).
    ends = density(Decimal(0.25)), density(Decimal(0.75))
    information_here = information(family, eta, parameter)

    def scale(order) -> Decimal:
        low, high = (order(end, eta) for end in ends)
        steep = abs(high - low) * 2
        curvature = information_here * (max(1, 1 / abs(eta)) if order is third else 1)
        return abs(Decimal(y) * steep) + abs(low - steep / 4) + abs(high) + curvature

    def compare(name, found, exact, scale):
        np.testing.assert_allclose(
            found, float(exact), RTOL, ATOL * float(scale), err_msg=f"{name} at eta={number}, y={y}"
        )

    def weight(x: Decimal) -> Decimal:
        return information(family, x, parameter)

    # The logarithms of both probabilities are exact by themselves; other families sum terms.
    terms = 0 if family.name == "binomial" else max(1, abs(value(eta)))
    found = expected.loglik[0]
    if family.name == "poisson":
        # Counts of 1e6 need the saturated density in the constant: the sum is what is defined.
        found = found + family.constant(one, np.ones(1))[0][0]
    compare("loglik", found, value(eta), terms)
    compare("score", expected.score[0], first(value, eta), scale(first))
    compare("observed", observed.observed[0], -second(value, eta), scale(second))
    compare("slope", observed.slope[0], -third(value, eta), scale(third))
    compare("weight", expected.weight[0], information_here, 0)
    compare("expected slope", expected.slope[0], first(weight, eta), information_here)
    return True


def test_rows_are_exact_in_the_tails(family):
    zeta = np.full(len(family.parameters), np.log(2.5))
    parameter = Decimal(float(np.exp(zeta[0]))) if family.parameters else Decimal(2.5)
    responses = {
        "binomial": (0.0, 1.0, 0.25),
        "poisson": (0.0, 3.0),
        "negativebinomial": (0.0, 3.0),
    }
    seen = 0
    for eta in ETA:
        if family.valid(np.array([eta]))[0]:
            with decimal.localcontext(digits(eta, family.link.name)):
                for y in responses.get(family.name, (0.6, 4.0)):
                    seen += check_row(family, eta, y, zeta, parameter)
    assert seen >= 6
