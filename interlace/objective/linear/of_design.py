"""The objective of a linear mixed model by its design."""

from __future__ import annotations

from typing import Any

from ...covariance import CovarianceModel
from ...errors import ArgumentError
from ...linalg.factor.choose import OPEN
from .design_products import cross_products_of
from .lmm import LMMObjective
from .series_design import series_term
from .series_lmm import SeriesObjective

__all__ = ["linear_objective"]

#: The name that fits report whose series are taken time by time.
SERIES = "series"


def linear_objective(
    design: Any, covariance: CovarianceModel, reml: bool, backend: str | None = None
) -> LMMObjective:
    """Time by time where one term is a series and no other factorisation is asked for."""
    if backend in (*OPEN, SERIES):
        term = series_term(design, covariance)
        if term is not None:
            return SeriesObjective(design, covariance, reml, term)
    if backend == SERIES:
        raise ArgumentError(
            "backend='series' needs one random term that is a series, such as ar1(0 + time | g), "
            "and one only; use 'auto'"
        )
    return LMMObjective(cross_products_of(design), covariance, reml, backend)
