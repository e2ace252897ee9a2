"""The kinds of fits that inference, predictions and tables serve, as names for annotations."""

from __future__ import annotations

from typing import TypeAlias

from .glm import GLMFit
from .glmm import GLMMFit
from .lmm import LMMFit
from .regression import RegressionFit

#: With random effects.
MixedFit: TypeAlias = LMMFit | GLMMFit
#: With a family and a link.
GeneralisedFit: TypeAlias = GLMMFit | GLMFit | RegressionFit
#: ``fit.linear`` tells the first from the others, for type checkers too.
AnyFit: TypeAlias = LMMFit | GLMMFit | GLMFit | RegressionFit
