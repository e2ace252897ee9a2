"""Mixed-effects models: lme4's formulas, exact gradients, pandas results."""

from . import errors
from .api import VarCorr, anova, fit, isSingular, lmer, update
from .datasets import list_datasets, load_dataset
from .errors import (
    ArgumentError,
    ArgumentTypeError,
    ConvergenceWarning,
    DataError,
    DataWarning,
    FormulaError,
    InterlaceError,
    InterlaceWarning,
    MissingDependencyError,
    NumericalError,
)
from .result import LMMResult

__version__ = "0.1.0.dev0"

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "FormulaError",
    "InterlaceError",
    "InterlaceWarning",
    "LMMResult",
    "MissingDependencyError",
    "NumericalError",
    "VarCorr",
    "__version__",
    "anova",
    "errors",
    "fit",
    "isSingular",
    "list_datasets",
    "lmer",
    "load_dataset",
    "update",
]
