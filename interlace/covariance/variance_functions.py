"""Standard deviations of rows as functions of covariates, relative to sigma.

The logarithm of a row's standard deviation is h(x), mostly linear in the parameters. So that sigma
has little to do with them, covariates are centred in it: sigma of the search is that of the
centre, and ``shift`` says how far it is from the one that is read, which belongs to a covariate of
1 (power) or 0 (exponential).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

__all__ = [
    "ConstantPower",
    "Fixed",
    "LogLinear",
    "VarianceFunction",
    "exponential",
    "ident",
    "power",
]

# A spread of covariates below which there is nothing to estimate.
NO_SPREAD = 1e-10
# A logarithm of a ratio of standard deviations that is as good as infinite.
ENDLESS = 15.0


class VarianceFunction(ABC):
    """h(x) of the rows, with derivatives.

    Attributes
    ----------
    parameters : tuple of str
        Names of the natural parameters, as many as there are x.
    bounds : tuple of (float, float)
        Their ranges; intervals are made on the log scale of those above zero.
    """

    name: str
    parameters: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]

    @property
    def n_parameters(self) -> int:
        """Length of x."""
        return len(self.parameters)

    @abstractmethod
    def start(self) -> np.ndarray:
        """x to start from."""

    @abstractmethod
    def log_sd(self, x: np.ndarray) -> np.ndarray:
        """h, (n,)."""

    @abstractmethod
    def slopes(self, x: np.ndarray) -> np.ndarray:
        """dh, (n, n_parameters)."""

    @abstractmethod
    def natural(self, x: np.ndarray) -> np.ndarray:
        """The parameters that are read."""

    @abstractmethod
    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Their derivatives in x; each has its own."""

    @abstractmethod
    def x_of(self, natural: np.ndarray) -> np.ndarray:
        """x of the parameters that are read."""

    @abstractmethod
    def log_sd_of(
        self, natural: np.ndarray, v: np.ndarray | None, codes: np.ndarray | None
    ) -> np.ndarray:
        """h of other rows in units of the sigma that is read, (r,), at natural parameters."""

    @property
    def shift(self) -> np.ndarray:
        """log sigma as it is read less that of the search is ``-shift @ x``."""
        return np.zeros(self.n_parameters)

    def at_end(self, x: np.ndarray) -> str:
        """What lies at the end of its range at x, in words; empty if nothing does."""
        return ""


class LogLinear(VarianceFunction):
    """h = H x.

    Parameters
    ----------
    name : str
    parameters : sequence of str
    H : ndarray, shape (n, m)
    unit : ndarray, shape (m,)
        x are the coefficients of H times these.
    centre : ndarray, shape (m,)
        What was taken from the columns of H.
    ratio : bool
        Whether exponentials of the coefficients are read.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.variance_functions import ident
    >>> f = ident(np.array([0, 1, 1]), ["a", "b"])
    >>> f.natural(np.log([2.0])), np.exp(f.log_sd(np.log([2.0])))
    (array([2.]), array([1., 2., 2.]))
    """

    def __init__(
        self,
        name: str,
        parameters: Sequence[str],
        H: np.ndarray,
        unit: np.ndarray | None = None,
        centre: np.ndarray | None = None,
        ratio: bool = False,
    ) -> None:
        m = H.shape[1]
        self.name, self.parameters, self.ratio = name, tuple(parameters), ratio
        self.bounds = ((0.0, np.inf) if ratio else (-np.inf, np.inf),) * m
        self._unit = np.ones(m) if unit is None else unit
        self._centre = np.zeros(m) if centre is None else centre
        self._H = H / self._unit

    def start(self) -> np.ndarray:
        return np.zeros(self.n_parameters)

    def log_sd(self, x: np.ndarray) -> np.ndarray:
        return self._H @ x

    def slopes(self, x: np.ndarray) -> np.ndarray:
        return self._H

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x / self._unit) if self.ratio else x / self._unit

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return np.diag((self.natural(x) if self.ratio else 1.0) / self._unit)

    def log_sd_of(
        self, natural: np.ndarray, v: np.ndarray | None, codes: np.ndarray | None
    ) -> np.ndarray:
        if v is None:
            assert codes is not None
            return np.append(0.0, np.log(natural))[codes]
        slopes = natural[0] if codes is None else natural[codes]
        return slopes * (np.log(np.abs(v)) if self.name == "power" else v)

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return (np.log(natural) if self.ratio else np.asarray(natural)) * self._unit

    @property
    def shift(self) -> np.ndarray:
        return self._centre / self._unit

    def at_end(self, x: np.ndarray) -> str:
        if self.ratio:
            for name, value in zip(self.parameters, x / self._unit, strict=True):
                if abs(value) > ENDLESS:
                    return f"{name} is at {'infinity' if value > 0.0 else '0'}"
        return ""


