"""The interface of all objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Self

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief

NOT_ASKED = np.empty(0)
NOWHERE = np.empty(0, dtype=np.intp)
ORDERS = (0, 1, 2)
# Central differences of an exact gradient: truncation (h^2) and rounding (eps / h) balance near
# eps^(1/3).
DIFFERENCE_STEP = 6e-6
# Standard deviations of effects, relative ones of standardised covariates, with which their
# correlations are of consequence.
OF_CONSEQUENCE = 0.2


class Evaluation(NamedTuple):
    """A criterion at one parameter vector.

    Attributes
    ----------
    value : float
    gradient : ndarray, shape (n,)
        Empty if not asked for.
    curvature : ndarray, shape (n, n)
        Empty if not asked for.
        A symmetric matrix that steers Newton steps: the Hessian, or one that agrees with it in
        expectation.
    exact : bool
        The curvature is the Hessian.
    """

    value: float
    gradient: np.ndarray = NOT_ASKED
    curvature: np.ndarray = NOT_ASKED
    exact: bool = False


class Approach(NamedTuple):
    """How far a search by gradients has come.

    Attributes
    ----------
    x : ndarray, shape (n,)
    here : Evaluation
        Value and gradient at x.
    curvature : ndarray, shape (n, n)
        Its model of the curvature there.
    radius : float
        Within which the model is trusted.
    refreshed : int
        Models of the curvature that were made anew on the way.
    """

    x: np.ndarray
    here: Evaluation
    curvature: np.ndarray
    radius: float
    refreshed: int


class Stretch(NamedTuple):
    """Steps of a search that were taken at once.

    Attributes
    ----------
    end : Approach
    ended : bool
        The search is over: the curvature is the Hessian.
    log : list of (ndarray, float)
        Accepted points and their values.
    evaluations : int
    stopped : BaseException or None
        What ended them early.
    """

    end: Approach
    ended: bool
    log: list[tuple[np.ndarray, float]]
    evaluations: int
    stopped: BaseException | None


class Objective(ABC):
    """A criterion to minimise over an unconstrained vector ``x``."""

    #: Whether ``evaluate(x, 2)`` costs little more than a gradient at every x; otherwise an
    #: optimiser asks for it once and builds its own from gradients.
    curvature_is_cheap: bool = True
    #: The design, where objective and design are in a user's hands apart.
    design: Any = None
    #: What x holds, for messages.
    parameters: str = "variance parameters"
    #: What to try where a search ends short of an optimum, for messages.
    advice: str = (
        "another optimizer= or theta0=, or remove random-effect terms that the data cannot support"
    )
    #: How to make the model simpler, for messages.
    simpler: str = "Remove a random-effect term or a column of one"
    #: What to do where rounding has taken the criterion's digits, a sentence less its full stop.
    exact_advice: str = (
        "Look for grouping factors that determine the response, and leave one of them out"
    )

    @abstractmethod
    def start(self) -> np.ndarray:
        """The x that a search starts from, (n,)."""

    def other_starts(self, x: np.ndarray) -> list[np.ndarray]:
        """Further starts, (n,) each, where there may be several minima beside x."""
        return []

    def far_starts(self, x: np.ndarray) -> list[np.ndarray]:
        """Further starts, (n,) each, of which those are searched that are nearly as good as x."""
        return []

    def boundaries(self, x: np.ndarray) -> list[np.ndarray]:
        """Places of parameters that may be zero together where there is a minimum beside x."""
        return []

    @abstractmethod
    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        """Value (order 0), with gradient (1), with curvature (2)."""

    def steps_from(self, at: Approach, enough: float, last: float) -> Stretch | None:
        """The steps of a quasi-Newton search until one promises no more than ``enough``.

        Where the Hessian of there is plainly that of a minimum and promises no more than ``last``
        its step is the end. For objectives that take them at once; None for others, and where there
        are none to take.
        """
        return None

    def checked_x(self, x: np.ndarray, size: int, order: int = 0) -> np.ndarray:
        """x as (size,) floats: users evaluate criteria too, and kernels check no bounds."""
        if order not in ORDERS:
            raise ArgumentError(
                "order must be 0 (the value), 1 (the gradient too) or 2 (the curvature too), got "
                f"{brief(order)}"
            )
        if isinstance(x, np.ndarray) and x.shape == (size,) and x.dtype.char == "d":
            return x
        try:
            numbers = np.asarray(x, dtype=float)
        except (TypeError, ValueError):
            raise ArgumentTypeError(f"x must be {size} numbers, got {brief(x)}") from None
        if numbers.shape != (size,):
            raise ArgumentError(f"x must have shape ({size},), got {numbers.shape}")
        return numbers

    @abstractmethod
    def lower_bounds(self) -> np.ndarray:
        """Lower bounds, for derivative-free optimisers, (n,)."""

    @property
    def one_signed(self) -> np.ndarray:
        """Places in x of parameters that must not be negative and have no mirror image."""
        return NOWHERE

    @abstractmethod
    def canonical(self, x: np.ndarray) -> np.ndarray:
        """The representative of x among those of equal value."""

    @abstractmethod
    def snap(self, x: np.ndarray) -> np.ndarray:
        """x with what is negligibly far from a boundary put on it."""

    @abstractmethod
    def null_directions(self, x: np.ndarray) -> list[str]:
        """The parameters on a boundary at x, in words; empty if there are none."""

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        """Parameters whose best value is not finite, in words with the remedy."""
        return []

    def changes(self, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Changes of the model by unit steps from x along directions (n, m), (c, m).

        Parameters may move without the model's following: those of a variance of zero, the
        rotations of a factor that has lost rank.
        """
        return directions

    def theta(self, x: np.ndarray) -> np.ndarray:
        """Covariance parameters on the scale of the data, (n_theta,); empty without any."""
        return NOT_ASKED

    def names(self) -> list[str]:
        """Names of the leading parameters of x that have one."""
        return []

    def fresh(self) -> Self:
        """The same objective with work space of its own; itself if it needs none."""
        return self

    def anew(self) -> Self:
        """The same objective with work space of its own, which no search has been in yet."""
        return self.fresh()

    def resume(self, other: Self) -> None:
        """Go on where a copy left off."""
        del other

    def rounding(self, x: np.ndarray) -> float:
        """The error by rounding of the criterion at x, beyond the usual."""
        return 0.0

    def doubts(self, x: np.ndarray, value: float) -> list[str]:
        """Reasons against the criterion, found to be ``value`` at x, in words with remedy."""
        return []

    def overfits(self, x: np.ndarray) -> bool:
        """Whether random effects predict every row at x: an approximation is good for nothing."""
        return False

    def reconsider(self, x: np.ndarray) -> bool:
        """Whether something better than what the search held was found for the same x."""
        return False

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The Hessian at x, by central differences of the exact gradient, (n, n)."""
        H = np.empty((x.size, x.size))
        for i in range(x.size):
            step = np.zeros(x.size)
            step[i] = DIFFERENCE_STEP * max(1.0, abs(x[i]))
            up = self.evaluate(x + step, order=1).gradient
            down = self.evaluate(x - step, order=1).gradient
            H[i] = (up - down) / (2.0 * step[i])
        return 0.5 * (H + H.T)
