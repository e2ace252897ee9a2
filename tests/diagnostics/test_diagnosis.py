"""What is wrong with a fit: directions, reduced formulas and their tests."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import interlace as il

pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.InterlaceWarning")


def rows(scale: float = 1.0) -> pd.DataFrame:
    """Two effects a level made of one number, and covariates that separate."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(10), 20)
    x = 50.0 + 10.0 * rng.normal(size=200)
    level = rng.normal(size=10)[g]
    y = scale * (1.0 + 0.1 * x + level * (0.05 * x - 1.5) + 3.0 * rng.normal(size=200))
    frame = pd.DataFrame({"y": y, "x": x, "g": g, "f": np.tile(list("ab"), 100)})
    frame["z"] = (x > 60.0).astype(int)
    frame["k"] = np.where(frame["z"] == 1, 1, rng.integers(0, 2, 200))
    frame["h"] = [f"h{i}" for i in g]
    frame["twice"] = 2.0 * x
    frame["count"] = rng.poisson(2.0, 200)
    return frame


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_a_combination_without_variance_is_named(scale: float) -> None:
    d = rows(scale)
    m = il.fit("y ~ x + (x | g)", d)
    assert m.is_singular
    diagnosis = m.diagnose()
    both, one = diagnosis.findings
    share, name = both.direction.split(" Intercept + ")
    assert name == "x" and not diagnosis.healthy
    # the combination of the modes that is zero
    b = m.random_effects["g"]
    combined = float(share) * b["Intercept"] + b["x"]
    assert np.abs(combined).max() < 0.02 * np.abs(b["x"]).max()
    assert both.formula == "y ~ x + (1 + x || g)" and one.formula == "y ~ x + (1 | g)"
    smaller = il.fit(one.formula, d)
    assert one.LRT == pytest.approx(2.0 * (m.llf - smaller.llf), rel=1e-6)
    assert one.Df == 2 and one.p_value == pytest.approx(
        0.5 * (chi2.sf(one.LRT, 1) + chi2.sf(one.LRT, 2))
    )
    apart = il.fit(both.formula, d)
    assert both.LRT == pytest.approx(2.0 * (m.llf - apart.llf), rel=1e-6)
    assert both.p_value == pytest.approx(chi2.sf(both.LRT, 1))


def test_an_effect_without_variance_is_a_direction_by_itself() -> None:
    d = rows()
    m = il.fit(
        "y ~ x + (1 | g) + (0 + f | g)",
        d.assign(y=d["x"] + np.random.default_rng(1).normal(size=200)),
    )
    assert m.is_singular
    for finding in m.diagnose().findings:
        assert finding.problem == "singular" and finding.formula
    flat = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2")).diagnose()
    assert flat.findings[0].direction == "Intercept" and flat.findings[0].formula == "Yield ~ 1"
    assert flat.findings[0].LRT == 0.0 and flat.findings[0].p_value == 1.0


@pytest.mark.parametrize("mixed", [False, True])
def test_separated_coefficients(mixed: bool) -> None:
    d = rows()
    door = (
        (lambda f: il.glmer(f"{f} + (1 | g)", d, "binomial"))
        if mixed
        else (lambda f: il.glm(f, d, "binomial"))
    )
    m = door("k ~ z + f")
    finding = next(one for one in m.diagnose().findings if one.problem == "separated")
    assert finding.direction == "z" and f"{int(d['z'].sum())} of 200 rows" in finding.where
    assert finding.formula.startswith("k ~ f")
    assert finding.LRT == pytest.approx(2.0 * (m.llf - door("k ~ f").llf), abs=1e-5)


def test_what_is_not_identified() -> None:
    twins = il.fit("y ~ x + (1 | g) + (1 | h)", rows()).diagnose()
    assert {one.formula for one in twins.findings} == {"y ~ x + (1 | g)", "y ~ x + (1 | h)"}
    assert all(one.LRT == 0.0 for one in twins.findings)
    counts = il.glmer("count ~ x + (1 | g)", rows(), "nbinom2").diagnose()
    assert counts.verdict == "not identified"
    lost = next(one for one in counts.findings if one.problem == "not identified")
    assert "log(theta)" in lost.direction and "Use family='poisson'" in lost.advice


def test_columns_left_out() -> None:
    finding = il.fit("y ~ x + twice + (1 | g)", rows()).diagnose().findings[0]
    assert (finding.problem, finding.direction) == ("aliased", "twice")


def test_a_sound_fit_has_evidence() -> None:
    for m in (
        il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy")),
        il.glmer("incidence / size ~ period + (1 | herd)", il.load_dataset("cbpp"), "binomial"),
        il.glm("count ~ x", rows(), "poisson"),
    ):
        diagnosis = m.diagnose()
        assert m.convergence.verdict == "converged"
        assert diagnosis.healthy and diagnosis.to_frame().empty
        assert "nothing is wrong" in repr(diagnosis) and "search" in diagnosis.evidence
        assert "<li>" in diagnosis._repr_html_()


def test_without_data_nothing_is_fitted() -> None:
    m = pickle.loads(pickle.dumps(il.fit("y ~ x + (x | g)", rows())))
    for diagnosis in (m.diagnose(), il.fit("y ~ x + (x | g)", rows()).diagnose(tests=False)):
        assert all(np.isnan(one.LRT) and one.formula for one in diagnosis.findings)
        assert "<table" in diagnosis._repr_html_()
