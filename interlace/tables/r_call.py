"""The call of R that fits the model of a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ArgumentError, brief
from ..families.base import Family
from ..families.truncated import Truncated
from ..families.zero_inflated import ZeroInflated
from ..formula.formula import RandomTermSpec
from ..formula.residual import FITTED, VARIANCES, ResidualSpec, ResidualTerm
from ..formula.spelling import quoted, r_text, shown
from ..formula.tokens import tokens_of
from ..models.kinds import AnyFit
from ..r_language.nodes import quoted_name, quoted_text

__all__ = ["r_call"]

#: Families as R's ``glm``, lme4 or glmmTMB have them; the last column says who.
FAMILIES = {
    "gaussian": ("gaussian", "glm"), "binomial": ("binomial", "glm"), "poisson": ("poisson", "glm"),
    "gamma": ("Gamma", "glm"), "inverse_gaussian": ("inverse.gaussian", "glm"),
    "negativebinomial": ("nbinom2", "glmmTMB"), "negativebinomial1": ("nbinom1", "glmmTMB"),
    "generalised_poisson": ("genpois", "glmmTMB"), "bell": ("bell", "glmmTMB"),
    "conway_maxwell_poisson": ("compois", "glmmTMB"), "betabinomial": ("betabinomial", "glmmTMB"),
    "beta": ("beta_family", "glmmTMB"), "ordered_beta": ("ordbeta", "glmmTMB"),
    "tweedie": ("tweedie", "glmmTMB"), "lognormal": ("lognormal", "glmmTMB"),
    "student_t": ("t_family", "glmmTMB"), "skew_normal": ("skewnormal", "glmmTMB"),
    "truncated poisson": ("truncated_poisson", "glmmTMB"),
    "truncated negativebinomial": ("truncated_nbinom2", "glmmTMB"),
    "truncated negativebinomial1": ("truncated_nbinom1", "glmmTMB"),
    "truncated generalised_poisson": ("truncated_genpois", "glmmTMB"),
    "truncated conway_maxwell_poisson": ("truncated_compois", "glmmTMB"),
}  # fmt: skip
#: Links whose names differ in R.
LINKS = {"inverse_square": "1/mu^2"}
#: Classes of covariance matrices of nlme.
CLASSES = {"us": "pdSymm", "diag": "pdDiag", "homdiag": "pdIdent", "homcs": "pdCompSymm"}
NA_ACTIONS = {"exclude": "na.exclude", "raise": "na.fail"}
#: Structures whose effects are times or places, which glmmTMB has as factors.
OF_TIMES = ("ar1", "hetar1", "toep", "homtoep")
OF_PLACES = ("ou", "exp", "gau", "mat")
#: Families whose weights glmmTMB has too: numbers of trials, or powers of the density.
WITHOUT_DISPERSION = ("binomial", "betabinomial", "poisson", "bell", "truncated poisson")
#: Arguments of a call beside its formulas that change a fit.
OTHER_FORMULAS = ("dispformula", "ziformula")
ALONE = ("shapeformula", "zoiformula", "coiformula")


@dataclass
class _Call:
    """A call of R: its function, and its arguments as text."""

    function: str
    formula: str
    first: str = ""
    arguments: dict[str, str] = field(default_factory=dict)

    def text(self, data: str) -> str:
        pieces = [f"{self.first} = {self.formula}" if self.first else self.formula]
        pieces += [f"data = {quoted_name(data)}"]
        pieces += [f"{name} = {text}" for name, text in self.arguments.items()]
        return f"{self.function}({', '.join(pieces)})"


def r_call(fit: AnyFit, call: Mapping[str, Any], data: str) -> str:
    """The call of R that fits the model of ``fit``, which ``call`` made; ``data`` is R's name.

    An ArgumentError says what R's functions do not have.
    """
    for name in ALONE:
        if call.get(name) is not None:
            raise ArgumentError(f"{name}={call[name]!r} is in no function of R that is known here")
    if any(spec.matrix is not None for spec in fit.design.formula.random):
        raise ArgumentError(
            "random effects whose levels have a known covariance are in no function of R that is "
            "known here: lme4qtl, MCMCglmm and brms have them"
        )
    call = {name: value for name, value in call.items() if value is not None}
    if fit.ordered:
        out = _ordinal(fit, call)
    elif fit.design.residual is not None or "correlation" in call or "variance" in call:
        out = _nlme(fit, call)
    elif fit.linear:
        out = _linear(fit, call)
    else:
        out = _generalised(fit, call)
    return _completed(out, call).text(data)


def _completed(out: _Call, call: Mapping[str, Any]) -> _Call:
    """The call with what all functions have: weights, offset, subset, contrasts, na.action."""
    for name in ("weights", "offset"):
        if name in call:
            if not isinstance(call[name], str):
                raise ArgumentError(
                    f"{name}= is {brief(call[name])}, which has no name in R; make it a column of "
                    f"the data and give {name}= its name"
                )
            if name in out.arguments:
                raise ArgumentError(f"{out.function}() has no {name}= beside that of variances")
            out.arguments[name] = quoted_name(call[name])
    if "offset" in out.arguments and out.function in ("clm", "clmm"):
        out.formula += f" + offset({out.arguments.pop('offset')})"
    if "subset" in call:
        if not isinstance(call["subset"], str):
            raise ArgumentError(
                f"subset= is {brief(call['subset'])}, which has no name in R; write a condition, "
                "subset='x > 3', or choose the rows before"
            )
        out.arguments["subset"] = r_text(f"I({call['subset']})")[2:-1]
    if "contrasts" in call:
        out.arguments["contrasts"] = _contrasts(call["contrasts"])
    if call.get("na_action") in NA_ACTIONS:
        out.arguments["na.action"] = NA_ACTIONS[call["na_action"]]
    return out


def _contrasts(contrasts: Mapping[str, Any]) -> str:
    pieces = []
    for name, value in contrasts.items():
        if not isinstance(value, str) or value == "diff":
            raise ArgumentError(
                f"contrasts= of {name!r} are {brief(value)}; those that have a name in R are "
                "'treatment', 'sum', 'helmert', 'poly' and 'SAS'"
            )
        pieces.append(f'{quoted_name(name)} = "contr.{value.removeprefix("contr.")}"')
    return f"list({', '.join(pieces)})"


# -- formulas -------------------------------------------------------------------------------------


def r_formula(text: str) -> str:
    """A formula with the calls in it as R spells them."""
    out, last = "", 0
    for token in tokens_of(text):
        out += text[last : token.start]
        out += r_text(token.text) if token.kind == "python" else token.text
        last = token.end
    return out + text[last:]


def _whole(fit: AnyFit) -> str:
    return r_formula(fit.design.formula.text)


def _with_terms(fit: AnyFit, terms: Sequence[str]) -> str:
    """The formula with these random terms in place of its own."""
    formula = fit.design.formula
    assert formula.response is not None
    offsets = [f"offset({r_text(text)})" for text in formula.offsets]
    right = " + ".join([r_formula(shown(formula.fixed)), *offsets, *terms])
    return f"{r_formula(formula.response.text)} ~ {right}"


def _structured(fit: AnyFit, numeric: Callable[[str], bool]) -> str:
    """The formula with structures as glmmTMB writes them."""
    formula = fit.design.formula
    if all(spec.structure == "us" for spec in formula.random):
        return _whole(fit)
    return _with_terms(fit, [_of_glmmtmb(spec, numeric) for spec in formula.random])


def _of_glmmtmb(spec: RandomTermSpec, numeric: Callable[[str], bool]) -> str:
    group = r_formula(spec.text[spec.text.rindex("|") + 1 : -1].partition(",")[0].strip())
    lhs = r_formula(shown(spec.lhs))
    if spec.structure in OF_PLACES:
        places = [piece.strip() for piece in lhs.removeprefix("0 +").split("+")]
        lhs = f"numFactor({', '.join(places)}) + 0"
    elif spec.structure in OF_TIMES:
        time = lhs.removeprefix("0 +").removeprefix("1 +").strip()
        if time.isidentifier() and numeric(time):
            lhs = f"factor({time}) + 0"
    rank = "" if spec.rank is None else f", d = {spec.rank}"
    name = "" if spec.structure == "us" else spec.structure
    return f"{name}({lhs} | {group}{rank})"


def _numeric(call: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether a column of the data holds numbers."""
    from ..frames.columns import Labels
    from ..frames.read import data_columns, read

    def answer(name: str) -> bool:
        if name not in data_columns(call["data"]):
            return False
        return not isinstance(read(call["data"], [name], ()).values[name], Labels)

    return answer


