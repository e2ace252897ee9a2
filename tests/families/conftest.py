"""Every family with every link: a test that asks for `family` runs once for each pair."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from interlace.families import (
    Binomial,
    Family,
    Gamma,
    Gaussian,
    InverseGaussian,
    NegativeBinomial,
    Poisson,
)


def pairs() -> list[Family]:
    found: list[Family] = []
    for kind in (Binomial, Poisson, NegativeBinomial, Gamma, InverseGaussian, Gaussian):
        for link in kind.links:
            if link != "power":
                found.append(kind(link=link))
            else:
                found += [kind(link="power(0.3)"), kind(link="power(-1.5)")]
    return [*found, NegativeBinomial(theta=2.5), NegativeBinomial(theta=2.5, link="nbcanonical")]


def label(family: Family) -> str:
    fixed = "" if family.parameters or not hasattr(family, "parameter") else "-fixed"
    return f"{family.name}{fixed}-{family.link.name}"


@pytest.fixture(params=pairs(), ids=label)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@pytest.fixture
def case(family: Family) -> SimpleNamespace:
    """Linear predictors well within the range, responses, weights, trials and zeta."""
    rng = np.random.default_rng(20)
    n = 24
    link = family.link.name
    trials, weights = np.ones(n), rng.uniform(0.5, 2.0, n)
    if family.name == "binomial":
        ranges = {"log": (-3.0, -0.4), "identity": (0.2, 0.8)}
        eta = rng.uniform(*ranges.get(link, (-2.5, 2.5)), n)
        trials = rng.integers(1, 6, n).astype(float)
        y = rng.binomial(trials.astype(int), 0.5) / trials
        weights = weights * trials
    else:
        ranges = {"log": (-1.0, 2.0), "nbcanonical": (-3.0, -0.4)}
        eta = rng.uniform(*ranges.get(link, (0.6, 3.0)), n)
        y = rng.poisson(2.0, n).astype(float) if family.discrete else rng.gamma(2.0, 1.0, n)
    zeta = np.full(len(family.parameters), 0.7)
    return SimpleNamespace(eta=eta, y=y, weights=weights, trials=trials, zeta=zeta)
