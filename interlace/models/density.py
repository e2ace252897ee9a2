"""The density that a family gives to the rows of a design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..design.design import Design
from ..design.predictor import NOMINAL, SCALE, constant_predictor
from ..families import Family
from ..families.ordinal import Ordinal
from ..objective.generalised.density import ConditionalDensity, FamilyDensity
from ..objective.generalised.ordinal import OrdinalDensity, OrdinalProblem
from ..objective.generalised.problem import Problem
from ..objective.generalised.several import SeveralDensity, SeveralProblem
from .observations import Observations


def first_density(
    design: Design, family: Family, observations: Observations
) -> tuple[ConditionalDensity, np.ndarray]:
    """The density of the rows, and predictors to begin with."""
    density = density_of(design, family, observations)
    if isinstance(family, Ordinal):
        return density, np.zeros(density.n)
    eta = family.start_eta(observations.y, observations.weights)
    if not isinstance(density, SeveralDensity):
        return density, eta
    others = np.broadcast_to(density.centre()[1:], (density.K - 1, density.n))
    return density, np.concatenate([eta[None], others])


def density_of(design: Design, family: Family, observations: Observations) -> ConditionalDensity:
    """The density of the rows."""
    rows = observations.y, observations.weights, observations.trials
    if isinstance(family, Ordinal):
        return _ordinal(design, family, rows)
    if len(design.predictors) == 1:
        return FamilyDensity(family, *rows)
    return SeveralDensity(family, *rows)


def _ordinal(design: Design, family: Ordinal, rows: tuple[np.ndarray, ...]) -> OrdinalDensity:
    nominal, scale = design.predictors.get(NOMINAL), design.predictors.get(SCALE)
    return OrdinalDensity(
        family,
        rows[0],
        rows[1],
        rows[2],
        None if nominal is None else np.ascontiguousarray(nominal.X),
        None if scale is None or not scale.names else np.ascontiguousarray(scale.X),
        None if scale is None else scale.offset,
    )


def problem_of(design: Design, family: Family, observations: Observations) -> Problem:
    """Rows, columns and first estimates of a design."""
    if len(design.predictors) == 1 and not isinstance(family, Ordinal):
        rows = observations.y, observations.weights, observations.trials
        return Problem.of(design, FamilyDensity(family, *rows), None)
    density, eta = first_density(design, family, observations)
    kind: type[Problem] = SeveralProblem
    if isinstance(density, OrdinalDensity):
        kind = OrdinalProblem
    return kind.of(design, density, eta)


def with_parameters(design: Design, family: Family) -> Design:
    """The design with linear predictors of those parameters of the family that need one.

    A parameter without a formula is one number: the coefficient of a column of ones.
    """
    if isinstance(family, Ordinal):
        return design
    if not family.parameters or not (family.own_predictors or len(design.predictors) > 1):
        return design
    ones = constant_predictor(design.shape[0])
    named = {name: design.predictors.get(name, ones) for name in family.predictor_names}
    place_of = np.array([list(named).index(name) for name in design.predictors], dtype=np.int8)
    factors = tuple(replace(f, predictor=place_of[f.predictor]) for f in design.factors)
    return design.changed(predictors=named, factors=factors)
