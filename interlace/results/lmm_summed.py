"""The result of a linear mixed model whose rows stayed with the engine of the data."""

from __future__ import annotations

from ..calls import checked_methods
from ..models.lmm_summed import SummedFit
from .lmm import LMMResult


@checked_methods
class SummedResult(LMMResult):
    """A fitted linear mixed model of a lazy frame: all but what needs its rows.

    Parameters
    ----------
    fit : SummedFit
        The frozen record, from which everything is computed when asked for.
    """

    fit: SummedFit
