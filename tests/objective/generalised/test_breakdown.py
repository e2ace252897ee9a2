"""The search for other modes: where it begins, and what it says of modes in hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from interlace.errors import NumericalError
from interlace.objective.generalised.breakdown import ModeSearch, _words

NONE = np.zeros(0)


class Landscape:
    """Modes of two crossed factors with one level each: a search ends at the nearest of them."""

    by_level = True

    def __init__(self, modes, heights):
        self.ends, self.heights = np.array(modes, dtype=float), np.array(heights)

    def find(self, T, eta0, zeta, start, order):
        nearest = np.abs(self.ends - start).sum(axis=1).argmin()
        u = self.ends[nearest]
        # the height of a mode is that of its penalised log-likelihood
        value = self.heights[nearest] + 0.5 * u @ u
        return SimpleNamespace(u=u, eta=np.array([value]), logdet=0.0, penalty=u @ u)


def search(modes, heights, own, kind=Landscape):
    problem = SimpleNamespace(
        factors=[SimpleNamespace(codes=np.zeros(1, dtype=int))] * 2,
        Z=SimpleNamespace(n=1, widths=(1, 1), n_levels=(1, 1), offsets=(0, 1, 2)),
        density=SimpleNamespace(values=lambda eta, zeta: (eta,)),
    )
    landscape = kind(modes, heights)
    here = landscape.find(None, None, NONE, np.array(own, dtype=float), 0)
    return ModeSearch(problem, landscape).compare([], NONE, NONE, here)


def test_the_only_mode_is_not_in_doubt():
    better, doubtful = search([(1, 1)], [0.0], (1, 1))
    assert better is None and not doubtful.size


@pytest.mark.parametrize("higher", [(-2, 1), (2, -1)])
def test_a_better_mode_where_one_factor_has_the_other_sign(higher):
    """Neither zero nor all effects turned lead to it."""
    better, doubtful = search(
        [(0.5, 0.4), (2, 1), (-2, -1), higher], [-9.0, 0.0, -9.0, 4.0], (2, 1)
    )
    np.testing.assert_array_equal(better, higher)
    assert doubtful.size


def test_a_mode_that_no_other_start_leads_to_is_in_doubt():
    """Although it is the highest by far."""
    better, doubtful = search([(0, 0), (3, 3)], [-50.0, 0.0], (3, 3))
    assert better is None and doubtful.size


def test_a_low_mode_elsewhere_is_no_doubt_where_zero_leads_back():
    better, doubtful = search([(1, 1), (-1, -1)], [0.0, -50.0], (1, 1))
    assert better is None and not doubtful.size


class Narrow(Landscape):
    """Searches begin within the range of the means alone: where both effects are large enough."""

    def find(self, T, eta0, zeta, start, order):
        if start.min() < 2.0:
            raise NumericalError("out of the range")
        return super().find(T, eta0, zeta, start, order)


def test_starts_out_of_the_range_are_brought_nearer():
    """The only mode is no doubtful one because zero is no start, and another is found still."""
    better, doubtful = search([(5, 4)], [0.0], (5, 4), Narrow)
    assert better is None and not doubtful.size
    better, doubtful = search([(5, 4), (2.5, 2.5)], [0.0, 1.0], (5, 4), Narrow)
    np.testing.assert_array_equal(better, (2.5, 2.5))
    assert doubtful.size


@pytest.mark.parametrize(("nodes", "advised"), [(0, True), (1, True), (7, True), (25, False)])
def test_quadrature_is_advised_to_those_who_have_less(nodes, advised):
    density = SimpleNamespace(several=False)
    problem = SimpleNamespace(
        factors=[SimpleNamespace(name="g", levels=["a"], codes=np.zeros(1, int))],
        Z=SimpleNamespace(widths=(1,), n_levels=(1,)), density=density, chained=False,
    )  # fmt: skip
    told = ModeSearch(problem, Landscape([], [])).words(np.array([0]), False, nodes)
    told.append(_words("at level 'a' of g", 0.01, True, problem, nodes))
    for words in told:
        assert ("nAGQ=25" in words) == advised
        assert words.startswith("quadrature" if nodes > 1 else "Laplace's approximation")
