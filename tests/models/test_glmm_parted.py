"""Generalised models of rows that workers read: the answers of memory, and no rows here."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.lazy_engines import ENGINES

import interlace as il
from interlace.design import parted
from interlace.errors import ArgumentError, DataError, DataWarning, FormulaError
from interlace.models import glmm_parted
from interlace.objective.generalised.laplace import HESSIAN_STEP

pl = pytest.importorskip("polars")

pytestmark = pytest.mark.filterwarnings("ignore:dropped .* row:interlace.errors.DataWarning")


def made() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 900
    g = rng.integers(0, 40, n)
    d = pd.DataFrame({"g": g, "key": [f"ß{v:02d}" for v in g], "s": [f"s{v % 7}" for v in g]})
    d["x"] = rng.normal(1e3, 2.0, n)
    z = (d.x - 1e3) / 2.0
    d["f"] = rng.choice(list("abcd"), n, p=[0.5, 0.3, 0.18, 0.02])
    effect, slope = rng.normal(size=40)[g], 0.4 * rng.normal(size=40)[g]
    eta = 0.5 * (d.f == "b") + 0.7 * effect + (0.3 + slope) * z
    d["y"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    d["k"], d["m"] = rng.binomial(5, 1.0 / (1.0 + np.exp(-eta))), 5
    d["count"] = rng.poisson(np.exp(0.3 * eta) * rng.gamma(2.0, 0.5, n))
    d["some"] = np.where(rng.random(n) < 0.3, 0, rng.poisson(np.exp(1.0 + 0.3 * eta)))
    d["size"] = rng.gamma(3.0, np.exp(0.3 * eta) / 3.0)
    d["w"], d["time"] = rng.integers(1, 4, n), rng.uniform(0.5, 2.0, n)
    d["gaps"] = d.x.where(rng.random(n) > 0.05)
    return d


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return made()


@pytest.fixture(scope="module")
def files(frame, tmp_path_factory) -> Path:
    """Three files, rows in no order: every level is in all of them."""
    folder = tmp_path_factory.mktemp("rows")
    for i, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        pl.from_pandas(frame.iloc[rows]).write_parquet(folder / f"{i}.parquet")
    return folder


MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "slopes": ("y ~ x + f + (1 + x | g)", "binomial", {}),
    "nested": ("y ~ x + (1 | s / key)", "binomial", {}),
    "counts": ("cbind(k, m - k) ~ x * f + (1 | key)", "binomial", {}),
    "ratio": ("k / m ~ scale(x) + (1 | g)", "binomial", {"nAGQ": 5}),
    "all rows": ("y ~ poly(x, 2) + bs(time, df=4) + (1 | g)", "binomial", {}),
    "weights": ("count ~ x + offset(log(time)) + (1 | g)", "poisson", {"weights": "w"}),
    "offset": ("count ~ f + (1 | s / g)", "poisson", {"offset": "time"}),
    "missing": ("y ~ gaps + (1 | key)", "binomial", {"subset": "w < 3"}),
    "parameter": ("count ~ x + (1 | g)", "nbinom2", {}),
    "zeros": ("some ~ x + (1 | g)", "poisson", {"ziformula": "~ f"}),
    "dispersion": ("size ~ x + f + (1 | g)", "gamma", {"link": "log", "dispformula": "~ f"}),
    "levels": ("size ~ C(f, 'sum') + (0 + f || s)", "gamma", {"link": "log"}),
}


def same(one: Any, other: Any, tolerance: float = 1e-7) -> None:
    """Estimates in units of their standard errors, modes by level, verdicts.

    A last step that promises 1e-8 leaves some hundred millionths of a standard error; modes
    follow. Their variances go with theta^2: they are off by twice that, times the standard error
    of theta relative to it, and covariances by as much of the standard deviations. Hessians are
    central differences over a share of a standard error, whose square is what they lose, in other
    coordinates here and there.
    """
    errors = np.sqrt(np.diagonal(one.fit.cov_all))
    beta = errors[one.fit.theta.size :][: one.fit.solution.beta.size]
    gap = (other.fit.solution.beta - one.fit.solution.beta) / beta
    np.testing.assert_allclose(gap, 0.0, atol=tolerance)
    np.testing.assert_allclose(other.fit.theta, one.fit.theta, atol=tolerance)
    assert other.llf == pytest.approx(one.llf, rel=1e-12)
    np.testing.assert_allclose(
        np.sqrt(np.diagonal(other.fit.cov_all)), errors, rtol=10.0 * HESSIAN_STEP**2, atol=1e-12
    )
    assert (other.nobs, other.fit.verdict) == (one.nobs, one.fit.verdict)
    for name, modes in one.random_effects.items():
        found = other.random_effects[name].loc[modes.index]
        np.testing.assert_allclose(found, modes, rtol=0, atol=tolerance)
    for a, b in zip(one.fit.solution.cov_modes, other.fit.solution.cov_modes, strict=True):
        sd = np.sqrt(np.einsum("lii->li", a))
        assert (np.abs(b - a) <= tolerance * sd[:, :, None] * sd[:, None, :]).all()


@pytest.mark.parametrize("sample", [10**6, 150], ids=["all rows here", "a sample here"])
@pytest.mark.parametrize("name", MODELS)
def test_the_answers_are_those_of_memory(name, sample, frame, files, monkeypatch) -> None:
    monkeypatch.setattr(parted, "SAMPLE_ROWS", sample)
    formula, family, kw = MODELS[name]
    alone = il.glmer(formula, frame, family, **kw)
    apart = il.glmer(formula, f"{files}/*.parquet", family, partitions=3, **kw)
    same(alone, apart)
    assert apart.fit.design.missing_by == alone.fit.design.missing_by
    assert str(apart.summary()) and len(pickle.dumps(apart)) < 120_000


def test_two_kinds_of_columns_that_a_sample_does_not_have(frame, tmp_path, monkeypatch) -> None:
    """A level of one row, and a column that others make, outside of the sample."""
    monkeypatch.setattr(parted, "SAMPLE_ROWS", 50)
    data = frame.sort_values("g").reset_index(drop=True)
    rare = data.index[(data.g == 1) & (data.y == 1)][0]
    data.loc[rare, "f"] = "rare"
    data["twin"] = np.where(data.g > 30, 2.0 * data.x, 2.0 * data.x)
    data.to_parquet(tmp_path / "rows.parquet")
    formula = "count ~ x + f + twin + (1 | g)"
    with pytest.warns(DataWarning, match=r"rank deficient.*twin"):
        alone = il.glmer(formula, data, "poisson")
    with pytest.warns(DataWarning, match=r"rank deficient.*twin"):
        apart = il.glmer(formula, tmp_path / "rows.parquet", "poisson", partitions=2)
    same(alone, apart)
    assert "f[T.rare]" in apart.fe_params.index
    for at in (None, {"twin": 0.0}):  # means of which there are none where the twin goes its way
        found, means = (m.emmeans("f", at=at).to_frame()["emmean"] for m in (apart, alone))
        np.testing.assert_allclose(found, means, rtol=0, atol=1e-7)
        assert means.isna().all() == (at is not None)


SOURCES: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "Polars": lambda frame, files: pl.from_pandas(frame).lazy(),
    "frames of Polars": lambda frame, files: [pl.scan_parquet(p) for p in files.iterdir()],
    "paths": lambda frame, files: sorted(files.iterdir()),
    "DuckDB, files": lambda frame, files: duckdb().sql(f"SELECT * FROM '{files}/*.parquet'"),
    "DuckDB, a table": lambda frame, files: duckdb().connect().from_df(frame),
    "Dask": lambda frame, files: dask().read_parquet(files),
}


def duckdb() -> Any:
    return pytest.importorskip("duckdb")


def dask() -> Any:
    return pytest.importorskip("dask.dataframe")


# of Dask's own calls of pandas
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("source", SOURCES)
def test_engines(source, frame, files, monkeypatch) -> None:
    monkeypatch.setattr(parted, "SAMPLE_ROWS", 150)
    data = SOURCES[source](frame, files)
    formula = "y ~ x + f + (1 | key)"
    same(il.glmer(formula, frame, "binomial"), il.glmer(formula, data, "binomial", partitions=2))


def test_a_pool_of_forked_processes_is_handed_its_rows(frame, files, monkeypatch) -> None:
    """Threads of an engine are no more after a fork: nothing is read there, and nothing hangs."""
    monkeypatch.setattr(parted, "SAMPLE_ROWS", 150)
    formula = "y ~ x + (1 | g)"
    alone = il.glmer(formula, frame, "binomial")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        same(alone, il.glmer(formula, f"{files}/*.parquet", "binomial", executor=pool))
        same(alone, il.glmer(formula, files / "*.parquet", "binomial", executor=pool))


@pytest.mark.parametrize("partitions", [1, 40, 100])
def test_as_many_parts_as_levels_and_more(partitions, frame, files) -> None:
    formula = "y ~ x + (1 | g)"
    apart = il.glmer(formula, f"{files}/*.parquet", "binomial", partitions=partitions)
    same(il.glmer(formula, frame, "binomial"), apart)


def test_missing_keys_and_files_without_rows(frame, files, tmp_path) -> None:
    data = frame.assign(key=frame.key.where(frame.index % 20 > 0))
    pl.from_pandas(data).write_parquet(tmp_path / "0.parquet")
    pl.from_pandas(data.iloc[:0]).cast({"key": pl.String}).write_parquet(tmp_path / "1.parquet")
    alone = il.glmer("y ~ x + (1 | key)", data, "binomial")
    apart = il.glmer("y ~ x + (1 | key)", f"{tmp_path}/*.parquet", "binomial", partitions=2)
    same(alone, apart)
    assert apart.fit.design.missing_by == {"key": 45}


# -- without rows ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(frame, files) -> tuple[Any, Any]:
    formula = "y ~ x + f + (1 + x | key)"
    lazy = pl.scan_parquet(f"{files}/*.parquet")
    return (
        il.glmer(formula, frame, "binomial"),
        il.glmer(formula, lazy, "binomial", partitions=2),
    )


def test_what_needs_no_rows_is_as_ever(both, frame) -> None:
    alone, apart = both
    for ask in (
        lambda m: m.glance(),
        lambda m: m.icc(),
        lambda m: m.r2(),
        lambda m: m.anova(),
        lambda m: m.conf_int(method="wald"),
        lambda m: m.VarCorr()["sd_or_corr"],
        lambda m: m.emmeans("f").to_frame()[["emmean", "std_error"]],
        lambda m: m.predict(frame.head(9), new_levels="population"),
        lambda m: m.ranova()[["npar", "logLik"]],
    ):
        np.testing.assert_allclose(
            ask(apart).astype(float), ask(alone).astype(float), rtol=1e-6, atol=1e-8
        )
    smaller = apart.update(". ~ . - f")
    assert type(smaller) is type(apart)
    np.testing.assert_allclose(
        il.anova(smaller, apart).astype(float),
        il.anova(il.update(alone, ". ~ . - f"), alone).astype(float),
        rtol=1e-6,
    )
    again = pickle.loads(pickle.dumps(apart))
    assert again.llf == apart.llf and str(again.summary()) == str(apart.summary())
    assert il.from_json(apart.to_json()).fe_params.equals(apart.fe_params)
    assert "laplace_error" in str(alone.diagnose())
    assert "laplace_error" not in str(apart.diagnose())  # it needs the rows


def test_a_parameter_with_a_formula_is_no_number(frame) -> None:
    """Though rows beside each other have the same."""
    data = frame.sort_values("f")
    how: dict[str, Any] = {"family": "gamma", "link": "log", "dispformula": "~ f"}
    alone = il.glmer("size ~ x + (1 | g)", data, **how)
    apart = il.glmer("size ~ x + (1 | g)", pl.from_pandas(data).lazy(), partitions=2, **how)
    assert np.isnan(apart.dispersion) and np.isnan(alone.dispersion)
    assert apart.tidy().shape == alone.tidy().shape


def test_tables_leave_out_what_only_rows_have(frame) -> None:
    counts = il.glmer("count ~ x + (1 | g)", pl.from_pandas(frame).lazy(), "poisson", partitions=2)
    with pytest.raises(DataError, match="is fitted to the rows"):
        counts.r2()
    table = str(il.model_table(counts))
    assert "Log-likelihood" in table and "R²" not in table


def test_fitted_values_are_lazy(both, frame, files) -> None:
    alone, apart = both
    fitted = apart.fittedvalues.collect()
    # means are as near as the estimates and modes of `same`
    close = {"rtol": 0, "atol": 1e-7}
    np.testing.assert_allclose(fitted[".fitted"], alone.fittedvalues, **close)
    np.testing.assert_allclose(
        apart.resid.collect()[".resid"], alone.residuals("response"), **close
    )
    linked = apart.predict(type="link", include_re=False).collect()[".fitted"]
    np.testing.assert_allclose(linked, alone.predict(type="link", include_re=False), **close)
    scaled = il.glmer("y ~ scale(x) + (1 | g)", f"{files}/*.parquet", "binomial")
    with pytest.raises(ArgumentError, match="made of all rows"):
        scaled.fittedvalues  # noqa: B018


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.fit.mu,
        lambda m: m.fit.observations.y,
        lambda m: m.profile(),
        lambda m: m.simulate(1),
        lambda m: m.leverage(),
        lambda m: m.cross_val(),
        lambda m: m.refit(np.ones(900)),
        lambda m: m.residuals("deviance"),
        lambda m: m.fit.design.of(np.ones(900, dtype=bool)),
    ],
)
def test_what_needs_rows_says_so(ask, both) -> None:
    with pytest.raises(DataError, match="left its rows with workers"):
        ask(both[1])


def test_verdicts_are_those_of_memory(frame, tmp_path) -> None:
    """A cell of one outcome, and levels whose rows all agree."""
    rng = np.random.default_rng(1)
    data = frame.assign(
        y=np.where(frame.f == "d", 1, frame.y), agreed=(frame.g % 3 == 0).astype(int)
    )
    data["x"] = rng.normal(size=len(data))
    pl.from_pandas(data).write_parquet(tmp_path / "rows.parquet")
    for formula, words in (
        ("y ~ f + (1 | g)", r"f\[T.d\] of the conditional model have no finite estimate"),
        ("agreed ~ x + (1 | g)", "the random effects predict every row"),
    ):
        with pytest.warns(il.ConvergenceWarning):
            alone = il.glmer(formula, data, "binomial")
        with pytest.warns(il.ConvergenceWarning, match=words):
            apart = il.glmer(formula, tmp_path / "rows.parquet", "binomial", partitions=2)
        assert apart.fit.verdict == alone.fit.verdict == "separated"


def test_single_trials_with_prior_weights_are_no_trials() -> None:
    """One row a level: a variance without limit predicts all, whatever the row weighs."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.arange(300), "x": rng.normal(size=300)})
    data["y"] = (rng.random(300) < 1.0 / (1.0 + np.exp(-data.x))).astype(float)
    data["w"] = rng.choice([1.0, 1.5, 2.0], 300)
    with pytest.warns(il.ConvergenceWarning):
        alone = il.glmer("y ~ x + (1 | g)", data, "binomial", weights="w")
    with pytest.warns(il.ConvergenceWarning):
        apart = il.glmer(
            "y ~ x + (1 | g)", pl.from_pandas(data).lazy(), "binomial", weights="w", partitions=2
        )
    assert apart.fit.verdict == alone.fit.verdict == "breaks down"


