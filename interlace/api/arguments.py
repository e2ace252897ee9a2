"""Checks of arguments that all front doors share."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..covariance import CovarianceModel
from ..errors import ArgumentError, ArgumentTypeError, brief


def start_of(theta0: Any, design) -> np.ndarray | None:
    """theta0 as an array, checked against the design."""
    if theta0 is None:
        return None
    names = CovarianceModel.of(design).theta_names
    try:
        theta = np.asarray(theta0, dtype=float)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"theta0 must be a sequence of {len(names)} numbers, got {brief(theta0)}"
        ) from None
    if theta.shape != (len(names),):
        raise ArgumentError(
            f"theta0 has shape {theta.shape} but the model has {len(names)} covariance "
            f"parameters: {', '.join(names)}"
        )
    if not np.all(np.isfinite(theta)):
        raise ArgumentError(f"theta0 must be finite, got {theta.tolist()}")
    return theta
