"""REML with several predictors: against that of linear models, and against differences."""

import numpy as np
import pytest

import interlace as il
from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.families import Gaussian, NegativeBinomial, Poisson, ZeroInflated
from interlace.models.glmm import fit_glmm, make_objective, refit_glmm, with_parameters
from interlace.models.observations import observe
from interlace.objective.generalised.breakdown import _Level, _named
from interlace.objective.generalised.restricted import RestrictedProblem

SLEEP = "Reaction ~ Days + (Days | Subject)"


def sleep(dispersion):
    data = il.load_dataset("sleepstudy")
    d = build(SLEEP, data, linear=False, others={"dispersion": dispersion})
    family = Gaussian()
    return with_parameters(d, family), family, observe(d, family)


def test_with_one_dispersion_it_is_that_of_the_linear_model():
    d, family, observations = sleep("~ 1")
    fit = fit_glmm(d, family, observations, method="REML")
    linear = il.fit(SLEEP, il.load_dataset("sleepstudy"))
    assert fit.is_reml
    assert fit.llf == pytest.approx(linear.llf, abs=1e-8)
    np.testing.assert_allclose(fit.beta, linear.fe_params, rtol=1e-7)
    given = fit.objective.mean_coefficients(fit.x)[1]  # the linear model's do not have theta's
    np.testing.assert_allclose(np.sqrt(np.diag(given)), linear.fe_bse, rtol=1e-6)
    np.testing.assert_allclose(fit.theta, linear.theta * linear.sigma, rtol=1e-5)
    assert fit.solution.beta[2] == pytest.approx(-2.0 * np.log(linear.sigma), abs=1e-6)
    assert fit.as_ml().llf == pytest.approx(linear.fit.as_ml().llf, abs=1e-8)


def test_log_likelihood_of_glmmtmb_with_a_dispersion_model():
    # glmmTMB(Reaction ~ Days + (Days | Subject), dispformula = ~ Days, REML = TRUE)
    fit = fit_glmm(*sleep("~ Days"), method="REML")
    assert fit.llf == pytest.approx(-865.825720755, abs=1e-7)
    np.testing.assert_allclose(-fit.solution.beta[2:], [5.6200, 0.1701], atol=6e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov_beta)), [6.765816, 1.599296], rtol=1e-6)


def test_another_response_is_refitted():
    d, family, observations = sleep("~ Days")
    fit = fit_glmm(d, family, observations, method="REML")
    y = d.y + 20.0 * np.sin(np.arange(len(d.y)))
    again = refit_glmm(fit, y)
    fresh = fit_glmm(d.with_response(y), family, observe(d.with_response(y), family), method="REML")
    assert again.llf == pytest.approx(fresh.llf, abs=1e-7)


@pytest.mark.parametrize("family", [Gaussian(), ZeroInflated(Poisson()), NegativeBinomial()])
def test_gradient_is_that_of_differences(family):
    rng = np.random.default_rng(0)
    n = 120
    x, g = rng.normal(size=n), np.arange(n) % 10
    y = rng.poisson(np.exp(1.0 + 0.3 * x + 0.5 * rng.normal(size=10)[g])).astype(float)
    other = "zi" if "zi" in family.parameters else "dispersion"
    data = {"y": y, "x": x, "g": g.astype(str)}
    d = build("y ~ x + (1 | g)", data, linear=False, others={other: "~ x"})
    d = with_parameters(d, family)
    o = make_objective(d, CovarianceModel.of(d), family, observe(d, family), 1, False, None, "REML")
    assert isinstance(o.problem, RestrictedProblem)
    z = o.start() + 0.05 * rng.normal(size=o.layout.size)
    z[0] = 0.5
    h = 1e-4
    differences = [
        (o.evaluate(z + h * e, 0).value - o.evaluate(z - h * e, 0).value) / (2 * h)
        for e in np.eye(z.size)
    ]
    np.testing.assert_allclose(o.evaluate(z, 1).gradient, differences, rtol=1e-5, atol=1e-5)


def test_the_level_of_the_coefficients_has_a_name():
    d, family, observations = sleep("~ Days")
    o = make_objective(d, CovarianceModel.of(d), family, observations, 1, False, None, "REML")
    assert _named(o.problem, _Level(1, 0)) == "the coefficients"
    assert _named(o.problem, _Level(0, 0)) == "level '308' of Subject"