@pytest.mark.parametrize("engine", ["polars", "duckdb", "dask"])
def test_keys_in_an_order_of_their_own(frame, engine) -> None:
    data = frame[["count", "x"]].assign(
        key=pd.Categorical(frame.key, sorted(set(frame.key), key=lambda v: v[::-1])),
        c=pd.Categorical(frame.g, range(39, -1, -1)),
    )
    data = data if engine == "dask" else data.drop(columns="c")
    lazy = ENGINES[engine](data)
    if engine == "polars":
        kind = pl.Enum(data.key.cat.categories)
        lazy = lazy.with_columns(pl.col("key").cast(pl.String).cast(kind))
    for key in data.columns[2:]:
        formula = f"count ~ x + (1 | {key})"
        alone = il.glmer(formula, data, "poisson")
        apart = il.glmer(formula, lazy, "poisson", partitions=2)
        assert apart.llf == pytest.approx(alone.llf, rel=1e-10)
        # labels of numbers are texts where they are grouped
        found = apart.random_effects[key]
        np.testing.assert_allclose(found, alone.random_effects[key], atol=1e-6)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "kw", "error", "words"),
    [
        ("y ~ (1 | s) + (1 | f)", {}, ArgumentError, "levels of 's' are in several of 'f'"),
        ("y ~ ar1(0 + w | g)", {}, FormulaError, "times or places of all rows"),
        (
            "y ~ (1 | g, cov=A)",
            {"matrices": {"A": pd.DataFrame(np.eye(40))}},
            FormulaError,
            "known covariances",
        ),
        ("y ~ x + (1 | g)", {"weights": np.ones(900)}, TypeError, "name of one of its columns"),
        ("y ~ x + (1 | g)", {"subset": np.ones(900, bool)}, TypeError, "is a comparison"),
        ("y ~ nothing + (1 | g)", {}, DataError, "no column of data"),
        ("y ~ x + (1 | g)", {"nAGQ": 0}, ArgumentError, "are for nAGQ=1"),
        ("y ~ log(x - 1e3) + (1 | g)", {}, DataError, "is not finite"),
        ("count ~ x + (1 | g)", {}, DataError, r"outside \[0, 1\]"),
        ("m ~ x + (1 | g)", {"family": "poisson"}, DataError, "is constant"),
        ("y ~ (0 + I(0 * x) | g)", {}, DataError, "zero in every row"),
    ],
)
def test_refused_in_words(formula, kw, error, words, files) -> None:
    with pytest.raises(error, match=words):
        il.glmer(formula, f"{files}/*.parquet", **{"family": "binomial", "partitions": 2, **kw})


