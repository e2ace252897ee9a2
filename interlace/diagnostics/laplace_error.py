"""How far the log-likelihood of a generalised mixed model is from the integral it approximates."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..inference.simulate import generator
from ..linalg.information import determined_root, side_by_side
from ..models.glmm import make_objective
from ..objective.generalised.integral import Integral, by_draws, by_nodes, node_counts

if TYPE_CHECKING:
    from ..models.glmm import GLMMFit

__all__ = ["LaplaceError", "laplace_error"]

# Shifts of estimates, in their standard errors, that no conclusion depends on, and that some may.
SMALL_SHIFT, LARGE_SHIFT = 0.1, 0.5
# Draws that a mean has to be worth.
FEW_DRAWS = 50.0
# An error that is rounding.
ROUNDING = 1e-6
# A last change with the number of nodes that leaves the error in doubt.
UNSETTLED = 0.01
# The least number of draws from which a standard error is taken.
LEAST_DRAWS = 100
# Nodes of quadrature in a fit: its grid has at most three dimensions.
MOST_EFFECTS_OF_FITS = 3


@dataclass(frozen=True, eq=False)
class LaplaceError:
    """How far an approximated log-likelihood is from the integral, and what that does to estimates.

    Attributes
    ----------
    error : float
        The integral's log-likelihood less that of the fit, at the fit's estimates.
    std_error : float
        Of ``error``: that of the draws, or the last change with the number of nodes.
    llf, integral : float
        The log-likelihood of the fit, and of the integral.
    method : {"quadrature", "importance"}
    points : int
        Nodes for each random effect, or draws.
    effective : float
        The draws that the weighted ones are worth, in the block of random effects where they are
        worth least; infinite for quadrature.
    shifts : DataFrame
        Of each parameter ``estimate, std_error, shift`` (of one Newton step to the maximum of the
        integral), ``shift_error`` (of the draws) and ``in_std_errors``.
    advice : str
        What follows, in words.

    Examples
    --------
    >>> import interlace as il
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> m = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
    >>> error = m.laplace_error()
    >>> round(error.error, 4), error.method, error.points
    (0.0425, 'quadrature', 19)
    """

    error: float
    std_error: float
    llf: float
    method: str
    points: int
    effective: float
    shifts: pd.DataFrame
    advice: str

    @property
    def integral(self) -> float:
        """The log-likelihood by the integral."""
        return self.llf + self.error

    @property
    def reliable(self) -> bool:
        """Whether the draws are worth enough, or the nodes many enough, to trust the error."""
        settled = self.method != "quadrature" or self.std_error < UNSETTLED
        return settled and self.effective >= FEW_DRAWS

    @property
    def largest_shift(self) -> float:
        """The largest shift of an estimate in standard errors."""
        return float(self.shifts["in_std_errors"].abs().max())

    def to_frame(self) -> pd.DataFrame:
        """The shifts of the estimates, as a new data frame.

        Returns
        -------
        DataFrame
        """
        return self.shifts.copy()

    def _lines(self) -> list[str]:
        if self.method == "quadrature":
            how = f"by adaptive quadrature with {self.points} nodes for each random effect"
            error = f"{self.error:.3g}" if abs(self.error) > ROUNDING else "less than 1e-6"
        else:
            how = f"by {self.points} draws, worth {self.effective:.0f} where they are worth least"
            error = f"{self.error:.3f}, standard error {self.std_error:.2g}"
        return [
            f"log-likelihood of the fit {self.llf:.4f}, of the integral {self.integral:.4f}, {how}",
            f"error {error}",
            self.advice,
        ]

    def __repr__(self) -> str:
        return "\n".join([*self._lines(), self.shifts.to_string(float_format="{:.4g}".format)])

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(line)}</p>" for line in self._lines())
        return lines + self.shifts.to_html(float_format="{:.4g}".format)


def laplace_error(fit: Any, n: int, seed: Any, method: str) -> LaplaceError:
    """The error of the approximation at a fit's estimates, and the shift that it implies."""
    if fit.linear:
        raise ArgumentError(
            "laplace_error is for generalised mixed models: the likelihood of a linear one is exact"
        )
    if fit.is_reml:
        raise ArgumentError(
            "laplace_error needs a log-likelihood, and this is a REML fit; fit it with method='ML'"
        )
    if n < LEAST_DRAWS:
        raise ArgumentError(
            f"n={n} draws are too few for a standard error; take at least {LEAST_DRAWS}"
        )
    objective, x = _laplace(fit)
    counts = node_counts(objective)
    if method == "quadrature" and not counts:
        raise ArgumentError(
            "method='quadrature' is for one grouping factor with few effects a level; "
            "method='importance' draws them"
        )
    if counts and method != "importance":
        integral, by = by_nodes(objective, x, counts), "quadrature"
    else:
        integral, by = by_draws(objective, x, n, generator(seed)), "importance"
    shifts = _shifts(fit, objective, x, integral)
    error = float(integral.value - fit.llf)
    return LaplaceError(
        error=error,
        std_error=float(integral.std_error),
        llf=float(fit.llf),
        method=by,
        points=integral.points,
        effective=integral.effective,
        shifts=shifts,
        advice=_advice(fit, integral, shifts),
    )


