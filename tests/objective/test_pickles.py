"""Objectives of every kind and back end outlive a pickle and a deep copy, amid a search."""

import copy
import importlib.util
import pickle

import numpy as np
import pytest

from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.families.names import resolve
from interlace.models.glmm import make_objective, with_parameters
from interlace.models.observations import observe
from interlace.objective import LMMObjective
from interlace.objective.linear.design_products import cross_products_of

RNG = np.random.default_rng(7)
CODES = RNG.integers(0, [12, 7, 3], (120, 3))
DATA = {
    "x": RNG.normal(size=120),
    "a": [f"a{i}" for i in CODES[:, 0]],
    "b": [f"b{i}" for i in CODES[:, 1]],
    "inner": [f"a{i}/{j}" for i, j in CODES[:, [0, 2]]],
}
LOG_MEAN = 1.0 + 0.3 * DATA["x"] + RNG.normal(size=12)[CODES[:, 0]]
DATA["count"] = RNG.poisson(np.exp(LOG_MEAN))
DATA["y"] = LOG_MEAN + RNG.normal(size=120)
ONE, NESTED, CROSSED = "(1 + x | a)", "(1 | a) + (1 | inner)", "(1 + x | a) + (1 | b)"
TERMS = [
    *[(ONE, backend) for backend in ("auto", "blocked", "nested", "cholmod", "superlu")],
    *[(NESTED, backend) for backend in ("blocked", "nested", "schur")],
    *[(CROSSED, backend) for backend in ("auto", "blocked", "schur", "cholmod", "superlu")],
]
KINDS = ["REML", "ML", "joint modes", "Laplace", "expected", "quadrature", "several"]
KINDS.append("several, REML")
CASES = [(kind, *how) for kind in KINDS for how in TERMS if kind != "quadrature" or how[0] == ONE]
NOISE = 1e-10  # of a search for modes that begins elsewhere


def objective(kind, terms, backend):
    if backend == "cholmod" and importlib.util.find_spec("sksparse") is None:
        pytest.skip("scikit-sparse is not installed")
    if kind in ("REML", "ML"):
        design = build(f"y ~ x + {terms}", DATA)
        covariance, cross = CovarianceModel.of(design), cross_products_of(design)
        return LMMObjective(cross, covariance, kind == "REML", backend)
    several = kind.startswith("several")
    others = {"dispersion": "~ x"} if several else {}
    design = build(f"count ~ x + {terms}", DATA, linear=False, others=others)
    family = resolve("nbinom2" if several or kind == "expected" else "poisson")
    design = with_parameters(design, family)
    nodes = {"joint modes": 0, "quadrature": 5}.get(kind, 1)
    return make_objective(
        design, CovarianceModel.of(design), family, observe(design, family), nodes,
        kind == "expected", backend, "REML" if "REML" in kind else "ML",
    )  # fmt: skip


@pytest.mark.parametrize("again", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
@pytest.mark.parametrize(("kind", "terms", "backend"), CASES)
def test_a_search_goes_on_in_a_copy(kind, terms, backend, again):
    own = objective(kind, terms, backend)
    x = own.start()
    points = [x, x + 0.05, x - 0.02 * np.arange(x.size)]
    own.evaluate(points[0])
    other = again(own)
    for point in points[1:]:
        here, there = own.evaluate(point, 1), other.evaluate(point, 1)
        np.testing.assert_allclose(there.value, here.value, rtol=NOISE)
        np.testing.assert_allclose(
            there.gradient, here.gradient, atol=NOISE * np.abs(here.gradient).max()
        )
