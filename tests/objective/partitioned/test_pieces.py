"""Rows in pieces: which share no random effect, where they are, and how they are sent."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError
from interlace.objective.partitioned.pieces import Approximation, outermost, split
from interlace.objective.partitioned.pools import store, stored
from interlace.objective.partitioned.workers import in_parts


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"s": rng.integers(0, 14, 600), "x": rng.normal(size=600)})
    d["c"] = 5 * d.s + rng.integers(0, 5, 600)
    d["w"] = rng.integers(0, 4, 600)
    d["y"] = rng.poisson(np.exp(0.3 * d.x))
    return d


def pieces_of(formula: str, data: Any) -> tuple[Any, list, list]:
    fit = il.glmer(formula, data, "poisson").fit
    problem = fit.objective.problem
    how = Approximation(fit.covariance, fit.expected, 1, None)
    return problem, *split(problem, how)


@pytest.mark.parametrize("formula", ["y ~ x + (1 + x | s)", "y ~ x + (1 | s) + (0 + x | c)"])
def test_every_row_and_effect_is_in_one_piece(frame, formula) -> None:
    problem, pieces, places = pieces_of(formula, frame)
    assert len(pieces) > 3
    n, q = problem.density.n, problem.Z.q
    rows = np.concatenate([np.arange(n)[place.rows] for place in places])
    effects = np.concatenate([place.effects for place in places])
    np.testing.assert_array_equal(np.sort(rows), np.arange(n))
    np.testing.assert_array_equal(np.sort(effects), np.arange(q))
    for b, factor in enumerate(problem.factors):
        levels = np.concatenate([place.levels[b] for place in places])
        np.testing.assert_array_equal(np.sort(levels), np.arange(len(factor.levels)))


def test_what_a_piece_computes_is_part_of_the_whole(frame) -> None:
    problem, pieces, places = pieces_of("y ~ x + (1 | s) + (0 + x | c)", frame)
    rng = np.random.default_rng(0)
    T, u = [np.array([[0.4]]), np.array([[0.7]])], rng.normal(size=problem.Z.q)
    eta = problem.Z.times(T, u)
    for piece, place in zip(pieces, places, strict=True):
        own = piece.objective().problem
        np.testing.assert_allclose(own.Z.times(T, u[place.effects]), eta[place.rows], rtol=1e-14)
        np.testing.assert_array_equal(own.density.y, problem.density.y[place.rows])


def test_pieces_do_not_depend_on_anything_but_rows_and_levels(frame) -> None:
    _, one, _ = pieces_of("y ~ x + (1 | s)", frame)
    _, two, _ = pieces_of("y ~ (1 | s)", frame.assign(y=frame.y + 1))
    assert [p.problem.density.n for p in one] == [p.problem.density.n for p in two]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_parts_are_neighbours_of_like_size(frame, count) -> None:
    _, pieces, _ = pieces_of("y ~ x + (1 | s)", frame)
    parts = in_parts([p.problem.density.n for p in pieces], count)
    assert len(parts) == min(count, len(pieces))
    assert [i for part in parts for i in range(part.start, part.stop)] == [*range(len(pieces))]
    rows = [sum(p.problem.density.n for p in pieces[part]) for part in parts]
    largest = max(p.problem.density.n for p in pieces)
    assert max(rows) <= 600 / len(parts) + largest


def test_files_give_arrays_without_copies_and_ones_take_no_room(frame, tmp_path) -> None:
    _, pieces, _ = pieces_of("y ~ x + (1 | s)", frame)
    path = tmp_path / "pieces"
    store(pieces, path)
    for own, other in zip(pieces, stored(path), strict=True):
        problem, again = own.problem, other.problem
        np.testing.assert_array_equal(problem.fixed.X, again.fixed.X)
        assert not again.fixed.X.flags.owndata and not again.fixed.X.flags.writeable
        assert again.factors[0].intercept_only and again.offset.strides == (0,)
        e, f = (p.objective().evaluate(np.array([0.3, 0.1, 0.2]), 1) for p in (own, other))
        assert e.value == f.value
        np.testing.assert_array_equal(e.gradient, f.gradient)
    # codes, two columns of X, y, weights, trials; the kernel shares them
    assert path.stat().st_size < 600 * (4 + 2 * 8 + 3 * 8) + 60_000
    assert pickle.loads(pickle.dumps(pieces[0])).problem.design is None


@pytest.mark.parametrize(
    ("formula", "factor"),
    [("y ~ (1 | s) + (1 | w)", "s"), ("y ~ (1 | s / c) + (1 | w)", "c:s|s:c")],
)
def test_crossed_factors_are_refused_by_name(frame, formula, factor) -> None:
    with pytest.raises(ArgumentError, match=rf"levels of '({factor})' are in several of 'w'"):
        il.glmer(formula, frame, "poisson", partitions=2)


def test_levels_of_a_known_covariance_are_no_pieces(frame) -> None:
    A = pd.DataFrame(np.eye(14) + 0.2, index=range(14), columns=range(14))
    with pytest.raises(ArgumentError, match="those of 's' have a known covariance"):
        il.glmer("y ~ (1 | s, cov=A)", frame, "poisson", matrices={"A": A}, partitions=2)


def test_a_chain_is_nested_in_its_last_factor(frame) -> None:
    fit = il.glmer("y ~ (1 | s / c)", frame, "poisson").fit
    assert fit.design.factors[outermost(fit.design.factors)].name == "s"
