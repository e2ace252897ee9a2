"""The density that a family gives to the rows of a design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..design.design import Design
from ..design.predictor import constant_predictor
from ..families import Family
from ..objective.generalised.density import ConditionalDensity, FamilyDensity
from ..objective.generalised.several import SeveralDensity
from .observations import Observations


def first_density(
    design: Design, family: Family, observations: Observations
) -> tuple[ConditionalDensity, np.ndarray]:
    """The density of the rows, and predictors to begin with."""
    rows = observations.y, observations.weights, observations.trials
    eta = family.start_eta(observations.y, observations.weights)
    if len(design.predictors) == 1:
        return FamilyDensity(family, *rows), eta
    density = SeveralDensity(family, *rows)
    others = np.broadcast_to(density.centre()[1:], (density.K - 1, density.n))
    return density, np.concatenate([eta[None], others])


def with_parameters(design: Design, family: Family) -> Design:
    """The design with linear predictors of those parameters of the family that need one.

    A parameter without a formula is one number: the coefficient of a column of ones.
    """
    if not family.parameters or not (family.own_predictors or len(design.predictors) > 1):
        return design
    ones = constant_predictor(len(design.y))
    named = {name: design.predictors.get(name, ones) for name in family.predictor_names}
    place_of = np.array([list(named).index(name) for name in design.predictors], dtype=np.int8)
    factors = tuple(replace(f, predictor=place_of[f.predictor]) for f in design.factors)
    return replace(design, predictors=named, factors=factors)
