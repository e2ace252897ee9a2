"""Linear mixed models of lazy frames: engines sum, and the fit is that of the rows in memory."""

from __future__ import annotations

import pickle
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest
from helpers.lazy_engines import ENGINES

import interlace as il
from interlace.errors import (
    ConvergenceWarning,
    DataError,
    DataWarning,
    InterlaceError,
    NumericalError,
)

# Ibis and Dask use what pandas and DuckDB will drop.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .future.infer_string"),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
]

# Sums of products have the digits of the rows' own, but for those that centring loses of both.
SAME = 1e-8
REML = 1e-10


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    n = 2400
    g, h = rng.integers(0, 60, n), rng.integers(0, 12, n)
    x, z = rng.normal(size=n), rng.normal(size=n) * 1e3 + 1e6
    f = rng.choice(["a", "b", "ç", "d"], n)
    k = rng.integers(2**40, 2**41, n)
    y = 1 + x + (z - 1e6) / 1e3 + np.where(f == "b", 1.0, 0.0) + rng.normal(size=n)
    y += rng.normal(size=60)[g] + (rng.normal(size=60) * 0.5)[g] * x + rng.normal(size=12)[h]
    frame = pd.DataFrame({"y": y, "x": x, "z": z, "f": f, "g": g, "k": k})
    frame["w"] = rng.uniform(0.5, 2, n)
    frame["h"] = [f"Ü {i}" for i in h]
    frame["c"] = frame["h"].str[-1] + frame["g"].mod(5).astype(str)
    frame["b"] = x > 0.3
    frame["o"] = rng.normal(size=n)
    frame.loc[0, "g"] = 999  # a level in one row
    return frame


FORMULAS = {
    "one factor": "y ~ x + (1 | g)",
    "slopes": "y ~ x + z + f + (1 + x | g)",
    "large means": "y ~ x + (1 + z | g)",
    "independent slopes": "y ~ x + (x || g)",
    "crossed": "y ~ x * f + (1 | g) + (1 | h)",
    "nested": "y ~ x + (1 | h/c)",
    "nested and crossed": "y ~ x + (1 | h/c) + (1 + x | g)",
    "two terms of one factor": "y ~ x + (1 | h) + (0 + x | h) + (1 | g)",
    "factor on the left": "y ~ x + (0 + f | g)",
    "expressions": "y ~ I(x**2) + log(z) + exp(x / 9) + sqrt(abs(x)) + I(x > 0.5) + b + (1 | g)",
    "interactions": "y ~ f:x + f:b + x:z + (1 | g)",
    "no intercept": "y ~ 0 + f + x + (1 | g)",
    "integers whose squares overflow": "y ~ k + I(k**2 / 1e20) + (1 | g)",
    "response computed": "log(y + 100) ~ x + offset(o / 100) + (1 | g)",
    "a response far from zero": "I(y + 1e6) ~ x + f + (1 + x | g)",
    "no fixed part": "y ~ 0 + (1 | g)",
}


def same(mine: il.LMMResult, theirs: il.LMMResult) -> None:
    """Every estimate and what is made of them."""
    assert mine.llf == pytest.approx(theirs.llf, rel=REML)
    scale = np.abs(theirs.fe_params) + theirs.fe_bse
    np.testing.assert_array_less(np.abs(mine.fe_params - theirs.fe_params), SAME * scale)
    np.testing.assert_allclose(mine.fe_bse, theirs.fe_bse, rtol=SAME)
    np.testing.assert_allclose(mine.VarCorr().variance, theirs.VarCorr().variance, rtol=1e-6)
    np.testing.assert_allclose(mine.fe_df, theirs.fe_df, rtol=1e-6)
    assert mine.nobs == theirs.nobs and mine.ngroups == theirs.ngroups
    for name, own in theirs.random_effects.items():
        other = mine.random_effects[name]
        assert other.index.equals(own.index) and list(other) == list(own)
        size = np.abs(own.to_numpy()).max()
        np.testing.assert_allclose(other, own, rtol=0, atol=1e-6 * size)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_fit_by_sums_is_that_of_the_rows(data: pd.DataFrame, formula: str, engine: str) -> None:
    same(il.fit(formula, ENGINES[engine](data)), il.fit(formula, data))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_does_weights_offsets_subsets_and_missing_values(
    data: pd.DataFrame, engine: str
) -> None:
    data = data.copy()
    inside = np.flatnonzero((data["f"] != "d") & (data["z"] < 1.002e6))
    data.loc[inside[[3, 5, 70]], "x"] = np.nan
    data.loc[inside[[5]], "h"] = None
    data.loc[5, "z"] = np.nan  # of the subset alone
    call = {"weights": "w", "offset": "o", "subset": "(f != 'd') & (z < 1.002e6)"}
    formula = "y ~ x + f + (1 + x | g) + (1 | h)"
    with pytest.warns(DataWarning, match="dropped 3 row"):
        lazy = il.fit(formula, ENGINES[engine](data), **call)
    with pytest.warns(DataWarning, match="dropped 3 row"):
        rows = il.fit(formula, data, **call)
    same(lazy, rows)
    assert lazy.fit.design.missing_by == rows.fit.design.missing_by
    for kind in ("I", "II", "III"):  # hypotheses of I and II are of columns without weights
        np.testing.assert_allclose(lazy.anova(type=kind), rows.anova(type=kind), rtol=1e-7)


