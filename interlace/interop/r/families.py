"""Families of R -> families here."""

from __future__ import annotations

from ...errors import ArgumentError, listing
from ...families.names import resolve
from ...r_language.nodes import Call, Name, Node, Number, Text, function_name, text_of
from .code import arguments_of, quote
from .formulas import plain_columns

__all__ = ["FAMILIES", "Family", "family_of"]

#: Families of R and of packages, with the names they have here; the links by default are the same.
FAMILIES = {
    "gaussian": "gaussian", "binomial": "binomial", "poisson": "poisson", "Gamma": "gamma",
    "inverse.gaussian": "inverse_gaussian", "nbinom2": "negativebinomial",
    "nbinom1": "negativebinomial1", "genpois": "generalised_poisson",
    "compois": "conway_maxwell_poisson", "bell": "bell", "betabinomial": "betabinomial",
    "beta_family": "beta", "ordbeta": "ordered_beta", "tweedie": "tweedie",
    "lognormal": "lognormal", "t_family": "student_t", "skewnormal": "skew_normal",
    "truncated_poisson": "truncated_poisson", "truncated_nbinom2": "truncated_nbinom2",
    "truncated_nbinom1": "truncated_nbinom1", "truncated_genpois": "truncated_genpois",
    "truncated_compois": "truncated_compois",
}  # fmt: skip
#: glmmTMB's Gamma that may have zeros: with a formula for these it is a hurdle here.
ZI_GAMMA = "ziGamma"
#: Families with a number in place of a parameter.
NEGATIVE_BINOMIAL = ("negative.binomial", "neg.bin")


class Family:
    """A family: the code of it, what it resolves to."""

    def __init__(self, code: str, name: str, link: str | None = None, theta: str | None = None):
        self.code, self.theta = code, theta
        text = name if link is None else f"{name}({link})"
        self.own = resolve("negativebinomial" if theta else text)

    @property
    def is_gaussian(self) -> bool:
        """Whether it is the normal distribution with the identity link."""
        return self.own.name == "gaussian" and self.own.link.name == "identity"


def family_of(node: Node | None) -> Family:
    """The family that R code names: ``binomial``, ``"binomial"``, ``binomial("probit")``."""
    if node is None:
        return Family('"gaussian"', "gaussian")
    name = node.value if isinstance(node, Text) else function_name(node)
    bare = plain_columns(node)
    if isinstance(bare, Name):
        name = bare.text
    if name in NEGATIVE_BINOMIAL and isinstance(node, Call):
        return _negative_binomial(node)
    link = _link(node) if isinstance(node, Call) else None
    if name == ZI_GAMMA:
        link, own = link or "inverse", "gamma"
    elif name in FAMILIES:
        own = FAMILIES[name]
    elif name.startswith("quasi"):
        resolve(name)  # refuses, and says what there is
        raise AssertionError
    else:
        raise ArgumentError(
            f"family={text_of(node)}: that family is not known; known are {listing(FAMILIES)}. "
            "A variable that holds a family has to be written out"
        )
    text = own if link is None else f"{own}({link})"
    return Family(quote(text), own, link)


def _link(call: Call) -> str | None:
    """The link that a family is called with; other arguments have no translation."""
    link = arguments_of(call, "link").get("link")
    if link is None:
        return None
    if isinstance(link, Text):
        return link.value
    if isinstance(link, Name) or function_name(link) == "power":
        return text_of(link)
    raise ArgumentError(f"link={text_of(link)} has no translation: write its name")


def _negative_binomial(call: Call) -> Family:
    own = arguments_of(call, "theta", "link")
    theta = own.get("theta")
    if not isinstance(theta, Number):
        raise ArgumentError(f"{text_of(call)!r}: theta has to be a number")
    link = own.get("link")
    name = link.value if isinstance(link, Text) else text_of(link)
    more = f", link={quote(name)}" if link is not None else ""
    code = f"il.NegativeBinomial(theta={theta.value!r}{more})"
    return Family(code, "negativebinomial", name or None, str(theta.value))
