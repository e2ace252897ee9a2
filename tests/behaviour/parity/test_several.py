"""Models with several linear predictors against glmmTMB's likelihoods at tight optima.

The references were polished by Newton steps on glmmTMB's own criterion, or on one written for TMB
where glmmTMB lacks the family: log-likelihoods are good to 1e-9, parameters to 1e-6 standard
errors.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from helpers.r_references import array
from helpers.several import several_ids, several_reference

import interlace as il
from interlace import families
from interlace.families import resolve

LOG_LIKELIHOOD = 1e-5
NEVER_LOWER = 1e-7
# Coefficients in standard errors; modes in their standard deviations.
COEFFICIENTS = 1e-4
MODES = 1e-4
# Relative: standard errors, standard deviations (absolute: correlations).
STANDARD_ERRORS = 1e-4
DEVIATIONS = 1e-4
# A standard deviation of zero here is exp of a large negative number there.
ZERO = 1e-6

# What is not there yet, and what no front door asks for: REML of other families.
STRUCTURES = {"T19_orthodont_ar1", "T19_orthodont_cs", "T19_orthodont_toep"}
ELSEWHERE = STRUCTURES | {
    "T19_orthodont_us",
    "nb2_cs",
    "gaussian_disp_plain_reml",
    "nb2_disp_reml",
    "nbinom12",
    "nbinom12_disp",
}


CASES = [id for id in several_ids() + several_ids(edge=True) if id not in ELSEWHERE]
# Optima that several starts of R's optimiser do not find: ours is higher.
HIGHER = {"lognormal_disp"}


def _family(reference):
    family = reference["family"]
    name, link = family["name"], family["link"]
    if name == "zero_one_inflated_beta":
        return families.ZeroOneInflatedBeta(link=link)
    if name == "t_family" and "fixed_psi" in family:
        return families.StudentT(df=float(np.exp(np.ravel(family["fixed_psi"])[0])), link=link)
    return resolve({"ziGamma": "Gamma"}.get(name, name), link)


@cache
def fitted(id):
    reference = several_reference(id)
    formulas = reference.formulas
    given = dict(reference.arguments)
    method = given.pop("method", "ML")
    for key in ("zi", "disp", "zoi", "coi"):
        if formulas.get(key):
            given[f"{key}formula"] = formulas[key]
    if method == "REML":
        return il.fit(reference.formula, reference.frame, method="REML", **given)
    front = il.glmer if reference.random_terms else il.glm
    return front(reference.formula, reference.frame, _family(reference), **given)


def test_every_kind_of_model_is_there():
    assert len(CASES) >= 170
    assert sum(not several_reference(id).random_terms for id in CASES) >= 19
    names = {several_reference(id)["family"]["name"] for id in CASES}
    assert names >= {
        "nbinom1", "nbinom2", "beta_family", "Gamma", "betabinomial", "poisson", "gaussian",
        "truncated_poisson", "truncated_nbinom1", "truncated_nbinom2", "genpois", "compois",
        "t_family", "skewnormal", "lognormal", "ordbeta", "tweedie", "zero_one_inflated_beta",
    }  # fmt: skip


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood(id):
    reference = several_reference(id)
    difference = fitted(id).llf - reference["log_likelihood"]
    assert difference > -NEVER_LOWER
    assert id in HIGHER or difference < LOG_LIKELIHOOD
    assert fitted(id).nparams == reference["df"]


@pytest.mark.parametrize("id", [id for id in CASES if id not in HIGHER])
def test_coefficients_and_standard_errors(id):
    reference, fit = several_reference(id), fitted(id).fit
    for name, told in reference.predictors.items():
        if name not in fit.design.predictors:
            continue  # a parameter that is one number of a family of one predictor
        part, se = fit.part(name), array(told["se"])
        off = np.abs(part.beta - array(told["values"])) / se
        assert off.max(initial=0.0) < COEFFICIENTS
        own = np.sqrt(np.diagonal(part.cov_beta))
        np.testing.assert_allclose(own, se, rtol=STANDARD_ERRORS)


MIXED = [id for id in CASES if id not in HIGHER and several_reference(id).random_terms]


@pytest.mark.parametrize("id", MIXED)
def test_random_effects(id):
    reference, fit = several_reference(id), fitted(id).fit
    groups = {}
    for term in fit.design.terms:
        groups.setdefault((term.predictor, fit.design.factors[term.factor].name), []).append(term)
    for predictor, told in reference.random_terms:
        term = groups[predictor, told["group"]].pop(0)
        T = fit.T[term.factor][term.columns]
        sd = np.sqrt((T * T).sum(axis=1))
        np.testing.assert_allclose(sd, array(told["sd"]), rtol=DEVIATIONS, atol=ZERO)
        factor = fit.design.factors[term.factor]
        at = {str(level): i for i, level in enumerate(factor.levels)}
        rows = [at[str(level)] for level in told["levels"]]
        modes = fit.b[term.factor][rows][:, term.columns]
        size = np.maximum(array(told["sd"]), ZERO)
        off = np.abs(modes - array(told["modes"])) / size
        assert off.max(initial=0.0) < MODES


# Our type of each kind of prediction in the references.
KINDS = {kind: kind for kind in ("link", "response", "conditional", "zprob", "zlink")}
KINDS["phi"] = "disp"


@pytest.mark.parametrize("id", [id for id in CASES if id not in HIGHER])
def test_standard_errors_of_predictions(id):
    """With all parameters' uncertainty; models that lme4 has too are given theta, as there."""
    reference, m = several_reference(id), fitted(id)
    mixed = bool(reference.random_terms)
    if mixed and not (m.fit.several or m.fit.family.own_predictors):
        pytest.skip("theta is given")
    for kind, expected in (reference.get("se_fit") or {}).items():
        if reference["family"]["name"] == "ordbeta" and kind == "response":
            continue  # the mean of the beta distribution there: "conditional" here
        table = m.predict(type=KINDS[kind], se=True)
        wanted = array(expected)
        known = np.isfinite(wanted)
        own = table["se"].to_numpy()[: wanted.size]
        np.testing.assert_allclose(own[known], wanted[known], rtol=STANDARD_ERRORS)
