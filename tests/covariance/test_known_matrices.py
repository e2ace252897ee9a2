"""Random effects whose levels have a known covariance, up to a scale."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import interlace as il
from interlace import modular
from interlace.covariance import AR1, Unstructured
from interlace.covariance.copies import Copies
from interlace.errors import ArgumentTypeError, DataError

LEVELS = [f"a{i:02d}" for i in range(30)]
LOG_LIKELIHOOD = 1e-8
STEP = 1e-5
# Of central differences: STEP^2 and rounding / STEP.
DIFFERENCE = 1e-8


def frame_of(values, levels=LEVELS):
    return pd.DataFrame(np.asarray(values), index=levels, columns=levels)


def relationship(rng, n):
    """Additive relationships of animals whose parents are earlier ones, by recursion."""
    A = np.eye(n)
    for i in range(6, n):
        sire, dam = rng.choice(i, 2, replace=False)
        A[i, :i] = A[:i, i] = 0.5 * (A[sire, :i] + A[dam, :i])
        A[i, i] = 1.0 + 0.5 * A[sire, dam]
    return A


@pytest.fixture(scope="module")
def A():
    return frame_of(relationship(np.random.default_rng(5), 30))


@pytest.fixture(scope="module")
def data(A):
    rng = np.random.default_rng(11)
    i = np.concatenate([np.arange(30), rng.integers(0, 30, 120)])
    L = np.linalg.cholesky(A.to_numpy())
    a, slope = L @ rng.normal(size=30), L @ rng.normal(size=30)
    herd = rng.integers(0, 5, i.size)
    x = rng.normal(size=i.size)
    eta = 0.5 * x + 0.8 * a[i] + 0.4 * slope[i] * x + 0.4 * rng.normal(size=5)[herd]
    zero = rng.random(i.size) < 1.0 / (1.0 + np.exp(1.5 - a[i]))
    y = eta + rng.normal(size=i.size)
    return pd.DataFrame(
        {
            "animal": np.array(LEVELS)[i],
            "herd": np.array(list("pqrst"))[herd],
            "x": x,
            "y": y,
            "count": rng.poisson(np.exp(0.8 + 0.5 * eta)),
            "zeros": rng.poisson(np.exp(1.2 + 0.5 * eta)) * ~zero,
            "hit": (eta + rng.logistic(size=i.size) > 0.0).astype(int),
            "grade": pd.cut(y, [-np.inf, -1.0, 0.0, 1.0, np.inf], labels=list("abcd")),
        }
    )


IDENTITY = frame_of(np.eye(30))
MODELS = {
    "REML": lambda g, d: il.fit(f"y ~ x + {g} + (1 | herd)", d),
    "ML": lambda g, d: il.fit(f"y ~ x + {g}", d, method="ML"),
    "weights": lambda g, d: il.fit(f"y ~ x + {g}", d, weights=1.0 + (d["x"] > 0)),
    "dispersion": lambda g, d: il.fit(f"y ~ x + {g}", d, dispformula="~ x"),
    "in the dispersion": lambda g, d: il.fit("y ~ x + (1 | herd)", d, dispformula=f"~ {g}"),
    "variance": lambda g, d: il.fit(f"y ~ x + {g}", d, variance="exp(x)"),
    "correlation": lambda g, d: il.fit(f"y ~ x + {g}", d, correlation="ar1(1 | animal)"),
    "poisson": lambda g, d: il.glmer(f"count ~ x + {g} + (1 | herd)", d, "poisson"),
    "binomial": lambda g, d: il.glmer(f"hit ~ x + {g}", d, "binomial"),
    "nb2": lambda g, d: il.glmer(f"count ~ x + {g}", d, "negativebinomial"),
    "zeros": lambda g, d: il.glmer(f"zeros ~ x + {g}", d, "poisson", ziformula="~ 1"),
    "in the zeros": lambda g, d: il.glmer(f"zeros ~ x + {g}", d, "poisson", ziformula=f"~ {g}"),
    "ordered": lambda g, d: il.clmm(f"grade ~ x + {g}", d),
}


@pytest.mark.parametrize("kind", MODELS)
def test_independent_levels_are_those_of_a_plain_term(kind, data):
    known = MODELS[kind]("(1 | animal, cov=IDENTITY)", data)
    plain = MODELS[kind]("(1 | animal)", data)
    assert known.llf == pytest.approx(plain.llf, abs=LOG_LIKELIHOOD)
    np.testing.assert_allclose(known.params, plain.params, atol=1e-6)
    np.testing.assert_allclose(known.bse, plain.bse, rtol=1e-5)
    assert known.ngroups == plain.ngroups
    for name in plain.random_effects:
        pd.testing.assert_frame_equal(
            known.random_effects[name], plain.random_effects[name], atol=1e-6
        )
        pd.testing.assert_frame_equal(
            known.random_effects_se[name], plain.random_effects_se[name], atol=1e-6
        )
    new = data.head(5)
    np.testing.assert_allclose(known.predict(new), plain.predict(new), atol=1e-6)
    own, other = (m.VarCorr(se=True) for m in (known, plain))
    keys = [name for name in ("component", "group", "term1") if name in own]
    own, other = (table.sort_values(keys, ignore_index=True) for table in (own, other))
    pd.testing.assert_frame_equal(own, other, rtol=1e-4)


@pytest.mark.parametrize("side", ["1 + x |", "1 + x ||", "0 + x |"])
def test_slopes_of_independent_levels(side, data):
    known = il.fit(f"y ~ x + ({side} animal, cov=A)", data, matrices={"A": IDENTITY})
    plain = il.fit(f"y ~ x + ({side} animal)", data)
    assert known.llf == pytest.approx(plain.llf, abs=LOG_LIKELIHOOD)
    pd.testing.assert_frame_equal(known.VarCorr(), plain.VarCorr(), rtol=1e-4)
    pd.testing.assert_frame_equal(
        known.random_effects["animal"], plain.random_effects["animal"], atol=1e-5
    )
    pd.testing.assert_frame_equal(
        known.random_effects_se["animal"], plain.random_effects_se["animal"], atol=1e-5
    )
    new = data.head(4)
    for m in (known, plain):
        m.frame = m.get_prediction(new).summary_frame()
    pd.testing.assert_frame_equal(known.frame, plain.frame, atol=1e-5)


def dense(m, data, A):
    """V of y ~ x + (1 + x | animal, cov=A) at its estimates, and the pieces it is made of."""
    at = pd.Categorical(data["animal"], LEVELS).codes
    table = m.VarCorr()
    table = table[table["group"] == "animal"]
    (a, b), c = table["variance"].iloc[:2], table["variance"].iloc[2]
    Sigma = np.array([[a, c], [c, b]])
    z = np.column_stack([np.ones(len(data)), data["x"]])
    G = np.kron(A.to_numpy(), Sigma)
    Z = np.zeros((len(data), 60))
    for j in range(2):
        Z[np.arange(len(data)), 2 * at + j] = z[:, j]
    return Z @ G @ Z.T + m.sigma**2 * np.eye(len(data)), G, Z, z


def test_slopes_have_the_covariance_of_both(data, A):
    m = il.fit("y ~ x + (1 + x | animal, cov=A)", data, method="ML")
    V, G, Z, X = dense(m, data, A)
    inverse = np.linalg.inv(V)
    C = np.linalg.inv(X.T @ inverse @ X)
    e = data["y"].to_numpy() - X @ (C @ X.T @ inverse @ data["y"].to_numpy())
    n = len(data)
    llf = -0.5 * (n * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + e @ inverse @ e)
    assert m.llf == pytest.approx(llf, abs=LOG_LIKELIHOOD)
    b = (G @ Z.T @ inverse @ e).reshape(30, 2)
    sd = np.sqrt(np.diag(G - G @ Z.T @ inverse @ Z @ G)).reshape(30, 2)
    np.testing.assert_allclose(m.random_effects["animal"].loc[LEVELS], b, atol=1e-8)
    np.testing.assert_allclose(m.random_effects_se["animal"].loc[LEVELS], sd, atol=1e-8)


@pytest.mark.parametrize("slope", [False, True])
def test_levels_without_rows_are_predicted_given_the_others(slope, data, A):
    absent = ["a07", "a20", "a29"]
    kept = data[~data["animal"].isin(absent)]
    term = "(1 + x | animal, cov=A)" if slope else "(1 | animal, cov=A)"
    m = il.fit(f"y ~ x + {term}", kept)
    # all levels are in the model where they have a row that says nothing
    silent = pd.DataFrame({"animal": absent, "x": 0.3, "y": 0.0, "w": 1e-14})
    whole = pd.concat([kept.assign(w=1.0), silent])
    theta, x = m.theta.to_numpy(), np.array([1.0, 0.3])
    L = np.linalg.cholesky(A.to_numpy())
    at = pd.Categorical(whole["animal"], LEVELS).codes
    z = np.column_stack([np.ones(len(whole)), whole["x"]])
    k = 2 if slope else 1
    T = np.array([[theta[0], 0.0], [theta[1], theta[2]]]) if slope else np.array([[theta[0]]])
    G = m.sigma**2 * np.kron(L @ L.T, T @ T.T)
    Z = np.zeros((len(whole), 30 * k))
    for j in range(k):
        Z[np.arange(len(whole)), k * at + j] = z[:, j]
    R = m.sigma**2 / whole["w"].to_numpy()
    inverse = np.linalg.inv(Z @ G @ Z.T + np.diag(R))
    C = np.linalg.inv(z.T @ inverse @ z)
    beta = C @ z.T @ inverse @ whole["y"].to_numpy()
    b = G @ Z.T @ inverse @ (whole["y"].to_numpy() - z @ beta)
    rest = G - G @ Z.T @ inverse @ Z @ G
    np.testing.assert_allclose(m.random_effects["animal"].loc[LEVELS], b.reshape(30, k), atol=1e-6)
    np.testing.assert_allclose(
        m.random_effects_se["animal"].loc[LEVELS], np.sqrt(np.diag(rest)).reshape(30, k), atol=1e-6
    )
    new = pd.DataFrame({"animal": absent, "x": 0.3})
    table = m.get_prediction(new).summary_frame()
    for row, level in enumerate(absent):
        own = np.zeros(30 * k)
        own[k * LEVELS.index(level) : k * LEVELS.index(level) + k] = x[:k]
        d = x - own @ G @ Z.T @ inverse @ z
        assert table["mean"].iloc[row] == pytest.approx(x @ beta + own @ b, abs=1e-6)
        assert table["mean_se"].iloc[row] == pytest.approx(np.sqrt(own @ rest @ own + d @ C @ d))
    marginal = m.get_prediction(new, include_re=False, new_level_variance=True).summary_frame()
    own = x[:k] @ T @ T.T @ x[:k] * m.sigma**2 * np.diag(A)[[LEVELS.index(a) for a in absent]]
    expected = np.sqrt(x @ m.vcov().to_numpy() @ x + own)
    np.testing.assert_allclose(marginal["mean_se"], expected, rtol=1e-6)


def test_a_scale_is_one_of_the_variance(data, A):
    one, four = (
        il.fit("y ~ x + (1 | animal, cov=A)", data, matrices={"A": c * A}) for c in (1.0, 4.0)
    )
    assert four.llf == pytest.approx(one.llf, abs=LOG_LIKELIHOOD)
    assert four.theta.iloc[0] == pytest.approx(0.5 * one.theta.iloc[0], rel=1e-6)
    pd.testing.assert_frame_equal(
        four.random_effects["animal"], one.random_effects["animal"], atol=1e-6
    )


def test_orders_of_rows_and_levels_do_not_matter(data, A):
    rng = np.random.default_rng(2)
    m = il.fit("y ~ x + (1 | animal, cov=A)", data)
    order = rng.permutation(LEVELS)
    A = A.loc[order, rng.permutation(LEVELS)]
    other = il.fit("y ~ x + (1 | animal, cov=A)", data.sample(frac=1.0, random_state=3))
    assert other.llf == pytest.approx(m.llf, abs=LOG_LIKELIHOOD)
    assert other.random_effects["animal"].index.tolist() == order.tolist()
    np.testing.assert_allclose(
        other.random_effects["animal"].loc[LEVELS], m.random_effects["animal"].loc[LEVELS],
        atol=1e-6,
    )  # fmt: skip


def test_a_correlation_matrix_is_that_of_a_structure_at_its_parameters():
    rng = np.random.default_rng(4)
    times = np.arange(12)
    d = pd.DataFrame({"time": np.tile(times, 8), "g": "all"})
    d["y"] = rng.normal(size=12).cumsum()[d["time"]] + rng.normal(size=len(d))
    series = il.fit("y ~ 1 + ar1(0 + time | g)", d)
    rho = series.VarCorr().set_index("term2").loc["rho", "sd_or_corr"]
    T = AR1(12).template(np.array([1.0, np.arcsin(rho)]))
    A = pd.DataFrame(T @ T.T, index=times, columns=times)  # noqa: F841
    m = il.fit("y ~ 1 + (1 | time, cov=A)", d)
    assert m.llf == pytest.approx(series.llf, abs=1e-7)
    assert m.theta.iloc[0] == pytest.approx(series.theta.iloc[0], rel=1e-5)


def test_blocks_of_one_correlation_are_nested_intercepts(data):
    rho, litter = 0.4, np.arange(30) // 3
    B = frame_of(np.where(litter[:, None] == litter, rho, 0.0) + (1.0 - rho) * np.eye(30))
    d = data.assign(litter=data["animal"].str[1:].astype(int) // 3)
    m = il.fit("y ~ x + (1 | animal, cov=B)", d, matrices={"B": B})
    nested = modular.objective(modular.design("y ~ x + (1 | litter) + (1 | animal)", d))
    theta = m.theta.iloc[0] * np.sqrt([1.0 - rho, rho])
    assert -2.0 * m.llf == pytest.approx(nested.evaluate(nested.x(theta), 0).value, abs=1e-7)


def test_a_precision_is_the_inverse(data, A):
    Q = np.linalg.inv(A.to_numpy())
    Q[np.abs(Q) < 1e-12] = 0.0
    Q = 0.5 * (Q + Q.T)
    kept = data[data["animal"] != "a11"]
    m = il.fit("y ~ x + (1 | animal, cov=A)", kept)
    for given in (frame_of(Q), (Q, LEVELS), (sp.csr_matrix(Q), LEVELS), (sp.csc_array(Q), LEVELS)):
        other = il.fit("y ~ x + (1 | animal, precision=Q)", kept, matrices={"Q": given})
        assert other.llf == pytest.approx(m.llf, abs=LOG_LIKELIHOOD)
        for table in ("random_effects", "random_effects_se"):
            one, two = (getattr(r, table)["animal"].loc[LEVELS] for r in (m, other))
            pd.testing.assert_frame_equal(one, two, atol=1e-7)
    sparse = il.fit(
        "y ~ x + (1 | animal, cov=A)", kept, matrices={"A": (sp.coo_array(A.to_numpy()), LEVELS)}
    )
    assert sparse.llf == pytest.approx(m.llf, abs=LOG_LIKELIHOOD)


def test_twins_share_one_effect(data, A):
    values = A.to_numpy().copy()
    values[21], values[:, 21] = values[20], values[:, 20]
    values[21, 21] = values[20, 20]
    m = il.fit("y ~ x + (1 | animal, cov=A)", data, matrices={"A": frame_of(values)})
    effects = m.random_effects["animal"]["Intercept"]
    assert effects["a20"] == pytest.approx(effects["a21"], abs=1e-7)
    one = data.assign(animal=data["animal"].replace("a21", "a20"))
    same = il.fit("y ~ x + (1 | animal, cov=A)", one, matrices={"A": A})
    assert m.llf == pytest.approx(same.llf, abs=1e-6)


def test_spellings_of_other_packages_are_the_same_model(data, A):
    m = il.fit("y ~ x + (1 | animal, cov=A)", data)
    d = data.assign(dummy="all")
    for term in (
        "(1 | gr(animal, cov = A))",
        "us(1 | animal, cov=A)",
        "propto(0 + animal | 1, A)",
        "propto(0 + animal | dummy, A)",
    ):
        assert il.fit(f"y ~ x + {term}", d).llf == pytest.approx(m.llf, abs=LOG_LIKELIHOOD)
    given = il.fit("y ~ x", data, random="(1 | animal, cov=A)", matrices={"A": A})
    assert given.llf == pytest.approx(m.llf, abs=LOG_LIKELIHOOD)


def test_levels_that_are_numbers_match_their_texts(data, A):
    numbers = data["animal"].str[1:].astype(int)
    texts = A.rename(index=lambda a: str(int(a[1:])), columns=lambda a: str(int(a[1:])))
    m = il.fit("y ~ x + (1 | animal, cov=A)", data.assign(animal=numbers), matrices={"A": texts})
    assert m.llf == pytest.approx(il.fit("y ~ x + (1 | animal, cov=A)", data).llf)


def test_it_stands_beside_a_plain_term_of_its_factor(data, A):
    m = il.fit("y ~ x + (1 | animal, cov=A) + (1 | animal)", data)
    assert set(m.random_effects) == {"animal[A]", "animal"}
    at = pd.Categorical(data["animal"], LEVELS).codes
    table = m.VarCorr().set_index("group")["variance"]
    K = table["animal[A]"] * A.to_numpy() + table["animal"] * np.eye(30)
    V = K[np.ix_(at, at)] + table["Residual"] * np.eye(len(data))
    X = np.column_stack([np.ones(len(data)), data["x"]])
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    y = data["y"].to_numpy()
    e = y - X @ np.linalg.solve(information, X.T @ inverse @ y)
    logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
    llf = -0.5 * ((len(y) - 2) * np.log(2.0 * np.pi) + logs + e @ inverse @ e)
    assert m.llf == pytest.approx(llf, abs=LOG_LIKELIHOOD)
    some = m.predict(data.head(3), include_re="(1 | animal, cov=A)")
    np.testing.assert_allclose(some, m.predict(data.head(3), include_re=["animal[A]"]), atol=1e-12)


def test_it_is_kept_by_what_is_made_of_the_fit(data, A):
    m = il.fit("y ~ x + (1 | animal, cov=A) + (1 | herd)", data)
    new = data.head(3)
    again = pickle.loads(pickle.dumps(m))
    np.testing.assert_allclose(again.predict(new), m.predict(new))
    double = m.refit(2.0 * data["y"])
    assert double.sigma == pytest.approx(2.0 * m.sigma, rel=1e-6)
    smaller = m.update(". ~ . - x")
    assert "cov=A" in smaller.formula
    assert il.ranova(m).index.tolist()[1] == "(1 | animal, cov=A)"
    draws = m.simulate(4000, seed=1).to_numpy()
    table = m.VarCorr().set_index("group")["variance"]
    at = pd.Categorical(data["animal"], LEVELS).codes
    same = data["herd"].to_numpy()[:, None] == data["herd"].to_numpy()
    V = table["animal"] * A.to_numpy()[np.ix_(at, at)] + table["herd"] * same
    V += table["Residual"] * np.eye(len(data))
    error = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / 4000)
    assert np.abs(np.cov(draws) - V).max() < (6.0 * error).max()


def test_copies_have_the_derivatives_of_differences():
    one = Copies(Unstructured(2), 3)
    theta, weights = np.array([0.7, -0.3, 1.2]), np.arange(9.0)
    T = Unstructured(2).template(theta)
    np.testing.assert_array_equal(one.template(theta), np.kron(np.eye(3), T))
    moves = STEP * np.eye(3)
    slopes = [(one.values(theta + h) - one.values(theta - h)) / (2.0 * STEP) for h in moves]
    np.testing.assert_allclose(one.jacobian(theta), np.array(slopes).T, atol=DIFFERENCE)
    bent = [
        weights @ (one.jacobian(theta + h) - one.jacobian(theta - h)) / (2.0 * STEP) for h in moves
    ]
    np.testing.assert_allclose(one.second(theta, weights), bent, atol=DIFFERENCE)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda A: A.iloc[:-1, :-1], DataError, "has no row for 'a29', level"),
        (lambda A: A.reset_index(drop=True).T.reset_index(drop=True), DataError, "labelled 0, 1"),
        (lambda A: A.rename(index={"a03": "b"}), DataError, "stand in one only"),
        (lambda A: frame_of(A, [*LEVELS[:-1], "a00"]), DataError, "'a00' stand twice"),
        (lambda A: A.replace(A.iloc[0, 0], np.nan), DataError, "missing or infinite"),
        (lambda A: frame_of(np.triu(A)), DataError, "is not symmetric: .*A.T"),
        (lambda A: frame_of(A - 2.0), DataError, "variance -1 for the level"),
        (lambda A: frame_of(1.9 * np.eye(30) - 0.9), DataError, "none may be negative"),
        (lambda A: A.to_numpy(), ArgumentTypeError, "must say which level each row is of"),
        (lambda A: (A.to_numpy(), LEVELS[:-1]), il.errors.ArgumentError, "a row and a column"),
        (lambda A: A.astype(str) + "?", ArgumentTypeError, "is of numbers"),
        (lambda A: 3, ArgumentTypeError, "must say which level"),
    ],
)
def test_what_is_no_covariance_matrix_of_the_levels_is_refused(change, error, message, data, A):
    with pytest.raises(error, match=message):
        il.fit("y ~ x + (1 | animal, cov=A)", data, matrices={"A": change(A)})


def test_an_intrinsic_precision_is_refused(data):
    path = np.diff(np.eye(30), axis=0)
    for given in (frame_of(path.T @ path), (sp.csc_array(path.T @ path), LEVELS)):
        with pytest.raises(DataError, match="ICAR"):
            il.fit("y ~ x + (1 | animal, precision=Q)", data, matrices={"Q": given})


def test_a_name_that_nobody_knows_is_refused(data):
    with pytest.raises(DataError, match=r"names the matrix nowhere.*matrices=\{'nowhere'"):
        il.fit("y ~ x + (1 | animal, cov=nowhere)", data)


def test_one_row_each_needs_levels_that_are_related(data, A):
    one = data.drop_duplicates("animal")
    assert il.fit("y ~ x + (1 | animal, cov=A)", one, matrices={"A": A}).converged
    with pytest.raises(DataError, match="cannot be told from the residual variance"):
        il.fit("y ~ x + (1 | animal, cov=A)", one, matrices={"A": IDENTITY})


def test_new_levels_outside_the_matrix_are_refused(data, A):
    m = il.fit("y ~ x + (1 | animal, cov=A)", data)
    new = data.head(2).assign(animal="b")
    with pytest.raises(DataError, match="'b'"):
        m.predict(new)
    population = m.predict(new, new_levels="population")
    np.testing.assert_allclose(population, m.predict(new, include_re=False))


def test_groups_of_propto_are_one(data, A):
    with pytest.raises(DataError, match="one group right of its bar"):
        il.fit("y ~ x + propto(0 + animal | herd, A)", data, matrices={"A": A})
    with pytest.raises(DataError, match="dummy"):
        il.fit("y ~ x + propto(0 + animal | dummy, A)", data, matrices={"A": A})


@pytest.mark.parametrize("start", [None, 1e-3])
def test_hundreds_of_levels_are_those_of_a_plain_term(start):
    rng = np.random.default_rng(8)
    levels = np.arange(260)
    g, h = np.repeat(levels, 2), rng.integers(0, 9, 520)
    x = rng.normal(size=520)
    y = x + rng.normal(size=260)[g] + rng.normal(size=9)[h] + rng.normal(size=520)
    d = pd.DataFrame({"g": g, "h": h, "x": x, "y": y, "count": rng.poisson(np.exp(0.5 * y))})
    A = pd.DataFrame(np.eye(260), index=levels, columns=levels)  # noqa: F841
    given = {} if start is None else {"theta0": [start, 1.0]}
    plain = il.fit("y ~ x + (1 | g) + (1 | h)", d)
    known = il.fit("y ~ x + (1 | g, cov=A) + (1 | h)", d, **given)
    assert known.llf == pytest.approx(plain.llf, abs=LOG_LIKELIHOOD)
    np.testing.assert_allclose(known.theta, plain.theta, rtol=1e-5)
    np.testing.assert_allclose(known.df, plain.df, rtol=1e-5)
    for table in ("random_effects", "random_effects_se"):
        one, two = (getattr(m, table)["g"] for m in (known, plain))
        pd.testing.assert_frame_equal(one, two, atol=1e-6)
    pd.testing.assert_frame_equal(
        known.get_prediction(d.head(4)).summary_frame(),
        plain.get_prediction(d.head(4)).summary_frame(),
        atol=1e-6,
    )


def test_hundreds_of_levels_of_counts_are_those_of_a_plain_term():
    rng = np.random.default_rng(9)
    levels = np.arange(80)
    g, h = np.repeat(levels, 4), rng.integers(0, 7, 320)
    x = rng.normal(size=320)
    eta = 0.5 * x + 0.6 * rng.normal(size=80)[g] + 0.3 * rng.normal(size=7)[h]
    d = pd.DataFrame({"g": g, "h": h, "x": x, "y": rng.poisson(np.exp(eta))})
    d["size"] = rng.gamma(2.0, np.exp(eta) / 2.0)
    A = pd.DataFrame(np.eye(80), index=levels, columns=levels)  # noqa: F841
    known = il.glmer("y ~ x + (1 | g, cov=A) + (1 | h)", d, "poisson")
    plain = il.glmer("y ~ x + (1 | g) + (1 | h)", d, "poisson")
    assert known.llf == pytest.approx(plain.llf, abs=LOG_LIKELIHOOD)
    np.testing.assert_allclose(known.bse, plain.bse, rtol=1e-5)
    known = il.glmer("size ~ x + (1 | g, cov=A)", d, "gamma(log)", dispformula="~ x")
    plain = il.glmer("size ~ x + (1 | g)", d, "gamma(log)", dispformula="~ x")
    assert known.llf == pytest.approx(plain.llf, abs=LOG_LIKELIHOOD)
    np.testing.assert_allclose(known.bse, plain.bse, rtol=1e-5)