def test_files_that_do_not_go_together(frame, tmp_path) -> None:
    pl.from_pandas(frame).write_parquet(tmp_path / "0.parquet")
    for other in (frame.drop(columns="x"), frame.assign(x=frame.x.astype(str))):
        pl.from_pandas(other).write_parquet(tmp_path / "1.parquet")
        with pytest.raises(DataError, match=r"the column 'x' is .*1\.parquet"):
            il.glmer("y ~ x + (1 | g)", f"{tmp_path}/*.parquet", "binomial", partitions=2)
    with pytest.raises(DataError, match=r"cannot be read|could not"):
        il.glmer("y ~ x + (1 | g)", tmp_path / "none.parquet", "binomial")
    with pytest.raises(TypeError, match="of different kinds"):
        il.glmer("y ~ x + (1 | g)", [tmp_path, pl.from_pandas(frame).lazy()], "binomial")


def test_rows_that_change_while_they_are_read_are_said(files, monkeypatch) -> None:
    readings = glmm_parted._readings

    def miscounted(*args: Any) -> Any:
        out, words = readings(*args)
        out[1].n += 1
        return out, words

    monkeypatch.setattr(glmm_parted, "_readings", miscounted)
    with pytest.raises(DataError, match=r"g .*: \d+ rows were read where \d+ had been counted"):
        il.glmer("y ~ x + (1 | g)", f"{files}/*.parquet", "binomial", partitions=3)


