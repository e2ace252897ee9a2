"""Linear mixed models from sums that the engine of the data computed."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn

import numpy as np

from ..covariance import CovarianceModel
from ..design.summed import SummedDesign, Sums
from ..errors import DataWarning, warn
from ..linalg.threads import one_thread
from ..objective import LMMObjective
from ..objective.linear.design_products import products_of_sums
from ..optimize.watch import stage
from .lmm import LMMFit, fit_objective

__all__ = ["SummedFit", "fit_sums"]

#: A residual sum of squares below so many times its rounding, of least squares, is known to fewer
#: than four digits.
FEW_DIGITS = 1e4


@dataclass(frozen=True, eq=False)
class SummedFit(LMMFit):
    """A fitted linear mixed model whose rows are not in memory."""

    design: SummedDesign
    has_rows = False

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        return {**state, "_objective": self._objective}

    @property
    def n(self) -> int:
        """Rows used."""
        return self.design.n_rows

    @property
    def response_moments(self) -> tuple[float, float, float]:
        """Rows, weighted mean of the response less its offset, and its root mean square."""
        sums = self.design.sums
        assert sums is not None
        total = float(sums.ones @ sums.ones)
        mean, square = float(sums.ones @ sums.y) / total, float(sums.y @ sums.y) / total
        return float(self.n), mean, square**0.5

    @property
    def fixed_variance(self) -> float:
        """Variance of X beta over the rows, which sums without weights know."""
        sums = self._plain_sums()
        predicted = sums.X @ self.beta
        mean = float(sums.ones @ predicted) / self.n
        predicted = predicted - mean * sums.ones
        return float(predicted @ predicted) / (self.n - 1)

    def mean_spread(self, b: int) -> float:
        """Mean of z'TT'z over the rows, for the columns of one grouping factor."""
        self._plain_sums()
        T = self.scale.templates(self.x)[b]
        Z = self._shared.cross.z.diagonal[b].sum(axis=0) / self.n
        return float(np.sum(Z * (T @ T.T)))

    def fixed_crossproduct(self) -> np.ndarray:
        """Lambda'Z'WX, (q, p), as `scaled_crossproduct` makes it of rows."""
        cross = self._shared.cross
        # standardised columns Zs root = Z, Xs = X back
        parts = [np.zeros((0, self.p))]
        for ZXy, root, T in zip(cross.ZXy, cross.z_roots, self.T, strict=True):
            own = (root @ T).T @ ZXy[:, :, : self.p]
            parts.append(own.reshape(-1, self.p))
        return np.linalg.solve(cross.standardisation.back.T, np.concatenate(parts).T).T

    def _plain_sums(self) -> Sums:
        sums = self.design.sums
        assert sums is not None
        if self.design.weights is not None:
            self.design.needs_rows()  # sums are of weighted rows
        return sums

    def _refuse(self, *_: Any) -> NoReturn:
        """Refuse what only the rows could answer."""
        self.design.needs_rows()

    fixed_part = random_part = observations = property(_refuse)
    noise = normalised = without = refitted = _refuse  # type: ignore[assignment]


def fit_sums(
    design: SummedDesign,
    *,
    reml: bool,
    optimizer: str = "newton",
    theta0: Any = None,
    backend: str | None = None,
    seconds: dict[str, float] | None = None,
) -> SummedFit:
    """Fit a linear mixed model to the sums of a design, arguments as those of `fit_lmm`."""
    seconds = dict(seconds or {})
    clock = perf_counter()
    covariance = CovarianceModel.of(design)
    theta = covariance.given_start(theta0)
    stage("cross-products")
    with one_thread(design.sums.elements.size if design.sums else 0):
        objective = LMMObjective(products_of_sums(design), covariance, reml, backend)
    _check_digits(objective)
    seconds["cross-products"] = perf_counter() - clock
    start = None if theta is None else objective.x_in_units(theta)
    kept = design.without_levels()
    return fit_objective(kept, objective, optimizer, start, seconds, SummedFit)


def _check_digits(objective: LMMObjective) -> None:
    """Warn where the fixed part leaves so little of the response that few digits are there."""
    cross = objective.cross
    left = float(cross.XyXy[-1, -1])
    if cross.rounding < left < FEW_DIGITS * cross.rounding:
        warn(
            "the fixed part explains nearly all of the response, and of what it leaves sums of "
            "products keep few digits; fit the rows in memory, or take the known part from the "
            "response first",
            DataWarning,
        )
