"""Tests of residuals that are uniform between 0 and 1 if the model is right; arrays only."""

from __future__ import annotations

import numpy as np

from ..inference.tails import chi2_pvalue

# R's ks.test: the exact distribution below so many values without ties.
EXACT_KS = 100
# lmtest's dwtest: the exact distribution below so many values.
EXACT_DURBIN_WATSON = 100
# R's binom.test: outcomes as likely as the one seen, but for rounding.
AS_LIKELY = 1.0 + 1e-7
# Rows of a matrix of distances that are held at once.
DISTANCE_ROWS = 500
# Of Imhof's integral: its integrand is cut where it is below this, and the points on the way.
IMHOF_CUT, IMHOF_POINTS = 1e-10, 20_000


def p_of_simulated(simulated: np.ndarray, observed: float, alternative: str) -> float:
    """The share of simulated statistics as far out as the observed one; twice the smaller tail."""
    above = float(np.mean(simulated >= observed))
    below = float(np.mean(simulated <= observed))
    return {"greater": above, "less": below, "two-sided": min(1.0, 2.0 * min(above, below))}[
        alternative
    ]


def kolmogorov_smirnov(u: np.ndarray, alternative: str) -> tuple[float, float]:
    """D of a sample against the uniform distribution, and its p-value."""
    from scipy.special import kolmogorov, smirnov

    n, u = u.size, np.sort(u)
    above = float(np.max(np.arange(1, n + 1) / n - u))
    below = float(np.max(u - np.arange(n) / n))
    exact = n < EXACT_KS and np.unique(u).size == n
    if alternative != "two-sided":
        D = max(above if alternative == "greater" else below, 0.0)
        return D, float(smirnov(n, min(D, 1.0)) if exact else np.exp(-2.0 * n * D**2))
    D = max(above, below)
    return D, 1.0 - _marsaglia(n, D) if exact else float(kolmogorov(np.sqrt(n) * D))


def _marsaglia(n: int, D: float) -> float:
    """P(D_n < D), exactly: Marsaglia, Tsang and Wang (2003)."""
    k = int(n * D) + 1
    m = 2 * k - 1
    h = k - n * D
    i, j = np.indices((m, m))
    H = (i - j + 1 >= 0).astype(float)
    powers = h ** np.arange(1, m + 1)
    H[:, 0] -= powers
    H[-1] -= powers[::-1]
    H[-1, 0] += (2.0 * h - 1.0) ** m if 2.0 * h > 1.0 else 0.0
    from scipy.special import factorial

    H = np.where(i - j + 1 > 0, H / factorial(np.maximum(i - j + 1, 1)), H)
    # n! / n^n spread over the factors, so that nothing over- or underflows
    out, log = np.eye(m), 0.0
    for step in range(1, n + 1):
        out = out @ H * (step / n)
        size = np.abs(out).max()
        if size == 0.0:
            return 0.0
        out, log = out / size, log + np.log(size)
    return float(np.clip(out[k - 1, k - 1] * np.exp(log), 0.0, 1.0))


def binomial_test(successes: int, trials: int, p: float, alternative: str) -> float:
    """The exact p-value, two-sided as R's: all outcomes no likelier than the one seen."""
    from scipy.special import gammaln, xlog1py, xlogy

    k = np.arange(trials + 1)
    log = gammaln(trials + 1) - gammaln(k + 1) - gammaln(trials - k + 1)
    mass = np.exp(log + xlogy(k, p) + xlog1py(trials - k, -p))
    chosen = {
        "greater": k >= successes,
        "less": k <= successes,
        "two-sided": mass <= mass[successes] * AS_LIKELY,
    }[alternative]
    return float(min(1.0, mass[chosen].sum()))


def durbin_watson(values: np.ndarray, alternative: str) -> tuple[float, float]:
    """The statistic of a series less its mean, and its p-value, as lmtest's ``dwtest(u ~ 1)``.

    "greater" is positive autocorrelation, a statistic below 2.
    """
    from scipy.special import ndtr

    n = values.size
    e = values - values.mean()
    statistic = float(np.sum(np.diff(e) ** 2) / np.sum(e**2))
    # eigenvalues of the differences on what is left of a constant
    eigenvalues = 2.0 * (1.0 - np.cos(np.pi * np.arange(1, n) / n))
    if n < EXACT_DURBIN_WATSON:
        below = _imhof(eigenvalues - statistic)
    else:
        mean = eigenvalues.sum() / (n - 1)
        square = (eigenvalues**2).sum()
        variance = 2.0 * (square - (n - 1) * mean**2) / ((n - 1) * (n + 1))
        below = float(ndtr((statistic - mean) / np.sqrt(variance)))
    two = 2.0 * min(below, 1.0 - below)
    return statistic, {"greater": below, "less": 1.0 - below, "two-sided": two}[alternative]


