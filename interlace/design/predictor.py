"""The linear predictors of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formula.formula import Formula
from .held import Gather, Held, HeldColumns
from .terms import FixedTerm, FixedTerms

#: Name of the predictor that every model has.
MEAN = "mean"
#: Names of those of ordered categories: of the thresholds, and of log sigma.
NOMINAL, SCALE = "nominal", "scale"
#: The coefficients that thresholds are made of, which belong to no column.
THRESHOLD = "threshold"
#: Coefficients of thresholds, location and scale side by side.
ALL = "all"
#: What the model of a predictor is called: the ... model.
WORDS = {
    MEAN: "conditional",
    "zi": "zero-inflation",
    "zoi": "zero-or-one-inflation",
    "coi": "one-inflation",
    "dispersion": "dispersion",
    "shape": "shape",
    THRESHOLD: "threshold",
    SCALE: "scale",
}
#: Arguments of the front doors that take the formula of a predictor.
ARGUMENTS = {
    "dispersion": "dispformula",
    "zi": "ziformula",
    "shape": "shapeformula",
    "zoi": "zoiformula",
    "coi": "coiformula",
    NOMINAL: NOMINAL,
    SCALE: SCALE,
}


def argument_of(predictor: str) -> str:
    """The argument that gives the formula of a linear predictor: ``"ziformula"``."""
    return "formula" if predictor == MEAN else ARGUMENTS.get(predictor, f"formula of {predictor}")


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """The fixed part of eta = offset + X beta + Z b; its random terms carry its name.

    Attributes
    ----------
    X : (n, p) float64 ndarray
        Fixed-effects model matrix, C-contiguous, of full column rank; of a sole intercept that is
        not the mean's a read-only broadcast of 1.0.  Of many rows it is made when it is asked for
        where a fit has sorted them.
    names : tuple of str
        Names of its columns (formulaic's).
    terms : FixedTerms
        Which term, factors and covariates each column belongs to.
    offset : (n,) float64 ndarray or None
    dropped : tuple of str
        Columns left out because they depend on earlier ones.
    formula : Formula or None
        Where it comes from: that of the model for the mean, one-sided for the others.
    """

    X: np.ndarray
    names: tuple[str, ...]
    terms: FixedTerms
    offset: np.ndarray | None = None
    dropped: tuple[str, ...] = ()
    formula: Formula | None = None

    def __getstate__(self) -> dict[str, Any]:
        # as the fields are, X in the order of its rows
        own = {name: value for name, value in self.__dict__.items() if name != "columns"}
        return {"X": self.X, **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int]:
        """That of X, which need not be made for it."""
        held: HeldColumns = self.__dict__["columns"]
        return held.shape

    def X_in(self, order: np.ndarray, gather: Gather | None = None) -> np.ndarray:  # noqa: N802
        """X with its rows in another order, (n,); where they are many it is held in that one.

        ``gather`` takes rows of a matrix by their positions.
        """
        held: HeldColumns = self.__dict__["columns"]
        return held.in_order(order, gather)

    @property
    def is_constant(self) -> bool:
        """Whether it is one number: a sole column of ones, and no offset."""
        return self.names == ("Intercept",) and self.offset is None


# a field like the others, but for where its value is
setattr(LinearPredictor, "X", Held())  # noqa: B010


def without_columns(names: tuple[str, ...], n: int, formula: Formula | None) -> LinearPredictor:
    """Coefficients that belong to no column of data, for n rows."""
    zeros = np.broadcast_to(0.0, (n, len(names)))
    return LinearPredictor(zeros, names, FixedTerms((), {}), formula=formula)


def constant_predictor(n: int) -> LinearPredictor:
    """A predictor that is one number for n rows: the coefficient of a column of ones."""
    term = FixedTerm("Intercept", (), (), np.zeros(1, dtype=np.intp))
    ones = np.broadcast_to(1.0, (n, 1))
    return LinearPredictor(ones, ("Intercept",), FixedTerms((term,), {}))