@pytest.mark.parametrize(
    ("engine", "name"),
    [("dask", "nested"), ("ibis", "nested and crossed"), ("ibis", "expressions")],
)
def test_other_engines_fit_the_same(data: pd.DataFrame, engine: str, name: str) -> None:
    formula = FORMULAS[name]
    same(il.fit(formula, ENGINES[engine](data)), il.fit(formula, data))


@pytest.mark.parametrize("contrasts", ["sum", "helmert", "poly", "SAS", "diff"])
def test_contrasts_are_applied_to_the_table(data: pd.DataFrame, contrasts: str) -> None:
    formula, call = "y ~ f * b + (1 | g)", {"contrasts": {"f": contrasts}}
    mine = il.fit(formula, ENGINES["polars"](data), **call)
    theirs = il.fit(formula, data, **call)
    same(mine, theirs)
    for kind in ("I", "II", "III"):
        np.testing.assert_allclose(mine.anova(type=kind), theirs.anova(type=kind), rtol=1e-7)


LEARNED = [
    "y ~ poly(x, 4) + scale(z) + center(k) + (1 | g)",
    "y ~ poly(z, 2) * f + bs(x, df=6) + (scale(x) | g)",
    "y ~ ns(log(x + 9), 4) : f + I(x - mean(x)) + I(z > median(z)) + (1 | g)",
    "scale(y) ~ 0 + cr(x, df=5) + poly(z / 1e6, 2, raw=True) + (poly(x, 2) | h)",
    "y ~ cr(x, df=4, constraints='center') + b:poly(z, 2):f + k:cr(x, df=6, constraints='center') "
    "+ offset(scale(z) / 9) + (1 | g)",
    "y ~ cc(x, df=4) + scale(scale(x) - min(x) / sd(z)) + (1 | g)",
    "y ~ bs(x, knots=quantile(x, c(0.3, 0.6)), degree=1) + ns(z, df=3, Boundary_knots=c(0.998e6, "
    "1.002e6)) + (1 | g)",
    "y ~ bs(x, 5, extrapolation='clip', lower_bound=-1, upper_bound=1) + (1 | g)",
]


@pytest.mark.parametrize(
    ("engine", "formula"), list(zip(["polars", "duckdb"] * 4, LEARNED, strict=True))
)
def test_what_looks_at_all_rows_is_asked_of_the_engine(
    data: pd.DataFrame, engine: str, formula: str
) -> None:
    data = data.assign(row=np.arange(len(data)))
    data.loc[[3, 8], "x"] = np.nan
    with pytest.warns(DataWarning, match="dropped 2 row"):
        mine, theirs = il.fit(formula, ENGINES[engine](data)), il.fit(formula, data)
    same(mine, theirs)
    if engine == "duckdb":
        mine = pickle.loads(pickle.dumps(mine))
    wide = 1.0 if "bs" in formula and "clip" not in formula else 2.0
    new = data.assign(x=np.linspace(*(wide * data["x"].agg(["min", "max"])), len(data)))[::24]
    expected = theirs.predict(new)
    near = {"rtol": 0, "atol": 1e-9 * np.abs(expected).max()}
    np.testing.assert_allclose(mine.predict(new), expected, **near)
    lazy = collected(mine.predict(ENGINES[engine](new))).sort_values("row")
    np.testing.assert_allclose(lazy[".fitted"], expected, **near)
    incomplete = collected(mine.predict(ENGINES[engine](data[:9]))).sort_values("row")
    assert np.flatnonzero(incomplete[".fitted"].isna()).tolist() == [3, 8]
    ours, others = mine.anova(), theirs.anova()
    assert ours.index.equals(others.index)
    np.testing.assert_allclose(ours["F value"], others["F value"], rtol=1e-6)


