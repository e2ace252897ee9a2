"""Kenward and Roger's variances and degrees of freedom: dense algebra, balance, invariances."""

import numpy as np
import pytest

import interlace as il
from interlace.errors import ArgumentError
from interlace.inference.kenward_roger import kenward_roger, kenward_roger_df, kenward_roger_f
from interlace.linalg.factor.choose import choose_factor
from interlace.objective.linear import many_columns

MODELS = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "Machines": "score ~ Machine + (1 | Worker / Machine)",
    "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
    "Orthodont": "distance ~ age * Sex + (age || Subject)",
}


def fitted(name, **arguments):
    return il.fit(MODELS[name], il.load_dataset(name), **arguments)


def dense(fit):
    """Phi_A, and W, P_r for the natural variances, from matrices of all rows."""
    design, n = fit.design, fit.n
    X, G, gamma = design.X, [], []
    for b, i, j in zip(fit.covariance.factor, fit.covariance.row, fit.covariance.col):
        factor, T = design.factors[b], fit.T[b]
        Z = np.zeros((n, len(factor.levels), len(T)))
        Z[np.arange(n), factor.codes] = factor.Z
        unit = np.zeros(T.shape)
        unit[i, j] = unit[j, i] = 1.0
        G.append(np.einsum("nla,ab,mlb->nm", Z, unit, Z))
        gamma.append(fit.sigma**2 * (T @ T.T)[i, j])
    G.append(np.diag(1.0 / (np.ones(n) if design.weights is None else design.weights)))
    gamma.append(fit.sigma**2)
    V = np.linalg.inv(sum(g * one for g, one in zip(gamma, G)))
    Phi = np.linalg.inv(X.T @ V @ X)
    P = [-X.T @ V @ one @ V @ X for one in G]
    Q = [[X.T @ V @ a @ V @ b @ V @ X for b in G] for a in G]
    r = range(len(G))
    information = np.array(
        [
            [
                0.5 * np.trace(V @ G[a] @ V @ G[b])
                - np.trace(Phi @ Q[a][b])
                + 0.5 * np.trace(Phi @ P[a] @ Phi @ P[b])
                for b in r
            ]
            for a in r
        ]
    )
    W = np.linalg.inv(information)
    change = sum(W[a, b] * (Q[a][b] - P[a] @ Phi @ P[b]) for a in r for b in r)
    return Phi + 2.0 * Phi @ change @ Phi


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_variance_is_that_of_dense_matrices(name, weighted):
    frame = il.load_dataset(name)
    w = np.random.default_rng(3).uniform(0.5, 3.0, len(frame)) if weighted else None
    m = il.fit(MODELS[name], frame, weights=w)
    expected = dense(m.fit)
    scale = np.sqrt(np.outer(np.diagonal(expected), np.diagonal(expected)))
    np.testing.assert_allclose(kenward_roger(m.fit).cov / scale, expected / scale, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_traces_of_many_effects_are_those_of_few(name, monkeypatch):
    fit = fitted(name).fit
    marginal = fit.objective.marginal_at(fit.x)
    marginal.update(fit.objective.scale.templates(fit.x))
    rng = np.random.default_rng(1)
    D = [rng.normal(size=(k * (k + 1) // 2, k, k)) for k in fit.objective.cross.z.widths]
    D = [d + d.transpose(0, 2, 1) for d in D]
    few = marginal.variance_traces(D)
    np.testing.assert_allclose(few, marginal.traces(D, None), rtol=1e-12)
    monkeypatch.setattr(many_columns, "DENSE_COLUMNS", 0)
    monkeypatch.setattr(many_columns, "TRACE_COLUMNS", 5)
    cross = fit.objective.cross
    summed = many_columns.FactorMarginal(cross, choose_factor(cross.z))
    summed.update(fit.objective.scale.templates(fit.x))
    assert summed.traces(D, None) is None
    np.testing.assert_allclose(summed.variance_traces(D), few, rtol=1e-10)


def test_balanced_data_have_the_degrees_of_freedom_of_their_strata():
    m = fitted("sleepstudy")
    table = m.t_test("Days", df_method="kenward-roger")
    assert table["df"].item() == pytest.approx(17.0, rel=1e-7)
    assert table["std_error"].item() == pytest.approx(m.bse["Days"], rel=1e-7)
    frame = il.load_dataset("Machines")
    slopes = il.fit("score ~ Machine + (Machine | Worker)", frame)
    assert slopes.anova(ddf="Kenward-Roger")["DenDF"].item() == pytest.approx(4.0, rel=1e-6)


@pytest.mark.parametrize("backend", ["nested", "schur", "superlu", "cholmod"])
def test_back_ends_agree(backend):
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    name = "Machines" if backend == "nested" else "Penicillin"
    default, other = fitted(name), fitted(name, backend=backend)
    np.testing.assert_allclose(
        kenward_roger(default.fit).cov, kenward_roger(other.fit).cov, rtol=1e-6
    )
    np.testing.assert_allclose(
        kenward_roger_df(default.fit), kenward_roger_df(other.fit), rtol=1e-6
    )


def test_units_rows_and_codings_do_not_matter():
    frame = il.load_dataset("Orthodont")
    m = il.fit("distance ~ age * Sex + (age | Subject)", frame)
    moved = frame.assign(age=1000.0 * (frame.age - 7.0), distance=1e4 * frame.distance)
    other = il.fit("distance ~ age * Sex + (age | Subject)", moved.sample(frac=1.0, random_state=1))
    name = m.fe_params.index[-1]
    one, two = (r.t_test(name, df_method="kr") for r in (m, other))
    assert one["df"].item() == pytest.approx(two["df"].item(), rel=1e-5)
    assert one["statistic"].item() == pytest.approx(two["statistic"].item(), rel=1e-5)


def test_rows_that_say_the_same_count_once():
    fit = fitted("Orthodont").fit
    L = np.eye(fit.p)[1:]
    twice = np.concatenate([L, 2.0 * L[:1] - L[1:2]])
    assert kenward_roger_f(fit, twice) == pytest.approx(kenward_roger_f(fit, L), rel=1e-9)
    F, q, df = kenward_roger_f(fit, L[:1])
    assert q == 1 and df == pytest.approx(kenward_roger_df(fit, L[:1])[0])


def test_what_takes_them():
    m = fitted("Orthodont")
    assert "Kenward-Roger's degrees of freedom" in str(m.summary(ddf="Kenward-Roger"))
    assert "Satterthwaite's degrees of freedom" in str(m.summary())
    t = m.t_test(m.fe_params.index[1], df_method="KR")
    interval = m.conf_int(df_method="kenward_roger").iloc[1]
    assert interval.tolist() == pytest.approx(t[["conf_low", "conf_high"]].iloc[0].tolist())
    test = m.f_test("age", df_method="Kenward-Roger")
    single = m.t_test("age", df_method="Kenward-Roger")
    assert test.statistic == pytest.approx(single["statistic"].item() ** 2)
    assert test.df_denom == pytest.approx(single["df"].item())
    assert test.pvalue == pytest.approx(single["p_value"].item())


def test_who_is_refused():
    ml = fitted("sleepstudy", method="ML")
    with pytest.raises(ArgumentError, match="by REML, and this one is by ML"):
        ml.anova(ddf="Kenward-Roger")
    m = fitted("sleepstudy")
    with pytest.raises(ArgumentError, match="leave it out to compare models"):
        m.anova(ml, ddf="Kenward-Roger")
    frame = il.load_dataset("cbpp")
    g = il.glmer("incidence / size ~ period + (1 | herd)", frame, "binomial", weights=frame["size"])
    with pytest.raises(ArgumentError, match="ddf='Kenward-Roger' is for linear mixed models"):
        g.summary(ddf="Kenward-Roger")


def test_singular_fits_have_finite_answers():
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
    table = m.t_test("Intercept", df_method="kenward-roger")
    assert np.isfinite(table.to_numpy(dtype=float)).all()
