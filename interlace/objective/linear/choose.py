"""Choose the representation of V from the grouping factors and the size of Z."""

from __future__ import annotations

from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.factor.choose import OPEN, choose_factor
from ...linalg.wide import WIDE, WIDE_LIMIT
from .few_columns import DENSE_LIMIT, DenseMarginal
from .many_columns import FactorMarginal
from .marginal import Marginal
from .one_factor import OneFactorMarginal


def choose_marginal(cross: CrossProducts, backend: str | None = None) -> Marginal:
    """A fused kernel for one grouping factor, dense algebra for a few columns, else a `Factor`.

    ``backend`` forces a factorisation.
    """
    wide = max(cross.z.widths, default=0) > WIDE
    if wide and cross.z.q <= WIDE_LIMIT and backend in (*OPEN, "blocked"):
        return DenseMarginal(cross)
    if len(cross.ZXy) == 1 and not wide and backend in (*OPEN, "blocked", "nested"):
        return OneFactorMarginal(cross)
    if cross.z.q <= DENSE_LIMIT and backend in (*OPEN, "blocked"):
        return DenseMarginal(cross)
    return FactorMarginal(cross, choose_factor(cross.z, backend))