def test_polynomials_and_splines_of_other_engines(data: pd.DataFrame) -> None:
    formula = "y ~ poly(x, 2) + bs(z, knots=[1e6]) + (scale(x) | h)"
    same(il.fit(formula, ENGINES["dask"](data)), il.fit(formula, data))
    with pytest.raises(DataError, match="Give the knots"):
        il.fit("y ~ ns(x, 3) + (1 | g)", ENGINES["dask"](data))
    formula = "y ~ scale(k) + ns(x, 3) + cr(z, df=4) + (1 | h)"
    same(il.fit(formula, ENGINES["ibis"](data)), il.fit(formula, data))


def test_what_was_learned_is_stored(data: pd.DataFrame) -> None:
    formula = "y ~ poly(x, 2) + ns(z, 3) + scale(k) + (1 + x | g) + (1 | h)"
    m = il.fit(formula, ENGINES["polars"](data))
    again = il.from_json(m.to_json())
    assert again.refit_ml().llf == m.refit_ml().llf
    np.testing.assert_allclose(again.predict(data.head(9)), m.predict(data.head(9)), rtol=1e-12)
    assert again.predict(ENGINES["polars"](data)).collect().height == len(data)


def test_many_cells_are_grouped_on_and_few_are_indicators(data: pd.DataFrame) -> None:
    data = data.assign(m=[f"m{i % 40}" for i in range(len(data))])
    formula = "y ~ m + m:x + (1 + x | g) + (0 + f | h)"
    same(il.fit(formula, ENGINES["duckdb"](data)), il.fit(formula, data))


def test_levels_have_the_order_of_a_polars_enum(data: pd.DataFrame) -> None:
    pl = pytest.importorskip("polars")
    frame = pl.from_pandas(data).with_columns(pl.col("f").cast(pl.Enum(["d", "q", "b", "a", "ç"])))
    mine, theirs = (il.fit("y ~ f + (1 | g)", each) for each in (frame.lazy(), frame))
    assert list(mine.fe_params.index) == list(theirs.fe_params.index)
    same(mine, theirs)


def test_what_needs_no_rows_is_as_in_memory(data: pd.DataFrame) -> None:
    formula = "y ~ x * f + (1 + x | g)"
    mine, theirs = (il.fit(formula, each) for each in (ENGINES["polars"](data), data))
    small = [il.fit("y ~ x + f + (1 + x | g)", each) for each in (ENGINES["polars"](data), data)]
    mine = pickle.loads(pickle.dumps(mine))
    for answer in (
        lambda m, s: m.conf_int(method="profile"),
        lambda m, s: m.conf_int(parm="theta_", method="profile"),
        lambda m, s: m.conf_int(),
        lambda m, s: m.refit_ml().fe_bse,
        lambda m, s: m.r2(),
        lambda m, s: m.ranef(cond_sd=True)[["value", "cond_sd"]],
        lambda m, s: il.anova(s, m).select_dtypes("number"),
        lambda m, s: m.vcov(ddf="Kenward-Roger"),
        lambda m, s: m.emmeans("f").to_frame().select_dtypes("number"),
        lambda m, s: m.predict(data.head(7)),
        lambda m, s: m.get_prediction(data.head(7)).summary_frame(),
        lambda m, s: m.get_prediction(data.head(7), include_re=False).summary_frame(),
        lambda m, s: m.rePCA().select_dtypes("number"),
    ):
        np.testing.assert_allclose(answer(mine, small[0]), answer(theirs, small[1]), rtol=1e-6)
    assert "Scaled residuals" not in str(mine.summary())
    assert f"Number of obs: {len(data)}" in str(mine.summary())


