"""Mixed-effects models: lme4's formulas, exact gradients, pandas results."""

__version__ = "0.1.0.dev0"

__all__ = ["__version__"]
