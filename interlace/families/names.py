"""From what a user passes as ``family=`` to a family."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from .base import Family
from .bell import Bell
from .beta import Beta, OrderedBeta, ZeroOneInflatedBeta
from .beta_binomial import BetaBinomial
from .binomial import Binomial
from .continuous import LogNormal, SkewNormal, StudentT
from .conway_maxwell_poisson import ConwayMaxwellPoisson
from .custom import PROTOCOL, CustomFamily
from .gamma import Gamma
from .gaussian import Gaussian
from .generalised_poisson import GeneralisedPoisson
from .inverse_gaussian import InverseGaussian
from .links.base import Link
from .negative_binomial import NegativeBinomial
from .negative_binomial1 import NegativeBinomial1
from .ordinal import Ordinal
from .poisson import Poisson
from .truncated import Hurdle, Truncated
from .tweedie import Tweedie
from .zero_inflated import ZeroInflated

#: Every family, by its name.
FAMILIES: dict[str, type[Family]] = {
    family.name: family
    for family in (
        Gaussian, Binomial, Poisson, Gamma, InverseGaussian, NegativeBinomial, NegativeBinomial1,
        GeneralisedPoisson, ConwayMaxwellPoisson, Bell, BetaBinomial, Beta, OrderedBeta,
        ZeroOneInflatedBeta, Tweedie, LogNormal, StudentT, SkewNormal,
    )
}  # fmt: skip

#: What may stand before the name of a family: "hurdle_poisson", "zero-inflated nbinom2".
PREFIXES: dict[str, Callable[[Family], Family]] = {
    "zeroinflated": ZeroInflated,
    "hurdle": Hurdle,
    "truncated": Truncated,
}

#: Names of models of ordered categories elsewhere.
ORDINAL = ("ordinal", "ordered", "cumulative", "clm", "clmm", "polr", "ocat", "ordinallogit")

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
    "nb1": "negativebinomial1",
    "nbinom1": "negativebinomial1",
    "negativebinomial1family": "negativebinomial1",
    "betafamily": "beta",
    "ordbeta": "ordered_beta",
    "orderedbeta": "ordered_beta",
    "zerooneinflatedbeta": "zero_one_inflated_beta",
    "zerooneinflatedbetafamily": "zero_one_inflated_beta",
    "generalisedpoisson": "generalised_poisson",
    "generalizedpoisson": "generalised_poisson",
    "genpois": "generalised_poisson",
    "conwaymaxwellpoisson": "conway_maxwell_poisson",
    "compois": "conway_maxwell_poisson",
    "cmp": "conway_maxwell_poisson",
    "studentt": "student_t",
    "student": "student_t",
    "tfamily": "student_t",
    "t": "student_t",
    "skewnormal": "skew_normal",
    "zigamma": "gamma(log)",
    "zip": "zero-inflated poisson",
    "zinb": "zero-inflated negativebinomial",
    "zeroinflatednb2": "zero-inflated negativebinomial",
}

# R's way of writing it as a string: "binomial(probit)", 'Gamma(link = "log")'
_CALL = re.compile(r"(?P<family>[^()]+)\((?:link\s*=\s*)?[\"']?(?P<link>[^\"']+?)[\"']?\)$")


def resolve(family: object, link: str | Link | None = None) -> Family:
    """A family from its name, its class, itself, or an object with the `GLMMFamily` protocol.

    Names are taken in any case and with R's spellings: ``"inverse.gaussian"``,
    ``"binomial(probit)"``, also after "zero-inflated", "hurdle" or "truncated". `link` stands in
    for that of `family`.
    """
    if isinstance(family, str) and family in FAMILIES:
        family = FAMILIES[family]
    ordinal = (
        re.sub(r"[\s._-]", "", family).lower() in ORDINAL if isinstance(family, str) else False
    )
    if ordinal or isinstance(family, Ordinal):
        raise ArgumentError(
            "models of ordered categories have functions of their own: il.clm(formula, data), and "
            "il.clmm with random effects"
        )
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
    if "(" in name or "-" in name:
        return _named(name)
    for prefix, combined in PREFIXES.items():
        if name.startswith(prefix) and name != prefix:
            return combined(resolve(name.removeprefix(prefix).removesuffix("family")))
    if name.startswith("quasi"):
        known = name.removeprefix("quasi")
        instead = {"binomial": "binomial", "poisson": "negativebinomial"}.get(known, "gaussian")
        raise ArgumentError(
            f"family={brief(text)}: quasi families have no likelihood to maximise; use a family "
            f"that has the variance wanted, such as {instead!r}"
            + (", with a random effect for each observation" if known == "binomial" else "")
        )
    raise ArgumentError(
        f"there is no family={brief(text)}; families are {listing(FAMILIES)}."
        f"{suggestion(text, [*FAMILIES, *ALIASES])}"
    )
