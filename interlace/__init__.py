"""Mixed-effects models: lme4's formulas, exact gradients, pandas results."""

from . import errors
from .datasets import list_datasets, load_dataset

__version__ = "0.1.0.dev0"

__all__ = ["__version__", "errors", "list_datasets", "load_dataset"]
