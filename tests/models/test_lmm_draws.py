"""Refits from sums of drawn responses are those from rows, by whichever search."""

from __future__ import annotations

import numpy as np
import pytest

import interlace as il
from interlace.models.lmm_draws import LinearDraws

MODELS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", {}),
    "few rows": ("Yield ~ 1 + (1 | Batch)", {"data": "Dyestuff"}),
    "singular": ("Yield ~ 1 + (1 | Batch)", {"data": "Dyestuff2"}),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", {}),
    "Pastes": ("strength ~ 1 + (1 | batch / cask)", {}),
    "Orthodont": ("distance ~ age * Sex + (age || Subject)", {"method": "ML"}),
    "Machines": ("score ~ Machine + (0 + Machine | Worker)", {"weights": True}),
}


def fitted(name):
    formula, arguments = MODELS[name]
    arguments = dict(arguments)
    frame = il.load_dataset(arguments.pop("data", name))
    if arguments.pop("weights", False):
        arguments["weights"] = np.linspace(0.5, 2.0, len(frame))
    return il.fit(formula, frame, **arguments)


def sums_of(draws, y):
    """The sums of a given response, in the form of drawn ones."""
    offset = draws.fit.design.offset
    gamma = draws.objective.cross.standardisation.gamma
    cross = draws.fit.objective.cross.with_response(y if offset is None else y - offset, gamma)
    p = cross.p
    corner = cross.XyXy[p, :p][None], cross.XyXy[p, p][None]
    if cross.levels is None:
        flat = np.concatenate([zxy[:, :, p].ravel() for zxy in cross.ZXy])
        return (flat[None], *corner)
    b, within = cross.levels.b, cross.levels.within
    rest = within[p, :p][None], within[p, p][None]
    return (b[:, :, p][None], *rest, cross.ZXy[0][:, :, p][None], *corner)


@pytest.mark.parametrize("name", MODELS)
def test_estimates_are_those_of_refits_to_rows(name):
    m = fitted(name)
    assert LinearDraws.possible(m.fit)
    draws = LinearDraws(m.fit)
    for _, y in m.simulate(12, seed=5).items():
        refit = m.refit(y)
        draws._drawn, draws._minima = sums_of(draws, y.to_numpy()), None
        e = draws.estimates(1)
        assert e.verdicts == [refit.fit.verdict] and e.errors == [None]
        sigma = e.sigma[0]
        np.testing.assert_allclose(e.beta[0], refit.fe_params, rtol=1e-7, atol=1e-8 * sigma)
        np.testing.assert_allclose(sigma, refit.sigma, rtol=1e-6)
        np.testing.assert_allclose(e.criterion[0], -2.0 * refit.llf, rtol=1e-10)
        templates = m.fit.covariance.templates(e.theta[0])
        for mine, theirs in zip(templates, refit.fit.T, strict=True):
            np.testing.assert_allclose(mine @ mine.T, theirs @ theirs.T, atol=1e-5)
        record = draws.refit(0)
        np.testing.assert_allclose(record.cov_beta, refit.vcov(), rtol=1e-5)


@pytest.mark.parametrize("name", ["sleepstudy", "Penicillin"])
def test_compiled_searches_end_where_the_search_does(name):
    m = fitted(name)
    draws = LinearDraws(m.fit)
    draws.draw(np.random.default_rng(2), 40)
    found = draws._searches.minima(draws._of(40))
    assert found.sure.mean() > 0.9
    for i in range(40):
        draws._load(i)
        optimum = draws._optimum()
        np.testing.assert_allclose(np.abs(found.x[i]), np.abs(optimum.x), atol=1e-10)
        np.testing.assert_allclose(found.value[i], optimum.value, rtol=1e-13)
        np.testing.assert_allclose(draws.refit(i).x, optimum.x, atol=1e-10)


@pytest.mark.parametrize("use_u", [False, True])
def test_draws_have_the_moments_of_the_model(use_u):
    m = fitted("sleepstudy")
    draws = LinearDraws(m.fit, use_u)
    draws.draw(np.random.default_rng(1), 4000)
    # X'y of draws less X beta, in standardised coordinates, and of the fitted random part
    cross = m.fit.objective.cross
    Xy = draws._drawn[4]
    mean = cross.columns.T @ m.fit.random_part if use_u else np.zeros(2)
    Z, T = m.fit.design.factors[0], m.fit.T[0]
    same = Z.codes[:, None] == Z.codes
    V = np.eye(m.nobs) + (0.0 if use_u else (Z.Z @ T @ T.T @ Z.Z.T) * same)
    cov = m.sigma**2 * cross.columns.T @ V @ cross.columns
    sd = np.sqrt(np.diagonal(cov))
    assert np.abs((Xy.mean(axis=0) - mean) / sd).max() < 4.5 / np.sqrt(4000)
    assert np.abs(np.cov(Xy.T) / np.outer(sd, sd) - cov / np.outer(sd, sd)).max() < 0.1


def test_what_sums_would_lose_is_drawn_by_rows():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(10), 6)
    frame = {"y": 1e4 * rng.normal(size=10)[g] + rng.normal(size=60), "g": g}
    m = il.fit("y ~ 1 + (1 | g)", frame)
    assert not LinearDraws.possible(m.fit)
    b = m.bootstrap(20, seed=1)
    assert b.n_failed == 0
    assert np.isfinite(b.frame.to_numpy()).all()
