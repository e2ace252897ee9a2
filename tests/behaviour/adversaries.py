"""Models aimed at verdicts: variances without bound, exact fits, what cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from random_models import Model, pick

#: What a maker gives: formula, data, family or None, link, arguments.
Drawn = tuple[str, pd.DataFrame, str | None, str | None, dict[str, Any]]


def draw(seed: int) -> Model:
    """The model of a seed: the makers in turn."""
    rng = np.random.default_rng([11, seed])
    maker = MAKERS[seed // 5 % len(MAKERS)]
    formula, data, family, link, arguments = maker(rng)
    return Model(
        seed, f"aimed {maker.__name__}", formula, data, family, link, arguments,
        [maker.__doc__ or ""],
    )  # fmt: skip


def frame(rng: np.random.Generator, levels: int, each: int, others: int = 5) -> pd.DataFrame:
    """A covariate x, levels g of equal size, h in any order; effects of both as columns."""
    n = levels * each
    g, h = np.arange(n) % levels, rng.integers(0, others, n)
    return pd.DataFrame({
        "x": rng.normal(size=n), "g": [f"g{c}" for c in g], "h": [f"h{c}" for c in h],
        "bg": rng.normal(size=levels)[g], "bh": rng.normal(size=others)[h],
    })  # fmt: skip


def nodes(rng: np.random.Generator) -> dict[str, Any]:
    return {"nAGQ": pick(rng, 0, 1, 1, 5)}


def levels_agree(rng) -> Drawn:
    """All rows of a level agree: a variance without bound."""
    levels = int(rng.integers(8, 30))
    d = frame(rng, levels, int(rng.integers(2, 12)))
    ones = rng.permutation(levels) < max(1, int(levels * pick(rng, 0.5, 0.5, 0.3, 0.8)))
    d["y"] = ones[pd.factorize(d.g)[0]].astype(float)
    x = pick(rng, "1", "1", "x")
    return f"y ~ {x} + (1 | g)", d, "binomial", pick(rng, "logit", "probit"), nodes(rng)


def levels_nearly_agree(rng) -> Drawn:
    """All rows of a level agree but one or two: a large variance, and finite."""
    levels = int(rng.integers(10, 30))
    d = frame(rng, levels, int(rng.integers(4, 10)))
    y = (rng.permutation(levels) < levels // 2)[pd.factorize(d.g)[0]].astype(float)
    flip = rng.choice(len(y), int(rng.integers(1, 3)), replace=False)
    y[flip] = 1.0 - y[flip]
    d["y"] = y
    return "y ~ 1 + (1 | g)", d, "binomial", "logit", nodes(rng)


def by_level_alone(rng) -> Drawn:
    """Counts or numbers that are the same in all rows of a level."""
    d = frame(rng, int(rng.integers(8, 25)), int(rng.integers(2, 6)))
    if rng.random() < 0.5:
        d["y"] = np.round(np.exp(1.0 + d.bg))
        return "y ~ 1 + (1 | g)", d, "poisson", "log", nodes(rng)
    d["y"] = pick(rng, 1.0, 1e3) * d.bg + pick(rng, 0.0, 50.0)
    return "y ~ 1 + (1 | g)", d, None, None, {"method": pick(rng, "REML", "ML")}


def twins(rng) -> Drawn:
    """Two grouping factors with the same levels, perhaps a third without variance."""
    d = frame(rng, int(rng.integers(6, 20)), int(rng.integers(4, 10)))
    d["k"] = "k" + d.g.str[1:]
    eta = 0.5 * d.x + d.bg
    third = pick(rng, "", " + (1 | h)")
    formula = f"y ~ x + (1 | g) + (1 | k){third}"
    family = pick(rng, None, "poisson", "binomial")
    if family == "poisson":
        d["y"] = rng.poisson(np.exp(eta))
        return formula, d, family, "log", {}
    if family == "binomial":
        d["y"] = rng.binomial(1, 1 / (1 + np.exp(-eta)))
        return formula, d, family, "logit", {}
    d["y"] = eta + rng.normal(size=len(d))
    return formula, d, None, None, {"method": pick(rng, "REML", "ML")}


def nearly_twins(rng) -> Drawn:
    """Two grouping factors that differ in one to three rows."""
    formula, d, family, link, arguments = twins(rng)
    rows = rng.choice(len(d), int(rng.integers(1, 4)), replace=False)
    d.loc[rows, "k"] = d.k.to_numpy()[(rows + 1) % len(d)]
    return formula, d, family, link, arguments


def fixed_and_random(rng) -> Drawn:
    """A factor among the fixed effects and as grouping factor."""
    d = frame(rng, int(rng.integers(5, 12)), int(rng.integers(4, 10)))
    d["f"] = d.g
    if rng.random() < 0.5:
        d["y"] = d.bg + rng.normal(size=len(d))
        return "y ~ f + (1 | g)", d, None, None, {"method": pick(rng, "REML", "ML")}
    d["y"] = rng.poisson(np.exp(1.0 + 0.5 * d.bg))
    return "y ~ f + (1 | g)", d, "poisson", "log", {}


def large_ratio(rng) -> Drawn:
    """A ratio of standard deviations of 1e3 to 1e7."""
    d = frame(rng, int(rng.integers(5, 15)), int(rng.integers(3, 8)))
    ratio = 10.0 ** pick(rng, 3, 4, 5, 6, 7)
    crossed = rng.random() < 0.4
    d["y"] = 3.0 + 0.5 * d.x + ratio * (d.bg + (d.bh if crossed else 0.0))
    d["y"] += rng.normal(size=len(d))
    formula = "y ~ x + (1 | g)" + (" + (1 | h)" if crossed else "")
    return formula, d, None, None, {"method": pick(rng, "REML", "ML")}


def exact(rng) -> Drawn:
    """The response is a linear function of x, of x and g, or of x to ten digits."""
    d = frame(rng, int(rng.integers(5, 15)), int(rng.integers(3, 8)))
    kind = pick(rng, "x", "x and g", "nearly")
    d["y"] = pick(rng, 2.0, 2e-5, 2e8) * (d.x + (d.bg if kind == "x and g" else 0.0))
    if kind == "nearly":
        d["y"] *= 1.0 + 1e-10 * rng.normal(size=len(d))
    return "y ~ x + (1 | g)", d, None, None, {"method": pick(rng, "REML", "ML")}


def no_overdispersion(rng) -> Drawn:
    """A negative binomial for counts of a Poisson or narrower distribution."""
    d = frame(rng, int(rng.integers(6, 20)), int(rng.integers(4, 12)))
    mu = np.exp(pick(rng, 0.0, 1.5) + 0.3 * d.x + pick(rng, 0.0, 0.7) * d.bg)
    d["y"] = pick(
        rng, lambda: rng.poisson(mu), lambda: rng.binomial(np.ceil(2 * mu).astype(int), 0.5)
    )()
    return "y ~ x + (1 | g)", d, "negativebinomial", "log", nodes(rng)


def separated(rng) -> Drawn:
    """A covariate or a cell of one that tells all its rows, of 0/1 or of counts."""
    d = frame(rng, int(rng.integers(8, 20)), int(rng.integers(5, 12)))
    d["z"] = (rng.random(len(d)) < pick(rng, 0.1, 0.3)).astype(float)
    if rng.random() < 0.3:
        d["z"] = (pd.factorize(d.g)[0] < 3) * 1.0
    eta = 0.3 * d.x + d.bg
    if rng.random() < 0.3:
        d["y"] = np.where(d.z > 0, 0, rng.poisson(np.exp(eta)))
        return "y ~ x + z + (1 | g)", d, "poisson", "log", nodes(rng)
    y = rng.binomial(1, 1 / (1 + np.exp(-eta)))
    d["y"] = np.where(d.z > 0, pick(rng, 0, 1), y)
    if rng.random() < 0.2:  # all rows
        d["z"] = eta - 0.1
        d["y"] = (d.z > 0).astype(float)
    return "y ~ x + z + (1 | g)", d, "binomial", pick(rng, "logit", "probit", "cloglog"), nodes(rng)


def not_log_concave(rng) -> Drawn:
    """Families whose modes may be several, few rows a level."""
    d = frame(rng, int(rng.integers(8, 25)), int(rng.integers(2, 5)), 6)
    mu = np.exp(0.3 + 0.5 * d.x + 0.8 * d.bg)
    arguments = {"laplace": pick(rng, "expected", "observed")} if rng.random() < 0.7 else {}
    formula = "y ~ x + (1 | g)" + pick(rng, "", " + (1 | h)")
    family = pick(rng, "gaussian", "inverse_gaussian")
    if family == "gaussian":
        d["y"] = rng.wald(mu, 0.3) if rng.random() < 0.6 else mu + 0.5 * rng.normal(size=len(d))
    else:
        d["y"] = np.maximum(rng.wald(mu, pick(rng, 0.3, 3.0)), 1e-6)
    return formula, d, family, "log", arguments


def far_origin(rng) -> Drawn:
    """Random slopes of a covariate far from zero."""
    d = frame(rng, int(rng.integers(8, 20)), int(rng.integers(4, 9)))
    slope = rng.normal(size=d.g.nunique())[pd.factorize(d.g)[0]]
    d["y"] = d.x * (1.0 + slope) + d.bg + 0.5 * rng.normal(size=len(d))
    d["x"] += pick(rng, 30.0, 2e3, 1e4, 1e5, 1e6)
    return f"y ~ x + {pick(rng, '(x | g)', '(x | g)', '(0 + x | g)')}", d, None, None, {}


def tiny(rng) -> Drawn:
    """Few rows for several variances: several minima, or none inside."""
    d = frame(rng, int(rng.integers(4, 7)), int(rng.integers(3, 5)), 3)
    d["y"] = d.bg + 0.5 * d.bh + rng.normal(size=len(d)) * 0.5
    random = pick(rng, "(1 | g) + (1 | h)", "(x | g)", "(1 | g)", "(x | g) + (1 | h)")
    return f"y ~ x + {random}", d, None, None, {"method": pick(rng, "REML", "ML")}


def every_row(rng) -> Drawn:
    """A random effect of every row."""
    d = frame(rng, int(rng.integers(6, 15)), int(rng.integers(4, 8)))
    d["k"] = [f"k{i}" for i in range(len(d))]
    d["y"] = rng.poisson(np.exp(0.5 + 0.4 * d.x + 0.5 * d.bg + 0.6 * rng.normal(size=len(d))))
    return "y ~ x + (1 | g) + (1 | k)", d, "poisson", "log", {}


def odd_weights(rng) -> Drawn:
    """Weights over many orders of magnitude."""
    d = frame(rng, int(rng.integers(6, 15)), int(rng.integers(4, 8)))
    d["w"] = 10.0 ** rng.uniform(-pick(rng, 3, 8), pick(rng, 3, 8), len(d))
    d["y"] = d.x + d.bg + rng.normal(size=len(d)) / np.sqrt(d.w)
    return "y ~ x + (1 | g)", d, None, None, {"weights": "w", "method": pick(rng, "REML", "ML")}


def zero_variance_slope(rng) -> Drawn:
    """A covariate that hardly varies within levels, or not at all, with a random slope."""
    d = frame(rng, int(rng.integers(6, 20)), int(rng.integers(3, 7)))
    between = rng.normal(size=d.g.nunique())[pd.factorize(d.g)[0]]
    d["y"] = between + d.bg + rng.normal(size=len(d))
    d["x"] = between + pick(rng, 0.0, 0.0, 1e-4) * d.x
    return f"y ~ x + {pick(rng, '(x | g)', '(x || g)', '(0 + x | g)')}", d, None, None, {}


MAKERS: tuple[Callable[[np.random.Generator], Drawn], ...] = (
    levels_agree, levels_nearly_agree, by_level_alone, twins, nearly_twins, fixed_and_random,
    large_ratio, exact, no_overdispersion, separated, not_log_concave, far_origin, tiny, every_row,
    odd_weights, zero_variance_slope,
)  # fmt: skip
