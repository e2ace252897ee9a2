"""What is found again of a formula and of columns seen before is what would be made anew."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from interlace.covariance import STRUCTURES, CovarianceModel
from interlace.design import formulaic_matrix, model_frame, model_matrix
from interlace.design.build import build
from interlace.errors import DataError, InterlaceError
from interlace.frames import levels, read
from interlace.frames.checks import check_finite
from interlace.frames.columns import plainly_finite
from interlace.frames.identity import ByIdentity

N = 24


def cold() -> None:
    """Forget all formulas and columns."""
    for cached in (
        model_frame._of_columns,
        model_matrix._known_recipe,
        model_matrix._calls,
        formulaic_matrix._structure,
    ):
        cached.cache_clear()
    for known in (read._names_of, levels._levels_of):
        known._kept.clear()


def table(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    whole = {
        "y": rng.normal(size=N),
        "x": np.tile([1.0, 2.0, 3.0], N // 3),
        "f": pd.Categorical(np.tile(list("abcc"), N // 4)),
        "g": np.repeat(np.arange(6), N // 6),
    }
    return pd.DataFrame({**whole, **columns})


THREE = np.tile(["1", "2", "3"], N // 3)
PAIRS = np.tile(["u", "v"], N // 2)
RENAMED = table().rename(columns={"x": "f", "f": "x"})
TWICE = table()
TWICE.insert(4, "x", 0.0, allow_duplicates=True)
SHORTER = table()[:-4]
EDITED = table()
EDITED.loc[:3, "f"] = "b"
GAPS = table()
GAPS.loc[2, "x"] = np.nan

#: The kinds that a column may have, one after the other under the same name.
FRAMES: dict[str, pd.DataFrame] = {
    "numbers": table(),
    "integers": table(x=np.tile([1, 2, 3], N // 3)),
    "texts": table(x=THREE),
    "categories": table(x=pd.Categorical(THREE)),
    "other order": table(x=pd.Categorical(THREE, ["3", "1", "2"])),
    "ordered": table(x=pd.Categorical(THREE, ["3", "1", "2"], ordered=True)),
    "number categories": table(x=pd.Categorical(np.tile([1, 2, 3], N // 3))),
    "fraction categories": table(x=pd.Categorical(np.tile([1.0, 2.5, 3.0], N // 3))),
    "unused level": table(x=pd.Categorical(THREE, ["0", "1", "2", "3", "9"])),
    "logical": table(x=np.tile([True, False, True], N // 3)),
    "nullable": table(x=pd.array(np.tile([True, False, True], N // 3), dtype="boolean")),
    "two levels": table(x=pd.Categorical(PAIRS)),
    "one level": table(x=pd.Categorical(["u"] * N)),
    "text groups": table(g=np.repeat(list("pqrstu"), N // 6)),
    "category groups": table(g=pd.Categorical(np.repeat(list("pqrstu"), N // 6), list("utsrqpz"))),
    "renamed": RENAMED,
    "twice": TWICE,
    "shorter": SHORTER,
    "edited": EDITED,
    "gaps": GAPS,
    "index": table().set_axis(np.arange(N) + 100),
}
FORMULAS = (
    "y ~ x + (1 | g)",
    "y ~ x * f + (x | g)",
    "y ~ 0 + x:f + (0 + f | g)",
    "y ~ I(x > 1) + f + (1 | g:f)",
    "y ~ log(x) + (1 | g) + offset(x)",
    "y ~ . + (1 | g)",
)
SUM = {"f": "sum"}


@dataclass(frozen=True)
class Case:
    formula: str
    frame: str
    contrasts: Any = None

    def seen(self) -> tuple:
        """All of a design that columns and formula decide, or the error in words."""
        try:
            design = build(self.formula, FRAMES[self.frame], contrasts=self.contrasts)
        except InterlaceError as error:
            return type(error), str(error)
        terms = design.fixed_terms
        return (
            design.y.tolist(),
            design.X.tolist(),
            design.x_names,
            design.x_terms,
            [(t.name, t.factors, t.covariates, t.components.tolist()) for t in terms.terms],
            {k: (v.codes.tolist(), v.levels.tolist()) for k, v in terms.factors.items()},
            [(f.name, f.levels.tolist(), f.codes.tolist(), f.Z.tolist()) for f in design.factors],
            [(t.names, t.text, t.columns) for t in design.terms],
            design.index.tolist(),
            design.n_missing,
        )


CASES = [Case(formula, frame) for formula in FORMULAS for frame in FRAMES]
CASES += [Case(formula, frame, SUM) for formula in FORMULAS[1:3] for frame in FRAMES]


@pytest.fixture(scope="module")
def anew() -> dict[tuple, tuple]:
    """Each case by itself."""
    out = {}
    for i, case in enumerate(CASES):
        cold()
        out[i] = case.seen()
    return out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [1, 2])
def test_cases_in_any_order_are_those_of_a_fresh_session(anew, seed):
    order = list(range(len(CASES)))
    random.Random(seed).shuffle(order)
    cold()
    for i in order:
        assert CASES[i].seen() == anew[i], CASES[i]


@pytest.mark.filterwarnings("ignore")
def test_threads_share_what_is_known(anew):
    cold()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(Case.seen, CASES))
    assert found == [anew[i] for i in range(len(CASES))]


def test_edited_columns_are_read_anew():
    data = table()
    before = build("y ~ x + f + (1 | g)", data)
    data["x"] = data["x"] * 2.0
    data["f"] = data["f"].cat.rename_categories({"a": "first"})
    after = build("y ~ x + f + (1 | g)", data)
    at = before.x_names.index("x")
    assert before.x_names == after.x_names
    np.testing.assert_array_equal(after.X[:, at], 2.0 * before.X[:, at])
    assert after.fixed_terms.factors["f"].levels.tolist() == ["first", "b", "c"]
    data = data.rename(columns={"x": "z"})
    with pytest.raises(DataError, match="formula names 'x', which is no column"):
        build("y ~ x + f + (1 | g)", data)
    data.columns = ["y", "f", "x", "g"]  # the names change places
    swapped = build("y ~ x + f + (1 | g)", data)
    assert {"x[T.b]", "x[T.c]", "f"} < set(swapped.x_names)
    np.testing.assert_array_equal(swapped.X[:, swapped.x_names.index("f")], after.X[:, at])


def test_a_column_comes_before_a_variable_and_a_variable_of_the_session_is_read_anew():
    data = table()
    plain = build("y ~ x + (1 | g)", data, context={"x": np.zeros(N)})
    np.testing.assert_array_equal(plain.X[:, 1], data["x"])
    for k in (2.0, 3.0):
        scaled = build("y ~ I(k * x) + (1 | g)", data, context={"k": k})
        np.testing.assert_array_equal(scaled.X[:, 1], k * data["x"])
    own = build("y ~ I(k * x) + (1 | g)", data.assign(k=0.5 * data["x"]), context={"k": 3.0})
    np.testing.assert_array_equal(own.X[:, 1], 0.5 * data["x"] ** 2)


def test_designs_share_no_numbers_that_can_be_written():
    data = table()
    one, two = (build("y ~ x + f + (x | g)", data) for _ in range(2))
    assert not np.shares_memory(one.X, two.X) and not np.shares_memory(one.y, data["y"].to_numpy())
    recipe = one.recipe.fixed["mean"].recipe
    assert recipe is two.recipe.fixed["mean"].recipe
    for term in one.fixed_terms.terms:
        assert not term.components.flags.writeable
    columns = read.read(data, ["x", "f"])
    assert not columns.values["x"].flags.writeable
    assert not columns.values["f"].levels.flags.writeable
    assert columns.complete == {"x", "f"}


def test_what_is_complete_is_forgotten_with_rows():
    columns = read.read(table(), ["x", "f"])
    assert columns.take(np.array([0, 4])).complete == frozenset()
    gaps = read.read(GAPS.assign(z=np.inf, u=pd.Categorical(THREE, list("0123"))), list("xfzu"))
    assert gaps.complete == {"f"} and set(gaps.missing) == {"x"}


def test_pandas_columns_are_those_of_its_public_interface():
    data = table(b=np.tile([True, False], N // 2), k=np.float32(2.5))
    data["own"] = data["y"].to_numpy() > 0.0
    for place, name in enumerate(data.columns):
        column, _ = read._pandas_column(data, place, name, False)
        expected, _ = read._pandas_series(data[name], name, False)
        if isinstance(column, levels.Labels):
            column, expected = column.codes, expected.codes
        np.testing.assert_array_equal(column, expected)
        assert column.dtype == expected.dtype


def test_few_objects_are_held_and_none_that_is_long():
    made: list[Any] = []
    known = ByIdentity(lambda thing: made.append(thing) or list(thing), most=2, room=4)
    things = [[i] for i in range(4)]
    for thing in things:
        assert known(thing) == thing and known(thing) is known(thing)
    assert made == things and len(known._kept) == 2
    assert known([0]) == [0] and len(made) == 5  # an equal one is another
    long = [0] * 5
    assert known(long) is not known(long) and len(known._kept) == 2
    half = [0] * 4  # leaves no room for others
    assert known(half) is known(half) and len(known._kept) == 1


def test_names_of_wide_frames_are_held_and_formulas_of_them_are_not():
    wide = pd.concat([table(), pd.DataFrame(0.0, range(N), [f"v{i}" for i in range(1000)])], axis=1)
    names = read.data_columns(wide)
    assert read._names_of(wide.columns) is read._names_of(wide.columns)
    assert names.key is None and read.data_columns(table()).key == ("y", "x", "f", "g")
    model_frame._of_columns.cache_clear()
    found = build("y ~ x + (1 | g)", wide)
    assert model_frame._of_columns.cache_info().currsize == 0
    np.testing.assert_array_equal(found.X, build("y ~ x + (1 | g)", table()).X)


def test_factors_of_many_levels_are_not_held():
    model_matrix._known_recipe.cache_clear()
    count = model_matrix.MOST_KEPT + 1
    labels = [f"l{i}" for i in range(count)]
    data = pd.DataFrame(
        {"y": np.arange(3.0 * count), "f": labels * 3, "g": np.arange(3 * count) % 7}
    )
    build("y ~ f + (1 | g)", data)
    assert model_matrix._known_recipe.cache_info().currsize == 1  # that of the intercept


def test_numbers_are_plainly_finite_or_looked_at_one_by_one():
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        values = np.array([1.0, -2.0, 0.0], dtype=dtype)
        assert plainly_finite(values)
        for bad in ([np.inf, 1.0], [np.inf, -np.inf], [np.nan, 0.0]):
            assert not plainly_finite(np.array(bad, dtype=dtype))
    assert plainly_finite(np.broadcast_to(np.float64(1.0), (5, 1)))
    huge = table(x=np.full(N, 1e200))  # finite, though their squares are not
    assert read.read(huge, ["x"]).missing == {}
    check_finite(read.read(huge, ["x"]))


def test_models_of_designs_alike_are_one_model(monkeypatch):
    one, two = (CovarianceModel.of(build("y ~ x + (x | g)", table())) for _ in range(2))
    other = CovarianceModel.of(build("y ~ x + (x || g)", table()))
    renamed = CovarianceModel.of(build("y ~ x + (x | h)", table().rename(columns={"g": "h"})))
    assert one is two and other is not one and renamed is not one
    assert renamed.theta_names[0] == "h.Intercept" and one.theta_names[0] == "g.Intercept"

    class Own(STRUCTURES["us"]):
        """Another structure of the same name."""

    monkeypatch.setitem(STRUCTURES, "us", Own)
    own = CovarianceModel.of(build("y ~ x + (x | g)", table()))
    assert type(own.terms[0].structure) is Own