# -- kinds of models ------------------------------------------------------------------------------


def _linear(fit: AnyFit, call: Mapping[str, Any]) -> _Call:
    if all(spec.structure == "us" for spec in fit.design.formula.random):
        reml = {} if fit.is_reml else {"REML": "FALSE"}
        return _Call("lmer", _whole(fit), arguments=reml)
    _check_weights(fit, call)
    reml = {"REML": "TRUE"} if fit.is_reml else {}
    return _Call("glmmTMB", _structured(fit, _numeric(call)), arguments=reml)


def _generalised(fit: AnyFit, call: Mapping[str, Any]) -> _Call:
    family, zi = _without_zeros(fit.family)
    name, where = _family(family)
    formulas = {n: r_formula(call[n]) for n in OTHER_FORMULAS if n in call}
    if zi:
        formulas.setdefault("ziformula", "~ 1")
    plain = not formulas and all(s.structure == "us" for s in fit.design.formula.random)
    gaussian = family.name == "gaussian" and family.link.name == "identity"
    negative = family.name == "negativebinomial"
    if plain and not fit.T:
        if gaussian:
            return _Call("lm", _whole(fit))
        if where == "glm" and fit.irls:
            return _Call("glm", _whole(fit), arguments={"family": name})
        if negative and fit.irls and family.link.name in ("log", "sqrt", "identity"):
            link = {} if family.link.name == "log" else {"link": family.link.name}
            return _Call("glm.nb", _whole(fit), arguments=link)
    if plain and fit.T and (as_lme4 := _lme4(fit, name, where)):
        return as_lme4
    if (fit.nAGQ or 1) != 1:
        raise ArgumentError(f"nAGQ={fit.nAGQ} of family {family.name!r} is in no function of R")
    _check_weights(fit, call)
    own = {} if gaussian else {"family": name}
    if "ziformula" in formulas and family.name == "gamma":
        own["family"] = name.replace("Gamma", "ziGamma", 1)
    reml = {"REML": "TRUE"} if fit.is_reml else {}
    out = _Call("glmmTMB", _structured(fit, _numeric(call)), arguments={**own, **formulas, **reml})
    if fit.T and fit.expected and not family.canonical:
        raise ArgumentError(
            "laplace='expected' for this family is in no function of R; glmmTMB has the observed "
            "information"
        )
    return out


