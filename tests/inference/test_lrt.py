"""Likelihood-ratio tests against R, and what may not be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ArgumentError
from interlace.inference.lrt import likelihood_ratio

FULL = "Reaction ~ Days + (Days | Subject)"
UNCORRELATED = "Reaction ~ Days + (Days || Subject)"


def test_against_r(fit_cache) -> None:
    full = fit_cache("sleepstudy", FULL)
    smaller = fit_cache("sleepstudy", UNCORRELATED)
    table = full.anova(smaller)
    assert list(table.index) == [smaller.formula, full.formula]
    assert table["Df"].tolist() == [5, 6]
    # lme4 at the tight optimum: chisq .06391, p .80042.
    last = table.iloc[1]
    assert last["Chisq"] == pytest.approx(0.0639, abs=5e-5)
    assert last["Pr(>Chisq)"] == pytest.approx(0.8004, abs=5e-5)
    assert last["logLik"] == pytest.approx(-875.969672232, abs=1e-8)
    assert last["AIC"] == pytest.approx(12 - 2 * last["logLik"])
    assert last["BIC"] == pytest.approx(6 * np.log(180) - 2 * last["logLik"])
    assert np.isnan(table["Chisq"].iloc[0]) and np.isnan(table["Pr(>Chisq)"].iloc[0])


def test_fixed_effects_are_compared_by_ml(fit_cache) -> None:
    full = fit_cache("sleepstudy", FULL)
    none = fit_cache("sleepstudy", "Reaction ~ 1 + (Days | Subject)")
    # lme4's drop1.
    table = none.anova(full)
    assert table["Chisq"].iloc[1] == pytest.approx(23.53654, abs=1e-5)
    with pytest.raises(ArgumentError, match="fixed parts differ"):
        none.anova(full, refit=False)


def test_reml_criteria_of_the_same_fixed_part(fit_cache) -> None:
    full = fit_cache("sleepstudy", FULL)
    smaller = fit_cache("sleepstudy", "Reaction ~ Days + (1 | Subject)")
    table = full.anova(smaller, refit=False)
    # lmerTest's ranova.
    assert table["Chisq"].iloc[1] == pytest.approx(42.83681, abs=1e-4)
    assert table["Chi Df"].iloc[1] == 2
    ml = fit_cache("sleepstudy", FULL, method="ML")
    with pytest.raises(ArgumentError, match="REML fits and some ML"):
        ml.anova(smaller, refit=False)


def test_order_and_names(fit_cache) -> None:
    models = [
        fit_cache("sleepstudy", formula)
        for formula in (FULL, "Reaction ~ Days + (1 | Subject)", UNCORRELATED)
    ]
    table = likelihood_ratio([m.fit for m in models], names=["full", "intercepts", "||"])
    assert list(table.index) == ["intercepts", "||", "full"]
    assert (table["Chisq"].iloc[1:] >= 0.0).all()


def test_no_difference_in_parameters_is_no_test(fit_cache) -> None:
    m = fit_cache("sleepstudy", UNCORRELATED)
    last = m.anova(m).iloc[1]
    assert (last["Chisq"], last["Chi Df"]) == (0.0, 0.0)
    assert np.isnan(last["Pr(>Chisq)"])


def test_other_rows_or_responses_are_refused(dataset, fit_cache) -> None:
    m = fit_cache("sleepstudy", UNCORRELATED)
    sleep = dataset("sleepstudy")
    shorter = interlace.fit("Reaction ~ Days + (1 | Subject)", sleep.iloc[:-1])
    with pytest.raises(ArgumentError, match="179"):
        m.anova(shorter)
    sleep["Reaction"] = sleep["Reaction"] + 1.0
    other = interlace.fit("Reaction ~ Days + (1 | Subject)", sleep)
    with pytest.raises(ArgumentError, match="different responses"):
        m.anova(other)
    with pytest.raises(ArgumentError, match="at least two"):
        likelihood_ratio([m.fit])
    with pytest.raises(ArgumentError, match="fitted models"):
        m.anova("Reaction ~ Days")


def test_lrt_has_the_p_value_on_the_boundary():
    sleep = interlace.load_dataset("sleepstudy")
    large = interlace.fit("Reaction ~ Days + (Days | Subject)", sleep)
    small = interlace.fit("Reaction ~ Days + (1 | Subject)", sleep)
    table = interlace.LRT(large, small, refit=False)
    same = interlace.ranova(large)
    for ours, theirs in (("Pr(>Chisq)", "Pr(>Chisq)"), ("Pr(boundary)", "Pr(boundary)")):
        assert table[ours].iloc[1] == pytest.approx(same[theirs].iloc[1], rel=1e-10)
    plain = interlace.anova(large, small)
    both = interlace.LRT(small, large)
    pd.testing.assert_frame_equal(
        pd.DataFrame(both).drop(columns="Pr(boundary)"), pd.DataFrame(plain)
    )
    # two variances at once, a fixed effect, and no random effects left
    crossed = "diameter ~ 1 + (1 | plate) + (1 | sample)"
    two = interlace.fit(crossed, interlace.load_dataset("Penicillin"))
    none = interlace.glm("diameter ~ 1", interlace.load_dataset("Penicillin"))
    assert np.isnan(interlace.LRT(two, none)["Pr(boundary)"].iloc[1])
    fixed = interlace.update(large, ". ~ . - Days")
    assert np.isnan(interlace.LRT(large, fixed)["Pr(boundary)"].iloc[1])
    one = interlace.LRT(small, interlace.glm("Reaction ~ Days", sleep))
    assert one["Pr(boundary)"].iloc[1] == 0.5 * one["Pr(>Chisq)"].iloc[1]
    with pytest.raises(ArgumentError, match="LRT takes two fitted models"):
        interlace.LRT(large, "small")