def ident(codes: np.ndarray, levels: Sequence[str]) -> LogLinear:
    """A standard deviation of each level, relative to the first (nlme's varIdent)."""
    H = (codes[:, None] == np.arange(1, len(levels))).astype(float)
    return LogLinear("ident", [f"sd_ratio_{level}" for level in levels[1:]], H, ratio=True)


def power(text: str, v: np.ndarray, codes: np.ndarray | None, levels: Sequence[str]) -> LogLinear:
    """|v|^x, by level of a factor if codes are given (nlme's varPower)."""
    return _of_covariate("power", text, np.log(np.abs(v)), codes, levels)


def exponential(
    text: str, v: np.ndarray, codes: np.ndarray | None, levels: Sequence[str]
) -> LogLinear:
    """exp(x v), by level of a factor if codes are given (nlme's varExp)."""
    return _of_covariate("exp", text, v, codes, levels)


def _of_covariate(
    name: str, text: str, column: np.ndarray, codes: np.ndarray | None, levels: Sequence[str]
) -> LogLinear:
    if codes is None:
        centre = float(column.mean())
        spread = _spread(column - centre)
        return LogLinear(
            name, [f"{name}({text})"], (column - centre)[:, None],
            np.array([spread]), np.array([centre]),
        )  # fmt: skip
    H = column[:, None] * (codes[:, None] == np.arange(len(levels)))
    spreads = np.array([_spread(own[own != 0.0]) for own in H.T])
    return LogLinear(name, [f"{name}({text})_{level}" for level in levels], H, spreads)


def _spread(values: np.ndarray) -> float:
    size = float(np.sqrt(np.mean(values * values))) if values.size else 0.0
    return size if size > NO_SPREAD else 1.0


class ConstantPower(VarianceFunction):
    """const + |v|^power, const > 0 (nlme's varConstPower).

    Parameters
    ----------
    text : str
        Of v.
    v : ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.variance_functions import ConstantPower
    >>> f = ConstantPower("v", np.array([1.0, 4.0]))
    >>> np.exp(f.log_sd(f.x_of(np.array([1.0, 0.5])))).round(6)
    array([2., 3.])
    """

    name = "constpower"
    bounds = ((0.0, np.inf), (-np.inf, np.inf))

    def __init__(self, text: str, v: np.ndarray) -> None:
        self.parameters = (f"const({text})", f"power({text})")
        self._log = np.log(np.abs(v))

    def start(self) -> np.ndarray:
        return np.array([0.0, 0.1])

    def log_sd(self, x: np.ndarray) -> np.ndarray:
        return np.logaddexp(x[0], x[1] * self._log)

    def slopes(self, x: np.ndarray) -> np.ndarray:
        share = np.exp(x[0] - self.log_sd(x))
        return np.stack([share, (1.0 - share) * self._log], axis=1)

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.array([np.exp(x[0]), x[1]])

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return np.diag([np.exp(x[0]), 1.0])

    def log_sd_of(
        self, natural: np.ndarray, v: np.ndarray | None, codes: np.ndarray | None
    ) -> np.ndarray:
        assert v is not None
        return np.log(natural[0] + np.abs(v) ** natural[1])

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return np.array([np.log(natural[0]), natural[1]])

    def at_end(self, x: np.ndarray) -> str:
        if abs(x[0]) < 3.0 * ENDLESS:
            return ""
        return f"{self.parameters[0]} is at {'infinity' if x[0] > 0.0 else '0'}"


class Fixed(VarianceFunction):
    """sqrt(|v|): no parameter (nlme's varFixed).

    Parameters
    ----------
    v : ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.variance_functions import Fixed
    >>> np.exp(Fixed(np.array([4.0])).log_sd(np.empty(0)))
    array([2.])
    """

    name = "fixed"
    parameters = ()
    bounds = ()

    def __init__(self, v: np.ndarray) -> None:
        self._h = 0.5 * np.log(np.abs(v))

    def start(self) -> np.ndarray:
        return np.empty(0)

    def log_sd(self, x: np.ndarray) -> np.ndarray:
        return self._h

    def slopes(self, x: np.ndarray) -> np.ndarray:
        return np.empty((self._h.size, 0))

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.empty(0)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return np.empty((0, 0))

    def log_sd_of(
        self, natural: np.ndarray, v: np.ndarray | None, codes: np.ndarray | None
    ) -> np.ndarray:
        assert v is not None
        return 0.5 * np.log(np.abs(v))

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return np.empty(0)