@pytest.mark.parametrize(
    "name", ["hatvalues", "simulate", "augment", "influence", "get_prediction"]
)
def test_what_needs_rows_says_so(data: pd.DataFrame, name: str) -> None:
    m = il.fit("y ~ x + (1 | g)", ENGINES["polars"](data))
    with pytest.raises(InterlaceError, match="sums of its data.*not their rows"):
        getattr(m, name)()


def test_responses_of_new_rows_are_drawn(data: pd.DataFrame) -> None:
    m = il.fit("y ~ x + offset(o) + (1 + x | g) + (1 | h)", ENGINES["polars"](data))
    new = data.drop(columns="y").assign(x=2.0)
    new.loc[3, "x"] = np.nan
    drawn = m.simulate(400, seed=1, newdata=new)
    assert drawn.iloc[3].isna().all() and drawn.shape == (len(new), 400)
    drawn, new = drawn.drop(index=3), new.drop(index=3)
    means = m.predict(new, include_re=False)
    # 400 independent draws: the mean of all rows and their mean square, within four standard errors
    spread = m.theta.to_dict()
    z = np.array([1.0, 2.0])
    T = np.array([[spread["g.Intercept"], 0.0], [spread["g.x.Intercept"], spread["g.x"]]])
    own = (z @ T) @ (z @ T) + spread["h.Intercept"] ** 2 + 1.0
    square = (drawn.sub(means, axis=0) ** 2).mean()
    assert abs(square.mean() - m.sigma**2 * own) < 4 * square.std() / 20
    assert abs((drawn.mean(axis=1) - means).mean()) < 4 * drawn.mean().std() / 20
    kept = m.simulate(400, seed=2, use_u=True, newdata=new)
    off = (kept.mean(axis=1) - m.predict(new)) / (m.sigma / 20)
    assert np.abs(off).max() < 5.5 and 0.9 < off.std() < 1.1
    with pytest.raises(InterlaceError, match="collect the rows"):
        m.simulate(newdata=ENGINES["polars"](data))
    with pytest.raises(InterlaceError, match="10000"):
        m.simulate(newdata=data.head(2).assign(g=10_000))


@pytest.mark.parametrize(
    ("formula", "call", "message"),
    [
        ("y ~ C(f, Sum):scale(x) + (1 | g)", {}, "collect the rows"),
        ("y ~ I(poly(x, 2)) + (1 | g)", {}, "several columns"),
        ("y ~ scale(x, by=2) + (1 | g)", {}, "unexpected keyword"),
        ("y ~ poly(x, 0) + (1 | g)", {}, "degree must be a whole number"),
        ("y ~ poly(b, 2) + (1 | g)", {}, "too few different values"),
        ("y ~ bs(x, df=2) + (1 | g)", {}, "Invalid value for `df`"),
        ("y ~ ns(x, knots=z) + (1 | g)", {}, "more than numbers"),
        ("y ~ I(x - quantile(x)) + (1 | g)", {}, "several numbers|different numbers"),
        ("y ~ scale(f) + (1 | g)", {}, "calculates with text"),
        ("y ~ sin(x) + (1 | g)", {}, "engines compute"),
        ("y ~ x + ar1(0 + f | g)", {}, "not made of sums"),
        ("f ~ x + (1 | g)", {}, "not numeric"),
        ("y ~ x + (1 | g)", {"weights": np.ones(3)}, "name of one of its columns"),
        ("y ~ x + (1 | g)", {"subset": np.ones(3, bool)}, "a comparison such as"),
        ("y ~ x + (1 | g)", {"subset": "x + 1"}, "no comparison"),
        ("y ~ log(x) + (1 | g)", {}, "not finite|could not compute"),
        ("y ~ x + (1 | g)", {"subset": "x > 1e9"}, "no rows"),
    ],
)
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_what_engines_cannot_do_is_refused_with_the_way_out(
    data: pd.DataFrame, formula: str, call: dict, message: str, engine: str
) -> None:
    with pytest.raises(InterlaceError, match=message):
        il.fit(formula, ENGINES[engine](data), **call)


