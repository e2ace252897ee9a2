"""`relationship`: columns and frames of any kind, unknown parents, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import interlace as il
from interlace.errors import ArgumentError, DataError, TooLargeError

IDS = ["d", "c", "a", "b"]
SIRES, DAMS = ["a", "a", None, None], ["c", "b", None, None]
A = [[1.25, 0.75, 0.75, 0.25], [0.75, 1, 0.5, 0.5], [0.75, 0.5, 1, 0], [0.25, 0.5, 0, 1]]
FRAME = pd.DataFrame({"id": IDS, "sire": SIRES, "dam": DAMS})
NUMBERS = {"id": [4, 3, 1, 2], "sire": [1, 1, 0, np.nan], "dam": [3, 2, np.nan, 0]}
WAYS = {
    "lists": (IDS, SIRES, DAMS),
    "columns": (FRAME["id"], FRAME["sire"], FRAME["dam"]),
    "categories": tuple(FRAME[name].astype("category") for name in FRAME),
    "a frame": (FRAME,),
    "polars": (pl.from_pandas(FRAME),),
    "a dict": ({"id": IDS, "sire": SIRES, "dam": DAMS},),
}


@pytest.mark.parametrize("way", WAYS)
def test_columns_and_frames(way):
    out = il.relationship(*WAYS[way])
    assert list(out.index) == list(out.columns) == IDS
    np.testing.assert_array_equal(out, A)


def test_names_of_columns():
    frame = FRAME.rename(columns={"id": "calf", "sire": "bull", "dam": "cow"})
    np.testing.assert_array_equal(il.relationship("calf", "bull", "cow", data=frame), A)
    np.testing.assert_array_equal(il.relationship("calf", "bull", "cow", frame), A)


def test_numbers():
    out = il.relationship(**NUMBERS)
    assert out.index.tolist() == [4, 3, 1, 2]
    np.testing.assert_array_equal(out, A)
    # parents with gaps come as floats, animals as texts
    mixed = il.relationship([str(i) for i in NUMBERS["id"]], NUMBERS["sire"], NUMBERS["dam"])
    assert mixed.index.tolist() == ["4", "3", "1", "2"]
    np.testing.assert_array_equal(mixed, A)


def test_parents_that_are_no_animals_are_founders():
    out = il.relationship([3, 4], [1, 1], [np.nan, 2])
    assert out.index.tolist() == [3, 4, 1, 2]
    np.testing.assert_array_equal(
        out, [[1, 0.25, 0.5, 0], [0.25, 1, 0.5, 0.5], [0.5, 0.5, 1, 0], [0, 0.5, 0, 1]]
    )


def test_the_inverse():
    Q, animals = il.relationship(FRAME, inverse=True)
    assert animals.tolist() == IDS
    np.testing.assert_allclose(Q @ np.array(A), np.eye(4), atol=1e-14)


def test_both_are_known_matrices_of_one_model():
    rng = np.random.default_rng(3)
    n = 40
    parents = [[0] * 8 + rng.integers(1, 9, n - 8).tolist() for _ in range(2)]
    pedigree = pd.DataFrame({"id": np.arange(1, n + 1), "sire": parents[0], "dam": parents[1]})
    relation = il.relationship(pedigree)
    effect = np.linalg.cholesky(relation) @ rng.normal(size=n)
    data = pd.DataFrame({"animal": np.repeat(pedigree["id"], 4).to_numpy()})
    data["y"] = effect[data["animal"] - 1] + rng.normal(size=len(data))
    one = il.fit("y ~ 1 + (1 | animal, cov=A)", data, matrices={"A": relation})
    other = il.fit(
        "y ~ 1 + (1 | animal, precision=Q)", data,
        matrices={"Q": il.relationship(pedigree, inverse=True)},
    )  # fmt: skip
    assert other.llf == pytest.approx(one.llf, abs=1e-9)
    # the same search, of matrices that differ by the rounding of an inverse; four digits to spare
    rounding = 1e4 * np.finfo(float).eps * np.linalg.cond(relation)
    expected = one.random_effects["animal"].to_numpy()
    np.testing.assert_allclose(
        other.random_effects["animal"], expected, rtol=0, atol=rounding * np.abs(expected).max()
    )


def selfed(n):
    return range(1, n + 1), range(n), range(n)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ((["a"], ["a"], [None]), "'a' is its own parent"),
        ((["a", "b"], ["b", None], [None, "a"]), "'a' is its own ancestor"),
        ((list("abcd"), list("bcdb"), [None] * 4), "'b', 'c', 'd' is a child of the next"),
        ((["a", "a"], [None] * 2, [None] * 2), "'a' stand in several rows"),
        (([0, 1], [0, 0], [0, 0]), "'0', which stands for an unknown parent"),
        ((["a", None], [None] * 2, [None] * 2), "id is missing in row 1"),
        ((["a", "b"], ["a"], [None]), "differ in length"),
    ],
)
def test_what_is_no_pedigree_is_refused(columns, says):
    with pytest.raises(DataError, match=says):
        il.relationship(*columns)


def test_what_cannot_be_asked():
    with pytest.raises(ArgumentError, match="give data= too"):
        il.relationship("id", "sire", "dam")
    with pytest.raises(ArgumentError, match="names of its columns"):
        il.relationship(IDS, "sire", "dam", data=FRAME)
    with pytest.raises(DataError, match="'father'"):
        il.relationship(FRAME, "father")
    with pytest.raises(DataError, match="parents of 5[0-9] are wholly inbred"):
        il.relationship(*selfed(80), inverse=True)
    assert il.relationship(*selfed(80)).iloc[-1, -1] == pytest.approx(2.0)
    with pytest.raises(TooLargeError, match="inverse=True"):
        il.relationship(np.arange(1, 20_002), np.zeros(20_001), np.zeros(20_001))
