"""Influence of rows and groups: against refits by R, dense algebra, and refits here."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il
from interlace.diagnostics.deletion import _InverseColumns, one_step, working_model
from interlace.diagnostics.groups import groups_of
from interlace.errors import ArgumentError, ArgumentTypeError, DataWarning
from interlace.models.lmm import search

CASES = json.loads((R_PARITY / "references" / "influence.json").read_text(encoding="utf-8"))
# Estimates of both sides are good to 1e-7 of their standard errors or better.
RTOL, ATOL = 1e-5, 1e-7
MEASURES = {"cooks_distance": "cooks", "mdffits": "mdffits", "covratio": "covratio"}
SLEEP = "Reaction ~ Days + (Days | Subject)"


def compared(found, told, labels) -> None:
    """All measures of an `Influence` against those of R, whose groups are in another order."""
    rows = found.to_frame().set_axis(found.dfbeta.index.astype(str)).loc[labels]
    for ours, theirs in MEASURES.items():
        np.testing.assert_allclose(rows[ours], np.ravel(told[theirs]), rtol=RTOL, atol=ATOL)
    # a trace of about p, less p
    p = found.dfbeta.shape[1]
    np.testing.assert_allclose(rows["covtrace"], told["covtrace"], rtol=RTOL, atol=RTOL * p)
    for name in ("dfbeta", "dfbetas"):
        own = getattr(found, name).set_axis(found.dfbeta.index.astype(str)).loc[labels]
        there = np.reshape(told[name], own.shape)
        scale = np.abs(there).max(axis=0)
        np.testing.assert_allclose(own / scale, there / scale, rtol=RTOL, atol=1e-6)


@pytest.mark.parametrize("name", sorted(CASES["linear"]))
def test_linear_models_against_r(name) -> None:
    case = CASES["linear"][name]
    m = il.fit(case["formula"], frame_of(case["data"]))
    compared(m.influence(case["by"]), case["one_step"], case["labels"])
    exact = m.influence(case["by"], exact=True)
    compared(exact, case["exact"], case["labels"])
    assert exact.to_frame()["converged"].all()
    own = exact.variances.set_axis(exact.dfbeta.index.astype(str)).loc[case["labels"]]
    np.testing.assert_allclose(own["sigma2"], case["exact"]["sigma2"], rtol=RTOL)
    theirs = np.reshape(case["exact"]["variances"], (len(own), -1))
    mine = own.drop(columns="sigma2").to_numpy()
    # by R's order of terms, or ours
    for a, b in zip(np.sort(mine, axis=1), np.sort(theirs, axis=1), strict=True):
        np.testing.assert_allclose(a, b, rtol=RTOL, atol=1e-6 * np.abs(b).max())
    # lme4 has its own scale
    g, p = len(own), len(m.fe_params)
    scaled = exact.cooks_distance * (g - p) / g
    np.testing.assert_allclose(
        scaled.set_axis(exact.dfbeta.index.astype(str)).loc[case["labels"]],
        case["exact"]["lme4_cooks"],
        rtol=RTOL,
        atol=ATOL,
    )
    np.testing.assert_allclose(m.hatvalues(), case["hat"], rtol=RTOL)
    np.testing.assert_allclose(m.cooks_distance(), case["cooks_rows"], rtol=RTOL, atol=ATOL)
    if "rows" in case:
        rows = m.influence()
        labels = rows.dfbeta.index.astype(str).tolist()
        compared(rows, case["rows"], labels)


def test_generalised_models_against_r() -> None:
    case = CASES["generalised"]["cbpp"]
    m = il.glmer(case["formula"], frame_of("cbpp"), case["family"])
    exact = m.influence(case["by"], exact=True)
    compared(exact, case["exact"], case["labels"])
    own = exact.variances.set_axis(exact.dfbeta.index.astype(str)).loc[case["labels"]]
    np.testing.assert_allclose(own.to_numpy(), case["exact"]["variances"], rtol=RTOL)
    # one step is near it; of a linear model at the same theta it is a refit, below
    step = m.influence(case["by"])
    assert np.corrcoef(step.cooks_distance, exact.cooks_distance)[0, 1] > 0.98


@pytest.mark.parametrize(
    ("data", "formula", "by"),
    [
        ("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Subject"),
        ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "sample"),
        ("Pastes", "strength ~ 1 + (1 | batch / cask)", "batch"),
    ],
)
def test_one_step_is_a_refit_at_the_same_theta(data, formula, by) -> None:
    m = il.fit(formula, frame_of(data))
    fit, step = m.fit, m.influence(by)
    members = groups_of(fit.design, by).members()
    for i, gone in enumerate(members):
        own = fit._shared.without(gone).solution(fit.x)
        np.testing.assert_allclose(step.dfbeta.iloc[i], own.beta - fit.beta, rtol=1e-6, atol=1e-9)
        # standard errors have the sigma of the whole fit in them
        error = np.sqrt(np.diagonal(own.cov_beta)) * fit.sigma / own.sigma
        np.testing.assert_allclose(step.dfbetas.iloc[i], step.dfbeta.iloc[i] / error, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(CASES["glm"]))
def test_generalised_linear_models_against_r(name) -> None:
    case = CASES["glm"][name]
    m = il.glm(case["formula"], frame_of(case["data"]), case["family"])
    for ours in ("dfbeta", "dfbetas"):
        own, there = getattr(m, ours)().to_numpy(), np.reshape(case[ours], (-1, m.fit.p))
        np.testing.assert_allclose(own, there, rtol=1e-6, atol=1e-9 * np.abs(there).max())
    np.testing.assert_allclose(m.rstudent(), case["rstudent"], rtol=1e-7)
    np.testing.assert_allclose(m.hatvalues(), case["hat"], rtol=1e-7)
    np.testing.assert_allclose(m.cooks_distance(), case["cooks"], rtol=1e-6)


def dense(fit, gone) -> tuple[np.ndarray, np.ndarray]:
    """Change of the coefficients and their covariance without some rows, V being kept."""
    X, n = fit.design.X, fit.n
    V = np.diag(1.0 / fit.working_weights)
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        star = factor.Z @ T
        V += (star @ star.T) * (factor.codes[:, None] == factor.codes)
    y = fit.design.y if fit.linear else fit.eta + _score(fit) / fit.working_weights
    y = y - (0.0 if fit.design.offset is None else fit.design.offset)
    kept = np.setdiff1d(np.arange(n), gone)
    W = np.linalg.inv(V[np.ix_(kept, kept)])
    C = np.linalg.inv(X[kept].T @ W @ X[kept])
    # the score of all rows is not zero at estimates that are not least squares
    whole = np.linalg.inv(V)
    r = y - X @ fit.beta
    score = X[kept].T @ W @ r[kept] - X.T @ whole @ r
    return C @ score, C


def _score(fit) -> np.ndarray:
    return working_model(fit).score


@pytest.mark.parametrize(
    ("random", "backend"),
    [
        ("(x | g) + (1 | h)", "auto"),
        ("(x | g) + (1 | h)", "schur"),
        ("(x | g) + (1 | h)", "superlu"),
        ("(x | g)", "auto"),
        ("(1 | h)", "auto"),
    ],
)
def test_against_dense_algebra_with_weights_and_offset(random, backend) -> None:
    rng = np.random.default_rng(2)
    n = 80
    d = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(9, size=n)})
    d["h"], d["w"], d["k"] = rng.integers(6, size=n), rng.uniform(0.5, 3.0, n), np.arange(n) % 5
    d["y"] = d.x + rng.normal(size=9)[d.g] + rng.normal(size=6)[d.h] + rng.normal(size=n)
    m = il.fit(f"y ~ x + {random}", d, weights="w", offset=0.3 * d.x, backend=backend)
    work = working_model(m.fit)
    for by in (None, "g", "h", "k", ["g", "h"], np.repeat([0, 1], [70, 10])):
        groups = groups_of(m.fit.design, by, d)
        found = one_step(work, groups)
        members = [np.array([i]) for i in range(n)] if by is None else groups.members()
        for g in range(0, len(members), 4):
            change, C = dense(m.fit, members[g])
            np.testing.assert_allclose(found.change[g], change, rtol=1e-7, atol=1e-10)
            np.testing.assert_allclose(
                found.std_error[g], m.sigma * np.sqrt(np.diagonal(C)), rtol=1e-8
            )


def test_working_models_against_dense_algebra() -> None:
    d = il.load_dataset("grouseticks").iloc[::3]
    m = il.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", d, "poisson")
    found = m.influence("BROOD")
    groups = groups_of(m.fit.design, "BROOD", d)
    for g, gone in list(enumerate(groups.members()))[::9]:
        change, _ = dense(m.fit, gone)
        np.testing.assert_allclose(found.dfbeta.iloc[g], change, rtol=1e-6, atol=1e-9)


def test_blocks_of_the_inverse_by_each_way() -> None:
    m = il.fit("diameter ~ 1 + (1 | plate) + (1 | sample)", il.load_dataset("Penicillin"))
    inverse = _InverseColumns(working_model(m.fit).factor)
    columns = np.array([0, 5, 24, 29])
    whole = inverse.at(columns)
    inverse.whole = None
    np.testing.assert_allclose(inverse.at(columns), whole, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "formula, data, by",
    [
        (SLEEP, "sleepstudy", "Subject"),
        ("strength ~ 1 + (1 | batch / cask)", "Pastes", "batch"),
        ("score ~ Machine + (Machine | Worker)", "Machines", "Worker"),
        ("score ~ Machine + (1 | Worker)", "Machines", None),
    ],
)
def test_exact_is_the_fit_without_the_rows(formula, data, by) -> None:
    d = il.load_dataset(data)
    m = il.fit(formula, d)
    found = m.influence(by, exact=True)
    for label in found.dfbeta.index[::5]:
        part = d.drop(index=label) if by is None else d[d[by] != label]
        other = il.fit(formula, part)
        np.testing.assert_allclose(
            found.dfbeta.loc[label], other.fe_params - m.fe_params, atol=1e-5 * other.fe_bse.min()
        )
        assert found.variances.loc[label, "sigma2"] == pytest.approx(other.scale, rel=1e-6)


@pytest.mark.parametrize(
    ("formula", "backend"),
    [
        ("y ~ x + (x | g)", "auto"),
        ("y ~ x + (x | g) + (1 | h)", "auto"),
        ("y ~ x + (x | g) + (1 | h)", "schur"),
    ],
)
def test_cross_products_without_rows_are_those_of_the_others(formula, backend) -> None:
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 9, "h": np.arange(60) // 12})
    d["y"], d["w"] = rng.normal(size=60) + 1e3, rng.uniform(1.0, 2.0, 60)
    m = il.fit(formula, d, weights="w", backend=backend)
    gone = np.flatnonzero((d.g == 2) | (d.index < 4))
    other = il.fit(formula, d.drop(index=gone), weights="w", backend=backend).fit.objective
    objective = m.fit.objective.without(gone)
    theta = m.theta.to_numpy() + 0.1
    here = objective.evaluate(objective.x(theta), 0).value
    assert here == pytest.approx(other.evaluate(other.x(theta), 0).value, rel=1e-10)


def test_components_are_refitted() -> None:
    d = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + (1 | site)", d, "poisson", ziformula="~ mined")
    with pytest.raises(ArgumentError, match="exact=True"):
        m.influence("site")
    found = m.influence(d["mined"].astype(str) + (d["DOY"] > 0).astype(str), exact=True)
    assert "hat" not in found.to_frame() and found.dfbeta.shape == (4, 2)
    assert np.isfinite(found.cooks_distance).any()


def test_a_coefficient_that_hangs_on_a_group_is_lost_without_it() -> None:
    d = il.load_dataset("sleepstudy").assign(only=lambda f: (f.Subject.astype(str) == "308") * 1.0)
    m = il.fit("Reaction ~ Days + only + (1 | Subject)", d)
    for exact in (False, True):
        table = m.influence("Subject", exact=exact).to_frame()
        assert table.loc["308", ["cooks_distance", "mdffits", "covratio"]].isna().all()
        assert table.drop(index="308")["cooks_distance"].notna().all()


def test_units_of_the_response_do_not_matter() -> None:
    d = il.load_dataset("sleepstudy")
    plain = il.fit(SLEEP, d).influence("Subject").to_frame()
    for unit in (1e-9, 1e9):
        other = il.fit(SLEEP, d.assign(Reaction=d.Reaction * unit)).influence("Subject").to_frame()
        np.testing.assert_allclose(other, plain, rtol=1e-5)


def test_singular_fits_and_missing_rows() -> None:
    d = il.load_dataset("Dyestuff2").copy()
    d.loc[3, "Yield"] = np.nan
    with pytest.warns(DataWarning):
        m = il.fit("Yield ~ 1 + (1 | Batch)", d)
    assert m.is_singular
    assert m.influence("Batch").cooks_distance.notna().all()
    assert m.influence(d["Batch"]).cooks_distance.notna().all()
    assert len(m.influence().to_frame()) == 29


def test_refusals() -> None:
    d = il.load_dataset("sleepstudy")
    m = il.fit(SLEEP, d)
    with pytest.raises(ArgumentError, match="Did you mean 'Subject'"):
        m.influence("Subjekt")
    with pytest.raises(ArgumentError, match="all rows into one group"):
        m.influence(np.zeros(180))
    with pytest.raises(ArgumentError, match="has 3 values"):
        m.influence([1, 2, 3])
    with pytest.raises(ArgumentTypeError, match="by must be"):
        m.influence(3)
    with pytest.raises(ArgumentError, match="missing in 1 row"):
        m.influence(d["Days"].astype(float).where(d.index > 0))
    with pytest.raises(ArgumentError, match="another order"):
        m.influence(d["Days"].iloc[::-1])
    with pytest.raises(ArgumentError, match="has none"):
        il.fit("Reaction ~ 0 + (1 | Subject)", d).influence()


def test_repr_shows_the_most_influential() -> None:
    found = il.fit(SLEEP, il.load_dataset("sleepstudy")).influence("Subject")
    text = repr(found)
    assert text.startswith("Influence of 18 levels of Subject, in one step") and "309" in text
    assert "<table" in found._repr_html_()


def test_exact_deletions_are_refits_from_the_data() -> None:
    rng = np.random.default_rng(4)
    n = 3000  # more than 400 levels: the curvature of a search is no Hessian
    g, h, x = rng.integers(30, size=n), rng.integers(600, size=n), rng.normal(size=n)
    b = rng.normal(size=(30, 2)) * [1.0, 0.5]
    y = b[g, 0] + (0.5 + b[g, 1]) * x + rng.normal(size=600)[h] + rng.normal(size=n)
    data = pd.DataFrame({"y": y, "x": x, "g": g, "h": h})
    formula = "y ~ x + (x | g) + (1 | h)"
    m = il.fit(formula, data)
    exact = m.influence("g", exact=True)
    m.fit.prepare_deletions(30)  # as the 30 deletions did
    assert m.fit.memo["hessian excess"] is not None
    for level in (0, 13, 29):
        own = m.fit.without(np.flatnonzero(g == level))
        refit = il.fit(formula, data[data["g"] != level])
        change = refit.fe_params - m.fe_params
        np.testing.assert_allclose(exact.dfbeta.loc[level], change, rtol=1e-5, atol=1e-9)
        error = refit.fe_bse
        np.testing.assert_allclose(exact.dfbetas.loc[level], change / error, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(own.theta, refit.theta, rtol=1e-5)
        assert own.verdict == "converged"
    for level in range(3):  # the Hessian is known but for a few rows: a step fewer
        gone = np.flatnonzero(h == level)
        plain = search(m.fit._shared.without(gone), "newton", m.fit.warm)
        assert m.fit.without(gone).optimum.evaluations < plain.evaluations


def test_leverages_without_coefficients() -> None:
    m = il.fit("Yield ~ 0 + (1 | Batch)", frame_of("Dyestuff"))
    table = m.leverage()
    np.testing.assert_allclose(table["overall"], m.hatvalues(), rtol=1e-12)
    assert (table["fixef"] == 0.0).all()


def test_leverages_and_predictions_of_columns_far_from_zero_are_those_of_centred_ones() -> None:
    # sums of squares of 1e6 +- 1 kept no digits of what is left of them: leverages were infinite
    rng = np.random.default_rng(3)
    g = rng.integers(0, 12, 200)
    x = np.round(rng.standard_normal(200), 6)
    y = (rng.random(200) < 1.0 / (1.0 + np.exp(-x - rng.standard_normal(12)[g]))).astype(float)
    near = pd.DataFrame({"y": y, "x": x, "g": g})
    far = near.assign(x=x + 1e6)
    own, moved = (il.glmer("y ~ x + (1 | g)", d, "binomial") for d in (near, far))
    np.testing.assert_allclose(moved.hatvalues(), own.hatvalues(), rtol=1e-6)
    new, other = (
        m.get_prediction(d.head(5)).summary_frame() for m, d in ((own, near), (moved, far))
    )
    np.testing.assert_allclose(other.to_numpy(float), new.to_numpy(float), rtol=1e-6)
