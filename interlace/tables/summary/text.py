"""The summary of a fit as one list of parts, rendered as text or HTML."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from ...other_names import Answering
from ...printing import Table, paragraph


@dataclass(frozen=True)
class Summary(Answering):
    """A summary that prints itself, as text or in a notebook.

    Attributes
    ----------
    parts : list of str or Table
        In order of printing.
    coefficients : DataFrame
        The fixed effects: ``estimate, std_error, df, statistic, p_value``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> print(str(m.summary()).splitlines()[0])
    Linear mixed model fit by REML; t-tests use Satterthwaite's degrees of freedom
    """

    parts: list[str | Table]
    coefficients: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        return "\n\n".join(part if isinstance(part, str) else part.text() for part in self.parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [paragraph(part) if isinstance(part, str) else part.html() for part in self.parts]
        return f"<div>{''.join(parts)}</div>"

    def _repr_pretty_(self, printer, cycle: bool) -> None:
        printer.text(str(self))