def test_what_a_fit_without_rows_has_and_what_to_do_else(frame, files) -> None:
    alone = il.glmer("count ~ x + f + (1 | g)", frame, "poisson")
    m = il.glmer("count ~ x + f + (1 | g)", files, "poisson", partitions=2)
    new = frame[:5]
    population = m.get_prediction(new, include_re=False).summary_frame()
    np.testing.assert_allclose(
        population, alone.get_prediction(new, include_re=False).summary_frame(), rtol=1e-6
    )
    ways = {
        "include_re=False": lambda: m.get_prediction(new),
        r"conf_int\(\)": m.profile,
        r"anova\(smaller\)": lambda: m.confint(method="profile"),
        r"VarCorr\(\)": m.r2,
        r"data\.collect\(\)": lambda: m.refit(frame["count"]),
    }
    for words, call in ways.items():
        with pytest.raises(DataError, match=words):
            call()
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for how in ({}, {"by": "f"}):
        mine, theirs = (own.plot.effect("x", **how).lines for own in (m, alone))
        for line, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(line.get_ydata(), other.get_ydata(), rtol=1e-6)
            np.testing.assert_allclose(line.get_xdata(), other.get_xdata(), rtol=1e-12)
    assert [text.get_text() for text in m.plot.effect("f").get_xticklabels()] == list("abcd")
    with pytest.raises(DataError, match="needs them"):
        m.plot.effect("x", points="data")
    pyplot.close("all")


