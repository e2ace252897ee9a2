"""nlme's random effects, correlations and functions of variance -> formulas here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...covariance import residual
from ...errors import ArgumentError, listing
from ...formula.residual import VARIANCES as FUNCTIONS
from ...r_language.nodes import (
    Argument,
    Binary,
    Bracket,
    Call,
    Name,
    Node,
    Number,
    Unary,
    function_name,
    text_of,
)
from .code import FALSE, TRUE
from .formulas import formula_text, one_sided, sides

__all__ = ["correlation_text", "held", "random_terms", "variance_text"]

#: Grouping factors of nlme's data sets, which these carry with them in R.
GROUPED = {
    "Alfalfa": "Block/Variety", "Assay": "Block", "BodyWeight": "Rat", "Cefamandole": "Subject",
    "Dialyzer": "Subject", "Earthquake": "Quake", "ergoStool": "Subject", "Fatigue": "Path",
    "Gasoline": "Sample", "Glucose": "Subject", "Glucose2": "Subject/Date", "Gun": "Team",
    "IGF": "Lot", "Machines": "Worker", "MathAchieve": "School", "Meat": "Pair", "Milk": "Cow",
    "Muscle": "Strip", "Nitrendipene": "Tissue", "Oats": "Block", "Orthodont": "Subject",
    "Ovary": "Mare", "Oxboys": "Subject", "Oxide": "Lot/Wafer", "PBG": "Rabbit",
    "Phenobarb": "Subject", "Pixel": "Dog/Side", "Quinidine": "Subject", "Rail": "Rail",
    "RatPupWeight": "Litter", "Relaxin": "Run", "Remifentanil": "Subject", "Soybean": "Plot",
    "Spruce": "Tree", "Tetracycline1": "Subject", "Tetracycline2": "Subject",
    "Wafer": "Wafer/Site", "Wheat": "Tray", "Wheat2": "Block", "bdf": "schoolNR",
}  # fmt: skip

#: Classes of covariance matrices: the structures here.
STRUCTURES = {
    "pdSymm": "", "pdLogChol": "", "pdNatural": "", "pdDiag": "diag", "pdIdent": "homdiag",
    "pdCompSymm": "homcs",
}  # fmt: skip
#: Correlations and functions of variance: the names here.
CORRELATIONS = {own.nlme: name for name, own in residual.CORRELATIONS.items()}
VARIANCES = {nlme: name for name, nlme in FUNCTIONS.items()}
#: Arguments of these that hold where a search starts.
_STARTS = ("value", "const", "power")
_NONE: Mapping[str, type] = {}


# -- random effects -------------------------------------------------------------------------------


def random_terms(node: Node | None, fixed: Node, data: str | None) -> list[str]:
    """The random terms of ``random=``: ``~ x | g``, ``list(g = pdDiag(~ x))``, …."""
    if node is None:
        return [_term("", text_of(sides(fixed)[1]), _grouped(data, "random= is missing"))]
    if function_name(node) in ("list", "reStruct"):
        return _of_list(node, data)  # type: ignore[arg-type]
    if function_name(node) in STRUCTURES or function_name(node) == "pdBlocked":
        return _effects(node, _grouped(data, f"random={text_of(node)} has no grouping factor"))
    if not one_sided(node):
        raise ArgumentError(f"random={text_of(node)} has no translation: write out its formula")
    left, group = _bar(node.operand)
    own = group or _grouped(data, f"random={text_of(node)} has no grouping factor")
    return [_term("", left, own)]


def _of_list(call: Call, data: str | None) -> list[str]:
    """A term for each factor, those after the first within the ones before them."""
    if len(call.arguments) == 1 and call.arguments[0].name is None:
        return random_terms(call.arguments[0].value, Name("1"), data)
    terms: list[str] = []
    groups: list[str] = []
    for argument in call.arguments:
        if argument.name is None or argument.value is None:
            raise ArgumentError(
                f"random={text_of(call)} has no names: write list(g = ~ x), with the grouping "
                "factor as name"
            )
        groups.append(text_of(Name(argument.name)))
        terms += _effects(argument.value, ":".join(groups))
    return terms


def _effects(node: Node, group: str) -> list[str]:
    """The terms of one grouping factor: of a formula or of a class of matrices."""
    name = function_name(node)
    if one_sided(node):
        return [_term("", text_of(node.operand), group)]
    if name == "pdBlocked" and isinstance(node, Call) and node.arguments:
        blocks = node.arguments[0].value
        inner = blocks.arguments if isinstance(blocks, Call) else ()
        return [term for a in inner if a.value for term in _effects(a.value, group)]
    if name not in STRUCTURES or not isinstance(node, Call):
        raise ArgumentError(
            f"random={text_of(node)} has no translation; known are formulas and "
            f"{listing([*STRUCTURES, 'pdBlocked'])}"
        )
    form = _form(node.arguments)
    if not isinstance(form, Unary):
        raise ArgumentError(f"{text_of(node)} has no formula; write {name}(~ x)")
    return [_term(STRUCTURES[name], text_of(form.operand), group)]


def _term(structure: str, left: str, group: str) -> str:
    return f"{structure}({left} | {group})"


def _bar(node: Node) -> tuple[str, str]:
    """Left side and group of ``x | g``; an empty text for a group that is not there."""
    if isinstance(node, Bracket):
        return _bar(node.inner)
    if isinstance(node, Binary) and node.operator == "|":
        return text_of(node.left), text_of(node.right)
    return text_of(node), ""


def _grouped(data: str | None, what: str) -> str:
    if data in GROUPED:
        return GROUPED[str(data)]
    raise ArgumentError(
        f"{what}, and R takes the grouping factor from groupedData, which a data frame here is "
        "not; write random = ~ x | g"
    )


# -- residuals ------------------------------------------------------------------------------------


def correlation_text(node: Node | None, notes: list[str]) -> str | None:
    """``correlation=`` as it is written here; None for NULL."""
    if node is None or text_of(node) == "NULL":
        return None
    name = function_name(node)
    if name not in CORRELATIONS or not isinstance(node, Call):
        raise ArgumentError(
            f"correlation={text_of(node)} is not available; there are {listing(CORRELATIONS)}"
        )
    structure = residual.CORRELATIONS[CORRELATIONS[name]]
    form, options = _settled(node, notes, structure.options)
    left, group = ("1", "") if form is None else _bar(form.operand)
    inside = [f"{left} | {group}" if group else left, *options]
    return f"{structure.name}({', '.join(inside)})"


def variance_text(node: Node | None, notes: list[str]) -> str | None:
    """nlme's ``weights=`` as ``variance=`` has it here; None for NULL."""
    if node is None or text_of(node) == "NULL":
        return None
    if one_sided(node):
        return f"fixed({formula_text(node.operand)})"
    name = function_name(node)
    if name == "varComb" and isinstance(node, Call):
        return " * ".join(str(variance_text(a.value, notes)) for a in node.arguments)
    if name not in VARIANCES or not isinstance(node, Call):
        raise ArgumentError(
            f"weights={text_of(node)} is not available; there are {listing(VARIANCES)} and varComb"
        )
    form, _ = _settled(node, notes)
    if form is None:
        if name in ("varIdent", "varFixed"):
            raise ArgumentError(f"{text_of(node)} has no formula; write {name}(form = ~ 1 | f)")
        return f"{VARIANCES[name]}(fitted)"
    left, group = _bar(form.operand)
    left = "fitted" if left.startswith("fitted(") else left
    return f"{VARIANCES[name]}({left}{f' | {group}' if group else ''})"