def _lme4(fit: AnyFit, name: str, where: str) -> _Call | None:
    """The call of lme4, where it maximises the same likelihood."""
    family = fit.family
    if not (fit.expected or family.canonical):
        return None
    nodes = {} if fit.nAGQ == 1 else {"nAGQ": str(fit.nAGQ)}
    if family.name == "negativebinomial" and family.link.name == "log":
        return _Call("glmer.nb", _whole(fit), arguments=nodes)
    if where != "glm" or family.parameters or family.free_dispersion:
        return None
    return _Call("glmer", _whole(fit), arguments={"family": name, **nodes})


def _without_zeros(family: Family) -> tuple[Family, bool]:
    """The family without zeros beside it, and whether there were any."""
    if type(family) is ZeroInflated:
        return family.base, True
    return family, False


def _family(family: Family) -> tuple[str, str]:
    """R's code of a family, and whose it is."""
    key = family.name
    if key not in FAMILIES:
        raise ArgumentError(f"the family {key!r} is in no package of R that is known here")
    plain = family.base if isinstance(family, Truncated) else family
    default = type(plain)()  # type: ignore[call-arg]
    if set(default.parameters) != set(plain.parameters):
        held = sorted(set(default.parameters) - set(plain.parameters))
        raise ArgumentError(
            f"family={family!r} holds {', '.join(held)} at a value, which R's functions that are "
            "known here do not"
        )
    name, where = FAMILIES[key]
    link = LINKS.get(plain.link.name, plain.link.name)
    if plain.link.name == default.link.name:
        return name, where
    return f"{name}({link if '(' in link else quoted_text(link)})", where


def _check_weights(fit: AnyFit, call: Mapping[str, Any]) -> None:
    if "weights" in call and fit.family.name not in WITHOUT_DISPERSION:
        raise ArgumentError(
            "weights= divide the dispersion here, in glmmTMB they are powers of the density: the "
            "models differ, and no other function of R that is known here has this one"
        )


