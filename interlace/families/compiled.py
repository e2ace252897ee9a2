"""The numbers by which kernels know families and links: the rows of these are compiled.

The kernels write the functions of the built-in classes once more. They stand for a class only as
long as it has these functions from there: a subclass with a function of its own is asked itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# As in linalg/kernels/density.pxi.
BINOMIAL, POISSON, NEGATIVE_BINOMIAL, GAMMA, INVERSE_GAUSSIAN, GAUSSIAN, ORDINAL = range(7)
# As in kernels/several.hpp: families, and what becomes of their zeros.
(
    SEVERAL_POISSON, SEVERAL_NB2, SEVERAL_NB1, SEVERAL_GENERALISED_POISSON, SEVERAL_CONWAY_MAXWELL,
    SEVERAL_BETA, SEVERAL_BETA_BINOMIAL, SEVERAL_GAUSSIAN, SEVERAL_GAMMA, SEVERAL_LOGNORMAL,
    SEVERAL_TWEEDIE,
) = range(11)  # fmt: skip
COUNTS = range(SEVERAL_CONWAY_MAXWELL + 1)
NONE, INFLATED, HURDLE, TRUNCATED = range(4)
LOGIT, PROBIT, CLOGLOG, LOGLOG, CAUCHIT, LOG, POWER, NB_CANONICAL = range(8)


def code(made: Any) -> int | None:
    """The number of a family or a link in the kernels; None if they do not stand for it.

    Its class, or a parent, has the number, ``compiled``, and the names of the functions that the
    kernels have, ``written_twice``.
    """
    cls = type(made)
    home: Any = next(c for c in cls.__mro__ if "compiled" in vars(c))
    return None if changed(made, home, home.written_twice) else home.compiled


def changed(made: Any, home: type, names: tuple[str, ...]) -> bool:
    """Whether an object has another function than a parent class under one of some names."""
    own, cls = vars(made), type(made)
    if not own.keys().isdisjoint(names):
        return True
    return cls is not home and any(
        getattr(cls, name, None) is not getattr(home, name, None) for name in names
    )


class Kind(NamedTuple):
    """A family as kernels/several.hpp has it.

    The parameter of the base is the predictor `par_at` times `par_factor`, or `par` where it is
    fixed (`par_at` -1); likewise `zi_at` and `zi`, those of the zeros or of Tweedie's power.
    """

    base: int
    zeros: int = NONE
    par_at: int = -1
    zi_at: int = -1
    par: float = 0.0
    zi: float = 0.0
    par_factor: float = 1.0


def several(family: Any) -> Kind | None:
    """The kernels' description of a family without zeros of its own; None if they lack it."""
    home: Any = next(c for c in type(family).__mro__ if "compiled_several" in vars(c))
    if home.compiled_several is None or changed(family, home, ("log_density_of", "log_value")):
        return None
    base, link, factor = home.compiled_several
    if family.link.name != link or code(family.link) is None:
        return None
    at = 1 if family.parameters else -1
    return Kind(base, par_at=at, par=family.fixed_predictor(), par_factor=factor)
