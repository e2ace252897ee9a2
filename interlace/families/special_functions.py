"""Special functions that keep their digits where the textbook formulas lose them.

Differences of log-gamma functions follow Stirling's series (Abramowitz and Stegun 6.1.40 and
6.3.18); the inverse Mills ratio follows Laplace's continued fraction (26.2.14) in the tail.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: exp(709) is 8e307, the largest double 1.8e308.
LARGEST_EXPONENT = 709.0

#: Third derivatives of power links grow as 1/eta^3, which at 1e-100 is still a double. Linear
#: predictors nearer to the border of their range count as outside it.
SMALLEST_DISTANCE = 1e-100

#: From here on the eight terms of Stirling's series below are exact to one unit in the last place:
#: the first one left out is 7e-21 of log-gamma there.
STIRLING_FROM = 15.0

#: B_2k / (2k (2k - 1)), k = 1, ..., 8: coefficients of x^(1 - 2k) in log-gamma.
STIRLING = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400,
)  # fmt: skip

#: The direct formula for the derivatives of log Phi loses digits as x^6 (2e-13 of the third at 3);
#: from here on the continued fraction takes over, exact at 3 after this many terms.
MILLS_FROM = 3.0
MILLS_TERMS = 75


def exp(x: np.ndarray) -> np.ndarray:
    """The exponential, constant beyond `LARGEST_EXPONENT`: finite, and without a warning."""
    return np.exp(np.minimum(x, LARGEST_EXPONENT))


def logistic(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``p = 1 / (1 + exp(-x))``, ``1 - p``, ``log p`` and ``log(1 - p)``, each exact."""
    e = np.exp(-np.abs(x))
    larger = 1.0 / (1.0 + e)
    smaller = e * larger
    log_larger = np.log1p(e)
    above = x > 0.0
    p = np.where(above, larger, smaller)
    q = np.where(above, smaller, larger)
    return p, q, np.minimum(x, 0.0) - log_larger, -np.maximum(x, 0.0) - log_larger


def stirling_rest(x: np.ndarray) -> np.ndarray:
    """Log-gamma(x) without its leading terms, (x - 1/2) log x - x + log(2 pi) / 2."""
    y = 1.0 / (x * x)
    total = np.zeros_like(x)
    for coefficient in reversed(STIRLING):
        total = total * y + coefficient
    return total / x


def saturated_poisson(y: np.ndarray) -> np.ndarray:
    """Log-density of counts at a mean equal to them, y log y - y - log-gamma(y + 1)."""
    from scipy.special import gammaln, xlogy

    small = np.minimum(y, STIRLING_FROM)
    large = np.maximum(y, STIRLING_FROM)
    exact = xlogy(small, small) - small - gammaln(small + 1.0)
    rest = -0.5 * np.log(2.0 * np.pi * large) - stirling_rest(large)
    return np.where(y < STIRLING_FROM, exact, rest)


def digamma_rest(x: np.ndarray) -> np.ndarray:
    """log x - 1/(2 x) - digamma(x): minus the derivative of `stirling_rest`."""
    y = 1.0 / (x * x)
    total = np.zeros_like(x)
    for k, coefficient in reversed(list(enumerate(STIRLING, 1))):
        total = total * y + (2 * k - 1) * coefficient
    return total * y


