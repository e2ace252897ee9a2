"""From what a user passes as ``family=`` to a family."""

from __future__ import annotations

import re

from ..errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from .base import Family
from .binomial import Binomial
from .custom import PROTOCOL, CustomFamily
from .gamma import Gamma
from .gaussian import Gaussian
from .inverse_gaussian import InverseGaussian
from .links.base import Link
from .negative_binomial import NegativeBinomial
from .poisson import Poisson

#: Every family, by its name.
FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (Gaussian, Binomial, Poisson, Gamma, InverseGaussian, NegativeBinomial)
}

#: Other spellings, in lower case without spaces, points, hyphens and underscores.
ALIASES = {
    "normal": "gaussian",
    "bernoulli": "binomial",
    "inversegaussian": "inverse_gaussian",
    "invgauss": "inverse_gaussian",
    "negativebinomial2": "negativebinomial",
    "negativebinomial2family": "negativebinomial",
    "gammafamily": "gamma",
    "negbinomial": "negativebinomial",
    "negbin": "negativebinomial",
    "nbinom2": "negativebinomial",
    "nbinom": "negativebinomial",
    "nb2": "negativebinomial",
    "nb": "negativebinomial",
}

# R's way of writing it as a string: "binomial(probit)", 'Gamma(link = "log")'
_CALL = re.compile(r"(?P<family>[^()]+)\((?:link\s*=\s*)?[\"']?(?P<link>[^\"']+?)[\"']?\)$")


def resolve(family: object, link: str | Link | None = None) -> Family:
    """A family from its name, its class, itself, or an object with the `GLMMFamily` protocol.

    Names are taken in any case and with R's spellings: ``"inverse.gaussian"``,
    ``"binomial(probit)"``. `link` stands in for that of `family`.
    """
    if isinstance(family, str):
        family = _named(family)
    if isinstance(family, type) and issubclass(family, Family):
        family = family() if link is None else family(link=link)  # type: ignore[call-arg]
        return family
    if isinstance(family, Family):
        return family if link is None else family.with_link(link)
    if isinstance(family, type) and all(hasattr(family, name) for name in PROTOCOL):
        family = family()
    missing = [name for name in PROTOCOL if not callable(getattr(family, name, None))]
    if type(family).__module__.startswith("statsmodels."):
        raise ArgumentTypeError(_of_statsmodels(family))
    if len(missing) == len(PROTOCOL):
        swapped = "; are family and data swapped?" if hasattr(family, "columns") else ""
        raise ArgumentTypeError(
            f"family must be one of the names {listing(FAMILIES)}, a family such as "
            f"Binomial(link='probit'), or an object with the methods {listing(PROTOCOL)}; "
            f"got {brief(family)}{swapped}"
        )
    custom = CustomFamily(family)
    return custom if link is None else custom.with_link(link)


def _of_statsmodels(family: object) -> str:
    """The call to write in place of a family object of statsmodels."""
    name = type(family).__name__
    key = re.sub(r"[\s._-]", "", name).lower()
    key = ALIASES.get(key, key)
    link = type(getattr(family, "link", None)).__name__.lower()
    link = {"inversepower": "inverse", "inversesquared": "inverse_square"}.get(link, link)
    if key not in FAMILIES:
        return (
            f"family={name} of statsmodels is not among the families here, {listing(FAMILIES)}; "
            f"give one of these names, or an object with the methods {listing(PROTOCOL)}"
        )
    more = f", link={link!r}" if link in FAMILIES[key].links else ""
    if key == "negativebinomial":
        more += ", or il.NegativeBinomial(theta=1/alpha) for a given alpha"
    return f"family={name} is an object of statsmodels; write family={key!r}{more}"


def _named(text: str) -> Family | type[Family]:
    """The family of a name."""
    call = _CALL.match(text.strip())
    if call is not None:
        argument = call["link"].partition("=")[0].strip()
        if argument in ("theta", "shape"):
            raise ArgumentError(
                f"family={brief(text)}: a name holds no {argument}; give the family itself, "
                "such as il.NegativeBinomial(theta=2) or il.GammaFamily(shape=2)"
            )
        return resolve(call["family"], call["link"])
    name = re.sub(r"[\s._-]", "", text).lower()
    name = ALIASES.get(name, name)
    if name in FAMILIES:
        return FAMILIES[name]
    if name.startswith("quasi"):
        known = name.removeprefix("quasi")
        instead = {"binomial": "binomial", "poisson": "negativebinomial"}.get(known, "gaussian")
        raise ArgumentError(
            f"family={brief(text)}: quasi families have no likelihood to maximise; use a family "
            f"that has the variance wanted, such as {instead!r}"
            + (", with a random effect for each observation" if known == "binomial" else "")
        )
    if name in ("nbinom1", "nb1", "negativebinomial1"):
        raise ArgumentError(
            f"family={brief(text)} is NB1, with a variance in proportion to the mean, which is not "
            "available; 'negativebinomial' is NB2, with the variance mu + mu^2 / theta"
        )
    raise ArgumentError(
        f"there is no family={brief(text)}; families are {listing(FAMILIES)}."
        f"{suggestion(text, [*FAMILIES, *ALIASES])}"
    )
