"""Classes of results under the names that the earlier package had for them."""

from __future__ import annotations

from ..diagnostics.all_fit import AllFit
from ..inference.resampling.bootstrap import Bootstrap
from ..results.lmm import LMMResult

__all__ = ["AllFitResult", "BootResult", "CrossedLMEResult"]

AllFitResult = AllFit
BootResult = Bootstrap
CrossedLMEResult = LMMResult
