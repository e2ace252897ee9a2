"""The numbers by which kernels know families and links: the rows of these are compiled.

The kernels write the functions of the built-in classes once more. They stand for a class only as
long as it has these functions from there: a subclass with a function of its own is asked itself.
"""

from __future__ import annotations

from typing import Any

# As in linalg/kernels/density.pxi.
BINOMIAL, POISSON, NEGATIVE_BINOMIAL, GAMMA, INVERSE_GAUSSIAN, GAUSSIAN = range(6)
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
    own = vars(made)
    return any(
        name in own or getattr(type(made), name, None) is not getattr(home, name, None)
        for name in names
    )
