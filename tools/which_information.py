"""Expected or observed information in Laplace's approximation: the guide's table of both.

Simulated samples with one random intercept, groups of 2, 5 and 20 rows. For each information: how
far the log-likelihood is from the integral, by brute force, at its own estimates; and in how many
samples the estimates with observed information have the higher integral. Then small noisy samples
with two crossed factors: in how many of them the approximation holds.

    python tools/which_information.py [samples of each kind, default 20]
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter

import numpy as np
import pandas as pd

import interlace as il

U = np.linspace(-7.0, 7.0, 2801)
LOG_WEIGHT = -0.5 * U**2 - 0.5 * np.log(2.0 * np.pi) + np.log(U[1] - U[0])
FAMILIES = {
    "binomial": il.Binomial,
    "Poisson": il.Poisson,
    "negative binomial": il.NegativeBinomial,
    "Gamma": il.Gamma,
    "inverse Gaussian": il.InverseGaussian,
    "Gaussian": il.Gaussian,
}
CASES = (
    ("binomial", "probit"), ("binomial", "cloglog"), ("Poisson", "sqrt"),
    ("negative binomial", "log"), ("Gamma", "log"), ("Gamma", "identity"),
    ("inverse Gaussian", "log"), ("Gaussian", "log"), ("Gaussian", "sqrt"),
)  # fmt: skip
# intercept, slope and standard deviation of the predictors
PREDICTORS = {
    "log": (0.8, 0.4, 0.6),
    "sqrt": (2.5, 0.3, 0.5),
    "identity": (6.0, 0.5, 0.8),
    "probit": (-0.3, 0.5, 0.8),
    "cloglog": (-0.3, 0.5, 0.8),
}
GROUP_SIZES = (2, 5, 20)


def sample(family: str, link: str, size: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    levels = max(12, 60 // size)
    g, x = np.repeat(np.arange(levels), size), rng.normal(size=levels * size)
    a, slope, sd = PREDICTORS[link]
    mu = FAMILIES[family](link=link).mean(a + slope * x + sd * rng.normal(size=levels)[g], [0.0])
    draw = {
        "binomial": lambda: rng.binomial(1, mu),
        "Poisson": lambda: rng.poisson(mu),
        "negative binomial": lambda: rng.poisson(mu * rng.gamma(1.5, 1 / 1.5, mu.size)),
        "Gamma": lambda: rng.gamma(3.0, mu / 3.0),
        "inverse Gaussian": lambda: rng.wald(mu, 3.0 * mu.mean()),
        "Gaussian": lambda: mu + 0.6 * mu.mean() * rng.normal(size=mu.size),
    }
    return pd.DataFrame({"y": draw[family]().astype(float), "x": x, "g": g})


def integral(m) -> float:
    """The log-likelihood at the estimates of a model with one random intercept."""
    fit = m.fit
    seen, family = fit.observations, fit.family
    eta = (fit.fixed_part[:, None] + fit.T[0][0, 0] * U).ravel()
    y, w = (np.repeat(values, U.size) for values in (seen.y, seen.weights))
    rows = family.rows(eta, y, w, fit.zeta, True).loglik.reshape(fit.n, -1)
    by_level = pd.DataFrame(rows).groupby(fit.design.factors[0].codes).sum().to_numpy() + LOG_WEIGHT
    top = by_level.max(axis=1, keepdims=True)
    total = (top[:, 0] + np.log(np.exp(by_level - top).sum(axis=1))).sum()
    return float(total + family.constant(seen.y, seen.weights, seen.trials, fit.zeta)[0].sum())


def one_intercept(samples: int) -> None:
    print("| family, link | error, expected | error, observed | observed estimates better |")
    print("|---|---|---|---|")
    for family, link in CASES:
        errors, better = [], []
        for size in GROUP_SIZES:
            found = []
            for seed in range(samples):
                data = sample(family, link, size, seed)
                fits = [
                    il.glmer("y ~ x + (1 | g)", data, FAMILIES[family](link=link), laplace=laplace)
                    for laplace in ("expected", "observed")
                ]
                if all(m.converged for m in fits):
                    exact = [integral(m) for m in fits]
                    found.append([abs(m.llf - e) for m, e in zip(fits, exact, strict=True)])
                    if abs(exact[1] - exact[0]) > 1e-9:
                        better.append(exact[1] > exact[0])
            errors.append(np.mean(found, axis=0))
        low, high = np.min(errors, axis=0), np.max(errors, axis=0)
        ranges = [f"{a:.2f}–{b:.2f}" for a, b in zip(low, high, strict=True)]
        print(f"| {family}, {link} | {ranges[0]} | {ranges[1]} | {100 * np.mean(better):.0f} % |")


def two_crossed(samples: int = 44) -> None:
    for laplace in ("expected", "observed"):
        verdicts: Counter[str] = Counter()
        for seed in range(samples):
            rng = np.random.default_rng(seed)
            levels = int(rng.integers(8, 25))
            n = levels * int(rng.integers(2, 5))
            g, h, x = np.arange(n) % levels, rng.integers(0, 6, n), rng.normal(size=n)
            mu = np.exp(0.3 + 0.5 * x + 0.8 * rng.normal(size=levels)[g])
            data = pd.DataFrame({"y": rng.wald(mu, 0.3), "x": x, "g": g, "h": h})
            family = "inverse_gaussian" if seed % 2 else "gaussian"
            formula = "y ~ x + (1 | g) + (1 | h)"
            m = il.glmer(formula, data, family, link="log", laplace=laplace)
            verdicts[m.convergence.verdict] += 1
        print(f"two crossed factors, {samples} small noisy samples, {laplace}: {dict(verdicts)}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    one_intercept(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    two_crossed()