def _settled(
    call: Call, notes: list[str], options: Mapping[str, type] = _NONE
) -> tuple[Unary | None, list[str]]:
    """The formula of a structure, and its options as they are written here.

    Starts are dropped with a note, parameters held are refused.
    """
    own: dict[str, Node] = {}
    free = ["value", "form", "fixed"] if "Fixed" not in function_name(call) else ["form"]
    for argument in call.arguments:
        if argument.value is None:
            raise ArgumentError(f"{text_of(call)!r} has an empty argument")
        name = argument.name or ("form" if one_sided(argument.value) else free[0])
        own[name] = argument.value
        free = [n for n in free if n != name] or ["more"]
    name = function_name(call)
    if text_of(own.pop("fixed", None)) in TRUE:
        raise ArgumentError(
            f"fixed=TRUE of {name}() is not available: all parameters are estimated"
        )
    written = [_option(key, own.pop(key)) for key in options if key in own]
    form = own.pop("form", None)
    starts = [key for key in _STARTS if own.pop(key, None) is not None]
    if starts:
        notes.append(f"{starts[0]}= of {name}() is dropped: the search starts from its own values")
    metric = own.pop("metric", None)
    if own or (metric is not None and text_of(metric) != '"euclidean"'):
        raise ArgumentError(f"{listing(own) or 'metric'}= of {name}() is not available")
    if form is not None and not isinstance(form, Unary):
        raise ArgumentError(f"form={text_of(form)} of {name}() is no one-sided formula")
    return form, written


def _option(key: str, value: Node) -> str:
    """An order or a truth of a correlation; whether it is one is seen where the fit reads it."""
    text = text_of(value).removesuffix("L")
    return f"{key}={'True' if text in TRUE else 'False' if text in FALSE else text}"


def _form(arguments: Sequence[Argument]) -> Node | None:
    """The formula among the arguments of a class of matrices."""
    for argument in arguments:
        if one_sided(argument.value):
            return argument.value
        if (
            argument.value is not None
            and argument.name in (None, "value")
            and not isinstance(argument.value, Number)
        ):
            raise ArgumentError(f"{text_of(argument.value)} is no formula; write pdDiag(~ x)")
    return None


def held(arguments: Mapping[str, Node]) -> bool:
    """Whether ``control=`` holds the residual standard deviation."""
    control = arguments.get("control")
    return isinstance(control, Call) and any(a.name == "sigma" for a in control.arguments)
