"""Data that no file holds: many groups with a slope or of zeros and ones, responses for refits."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Fixed, so that every run and every system fits the same numbers.
SEED = 20260101
#: Estimates for sleepstudy: fixed effects, covariance of intercept and slope, residual variance.
SLEEPSTUDY = ((251.405, 10.467), ((612.1, 9.604), (9.604, 35.07)), 654.94)

#: Those for cbpp: fixed effects of the periods, standard deviation of the herds.
CBPP = ((-1.3985, -0.9923, -1.1287, -1.5803), 0.6423)


def slopes(n_rows: int, n_groups: int) -> pd.DataFrame:
    """A covariate with a random slope and a random intercept, groups of about equal sizes.

    Parameters
    ----------
    n_rows : int
        Rows.
    n_groups : int
        Groups; each occurs.
    """
    rng = np.random.default_rng(SEED)
    g = rng.permutation(np.arange(n_rows) % n_groups)
    x = rng.standard_normal(n_rows)
    covariance = [[0.5, 0.1], [0.1, 0.25]]
    b = rng.multivariate_normal([0.0, 0.0], covariance, size=n_groups)
    y = 1.0 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.standard_normal(n_rows)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def series(n_times: int, n_groups: int) -> pd.DataFrame:
    """An autoregressive series in each group, observed with errors at each of its times.

    Parameters
    ----------
    n_times : int
        Times of each group, a factor.
    n_groups : int
        Groups.
    """
    rng = np.random.default_rng(SEED)
    rho, shape = 0.7, (n_times, n_groups)
    a = rng.standard_normal(shape)
    for t in range(1, n_times):
        a[t] = rho * a[t - 1] + (1.0 - rho**2) ** 0.5 * a[t]
    x = rng.standard_normal(shape)
    y = 1.0 + 0.5 * x + a + 0.7 * rng.standard_normal(shape)
    time, g = np.indices(shape)
    return pd.DataFrame(
        {"y": y.ravel(), "x": x.ravel(), "time": pd.Categorical(time.ravel()), "g": g.ravel()}
    )


def responses(days: np.ndarray, subjects: np.ndarray, count: int) -> np.ndarray:
    """Responses from the model that REML finds in sleepstudy.

    Parameters
    ----------
    days : array, shape (n,)
        The covariate.
    subjects : array of int, shape (n,)
        Codes of the subjects.
    count : int
        How many responses.

    Returns
    -------
    array, shape (count, n)
    """
    beta, covariance, variance = SLEEPSTUDY
    rng = np.random.default_rng(SEED)
    b = rng.multivariate_normal([0.0, 0.0], covariance, size=(count, subjects.max() + 1))
    mean = beta[0] + beta[1] * days + b[:, subjects, 0] + b[:, subjects, 1] * days
    return mean + np.sqrt(variance) * rng.standard_normal(mean.shape)


def proportions(period: np.ndarray, herds: np.ndarray, size: np.ndarray, count: int) -> np.ndarray:
    """Proportions from the model that maximum likelihood finds in cbpp.

    Parameters
    ----------
    period, herds : array of int, shape (n,)
        Codes of the periods and of the herds.
    size : array, shape (n,)
        Numbers of trials.
    count : int
        How many responses.

    Returns
    -------
    array, shape (count, n)
    """
    beta, sd = CBPP
    rng = np.random.default_rng(SEED)
    b = sd * rng.standard_normal((count, herds.max() + 1))
    eta = beta[0] + np.array([0.0, *beta[1:]])[period] + b[:, herds]
    return rng.binomial(size.astype(int), 1.0 / (1.0 + np.exp(-eta))) / size


def bernoulli(n_rows: int, n_groups: int) -> pd.DataFrame:
    """Zeros and ones with five covariates and a random intercept, groups of about equal sizes.

    Parameters
    ----------
    n_rows : int
        Rows.
    n_groups : int
        Groups; each occurs.
    """
    rng = np.random.default_rng(SEED)
    g = rng.permutation(np.arange(n_rows) % n_groups)
    X = rng.standard_normal((n_rows, 5))
    eta = -0.5 + X @ [0.5, -0.3, 0.2, 0.0, 0.1] + 0.8 * rng.standard_normal(n_groups)[g]
    y = (rng.random(n_rows) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    return pd.DataFrame({"y": y, **{f"x{i + 1}": X[:, i] for i in range(5)}, "g": g})
