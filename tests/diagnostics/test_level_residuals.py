"""Residuals and leverages by level against R with HLMdiag's formulas, and the earlier names."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError

PATH = R_PARITY / "references" / "level_residuals.json"
CASES = json.loads(PATH.read_text(encoding="utf-8"))
del CASES["versions"]
LEVERAGES = json.loads((R_PARITY / "references" / "influence.json").read_text(encoding="utf-8"))
SLEEP = "Reaction ~ Days + (Days | Subject)"


def close(ours, theirs, rtol=1e-6) -> None:
    theirs = np.array(theirs, dtype=float)
    theirs = theirs.reshape(np.shape(ours))
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.nanmax(np.abs(theirs)))


@pytest.mark.parametrize("name", sorted(CASES))
def test_rows_against_r(name) -> None:
    case = CASES[name]
    m = il.fit(case["formula"], frame_of(case["data"]))
    plain, standard = m.level_residuals(), m.level_residuals(standardize=True)
    close(plain[".resid"], case["conditional"])
    close(standard[".std.resid"], case["standardised"])
    close(plain[".mar.resid"], case["marginal"])
    close(standard[".chol.mar.resid"], case["chol"])
    close(plain[".ls.resid"], case["ls_resid"])
    close(plain[".ls.fitted"], case["ls_fitted"])
    # groups that are fitted exactly have residuals of rounding, over each other in R
    inexact = np.abs(np.array(case["ls_resid"])) > 1e-9
    close(standard[".std.ls.resid"][inexact], np.array(case["std_ls"], dtype=float)[inexact])
    close(m.level_residuals(standardize="semi")[".semi.ls.resid"], case["semi_ls"])
    np.testing.assert_allclose(
        plain[".mar.resid"] + plain[".mar.fitted"], plain[".resid"] + plain[".fitted"]
    )


@pytest.mark.parametrize("name", sorted(CASES))
def test_groups_against_r(name) -> None:
    case = CASES[name]
    m = il.fit(case["formula"], frame_of(case["data"]))
    plain = m.level_residuals(case["level"]).pipe(_by_text)
    standard = m.level_residuals(case["level"], standardize=True).pipe(_by_text)
    groups = case["groups"]
    for table, prefix, key in (
        (plain, ".ranef.", "ranef"),
        (standard, ".std.ranef.", "std_ranef"),
        (plain, ".ls.", "ls"),
    ):
        own = table.loc[groups, [c for c in table if c.startswith(prefix)]]
        close(own.to_numpy(), case[key], 2e-6)
    ls = plain[[c for c in plain if c.startswith(".ls.")]]
    standard_ls = standard[[c for c in standard if c.startswith(".std.ls.")]]
    np.testing.assert_allclose(standard_ls, ls / ls.std(ddof=1).to_numpy())


def _by_text(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_axis(table.index.astype(str))


@pytest.mark.parametrize("name", sorted(LEVERAGES["linear"]))
def test_leverages_against_r(name) -> None:
    case = LEVERAGES["linear"][name]
    m = il.fit(case["formula"], frame_of(case["data"]))
    table = m.leverage()
    for column in table:
        close(table[column], case["leverage"][column.replace(".", "_")], 1e-5)
    by_group = m.leverage(case["by"])
    labels = frame_of(case["data"])[case["by"]].astype(str).to_numpy()
    means = table.groupby(labels).mean()
    np.testing.assert_allclose(_by_text(by_group).loc[means.index], means, rtol=1e-12)


def test_uncorrelated_residuals_of_crossed_and_weighted_models() -> None:
    rng = np.random.default_rng(3)
    d = pd.DataFrame({"x": rng.normal(size=70), "g": rng.integers(8, size=70)})
    d["h"], d["w"] = rng.integers(5, size=70), rng.uniform(0.5, 2.0, 70)
    d["y"] = d.x + rng.normal(size=8)[d.g] + rng.normal(size=5)[d.h] + rng.normal(size=70)
    m = il.fit("y ~ x + (1 | g) + (1 | h)", d, weights="w", offset=0.5 * d.x)
    V = np.diag(1.0 / d.w)
    for factor, T in zip(m.fit.design.factors, m.fit.T, strict=True):
        V += T[0, 0] ** 2 * (factor.codes[:, None] == factor.codes)
    marginal = d.y - m.fit.fixed_part
    told = np.linalg.solve(np.linalg.cholesky(V), marginal) / m.sigma
    table = m.level_residuals(standardize=True)
    np.testing.assert_allclose(table[".chol.mar.resid"], told, rtol=1e-8)
    # least squares in the groups of the finest factor
    plain = m.level_residuals()
    for _, part in d.groupby("g"):
        X = np.column_stack([np.ones(len(part)), part.x])
        root = np.sqrt(part.w.to_numpy())
        beta = np.linalg.lstsq(X * root[:, None], (part.y - 0.5 * part.x) * root, rcond=None)[0]
        there = part.y - 0.5 * part.x - X @ beta
        np.testing.assert_allclose(plain[".ls.resid"].loc[part.index], there, atol=1e-9)


def test_groups_that_lack_a_coefficient_have_none() -> None:
    d = il.load_dataset("sleepstudy").copy()
    d = d[(d.Subject.astype(str) != "308") | (d.Days == 3)]
    m = il.fit(SLEEP, d)
    table = m.level_residuals("Subject")
    assert np.isnan(table.loc["308", ".ls.Days"]) and np.isfinite(table.loc["308", ".ls.Intercept"])
    assert table.drop(index="308").notna().all().all()
    assert m.level_residuals(standardize=True)[".std.ls.resid"].isna().sum() == 1


def test_names_of_the_earlier_package() -> None:
    d = il.load_dataset("sleepstudy")
    m = il.fit(SLEEP, d)
    table = il.hlm_resid(m)
    assert table.columns.tolist() == ["Reaction", "Days", "Subject", ".resid", ".fitted"]
    np.testing.assert_allclose(table[".resid"], d.Reaction - m.predict(include_re=False))
    conditional = il.hlm_resid(m, False, "conditional")
    assert conditional.columns.tolist() == [".resid", ".fitted"]
    np.testing.assert_allclose(conditional[".resid"], m.resid)
    groups = il.hlm_resid(m, level="Subject")
    assert groups.columns.tolist() == [".ranef.Subject.Intercept", ".ranef.Subject.Days"]
    assert il.leverage(m, "Subject").columns.tolist() == ["overall", "fixef", "ranef", "ranef.uc"]
    exact = il.hlm_influence(m, "Subject")
    assert exact.columns[:4].tolist() == ["cooksd", "mdffits", "covtrace", "covratio"]
    assert "rvc.sigma2" in exact and exact.columns[-1] == "leverage.overall"
    np.testing.assert_allclose(exact["cooksd"], m.influence("Subject", exact=True).cooks_distance)
    assert len(il.hlm_influence(m, approx=True)) == 180
    measures = il.lmer_influence_measures(m, analytical=True)
    assert set(measures) == {
        *("cooks", "hat", "hat_overall", "hat_fixef", "dfbetas", "dffits", "residuals", "sigma")
    }
    assert measures["dfbetas"].shape == (180, 2)
    pd.testing.assert_series_equal(il.cooks_distance(m), m.cooks_distance())
    pd.testing.assert_series_equal(il.mdffits(m), m.influence().mdffits)
    assert il.n_influential(m) == (m.cooks_distance() > 4 / 180).sum()
    augmented = il.hlm_augment(m)
    assert {"Reaction", ".resid", "cooksd", "covratio"} <= {*augmented}
    assert len(il.hlm_augment(m, "Subject")) == 18
    assert "cooksd" not in il.hlm_augment(m, include_influence=False)
    assert len(il.influence(m, "Subject").variances) == 18


def test_refusals() -> None:
    m = il.fit(SLEEP, il.load_dataset("sleepstudy"))
    with pytest.raises(ArgumentError, match="neither 1 nor a grouping factor"):
        m.level_residuals("Days")
    with pytest.raises(ArgumentError, match="standardize"):
        m.level_residuals(standardize="full")
    with pytest.raises(ArgumentTypeError, match="takes a fitted model as its first"):
        il.hlm_resid(3)
    glm = il.glm("incidence / size ~ period", il.load_dataset("cbpp"), "binomial")
    with pytest.raises(ArgumentError, match="random effects"):
        il.hlm_resid(glm)
    with pytest.raises(ArgumentError, match="no grouping factors"):
        glm.leverage("herd")
    np.testing.assert_allclose(glm.leverage()["overall"], glm.leverage()["fixef"])
    mixed = il.glmer("incidence / size ~ period + (1 | herd)", il.load_dataset("cbpp"), "binomial")
    with pytest.raises(ArgumentError, match="linear mixed model"):
        mixed.level_residuals()