def log_gamma_difference(a: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Log-gamma(a + d) - log-gamma(a) without cancellation for large a; a > 0, a + d > 0."""
    from scipy.special import gammaln

    a, d = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(d, dtype=float))
    out = np.empty(a.shape)
    large = np.minimum(a, a + d) >= STIRLING_FROM
    b, e = a[~large], d[~large]
    out[~large] = gammaln(b + e) - gammaln(b)
    b, e = a[large], d[large]
    c = b + e
    out[large] = (b - 0.5) * np.log1p(e / b) + e * (np.log(c) - 1.0)
    out[large] += stirling_rest(c) - stirling_rest(b)
    return out


def scaled_digamma_difference(a: np.ndarray, d: np.ndarray) -> np.ndarray:
    """a (digamma(a + d) - digamma(a)) without cancellation for large a; a > 0, d >= 0."""
    from scipy.special import psi

    a, d = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(d, dtype=float))
    out = np.empty(a.shape)
    large = a >= STIRLING_FROM
    b, e = a[~large], d[~large]
    out[~large] = b * (psi(b + e) - psi(b))
    b, e = a[large], d[large]
    c = b + e
    out[large] = b * np.log1p(e / b) + 0.5 * e / c + b * (digamma_rest(b) - digamma_rest(c))
    return out


def log_normal_cdf(
    x: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Log Phi(x) and its first three derivatives.

    With r = phi / Phi they are r, -r (x + r) and r ((x + r) (x + 2 r) - 1). For x << 0 these
    differences cancel. There, with z = -x, t = r - z is the mean of the excess over z of a normal
    variable known to exceed z, 1 / (z + 2 / (z + 3 / (z + ...))), and the derivatives are
    z + t, -1 - dt/dz and d2t/dz2.
    """
    from scipy.special import erfcx, log_ndtr

    x = np.asarray(x, dtype=float)
    if x.ndim == 0:
        value, d1, d2, d3 = log_normal_cdf(x[None])
        return value[0], d1[0], d2[0], d3[0]
    value = log_ndtr(x)
    r = np.sqrt(2.0 / np.pi) / erfcx(-np.sqrt(0.5) * x)
    d1, d2, d3 = r, -r * (x + r), r * ((x + r) * (x + 2.0 * r) - 1.0)
    tail = x < -MILLS_FROM
    if tail.any():
        z = -x[tail]
        t, t1, t2 = excess(z)
        d1[tail], d2[tail], d3[tail] = z + t, -1.0 - t1, t2
    return value, d1, d2, d3


def excess(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean excess phi(z) / Phi(-z) - z of a normal tail, and its derivatives; z >= 3."""
    f, f1, f2 = z, np.ones_like(z), np.zeros_like(z)
    for k in range(MILLS_TERMS, 1, -1):
        g = k / f
        g1 = -g * f1 / f
        g2 = -(2.0 * g1 * f1 + g * f2) / f
        f, f1, f2 = z + g, 1.0 + g1, g2
    t = 1.0 / f
    t1 = -t * f1 / f
    return t, t1, -(2.0 * t1 * f1 + t * f2) / f


def log_ratio(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Log(y / mu), exact also where the two are close; both positive."""
    with np.errstate(over="ignore"):
        t = (y - mu) / mu
        return np.where(np.abs(t) < 0.5, np.log1p(np.clip(t, -0.5, 0.5)), np.log(y) - np.log(mu))


def y_log_ratio(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """y log(y / mu), which is 0 at y = 0 and infinite at mu = 0 < y."""
    zero = y == 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(zero, 0.0, y * log_ratio(np.where(zero, 1.0, y), np.where(zero, 1.0, mu)))


def shrunk_proportions(y: np.ndarray, weights: np.ndarray | float) -> np.ndarray:
    """R's mustart of proportions: half a success and half a failure more."""
    return (weights * np.asarray(y, dtype=float) + 0.5) / (np.asarray(weights) + 1.0)


def central_differences(
    function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A function, (..., n) at x of (n,), and two derivatives of it by five-point differences."""
    middle = function(x)
    with np.errstate(all="ignore"):
        a2, a1, b2, b1 = (function(x + step * h) for step in (2.0, 1.0, -2.0, -1.0))
        first = (8.0 * (a1 - b1) - (a2 - b2)) / (12.0 * h)
        second = (16.0 * (a1 + b1) - (a2 + b2) - 30.0 * middle) / (12.0 * h * h)
    return middle, first, second


#: numpy draws Poisson counts of means below 9.2e18. From here on their standard deviation is less
#: than 3e-8 of the mean, and the normal distribution differs from them by less still.
NORMAL_FROM = 1e15


def poisson_counts(rng: np.random.Generator, mu: np.ndarray) -> np.ndarray:
    """Poisson counts of any mean, as floats."""
    counts = rng.poisson(np.minimum(mu, NORMAL_FROM)).astype(float)
    large = mu > NORMAL_FROM
    if np.any(large):
        normal = np.rint(mu + np.sqrt(mu) * rng.standard_normal(mu.shape))
        counts = np.where(large, normal, counts)
    return counts


#: Newton's iteration for one parameter has converged when the step is this small on the log scale:
#: convergence is quadratic, so the parameter is then exact to rounding.
NEWTON_STEP = 1e-9
NEWTON_ITERATIONS = 60


def root(
    function: Callable[[float], tuple[float, float]], start: float, lower: float, upper: float
) -> float:
    """The zero of a function that falls from above zero to below it, by safeguarded Newton steps.

    `function` gives value and derivative. A step that leaves the bracket is replaced by bisection;
    without a change of sign the end on the side of the root is returned.
    """
    if function(lower)[0] <= 0.0:
        return lower
    if function(upper)[0] >= 0.0:
        return upper
    x = min(max(start, lower), upper)
    for _ in range(NEWTON_ITERATIONS):
        value, slope = function(x)
        if value > 0.0:
            lower = x
        else:
            upper = x
        new = x - value / slope if slope < 0.0 else lower - 1.0
        if not lower <= new <= upper:
            new = 0.5 * (lower + upper)
        if abs(new - x) <= NEWTON_STEP:
            return new
        x = new
    return x


#: Steps of `roots` at most: bisection alone takes 60 over a bracket of 75.
FALSE_POSITIONS = 80
#: Of a value near one that is zero but for rounding.
LAST_PLACES = 4e-16


def roots(
    function: Callable[[np.ndarray], np.ndarray], lower: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """Zeros of increasing functions, one in each bracket, by false position (Illinois).

    Without a change of sign it is the end on the side of the zero.
    The functions are near one in size. Every third step is bisection, which bounds their number.
    """
    below, above = function(lower), function(upper)
    lower, upper = np.where(above < 0.0, upper, lower), np.where(below > 0.0, lower, upper)
    side = np.zeros(np.shape(lower))
    for step in range(FALSE_POSITIONS):
        with np.errstate(invalid="ignore", divide="ignore"):
            new = upper - above * ((upper - lower) / (above - below))
        middle = 0.5 * (lower + upper)
        new = np.where((lower <= new) & (new <= upper) & (step % 3 < 2), new, middle)
        value = function(new)
        high = value > 0.0
        # the end that stays twice counts half
        below = np.where(high, np.where(side > 0.0, 0.5 * below, below), value)
        above = np.where(high, value, np.where(side < 0.0, 0.5 * above, above))
        lower, upper = np.where(high, lower, new), np.where(high, new, upper)
        side = np.where(high, 1.0, -1.0)
        converged = (np.abs(value) <= LAST_PLACES) | (upper - lower <= LAST_PLACES * np.abs(new))
        if converged.all():
            return new
    return new
