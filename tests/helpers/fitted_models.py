"""Generalised models that several tests look at, each fitted once a session."""

from __future__ import annotations

from functools import cache

import interlace
from interlace.results.glmm import GLMMResult

CBPP = ("cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial")
TICKS = ("grouseticks", "TICKS ~ YEAR + cHEIGHT + (1|BROOD) + (1|INDEX) + (1|LOCATION)", "poisson")
EPIL = ("epil2", "y ~ Base*trt + Age + Visit + (1 | subject)", "negativebinomial")
GAMMA = ("sleepstudy", "Reaction ~ Days + (1 | Subject)", "gamma(log)")
SLOPES = ("epil2", "y ~ Base*trt + Age + Visit + (Visit | subject)", "poisson")


@cache
def fitted(name: str, formula: str, family: str, **arguments) -> GLMMResult:
    """Shared by the tests, which must not change it."""
    return interlace.glmer(formula, interlace.load_dataset(name), family, **arguments)
