"""The cross-products of a design."""

from __future__ import annotations

import numpy as np

from ...covariance import STRUCTURES
from ...linalg.crossproducts.linear import CrossProducts, LinearRows, cross_products
from ...linalg.crossproducts.standardise import intercept_column
from ...linalg.crossproducts.summed import SummedProducts, summed_products


def cross_products_of(design) -> CrossProducts:
    """All cross-products of a :class:`~interlace.design.design.Design`."""
    return cross_products(linear_rows(design))


def products_of_sums(design) -> SummedProducts:
    """All cross-products of a :class:`~interlace.design.summed.SummedDesign`."""
    free = [free_columns(design, b) for b in range(len(design.factors))]
    return summed_products(design.sums, intercept_column(design.x_names), free)


def linear_rows(design, dense: bool = True) -> LinearRows:
    """The rows of a :class:`~interlace.design.design.Design` as arrays, perhaps without Z."""
    weights, factors = design.weights, design.factors
    return LinearRows(
        y=design.y if design.offset is None else design.y - design.offset,
        X=design.X,
        intercept=intercept_column(design.x_names),
        root=np.empty(0) if weights is None else np.sqrt(weights),
        log_weights=0.0 if weights is None else float(np.log(weights).sum()),
        codes=tuple(f.codes for f in factors),
        n_levels=tuple(len(f.levels) for f in factors),
        Z=tuple(np.asarray(f.Z) for f in factors) if dense else (),
        free=tuple(free_columns(design, b) for b in range(len(factors))),
    )


def free_columns(design, b: int) -> list[slice]:
    """Columns of factor b's Z that combinations of them may replace, term by term."""
    terms = [term for term in design.terms if term.factor == b and len(term.names) > 1]
    single = [term for term in terms if term.copies == 1]
    return [term.columns for term in single if STRUCTURES[term.structure].unrestricted]