@pytest.mark.parametrize(
    ("formula", "family", "verdict"),
    [
        ("size ~ x + (1 + x | s)", "gamma", "singular"),  # several starts: not log-concave
        ("y ~ x + (1 | s / g)", "binomial", "singular"),  # one factor may take another's part
        ("count ~ x + (1 + time | s)", "poisson", "singular"),  # a correlation of the other sign
    ],
)
@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
def test_few_rows_are_searched_from_several_starts(frame, formula, family, verdict) -> None:
    rng = np.random.default_rng(2)
    data = frame[:150].assign(g=[f"{v}{w}" for v, w in zip(frame.s[:150], frame.g[:150] % 2)])
    data = data.assign(**{name: rng.permutation(data[name]) for name in ("size", "y", "count")})
    alone = il.glmer(formula, data, family)
    apart = il.glmer(formula, pl.from_pandas(data).lazy(), family, partitions=2)
    assert apart.fit.verdict == alone.fit.verdict
    assert alone.fit.verdict == verdict
    assert apart.llf == pytest.approx(alone.llf, rel=1e-9)


@pytest.mark.filterwarnings("ignore:The .future.infer_string")  # Ibis uses what goes
@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
@pytest.mark.parametrize("engine", ["polars", "duckdb", "ibis"])
def test_keys_beyond_signed_numbers(frame, engine) -> None:
    for step in (1, 10**15):  # levels close to each other, some below the border, and far
        keys = frame.g.to_numpy().astype(np.uint64) * np.uint64(step) + np.uint64(2**63 - 8)
        data = frame[["count", "x"]].assign(g=keys)
        alone = il.glmer("count ~ x + (1 | g)", data, "poisson")
        assert alone.random_effects["g"].index.tolist() == sorted(set(keys.tolist()))
        apart = il.glmer("count ~ x + (1 | g)", ENGINES[engine](data), "poisson", partitions=2)
        assert apart.llf == pytest.approx(alone.llf, rel=1e-10)
        summed = il.fit("count ~ x + (1 | g)", ENGINES[engine](data))
        fitted = summed.predict()
        rows = {"polars": "collect", "ibis": "to_pandas", "duckdb": "df"}[engine]
        rows = getattr(fitted, rows)()
        expected = il.fit("count ~ x + (1 | g)", data).fittedvalues
        np.testing.assert_allclose(np.sort(rows[".fitted"]), np.sort(expected), rtol=1e-8)
