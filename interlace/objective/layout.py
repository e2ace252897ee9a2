"""Named slices of the optimiser's vector x: one set of parameters for each linear predictor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

__all__ = ["Layout", "Parameters", "Predictor"]


class Predictor(NamedTuple):
    """A linear predictor: its name, and how many parameters of each kind it has."""

    name: str
    theta: int
    beta: int
    zeta: int


class Parameters(NamedTuple):
    """The slices of x that hold the parameters of one linear predictor."""

    theta: slice
    beta: slice
    zeta: slice


class Layout:
    """x, one linear predictor after the other, each with its theta, beta and zeta.

    Attributes
    ----------
    of : dict of Parameters
        The slices of each predictor, by its name.
    size : int
        Length of x.

    Examples
    --------
    >>> from interlace.objective.layout import Layout, Predictor
    >>> layout = Layout([Predictor("mean", theta=3, beta=2, zeta=1)])
    >>> layout.of["mean"].beta, layout.size
    (slice(3, 5, None), 6)
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        sizes = [size for predictor in predictors for size in predictor[1:]]
        ends = list(accumulate(sizes, initial=0))
        slices = iter([slice(*ends_of_one) for ends_of_one in pairwise(ends)])
        self.of = {p.name: Parameters(next(slices), next(slices), next(slices)) for p in predictors}
        self.size = ends[-1]