def _imhof(weights: np.ndarray) -> float:
    """P(sum w_i z_i^2 < 0) for independent normal z: Imhof (1961)."""
    # the integrand is below prod(1 + w^2 u^2)^{-1/4} / u
    high = 1.0
    while np.exp(-0.25 * np.log1p((weights * high) ** 2).sum()) > IMHOF_CUT and high < 1e12:
        high *= 2.0
    nodes, shares = np.polynomial.legendre.leggauss(64)
    ends = np.linspace(0.0, high, max(IMHOF_POINTS // 64, 2))
    half = 0.5 * np.diff(ends)[:, None]
    u = (ends[:-1, None] + half * (1.0 + nodes)).ravel()
    angle, size = np.zeros(u.size), np.zeros(u.size)
    for w in weights:
        angle += 0.5 * np.arctan(w * u)
        size += 0.25 * np.log1p((w * u) ** 2)
    integral = float(np.sum((half * shares).ravel() * np.sin(angle) * np.exp(-size) / u))
    return float(np.clip(0.5 - integral / np.pi, 0.0, 1.0))


def moran(values: np.ndarray, points: np.ndarray, alternative: str) -> dict[str, float]:
    """Moran's I with inverse distances as weights, each row's adding up to one, as ape's.

    ``observed, expected, sd, p_value``; points (n, d) must differ.
    """
    from scipy.special import ndtr

    n = values.size
    e = values - values.mean()
    v = float(np.sum(e**2))
    totals = np.concatenate([near.sum(axis=1) for _, near in _inverse_distances(points)])
    cross = S1 = 0.0
    columns = np.zeros(n)
    for rows, near in _inverse_distances(points):
        own = near / totals[rows, None]
        cross += float(e[rows] @ own @ e)
        S1 += 0.5 * float(np.sum((own + near / totals) ** 2))
        columns += own.sum(axis=0)
    observed, expected = cross / v, -1.0 / (n - 1)
    S2, s = float(np.sum((1.0 + columns) ** 2)), float(n) ** 2
    k = float(np.sum(e**4)) / n / (v / n) ** 2
    first = n * ((n**2 - 3 * n + 3) * S1 - n * S2 + 3 * s)
    second = k * (n * (n - 1) * S1 - 2 * n * S2 + 6 * s)
    variance = (first - second) / ((n - 1) * (n - 2) * (n - 3) * s) - expected**2
    sd = float(np.sqrt(variance))
    below = float(ndtr((observed - expected) / sd))
    p = {"greater": 1.0 - below, "less": below, "two-sided": 2.0 * min(below, 1.0 - below)}
    return {"observed": observed, "expected": expected, "sd": sd, "p_value": p[alternative]}


def _inverse_distances(points: np.ndarray):
    """Rows and their inverse distances to all points, zero to themselves, some at a time."""
    for start in range(0, len(points), DISTANCE_ROWS):
        rows = np.arange(start, min(start + DISTANCE_ROWS, len(points)))
        square = np.zeros((rows.size, len(points)))
        for column in points.T:
            square += (column[rows, None] - column) ** 2
        square[np.arange(rows.size), rows] = np.inf
        yield rows, 1.0 / np.sqrt(square)


def quantile_score(u: np.ndarray, position: np.ndarray, level: float) -> tuple[float, int, float]:
    """Whether a quantile of the residuals is where it should be along a predictor.

    The score test of a quantile regression on a cubic in the ranks of the predictor, with that
    quantile constant at ``level`` under the hypothesis: chi-squared, its degrees of freedom, and p.
    """
    _, place, count = np.unique(position, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - 0.5 * (count - 1)  # the mean of tied ones
    at = ranks[place] / len(position) - 0.5
    B = np.column_stack([at**power for power in range(4)])
    left, singular, _ = np.linalg.svd(B, full_matrices=False)
    B = left[:, singular > 1e-8 * singular[0]]
    score = B.T @ ((u <= level) - level)
    chi2 = float(score @ score) / (level * (1.0 - level))
    return chi2, B.shape[1], float(chi2_pvalue(chi2, B.shape[1]))
