"""The record of one test of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from ..printing import paragraph


@dataclass(frozen=True)
class DiagnosticTest:
    """A test of whether data look like what a model would make.

    Attributes
    ----------
    name : str
        What was tested, in words.
    statistic : float
    p_value : float
    alternative : str
        ``"two-sided"``, ``"greater"`` or ``"less"``.
    details : mapping of str to float
        What else belongs to it: degrees of freedom, expected and observed numbers.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.glm("TICKS ~ YEAR + cHEIGHT", il.load_dataset("grouseticks"), "poisson")
    >>> m.overdispersion().statistic > 1.0
    True
    """

    name: str
    statistic: float
    p_value: float
    alternative: str = "two-sided"
    details: Mapping[str, float] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """One row: ``statistic``, the details, ``p_value``."""
        row = {"statistic": self.statistic, **self.details, "p_value": self.p_value}
        return pd.DataFrame(row, index=pd.Index([self.name], name="test"))

    def __repr__(self) -> str:
        more = "".join(f", {name} = {value:.5g}" for name, value in self.details.items())
        side = "" if self.alternative == "two-sided" else f" ({self.alternative})"
        p = f"{self.p_value:.4g}"
        return f"{self.name}: {self.statistic:.5g}{more}, p = {p}{side}"

    def _repr_html_(self) -> str:
        return paragraph(repr(self))