def _ordinal(fit: AnyFit, call: Mapping[str, Any]) -> _Call:
    function = "clmm" if fit.T else "clm"
    if "levels" in call:
        raise ArgumentError("levels= is no argument of clm(); make the response an ordered factor")
    own = {}
    family: Any = fit.family
    if family.link.name != "logit":
        own["link"] = quoted_text(family.link.name)
    if call.get("threshold", "flexible") != "flexible":
        own["threshold"] = quoted_text(call["threshold"])
    for name in ("nominal", "scale"):
        if name in call:
            if fit.T:
                raise ArgumentError(f"{name}= is no argument of clmm(), which has random effects")
            own[name] = r_formula(call[name])
    if (fit.nAGQ or 1) != 1:
        own["nAGQ"] = str(fit.nAGQ)
    return _Call(function, _whole(fit), arguments=own)


# -- nlme -----------------------------------------------------------------------------------------


def _nlme(fit: AnyFit, call: Mapping[str, Any]) -> _Call:
    if "offset" in call or fit.design.formula.offsets:
        raise ArgumentError("nlme's functions have no offsets; subtract it from the response")
    if "weights" in call:
        raise ArgumentError("weights= as numbers are no argument of nlme's functions")
    spec = ResidualSpec.of(call.get("correlation"), call.get("variance"))
    own: dict[str, str] = {}
    random = fit.design.formula.random
    if random:
        own["random"] = _random(random)
    if spec is not None and spec.correlation is not None:
        own["correlation"] = _correlation(spec.correlation)
    if spec is not None and spec.variance:
        functions = [_variance(term) for term in spec.variance]
        own["weights"] = functions[0] if len(functions) == 1 else f"varComb({', '.join(functions)})"
    if not fit.is_reml:
        own["method"] = '"ML"'
    return _Call("lme" if random else "gls", _with_terms(fit, []), arguments=own)


def _random(specs: Sequence[RandomTermSpec]) -> str:
    """``random=``: a list of nested factors, each with its terms."""
    by_group: dict[frozenset[str], list[RandomTermSpec]] = {}
    for spec in specs:
        by_group.setdefault(frozenset(spec.group), []).append(spec)
    before: frozenset[str] = frozenset()
    pieces = []
    for variables in sorted(by_group, key=len):
        own = variables - before
        if not before <= variables or len(own) != 1:
            raise ArgumentError(
                "nlme has nested grouping factors only, and here there are "
                f"{', '.join(sorted(':'.join(sorted(group)) for group in by_group))}"
            )
        pieces.append(f"{quoted_name(next(iter(own)))} = {_classes(by_group[variables])}")
        before = variables
    return f"list({', '.join(pieces)})"


def _classes(specs: Sequence[RandomTermSpec]) -> str:
    blocks = []
    for spec in specs:
        if spec.structure not in CLASSES:
            raise ArgumentError(f"nlme has no random effects with the structure {spec.structure}()")
        formula = f"~ {r_formula(shown(spec.lhs))}"
        plain = spec.structure == "us" and len(specs) == 1
        blocks.append(formula if plain else f"{CLASSES[spec.structure]}({formula})")
    return blocks[0] if len(blocks) == 1 else f"pdBlocked(list({', '.join(blocks)}))"


def _correlation(term: ResidualTerm) -> str:
    from ..covariance.residual import CORRELATIONS

    options = [f"{key} = {'TRUE' if value is True else value}" for key, value in term.options]
    inside = [text for text in (_form(term), *options) if text]
    return f"{CORRELATIONS[term.kind].nlme}({', '.join(inside)})"


def _variance(term: ResidualTerm) -> str:
    return f"{VARIANCES[term.kind]}({_form(term, fitted='fitted(.)')})"


def _form(term: ResidualTerm, fitted: str = "") -> str:
    """The formula of a structure of residuals."""
    texts = [
        fitted if c == FITTED else quoted(c) if c.isidentifier() else r_text(c)
        for c in term.covariates
    ]
    left = " + ".join(texts) or "1"
    group = "" if term.group is None else f" | {term.group.label}"
    if left == "1" and not group:
        return ""
    name = "" if term.kind == "fixed" else "form = "
    return f"{name}~ {left}{group}"
