"""Designs whose rows are not in memory: what they have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from ..errors import DataError
from .design import Design

__all__ = ["RowlessDesign"]

#: A variance this near to the largest that mean and range allow is that of two values.
TWO_VALUES = 1e-9


@dataclass(frozen=True, eq=False)
class RowlessDesign(Design):
    """A design whose rows are not in memory.

    ``X`` has a few rows that span what all rows span.

    Attributes
    ----------
    n_rows : int
        Rows used.
    engine : str
    ranges : dict
        Mean, standard deviation, least and largest value of each numeric column.
    """

    n_rows: int = 0
    engine: str = ""
    ranges: dict[str, tuple[float, ...]] = field(default_factory=dict)

    #: Where the rows went, in a message.
    whereabouts = "their rows stayed where they are"

    def __post_init__(self) -> None:
        for name in ("y", "index"):
            self.__dict__.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        if name in ("y", "index"):
            self.needs_rows()
        raise AttributeError(name)

    def needs_rows(self) -> NoReturn:
        """Refuse what only the rows could answer."""
        raise DataError(
            f"this fit {self.whereabouts}; this needs them. Fit the rows that go into memory "
            "(data.collect()), or use what needs none: estimates, tests, intervals, random "
            "effects, predictions for new data"
        )

    if TYPE_CHECKING:

        @property
        def whole_root(self) -> np.ndarray:
            """Some R (r, all) with R'R = X'X of all columns of X, also those left out."""

    def of(self, kept: np.ndarray, all_levels: bool = False) -> NoReturn:
        """Refuse some of the rows."""
        self.needs_rows()

    def stand_in(self, name: str) -> np.ndarray:
        """A few numbers of the mean and range of a column; its values where there are two."""
        if name not in self.ranges:
            self.needs_rows()
        mean, sd, low, high = self.ranges[name]
        # of all with this mean within these bounds two values have the largest variance
        largest = (mean - low) * (high - mean) * self.n_rows / max(self.n_rows - 1, 1)
        if sd**2 >= largest * (1.0 - TWO_VALUES):
            return np.unique([low, high])
        return np.array([low, high, 3.0 * mean - low - high])

    def stand_in_rows(self) -> pd.DataFrame:
        """A few rows with the ranges of numbers and the levels of factors."""
        values: dict[str, Any] = {}
        for name in self.variables():
            labels = None if self.recipe is None else self.recipe.levels.get(name)
            if labels is not None:
                values[name] = labels.levels
            elif self.recipe is not None and name in self.recipe.logical:
                values[name] = np.array([False, True])
            elif name in self.ranges:
                values[name] = self.stand_in(name)
        n = max((len(own) for own in values.values()), default=0)
        return pd.DataFrame({name: np.resize(own, n) for name, own in values.items()})
