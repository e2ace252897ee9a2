"""The compiled criterion over all parameters against its twin with arrays."""

import numpy as np
import pytest

import interlace as il
from interlace.objective.generalised.compiled import FEW_ENTRIES
from interlace.objective.generalised.ordinal import OrdinalLikelihood

# Values are sums of as many terms in another order; gradients carry the modes' own end, and the
# curvature of a zeta that is no threshold is a difference of gradients 1e-5 apart.
VALUE, GRADIENT, CURVATURE = 1e-13, 1e-10, 1e-9
# The Hessian is a difference of gradients 1e-3 standard errors apart.
HESSIAN = 1e-9

CLMM = "rating ~ temp + contact + (1 | judge)"
EPIL = "y ~ Base * trt + Age + Visit"


def wine(formula=CLMM, **how):
    return il.clmm(formula, il.load_dataset("wine"), **how)


def cbpp(**how):
    data = il.load_dataset("cbpp")
    how = {"family": "binomial", **how}
    return il.glmer("incidence / size ~ period + (1 | herd)", data, **how)


def epil(random, family="negativebinomial", **how):
    return il.glmer(f"{EPIL} + {random}", il.load_dataset("epil2"), family, **how)


def sleep(random, link):
    data = il.load_dataset("sleepstudy")
    return il.glmer(f"Reaction ~ Days + {random}", data, il.Gamma(link=link))


MODELS = {
    "thresholds": wine,
    "thresholds, nodes": lambda: wine(nAGQ=10),
    "probit, symmetric": lambda: wine(link="probit", threshold="symmetric"),
    "cauchit, equidistant, slope": lambda: wine(
        "rating ~ contact + (temp | judge)", link="cauchit", threshold="equidistant"
    ),
    "weights, offset": lambda: wine(weights=np.arange(72) % 3 + 0.5, offset=np.linspace(-1, 1, 72)),
    "binomial": cbpp,
    "binomial, nodes": lambda: cbpp(nAGQ=9),
    "probit": lambda: cbpp(family=il.Binomial("probit")),
    "poisson, slope": lambda: epil("(Visit | subject)", "poisson"),
    "negative binomial": lambda: epil("(1 | subject)"),
    "negative binomial, expected": lambda: epil("(Visit || subject)", laplace="expected"),
    "negative binomial, nodes": lambda: epil("(1 | subject)", nAGQ=5),
    "gamma, slope": lambda: sleep("(Days | Subject)", "log"),
    "gamma, inverse": lambda: sleep("(Days || Subject)", "inverse"),
}


def close(one, other, tolerance):
    assert np.abs(np.asarray(one) - other).max() < tolerance * np.abs(other).max()


# of rows that are not log-concave an approximation may break down: both have it alike
@pytest.mark.filterwarnings("ignore::interlace.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_the_compiled_criterion_is_that_of_arrays(name):
    fit = MODELS[name]().fit
    compiled, arrays = fit.objective, fit.objective
    arrays.__dict__["_compiled"] = None
    assert compiled._compiled is not None
    for move in (0.0, 0.07, 0.1):  # after the first along the tangent of the modes before
        x = fit.x + move * np.cos(np.arange(fit.x.size))
        one, other = compiled.evaluate(x, 2), arrays.evaluate(x, 2)
        close(one.value, other.value, VALUE)
        close(one.curvature, other.curvature, CURVATURE)
        if move:
            close(one.gradient, other.gradient, GRADIENT)
        close(compiled.evaluate(x, 0).value, other.value, VALUE)
        close(compiled.point(x).u, arrays.point(x).u, GRADIENT)
    close(compiled.hessian(x), arrays.hessian(x), HESSIAN)
    close(compiled.evaluate(x, 1).gradient, other.gradient, GRADIENT)


@pytest.mark.filterwarnings("ignore::interlace.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_searches_start_where_those_with_arrays_do(name):
    fit = MODELS[name]().fit
    compiled, arrays = fit.objective, fit.objective
    arrays.__dict__["_compiled"] = None
    close(compiled.start(), arrays.start(), GRADIENT)
    x = fit.x + 0.1
    here = compiled.evaluate(x, 1)
    compiled.start()  # which leaves nothing behind
    close(compiled.evaluate(x, 1).gradient, here.gradient, GRADIENT)
    close(compiled.hessian(x), fit.objective.hessian(x), HESSIAN)


def test_who_has_a_compiled_criterion():
    frame = il.load_dataset("VerbAgg")
    crossed = il.glmer("r2 ~ Anger + (1 | id) + (1 | item)", frame, "binomial")
    shaped = wine("rating ~ contact + cs(temp | judge)")
    nominal = wine("rating ~ temp + (1 | judge)", nominal="~ contact")
    many = il.glmer("r2 ~ Anger * Gender * situ + (1 | id)", frame, "binomial")
    assert many.fit.design.X.size > FEW_ENTRIES
    for m in (crossed, shaped, nominal, many):
        assert m.fit.objective._compiled is None


def test_no_modes_are_an_error_as_with_arrays():
    fit = sleep("(1 | Subject)", "inverse").fit
    compiled, arrays = fit.objective, fit.objective
    arrays.__dict__["_compiled"] = None
    x = fit.x.copy()
    x[1] = -1e3  # means out of the range of the link
    for objective in (compiled, arrays):
        with pytest.raises(il.NumericalError, match="conditional modes"):
            objective.evaluate(x, 1)
    close(compiled.evaluate(fit.x, 0).value, arrays.evaluate(fit.x, 0).value, VALUE)


def test_zeta_beyond_its_limit_has_no_slope():
    fit = epil("(1 | subject)").fit
    objective, x = fit.objective, fit.x.copy()
    x[-1] = objective.problem.density.zeta_limit + 1.0
    assert objective.evaluate(x, 1).gradient[-1] == 0.0
    arrays = fit.objective
    arrays.__dict__["_compiled"] = None
    close(objective.evaluate(x, 1).gradient, arrays.evaluate(x, 1).gradient, GRADIENT)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
@pytest.mark.parametrize("threshold", ["flexible", "symmetric", "symmetric2", "equidistant"])
def test_ordered_categories_without_random_effects_are_those_of_rows(link, threshold):
    frame = il.load_dataset("wine")
    weights = np.arange(72) % 3 + 0.5
    how = {"link": link, "threshold": threshold, "weights": weights}
    fit = il.clm("rating ~ temp * contact", frame, **how).fit
    problem = fit.objective.problem
    compiled, rows = (
        OrdinalLikelihood(problem.density, problem.fixed, problem.offset) for _ in range(2)
    )
    assert compiled._kernel is not None
    rows._kernel = None
    x = fit.optimum.x + 0.2 * np.cos(np.arange(fit.optimum.x.size))
    one, other = compiled(x), rows(x)
    close(one.value, other.value, VALUE)
    for a, b in zip(compiled.slopes(one), rows.slopes(other), strict=True):
        close(a, b, GRADIENT)
    if threshold == "flexible":  # thresholds that are one in double precision
        x[-1] = -800.0
        assert compiled(x).value == rows(x).value == -np.inf