def test_columns_that_depend_on_others_are_dropped(data: pd.DataFrame) -> None:
    data = data.assign(u=2 * data["x"] - 1)
    with pytest.warns(DataWarning, match="rank deficient"):
        mine = il.fit("y ~ x + u + f + (1 | g)", ENGINES["polars"](data))
    with pytest.warns(DataWarning, match="rank deficient"):
        theirs = il.fit("y ~ x + u + f + (1 | g)", data)
    same(mine, theirs)
    assert mine.fit.design.dropped_columns == ("u",)


def test_a_response_without_a_residual_has_no_standard_errors(data: pd.DataFrame) -> None:
    data = data.assign(y=2 * data["x"])
    with pytest.warns(ConvergenceWarning, match="fits the response exactly"):
        il.fit("y ~ x + (1 | g)", ENGINES["polars"](data))


@pytest.mark.parametrize("engine", ENGINES)
def test_fitted_values_and_residuals_are_lazy_frames_of_the_engine(
    data: pd.DataFrame, engine: str
) -> None:
    data = data.assign(row=np.arange(len(data)))
    lazy = ENGINES[engine](data)
    formula = "y ~ x * f + I(x > 0) + offset(o) + (1 + x | g) + (1 | h/c)"
    if engine in ("dask", "spark"):
        formula = "y ~ x + (1 | g)"
    mine, theirs = il.fit(formula, lazy), il.fit(formula, data)
    if engine in ("dask", "spark"):  # each takes seconds
        checked = [(mine.resid, True)]
    else:
        checked = [(mine.fittedvalues, True), (mine.resid, True), (mine.predict(lazy), True)]
        checked += [(mine.predict(include_re=False), False), (mine.predict(include_re="g"), "g")]
    for frame, include_re in checked:
        assert type(frame).__module__.partition(".")[0] == type(lazy).__module__.partition(".")[0]
        rows = collected(frame).sort_values("row")
        np.testing.assert_allclose(
            rows[".fitted"], theirs.predict(include_re=include_re), rtol=0, atol=1e-7
        )
        assert [name for name in rows if name.startswith("_")] == []
        if ".resid" in rows:
            np.testing.assert_allclose(rows[".resid"], theirs.resid, rtol=0, atol=1e-7)


def test_workers_of_dask_sum_their_parts(data: pd.DataFrame) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        mine = il.fit("y ~ x + (1 | g)", ENGINES["dask"](data))
    same(mine, il.fit("y ~ x + (1 | g)", data))


def test_levels_unknown_to_the_fit_are_missing_or_of_the_population(data: pd.DataFrame) -> None:
    mine = il.fit("y ~ x + (1 | g)", ENGINES["polars"](data))
    new = data.head(3).assign(g=[10_000, *data["g"][1:3]])
    lazy = ENGINES["polars"](new)
    assert collected(mine.predict(lazy))[".fitted"].isna().tolist() == [True, False, False]
    known = collected(mine.predict(lazy, new_levels="population"))[".fitted"]
    np.testing.assert_allclose(known, mine.predict(new, new_levels="population"))


def collected(frame: Any) -> pd.DataFrame:
    """The rows of a lazy frame in pandas."""
    for way in ("compute", "toPandas"):  # Dask's, Spark's
        if hasattr(frame, way):
            return getattr(frame, way)().reset_index(drop=True)
    rows = nw.from_native(frame).collect()
    return rows.to_pandas().reset_index(drop=True)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "dict"])
def test_a_frame_in_memory_may_be_compressed(data: pd.DataFrame, library: str) -> None:
    data = data.assign(f=data["f"].astype(pd.CategoricalDtype(["d", "b", "a", "ç", "q"])))
    frame: Any = data
    if library == "polars":
        frame = pytest.importorskip("polars").from_pandas(data)
    elif library == "pyarrow":
        frame = pytest.importorskip("pyarrow").Table.from_pandas(data)
    elif library == "dict":
        frame = {name: data[name] for name in data}
    formula = "y ~ f + b + (1 | g) + (1 | h)"
    mine, theirs = il.fit(formula, frame, compress=True), il.fit(formula, frame)
    same(mine, theirs)
    np.testing.assert_allclose(mine.fittedvalues, theirs.fittedvalues, atol=1e-8)
    np.testing.assert_allclose(mine.resid, theirs.resid, atol=1e-8)
    assert len(pickle.dumps(mine.fit)) < len(pickle.dumps(theirs.fit))


