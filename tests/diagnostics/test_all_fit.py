"""One model by every optimiser, beside lme4's allFit."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError

CASES = json.loads((R_PARITY / "references" / "all_fit.json").read_text(encoding="utf-8"))
del CASES["versions"]
SEARCHES = ["newton", "lbfgsb", "bobyqa", "newton, small variances", "newton, large variances"]


@pytest.mark.parametrize("name", sorted(CASES))
def test_searches_end_at_the_best_of_lme4s(name: str) -> None:
    case = CASES[name]
    family = {"family": "binomial"} if name == "cbpp" else {}
    searches = il.allFit(case["formula"], frame_of(case["data"]), **family)
    assert list(searches.results) == SEARCHES and not searches.possible_issue
    best = int(np.nanargmax(np.array(case["log_lik"], dtype=float)))
    # glmer's modes stop at a relative 1e-7, which leaves some 1e-4 of the log-likelihood
    below = 1e-3 if family else 2e-6
    assert (searches.llf > case["log_lik"][best] - 2e-6).all()
    assert searches.llf.to_numpy() == pytest.approx(case["log_lik"][best], abs=below)
    np.testing.assert_allclose(searches.best.fe_params, case["fixef"][best], rtol=2e-3)
    table = searches.summary()
    assert table.index.tolist() == SEARCHES and (table["verdict"] == "converged").all()
    assert {"log_lik", "seconds", "theta " + searches.theta.columns[0]} < {*table.columns}


def test_a_search_that_ends_elsewhere_is_named() -> None:
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    searches = m.all_fit()
    assert "5 searches end at the same point" in searches.message
    searches.results["lbfgsb"] = il.update(m, method="ML")  # another criterion
    assert searches.possible_issue and "ended elsewhere" in searches.message


def test_fits_from_pickles_and_of_several_predictors() -> None:
    d = il.load_dataset("Salamanders")
    m = pickle.loads(pickle.dumps(il.glmer("count ~ mined + (1 | site)", d, "poisson")))
    assert not m.all_fit().possible_issue
    several = il.glmer("count ~ mined + (1 | site)", d, "poisson", ziformula="~ mined")
    assert not several.all_fit().possible_issue
    assert "<table" in several.all_fit()._repr_html_()


def test_refusals() -> None:
    with pytest.raises(ArgumentTypeError, match="all_fit takes a fit with random effects"):
        il.all_fit(3)
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    with pytest.raises(ArgumentError, match="with a formula only"):
        il.all_fit(m, optimizer="bobyqa")
