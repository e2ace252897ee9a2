"""The maximum of a generalised linear model's likelihood: coefficients, and theta with them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..design.design import Design
from ..errors import DataError, NumericalError
from ..families.base import Family
from ..linalg.crossproducts.fixed import weighted_gram
from ..objective.base import DIFFERENCE_STEP
from ..objective.generalised.density import FamilyDensity
from ..objective.generalised.irls import IRLS, irls

#: The information has lost a direction when a pivot of its Cholesky factor, scaled to unit
#: diagonal, is below this share: the weights of rows that are predicted perfectly vanish.
LOST_PIVOT = 1e-11
#: Steps in log(theta) of the negative binomial: Newton's, at most this long.
LONGEST_STEP = 2.0
MOST_THETA_STEPS = 60
#: Newton decrement at which log(theta) is good to 1e-9 of its standard error.
THETA_DECREMENT = 1e-18
#: Counts without overdispersion have their maximum at theta = infinity. From here on the variance
#: is that of a Poisson distribution to 1e-8 for means up to 100.
LARGEST_THETA = 1e10
#: Steps of Newton's method after IRLS: each must lower the decrement by this factor, which on the
#: way to infinity none does. Below the last bound it counts as a maximum wherever IRLS stopped.
MOST_POLISHING = 25
NEARER = 0.1
STOPPED = 1e-14


class Maximum(NamedTuple):
    """The point at which IRLS stopped, in standardised coordinates.

    Attributes
    ----------
    c : ndarray, shape (p,)
    eta : ndarray, shape (n,)
        Offset included.
    score : ndarray, shape (p,)
        Gradient of the log-likelihood at dispersion one.
    information : ndarray, shape (p, p)
        Expected minus curvature there.
    decrement : float
        By how much the log-likelihood could still rise.
    iterations : int
        Of the last call, and of all calls for the negative binomial.
    stopped : bool
        The stopping rule was met.
    lost : bool
        The information has lost rank.
    endless : bool
        theta of the negative binomial goes to infinity.
    """

    c: np.ndarray
    eta: np.ndarray
    score: np.ndarray
    information: np.ndarray
    decrement: float
    iterations: int
    stopped: bool
    lost: bool = False
    endless: bool = False


def maximise_coefficients(
    density: FamilyDensity,
    Q: np.ndarray,
    design: Design,
    zeta: np.ndarray,
    eta: np.ndarray,
    c: np.ndarray | None = None,
) -> Maximum:
    """Maximise in the coefficients of Q (n, p) at given zeta.

    From predictors eta (n,) within the range of the link, or from coefficients c (p,); the design
    gives the offset. A DataError says that no coefficients give means within the family's range.
    """
    base = np.zeros(density.n) if design.offset is None else design.offset
    if not Q.shape[1]:
        if not np.all(density.family.valid(base)):
            raise _outside(density.family, design)
        return _at(density, Q, zeta, np.zeros(0), base, 0, True)
    if c is None:
        try:
            maximum = irls(density, Q, design.offset, zeta, eta)
        except NumericalError:
            raise _outside(density.family, design) from None
        return _polished(density, Q, zeta, maximum, maximum.beta)
    # From coefficients: they become part of the offset, so that steps are halved towards them.
    here = base + Q @ c
    maximum = irls(density, Q, here, zeta, here)
    return _polished(density, Q, zeta, maximum, c + maximum.beta)


def _polished(
    density: FamilyDensity, Q: np.ndarray, zeta: np.ndarray, found: IRLS, c: np.ndarray
) -> Maximum:
    """The end of IRLS, after steps of Newton's method as long as they lead nearer.

    IRLS creeps where the link is far from canonical, and stops at an error of the square root of
    its decrement, which is no longer small for log-likelihoods in the millions.
    """
    here = _at(density, Q, zeta, c, found.eta, found.iterations, found.converged)
    for _ in range(MOST_POLISHING):
        observed = weighted_gram(Q, density.rows(here.eta, zeta, True, order=0).observed)
        if here.lost or _lost(observed):
            break
        step = np.linalg.solve(observed, here.score)
        there = _at(density, Q, zeta, here.c + step, here.eta + Q @ step, here.iterations + 1, True)
        if there.lost or not there.decrement < NEARER * here.decrement:
            break
        here = there._replace(stopped=found.converged or there.decrement < STOPPED)
    return here


def _at(
    density: FamilyDensity,
    Q: np.ndarray,
    zeta: np.ndarray,
    c: np.ndarray,
    eta: np.ndarray,
    iterations: int,
    stopped: bool,
) -> Maximum:
    rows = density.rows(eta, zeta, True, order=0)
    information, score = weighted_gram(Q, rows.weight), Q.T @ rows.score
    lost = not np.isfinite(rows.total) or _lost(information)
    if not (np.isfinite(information).all() and np.isfinite(score).all()):
        information, score = np.zeros_like(information), np.zeros_like(score)
    decrement = 0.5 * float(score @ np.linalg.lstsq(information, score, rcond=None)[0])
    return Maximum(c, eta, score, information, decrement, iterations, stopped, lost)


def _lost(information: np.ndarray) -> bool:
    scale = np.sqrt(np.diagonal(information))
    if not scale.size:
        return False
    if not (np.isfinite(scale).all() and scale.all()):
        return True
    try:
        pivots = np.diagonal(np.linalg.cholesky(information / np.outer(scale, scale)))
    except np.linalg.LinAlgError:
        return True
    return bool(pivots.min() ** 2 < LOST_PIVOT)


def _outside(family: Family, design: Design) -> DataError:
    return DataError(
        f"no coefficients give means within the range of family {family.name!r} with link "
        f"{family.link.name!r} in all {len(design.y)} rows of {design.formula.text!r}; use a link "
        "whose inverse cannot leave it, such as 'log' or 'logit', or look at the offset"
    )


def maximise_with_theta(
    density: FamilyDensity, Q: np.ndarray, design: Design, start: np.ndarray
) -> tuple[Maximum, np.ndarray, np.ndarray]:
    """Maximise in coefficients and log(theta) of a negative binomial, from means `start` (n,).

    The profile log-likelihood l(z) = l(z, c(z)) has slope l_z and curvature l_zz + l_zc H^{-1} l_cz
    with H the observed information; l_zz is a central difference of l_z. Returned are the maximum,
    log(theta), (1,), and its standard error at these means, (1,), as MASS has it.
    """
    family = density.family
    largest = np.log(LARGEST_THETA)
    most = np.array([largest])
    maximum = maximise_coefficients(density, Q, design, most, family.linear_predictor(start, most))
    mu = family.mean(maximum.eta, most)
    zeta = np.clip(
        family.start_zeta(density.y, mu, density.weights, density.trials), -largest, largest
    )
    low, high, iterations = -np.inf, np.inf, maximum.iterations
    endless = False
    for _ in range(MOST_THETA_STEPS):
        maximum = _at_theta(density, Q, design, zeta, maximum, mu)
        mu = family.mean(maximum.eta, zeta)
        iterations += maximum.iterations
        slope, cross, observed = _theta_slope(density, Q, maximum.eta, zeta)
        inner = _theta_curvature(density, maximum.eta, zeta)
        curvature = inner + cross @ np.linalg.lstsq(observed, cross, rcond=None)[0]
        low, high = (float(zeta[0]), high) if slope > 0 else (low, float(zeta[0]))
        if slope * slope <= THETA_DECREMENT * abs(curvature):
            break
        endless = slope > 0 and zeta[0] >= largest
        if endless:
            break
        step = -slope / curvature if curvature < 0 else np.sign(slope) * LONGEST_STEP
        new = float(zeta[0]) + float(np.clip(step, -LONGEST_STEP, LONGEST_STEP))
        if not low < new < high:
            new = 0.5 * (low + high)
        if new == zeta[0]:
            break
        zeta = np.array([min(new, largest)])
    se = 1.0 / np.sqrt(-inner) if inner < 0 else np.inf
    return maximum._replace(iterations=iterations, endless=endless), zeta, np.array([se])


def _at_theta(
    density: FamilyDensity,
    Q: np.ndarray,
    design: Design,
    zeta: np.ndarray,
    last: Maximum,
    mu: np.ndarray,
) -> Maximum:
    """Coefficients at another theta, from the last ones; from means where the link has theta."""
    if density.family.link.uses_zeta:
        eta = density.family.linear_predictor(mu, zeta)
        return maximise_coefficients(density, Q, design, zeta, eta)
    return maximise_coefficients(density, Q, design, zeta, last.eta, last.c)


def _theta_slope(
    density: FamilyDensity, Q: np.ndarray, eta: np.ndarray, zeta: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """l_z, l_cz and the observed information in the coefficients."""
    rows = density.rows(eta, zeta, True)
    slope = float(rows.extra[0, 0].sum() + density.constant(zeta)[1][0])
    return slope, Q.T @ rows.extra[0, 1], weighted_gram(Q, rows.observed)


def _theta_curvature(density: FamilyDensity, eta: np.ndarray, zeta: np.ndarray) -> float:
    """l_zz at fixed predictors."""
    h = DIFFERENCE_STEP * max(1.0, abs(float(zeta[0])))
    ends = []
    for z in (zeta + h, zeta - h):
        slope = density.rows(eta, z, True).extra[0, 0].sum() + density.constant(z)[1][0]
        ends.append(float(slope))
    return (ends[0] - ends[1]) / (2.0 * h)
