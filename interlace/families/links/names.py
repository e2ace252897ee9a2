"""From the name of a link, in our spelling or R's, to the link."""

from __future__ import annotations

import re

from ...errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from .base import Link
from .power import Identity, Inverse, InverseSquare, Log, NegativeBinomialCanonical, Power, Sqrt
from .probability import Cauchit, Cloglog, Logit, Loglog, Probit

#: Every link that has no parameter, by its name.
LINKS: dict[str, type[Link]] = {
    link.name: link
    for link in (
        Identity, Log, Logit, Inverse, InverseSquare, Sqrt, Probit, Cloglog, Loglog, Cauchit,
        NegativeBinomialCanonical,
    )
}  # fmt: skip

#: Other spellings: R's names, and those of statsmodels.
ALIASES = {
    "1/mu^2": "inverse_square",
    "1/mu**2": "inverse_square",
    "1/mu2": "inverse_square",
    "1/mu": "inverse",
    "inverse-square": "inverse_square",
    "inversesquare": "inverse_square",
    "inverse_squared": "inverse_square",
    "inversesquared": "inverse_square",
    "inverse_power": "inverse",
    "inversepower": "inverse",
    "reciprocal": "inverse",
    "cauchy": "cauchit",
    "logistic": "logit",
    "ln": "log",
    "nb_canonical": "nbcanonical",
    "nbinom": "nbcanonical",
    "canonical": "nbcanonical",
}

# power(0.5), power(1/3), R's own name of it mu^0.5, or mu**0.5
_POWER = re.compile(r"(?:power\((?P<call>[^()]+)\)|mu(?:\^|\*\*)(?P<name>.+))$")


def resolve_link(link: str | Link | type[Link]) -> Link:
    """A link from its name in any case (R's ``1/mu^2`` too), its class or itself."""
    if isinstance(link, Link):
        return link
    if isinstance(link, type) and issubclass(link, Link):
        return link()
    if not isinstance(link, str):
        raise ArgumentTypeError(f"link must be a name or a Link, got {brief(link)}")
    name = link.strip().lower()
    name = ALIASES.get(name, name)
    if name in LINKS:
        return LINKS[name]()
    power = _POWER.match(name.replace(" ", ""))
    if power is not None:
        return _power(link, power["call"] or power["name"])
    raise ArgumentError(
        f"there is no link={link!r}; links are {listing([*LINKS, 'power(p)'])}."
        f"{suggestion(name, [*LINKS, *ALIASES])}"
    )


def _power(link: str, text: str) -> Link:
    """The link of ``power(text)``; power(0) is the log link, as in R."""
    numerator, _, denominator = text.partition("/")
    try:
        p = float(numerator) / float(denominator or 1.0)
    except (ValueError, ZeroDivisionError):
        raise ArgumentError(
            f"link={link!r}: the exponent must be a number or a fraction, as in 'power(0.5)' or "
            "'power(1/3)'"
        ) from None
    return Log() if p == 0.0 else Power(p)
