"""The interface of all links: functions g from the mean to the linear predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ...errors import ArgumentError


class Link(ABC):
    """A link function g: ``eta = g(mu)``.

    A link is called to get eta from mu, and knows its inverse with three derivatives. Families
    work with log mu (positive means) or log mu and log(1 - mu) (probabilities) as functions of
    eta, which stay exact where mu itself is rounded to 0 or 1.

    Attributes
    ----------
    name : str
        The name that families and formulas use.
    positive : bool
        Whether the link serves positive means.
    two_signs : bool
        Whether some eta in the range of such a link give negative means.
    probability : bool
        Whether the link serves probabilities.
    scale_free : bool
        Whether eta has no unit: a logarithm, or a quantile of a distribution.
    ends : tuple of two bool
        Whether eta is infinite where the mean is 0, and where it is 1 or infinite.
    linear : bool
        Whether eta is the mean itself.
    ratios : bool
        Whether exp() of a difference of eta is a ratio: of means, odds or hazards.
    ratio_name : str
        ``"ratio"`` where it is one of means, ``"odds_ratio"`` of odds; else empty.
    uses_zeta : bool
        Whether the mean depends on the family's parameter too.
    power : float
        Exponent of a power link; 1 for others.

    Examples
    --------
    >>> from interlace.families import Logit
    >>> link = Logit()
    >>> float(link(0.5)), float(link.inverse(0.0)), float(link.derivative(0.5))
    (0.0, 0.5, 4.0)
    """

    name: str
    positive: bool = False
    two_signs: bool = False
    probability: bool = False
    scale_free: bool = False
    ends: tuple[bool, bool] = (False, False)
    linear: bool = False
    ratios: bool = False
    ratio_name: str = ""
    uses_zeta: bool = False
    power: float = 1.0
    #: The number of the link in the kernels, and what they have of it: see `compiled.code`.
    compiled: int | None = None
    written_twice: tuple[str, ...] = (
        "inverse_derivatives", "log_mean", "log_probabilities", "valid",
    )  # fmt: skip

    @abstractmethod
    def __call__(self, mu: np.ndarray) -> np.ndarray:
        """The linear predictor that belongs to the mean `mu`; infinite at the ends of the range."""

    @abstractmethod
    def derivative(self, mu: np.ndarray) -> np.ndarray:
        """The derivative of the linear predictor with respect to the mean.

        Parameters
        ----------
        mu : array (n,)
            Means.

        Returns
        -------
        array (n,)
            d eta / d mu at `mu`.
        """

    @abstractmethod
    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The mean and its first three derivatives.

        Parameters
        ----------
        eta : array (n,)
            Linear predictor, within the range of the link.

        Returns
        -------
        tuple of four arrays (n,)
            mu, d mu / d eta, d2 mu / d eta2, d3 mu / d eta3.
        """

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        """The mean that belongs to a linear predictor.

        Parameters
        ----------
        eta
            As in `inverse_derivatives`.

        Returns
        -------
        array (n,)
            mu.
        """
        return self.inverse_derivatives(eta)[0]

    def valid(self, eta: np.ndarray) -> np.ndarray:
        """Whether linear predictors lie in the range of the link.

        Parameters
        ----------
        eta : array (n,)
            Linear predictor.

        Returns
        -------
        array (n,) of bool
            False also where `eta` is not finite.
        """
        return np.isfinite(eta)

    def log_mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The logarithm of a positive mean and its first three derivatives in eta.

        Parameters
        ----------
        eta
            As in `inverse_derivatives`, of a positive mean.

        Returns
        -------
        tuple of four arrays (n,)
            log mu and its derivatives.

        Raises
        ------
        ArgumentError
            If the link is not one for positive means.
        """
        raise ArgumentError(
            f"the link {self.name!r} is not one for positive means: "
            "use 'log', 'identity', 'sqrt', 'inverse', 'inverse_square' or 'power(p)'"
        )

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        """The logarithms of a probability and of its complement, with derivatives in eta.

        Parameters
        ----------
        eta
            As in `inverse_derivatives`.

        Returns
        -------
        tuple of eight arrays (n,)
            log mu and its first three derivatives, log(1 - mu) and its first three derivatives.

        Raises
        ------
        ArgumentError
            If the link is not one for probabilities.
        """
        raise ArgumentError(
            f"the link {self.name!r} is not one for probabilities: use 'logit', 'probit', "
            "'cloglog', 'loglog', 'cauchit', 'log' or 'identity'"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *sorted(self.__dict__.items())))