def test_few_digits_are_said(data: pd.DataFrame) -> None:
    with pytest.warns(DataWarning, match="few digits"):
        il.fit("I(y + 1e6 * x) ~ x + (1 | g)", ENGINES["polars"](data))
    large = data.assign(y=data["y"] + 1e5 * np.sin(1.0 * data["g"]))
    with pytest.raises(NumericalError, match="collect the rows"):
        il.fit("y ~ x + (1 | g) + (1 | h)", ENGINES["polars"](large))


def test_sums_that_need_more_memory_are_made_in_parts(
    data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interlace.frames import lazy

    parts: list[int] = []
    split = lazy._duckdb_parts

    def counted(*arguments: Any) -> Any:
        made = list(split(*arguments))
        parts.append(len(made))
        return made

    monkeypatch.setattr(lazy, "_duckdb_parts", counted)
    theirs = il.fit("y ~ x + f + (1 + x | g) + (1 | h)", data)
    same(il.fit("y ~ x + f + (1 + x | g) + (1 | h)", ENGINES["duckdb"](data)), theirs)
    assert set(parts) == {1}
    monkeypatch.setattr(lazy, "DUCKDB_SHARE", 2e-7)
    same(il.fit("y ~ x + f + (1 + x | g) + (1 | h)", ENGINES["duckdb"](data)), theirs)
    assert max(parts) > 2


def test_each_moment_is_asked_for_once(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    from interlace.frames.lazy import LazyRows

    asked: list[dict] = []
    totals = LazyRows.totals

    def watched(rows: LazyRows, columns: Any, ways: Any, kept: Any) -> Any:
        asked.append({**ways})
        return totals(rows, columns, ways, kept)

    monkeypatch.setattr(LazyRows, "totals", watched)
    il.fit("y ~ x * f + z + (1 + x | g)", ENGINES["polars"](data))
    (once,) = asked
    moments = {name: ways for name, ways in once.items() if ways != ("count",)}
    assert sorted(map(sorted, moments.values())) == [["max", "mean", "min", "std"]] * 3


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_names_of_all_kinds_and_groups_of_all_types_are_taken(
    data: pd.DataFrame, engine: str
) -> None:
    names = {"x": "_x1", "f": "_f0", "g": "__s0_0", "h": "my h", "w": "_w"}
    data = data[:300].rename(columns=names).assign(row=np.arange(300))
    data["day"] = pd.to_datetime("2024-01-30") + pd.to_timedelta(np.arange(300) % 7, unit="h")
    data["real"] = data["__s0_0"].where(data["row"] != 7)  # whole numbers, and a missing one
    formula = "y ~ log1p(abs(Q('_x1'))) + _f0 + I(row % 3) + ifelse(_x1 > 0, 1, 0) + (1 | {})"
    for group in ("__s0_0", "`my h`", "day", "real"):
        if group == "real":
            data.loc[5, "_x1"] = np.nan
            with pytest.warns(DataWarning, match="dropped 2"):
                theirs = il.fit(formula.format(group), data, weights="_w")
            with pytest.warns(DataWarning, match="dropped 2"):
                mine = il.fit(formula.format(group), ENGINES[engine](data), weights="_w")
        else:
            theirs = il.fit(formula.format(group), data, weights="_w")
            mine = il.fit(formula.format(group), ENGINES[engine](data), weights="_w")
        same(mine, theirs)
        made = collected(mine.fittedvalues).sort_values("row")[".fitted"].to_numpy()
        known = np.setdiff1d(np.arange(300), [5, 7] if group == "real" else [])
        np.testing.assert_allclose(made[known], theirs.fittedvalues.to_numpy(), atol=1e-8)
        assert np.isnan(np.delete(made, known)).all()
    population = collected(mine.predict(new_levels="population")).sort_values("row")
    assert np.flatnonzero(population[".fitted"].isna()).tolist() == [5]


@pytest.mark.parametrize(
    ("formula", "call", "message"),
    [
        ("y ~ scale(x) + (1 | g)", {"subset": "x > mean(x)"}, "looks at all rows"),
        ("y ~ scale(one) + (1 | g)", {}, "all equal"),
        ("y ~ scale(log(x)) + (1 | g)", {}, "'log\\(x\\)' is not finite"),
        ("y ~ poly(x / (x - x), 2) + (1 | g)", {}, "is not finite"),
        ("y ~ factor(g) + (1 | h)", {}, "cast them to text"),
        ("y ~ I(f == 'a') + (1 | g)", {}, "made of text"),
        ("y ~ ifelse(x > 0, 'u', 'v') + (1 | g)", {}, "made of text"),
        ("y ~ ifelse(f == 'a', x, 0) + scale(x) + (1 | g)", {}, "made of text"),
    ],
)
def test_the_way_out_is_said(
    data: pd.DataFrame, formula: str, call: dict[str, Any], message: str
) -> None:
    with pytest.raises(InterlaceError, match=message):
        il.fit(formula, ENGINES["polars"](data.assign(one=1.5)), **call)


# -- files and types as they come in -----------------------------------------------------------


def _files(folder, *parts: Any) -> Any:
    for i, part in enumerate(parts):
        part.write_parquet(folder / f"{i}.parquet")
    return folder


def test_files_may_have_more_columns_and_narrower_numbers(data, tmp_path) -> None:
    polars = pytest.importorskip("polars")
    rows = polars.from_pandas(data[["y", "x", "g"]]).cast({"g": polars.Int64})
    first, second = rows[:100], rows[100:]
    second = second.with_columns(polars.col("g").cast(polars.Int16), more=1)
    folder = _files(tmp_path, first, second)
    m = il.fit("y ~ x + (1 | g)", folder)
    np.testing.assert_allclose(m.fe_params, il.fit("y ~ x + (1 | g)", rows).fe_params, rtol=1e-9)
    fitted = m.predict([folder / "0.parquet", folder / "1.parquet"]).collect()
    assert fitted.equals(m.predict(folder).collect()) and fitted.height == len(data)
    with pytest.raises(il.DataError, match="there is no such file"):
        il.fit("y ~ x + (1 | g)", f"{tmp_path}/*.none")
    rows.write_csv(tmp_path / "rows.csv")
    with pytest.raises(il.DataError, match=r"is not Parquet. Give a lazy frame.*scan_csv"):
        il.fit("y ~ x + (1 | g)", tmp_path / "rows.csv")
    (tmp_path / "rows.csv").unlink()
    assert il.glm("y ~ x", tmp_path).llf == pytest.approx(il.glm("y ~ x", rows).llf, rel=1e-12)
    with pytest.raises(il.ArgumentTypeError, match="read_parquet"):
        il.fit("y ~ x + (1 | g)", rows).get_prediction(tmp_path)
    with pytest.raises(il.ArgumentTypeError, match=r"pandas\.concat"):
        il.fit("y ~ x + (1 | g)", [data, data])


@pytest.mark.parametrize("engine", ["duckdb", "ibis"])
def test_nan_is_missing_in_files_whose_statistics_leave_it_out(data, tmp_path, engine) -> None:
    polars, library = pytest.importorskip("polars"), pytest.importorskip(engine)
    rows = polars.from_pandas(data[["y", "x", "g"]])
    holes = rows.with_columns(
        x=polars.when(polars.int_range(polars.len()) % 7 == 3)
        .then(float("nan"))
        .otherwise(polars.col("x"))
    )
    path = f"{_files(tmp_path, holes)}/*.parquet"
    connection = library.connect() if engine == "duckdb" else library.duckdb.connect()
    with pytest.warns(il.DataWarning):
        m = il.fit("y ~ x + (1 | g)", connection.read_parquet(path))
        expected = il.fit("y ~ x + (1 | g)", holes)
    assert m.nobs == expected.nobs < len(data)
    np.testing.assert_allclose(m.fe_params, expected.fe_params, rtol=1e-9)


def test_keys_of_another_type_are_matched_as_they_print(data) -> None:
    polars = pytest.importorskip("polars")
    rows = polars.from_pandas(data[["y", "x", "g"]]).cast({"g": polars.Int64})
    texts = rows.cast({"g": polars.String})
    for one, other in ((rows, texts), (texts, rows)):
        m = il.fit("y ~ x + (1 | g)", one.lazy())
        found = m.predict(other.lazy()).collect()[".fitted"]
        np.testing.assert_allclose(found, m.predict(one), rtol=1e-9)
    numbers = rows.with_columns(polars.col("g") + 0.5)
    for one, other in ((numbers, texts), (texts, numbers)):
        with pytest.raises(il.DataError, match="cast the column to what it was"):
            il.fit("y ~ x + (1 | g)", one.lazy()).predict(other.lazy())


@pytest.mark.parametrize("engine", ["polars", "duckdb", "dask", "ibis"])
def test_times_with_a_zone_are_keys_through_a_change_of_clocks(data, engine) -> None:
    hours = pd.to_timedelta(3 * (np.arange(600) % 16), "h")
    times = (pd.Timestamp("2020-03-07", tz="UTC") + hours).tz_convert("America/New_York")
    rows = data[["y", "x"]][:600].assign(t=times)
    lazy = ENGINES[engine](rows)
    if engine == "duckdb":  # whose session has a zone of its own
        lazy = _in_zone(rows, "Asia/Tokyo")
    m = il.fit("y ~ x + (1 | t)", lazy)
    expected = il.fit("y ~ x + (1 | t)", rows)
    fitted = collected(m.predict())[".fitted"]
    np.testing.assert_allclose(np.sort(fitted), np.sort(expected.fittedvalues), rtol=1e-9)
    for known, frame in ((m, rows), (expected, rows.assign(t=rows.t.dt.tz_convert("Asia/Tokyo")))):
        np.testing.assert_allclose(known.predict(frame), expected.fittedvalues, rtol=1e-9)


def _in_zone(rows: pd.DataFrame, zone: str) -> Any:
    connection = pytest.importorskip("duckdb").connect()
    connection.execute(f"SET TimeZone = '{zone}'")
    connection.register("rows_in_memory", rows)
    connection.execute("create table data as select * from rows_in_memory")
    return connection.table("data")


@pytest.mark.parametrize("dtype", ["timedelta64[us]", "time"])
def test_durations_are_keys_that_engines_do_not_join(data, dtype) -> None:
    rows = data[["y", "x", "g"]][:600]
    if dtype == "time":
        key = [(pd.Timestamp("2020-01-01") + pd.Timedelta(minutes=v % 9)).time() for v in rows.g]
    else:
        key = pd.to_timedelta(rows.g % 9, "min").astype(dtype)
    rows = rows.assign(t=key)
    m = il.fit("y ~ x + (1 | t)", ENGINES["polars"](rows))
    expected = il.fit("y ~ x + (1 | t)", rows)
    assert m.llf == pytest.approx(expected.llf, rel=REML)
    np.testing.assert_allclose(m.predict(rows), expected.fittedvalues, rtol=1e-8)
    with pytest.raises(InterlaceError, match="'t' is of type .* make it text or a number"):
        m.predict()


# -- levels in an order of their own -----------------------------------------------------------


@pytest.mark.parametrize("engine", ["polars", "duckdb", "dask"])
def test_levels_have_the_order_of_their_column(data, engine) -> None:
    rows = data[["y", "x", "g", "f"]][:600]
    # pandas' ordered categories are such in Dask alone
    rows["f"] = pd.Categorical(rows.f, ["never", "d", "a", "ç", "b"], ordered=engine == "dask")
    rows["g"] = pd.Categorical(rows.g.astype(str), [str(i) for i in range(999, -1, -1)])
    lazy = ENGINES[engine](rows)
    if engine == "polars":  # where declared order is an Enum's
        polars = pytest.importorskip("polars")
        kinds = {name: polars.Enum(rows[name].cat.categories) for name in ("f", "g")}
        lazy = lazy.with_columns(
            polars.col(name).cast(polars.String).cast(kind) for name, kind in kinds.items()
        )
    same(il.fit("y ~ x + f + (1 | g)", lazy), il.fit("y ~ x + f + (1 | g)", rows))