def _laplace(fit: GLMMFit) -> tuple[Any, np.ndarray]:
    """Laplace's approximation of the model with its modes in hand, and all its parameters."""
    if fit.nAGQ == 1:
        return fit.objective, fit.x
    objective = make_objective(
        fit.design, fit.covariance, fit.family, fit.observations, 1, fit.expected, None
    )
    own: Any = fit.objective
    theta, _, zeta = own.split(fit.x)
    x = np.concatenate([theta, objective.problem.gamma(fit.solution.beta), zeta])
    objective.hold(np.concatenate([u.ravel() for u in fit.u]))
    return objective, x


def _shifts(fit: GLMMFit, objective: Any, x: np.ndarray, integral: Integral) -> pd.DataFrame:
    """One Newton step to the maximum of the integral, on the scale of the data."""
    H = fit.optimum.curvature if len(fit.optimum.curvature) == x.size else objective.hessian(x)
    logs = np.eye(objective.split(x)[2].size)
    to_data = side_by_side(objective.scale.jacobian(), objective.problem.natural(len(logs)))
    # H is of -2 log L, whose gradient is -2 times that of log L
    root, in_x = determined_root(H, to_data), determined_root(H)
    shift = 2.0 * root @ (in_x.T @ integral.gradient)
    spread = 2.0 * root @ in_x.T
    shift_error = np.sqrt((spread**2) @ integral.gradient_error**2)
    std_error = np.sqrt(np.diagonal(fit.cov_all))
    zeta = objective.split(x)[2]
    estimates = np.concatenate([fit.theta, fit.solution.beta, zeta])
    with np.errstate(invalid="ignore"):
        share = np.where(np.isfinite(std_error), shift / std_error, 0.0)
    return pd.DataFrame(
        {
            "estimate": estimates,
            "std_error": std_error,
            "shift": shift,
            "shift_error": shift_error,
            "in_std_errors": share,
        },
        index=pd.Index(fit.parameter_names, name="parameter"),
    )


def _advice(fit: GLMMFit, integral: Integral, shifts: pd.DataFrame) -> str:
    """What follows from the error."""
    if integral.effective < FEW_DRAWS:
        return (
            f"{integral.points} draws are worth {integral.effective:.0f}: neither the error nor "
            "its standard error can be trusted; take a larger n="
        )
    if integral.effective == np.inf and integral.std_error >= UNSETTLED:
        return (
            f"quadrature has not settled with {integral.points} nodes, the last change is "
            f"{integral.std_error:.2g}: around the modes the densities of the random effects are "
            "far from normal, and neither the fit nor the error can be trusted; m.diagnose() "
            "says what is known"
        )
    sizes = shifts["in_std_errors"].abs()
    largest, name = float(sizes.max()), str(sizes.idxmax())
    moved = f"{name} would move by about {largest:.2g} of its standard error, others by less"
    if largest < SMALL_SHIFT:
        return f"{moved}: nothing needs to be done"
    return f"{moved}: {_remedy(fit, integral, largest)}"


def _remedy(fit: GLMMFit, integral: Integral, largest: float) -> str:
    factors = fit.design.factors
    few = len(factors) == 1 and factors[0].Z.shape[1] <= MOST_EFFECTS_OF_FITS
    if few and not fit.several and integral.points > (fit.nAGQ or 0):
        return f"fit with nAGQ={integral.points}"
    small = largest < LARGE_SHIFT
    said = "conclusions that are near their limit may change" if small else "conclusions may change"
    return (
        f"{said}. No nearer approximation of this model is fitted here: estimate + shift is the "
        "better estimate, and more rows for each level make the two alike"
    )
