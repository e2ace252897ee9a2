"""Calls of R that fit a model -> the calls here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ...errors import ArgumentError, listing, suggestion
from ...formula.parser import parse
from ...other_names import function_hint
from ...r_language.nodes import (
    Binary,
    Call,
    Index,
    Name,
    Node,
    Number,
    Text,
    Unary,
    function_name,
    text_of,
    walk,
)
from .code import Context, arguments_of, identifier, python_of, quote
from .families import Family, family_of
from .formulas import formula_node, formula_text, plain_columns, sides, with_offset
from .nlme import correlation_text, held, random_terms, variance_text

__all__ = ["FITS", "PythonCall", "fit_call"]

#: Functions that fit models, with their arguments in R's order.
FORMALS = {
    "lmer": "formula data REML control start verbose subset weights na.action offset contrasts "
    "devFunOnly",
    "glmer": "formula data family control start verbose nAGQ subset weights na.action offset "
    "contrasts mustart etastart devFunOnly",
    "glmer.nb": "formula data control start verbose nAGQ subset weights na.action offset contrasts "
    "interval tol nb.control initCtrl family",
    "lm": "formula data subset weights na.action method model x y qr singular.ok contrasts offset",
    "glm": "formula family data weights subset na.action start etastart mustart offset control "
    "model method x y singular.ok contrasts epsilon maxit trace",
    "glm.nb": "formula data weights subset na.action start etastart mustart control method model x "
    "y contrasts init.theta link offset",
    "glmmTMB": "formula data family ziformula dispformula weights offset contrasts na.action se "
    "verbose doFit control REML start map sparseX priors subset",
    "clm": "formula scale nominal data weights start subset doFit na.action contrasts model "
    "control link threshold",
    "clmm": "formula data weights start subset na.action contrasts Hess model link doFit control "
    "nAGQ threshold",
    "polr": "formula data weights start subset na.action contrasts Hess model method control",
    "lme": "fixed data random correlation weights subset method na.action control contrasts "
    "keep.data",
    "gls": "model data correlation weights subset method na.action control verbose",
}  # fmt: skip
FITS = tuple(FORMALS)

#: Arguments that change nothing of what is estimated, and why they are left out.
DROPPED = {
    **dict.fromkeys(
        ("control", "nb.control", "initCtrl", "epsilon", "maxit", "trace", "interval", "tol"),
        "settings of a search that is not used here",
    ),
    **dict.fromkeys(
        ("start", "etastart", "mustart", "init.theta"), "the search starts from its own values"
    ),
    "verbose": "nothing is printed while fitting",
    **dict.fromkeys(
        ("model", "x", "y", "qr", "keep.data", "Hess", "se", "sparseX"),
        "what the result keeps is the same with and without",
    ),
    "singular.ok": "columns that depend on others are left out with a warning",
}
#: Arguments whose other value asks for something else than a fit.
FLAGS = {"devFunOnly": "FALSE", "doFit": "TRUE"}
#: Names of the methods that are the only ones here.
METHODS = {"lm": ("qr",), "glm": ("glm.fit",), "glm.nb": ("glm.fit",)}
NA_ACTIONS = {"na.omit": "omit", "na.exclude": "exclude", "na.fail": "raise"}
LINKS_OF_POLR = {"logistic": "logit"}
#: Families of glmmTMB without a dispersion that weights would divide; those with trials.
WITHOUT_DISPERSION = ("binomial", "poisson", "truncated poisson", "bell")
OF_TRIALS = ("binomial", "betabinomial")


@dataclass
class PythonCall:
    """A call of a function here, with what was left out of R's."""

    function: str
    formula: str
    data: str
    arguments: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    frame: str = "data"
    kind: str = ""

    @property
    def code(self) -> str:
        """The call as Python code."""
        pieces = [self.formula, self.data]
        pieces += [f"{name}={code}" for name, code in self.arguments.items()]
        return f"il.{self.function}({', '.join(pieces)})"


@dataclass
class Reading:
    """A call of R while it is translated.

    Attributes
    ----------
    own : dict of str to node
        Its arguments by name; what is done with is taken out.
    formulas : mapping of str to node
        Formulas that variables hold.
    """

    name: str
    own: dict[str, Node]
    formulas: Mapping[str, Node]
    context: Context
    notes: list[str] = field(default_factory=list)

    def take(self, name: str) -> Node | None:
        """An argument, which is taken out; NULL is none."""
        node = self.own.pop(name, None)
        return None if node is not None and text_of(node) == "NULL" else node

    def formula(self, name: str) -> str | None:
        """The text of an argument that is a formula."""
        node = self.take(name)
        if node is None:
            return None
        written = formula_node(node, self.formulas)
        if written is None:
            raise ArgumentError(
                f"{name}={text_of(node)} is no formula: write the formula itself in its place"
            )
        return formula_text(written)

    def choice(self, name: str) -> str | None:
        """The text of an argument that is a word: ``"ML"``, ``na.exclude``."""
        node = self.take(name)
        if node is None:
            return None
        if isinstance(node, Text):
            return node.value
        return text_of(plain_columns(node))

    def flag(self, name: str) -> bool | None:
        """The value of an argument that is TRUE or FALSE."""
        text = self.choice(name)
        if text in (None, "TRUE", "FALSE"):
            return None if text is None else text == "TRUE"
        raise ArgumentError(f"{name}={text} of {self.name}() is neither TRUE nor FALSE")


def fit_call(call: Call, formulas: Mapping[str, Node], context: Context) -> PythonCall:
    """The call here of a call in R that fits a model.

    `formulas` are those that variables hold. An ArgumentError names what has no translation.
    """
    name = function_name(call)
    if name not in FORMALS:
        raise ArgumentError(_not_a_fit(name or text_of(call)))
    reading = Reading(name, _arguments(call, name), formulas, context)
    _check_flags(reading)
    out = _BUILDERS[name](reading)
    for key in [key for key in reading.own if key in DROPPED]:
        reading.notes.append(f"{key}= is dropped: {DROPPED[key]}")
        del reading.own[key]
    if reading.own:
        raise ArgumentError(
            f"{listing(f'{key}=' for key in reading.own)} of {name}() is not available here"
        )
    out.notes = list(dict.fromkeys([*reading.notes, *out.notes]))
    out.kind = name
    return out


def _not_a_fit(name: str) -> str:
    hint = function_hint(name.replace(".", "_"))
    return (
        f"{name}() is not among the functions whose fits are read: {listing(FITS, len(FITS))}"
        f".{f' {hint}' if hint else suggestion(name, FITS)}"
    )


def _arguments(call: Call, name: str) -> dict[str, Node]:
    """The arguments by name, as R matches them: by name, by the beginning of one, by place."""
    formals = FORMALS[name].split()
    out: dict[str, Node] = {}
    for argument in call.arguments:
        if argument.name is None or argument.value is None:
            continue
        near = [f for f in formals if f.startswith(argument.name)]
        key = argument.name if argument.name in formals else near[0] if len(near) == 1 else None
        if key is None:
            raise ArgumentError(
                f"{argument.name}= of {name}() is not available here."
                f"{suggestion(argument.name, formals)}"
            )
        out[key] = argument.value
    free = [f for f in formals if f not in out]
    for argument in call.arguments:
        if argument.name is None and argument.value is not None:
            if not free:
                raise ArgumentError(f"{name}() has more arguments than R's function takes")
            out[free.pop(0)] = argument.value
    return out


def _check_flags(reading: Reading) -> None:
    for name, usual in FLAGS.items():
        text = reading.choice(name)
        if text not in (None, usual):
            raise ArgumentError(
                f"{name}={text} of {reading.name}() makes no fit; il.modular has the steps of one"
            )
    methods = METHODS.get(reading.name)
    if methods and (text := reading.choice("method")) not in (None, *methods):
        raise ArgumentError(
            f"method={text} of {reading.name}() is not available: models are fitted by maximum "
            "likelihood"
        )
    if held(reading.own):
        raise ArgumentError(
            "control= holds the residual standard deviation, which is estimated here; "
            "il.glm and il.glmer have family=il.Gaussian(sigma=…)"
        )


# -- what all calls share -------------------------------------------------------------------------


def _call(reading: Reading, function: str, formula: str, node: Node | None = None) -> PythonCall:
    """The call with data, subset, weights, offset, contrasts and na.action."""
    out = PythonCall(function, "", "")
    out.frame = _frame(reading, node)
    data, more = _data(reading, node)
    out.data = data
    offset = reading.take("offset")
    formula = formula if offset is None else with_offset(formula, offset)
    parse(formula)
    out.formula = quote(formula)
    if offset is None and isinstance(node, Name):
        out.formula = identifier(node.text)
    inside = Context(data, reading.context.variables, reading.context.columns)
    weights = reading.take("weights")
    if weights is not None:
        out.arguments["weights"] = _per_row(weights, inside)
    subset = reading.take("subset")
    conditions = [c for c in (more, subset) if c is not None]
    if conditions:
        out.arguments["subset"] = _subset(conditions, inside)
    contrasts = reading.take("contrasts")
    if contrasts is not None:
        out.arguments["contrasts"] = _contrasts(contrasts)
    action = reading.choice("na.action")
    if action is not None:
        if action not in NA_ACTIONS:
            raise ArgumentError(
                f"na.action={action} is not available; there are {listing(NA_ACTIONS)}"
            )
        if NA_ACTIONS[action] != "omit":
            out.arguments["na_action"] = quote(NA_ACTIONS[action])
    return out


def _frame(reading: Reading, formula: Node | None) -> str:
    """The name of the data frame of a call."""
    node = reading.own.get("data")
    if node is None:
        return _data_of_columns(formula)
    return next((identifier(n.text) for n in _outside_calls(node)), "data")


def _outside_calls(node: Node) -> Iterator[Name]:
    """Names of an expression that are no functions."""
    functions = {id(n.function) for n in walk(node) if isinstance(n, Call)}
    return (n for n in walk(node) if isinstance(n, Name) and id(n) not in functions)


def _data(reading: Reading, formula: Node | None) -> tuple[str, Node | None]:
    """Code of the data, and the condition that chooses among its rows."""
    node = reading.take("data")
    if node is None:
        return _data_of_columns(formula), None
    if function_name(node) == "subset" and isinstance(node, Call):
        own = arguments_of(node, "x", "subset", "select", "drop")
        return python_of(own["x"], reading.context.inside(None)), own.get("subset")
    if isinstance(node, Index) and len(node.arguments) == 2 and isinstance(node.object, Name):
        rows, columns = (a.value for a in node.arguments)
        named = any(isinstance(n, Binary) and n.operator == "$" for n in walk(rows or Name("")))
        if named and columns is None and rows is not None:
            return identifier(node.object.text), plain_columns(rows)
    return python_of(node, reading.context.inside(None)), None


def _data_of_columns(formula: Node | None) -> str:
    """The data frame before the ``$`` of a formula, or a name for one."""
    if formula is not None:
        for node in walk(formula):
            if isinstance(node, Binary) and node.operator == "$" and isinstance(node.left, Name):
                return identifier(node.left.text)
    return "data"


def _per_row(node: Node, context: Context) -> str:
    """A column by its name, or code of what is one value a row."""
    if isinstance(node, Binary) and node.operator == "$" and isinstance(node.right, Name):
        return quote(node.right.text)
    if isinstance(node, Name) and context.is_column(node.text):
        return quote(node.text)
    return python_of(node, context)


def _subset(conditions: list[Node], context: Context) -> str:
    """The condition as text, which ``subset=`` reads; as code where it asks for missing values."""
    conditions = [plain_columns(c) for c in conditions]
    missing = any(
        function_name(n) in ("is.na", "complete.cases") for c in conditions for n in walk(c)
    )
    if missing or any(isinstance(c, Name) for c in conditions):
        codes = [python_of(c, context) for c in conditions]
        return codes[0] if len(codes) == 1 else " & ".join(f"({code})" for code in codes)
    texts = [text_of(c) for c in conditions]
    return quote(texts[0] if len(texts) == 1 else " & ".join(f"({text})" for text in texts))


def _contrasts(node: Node) -> str:
    """``list(f = "contr.sum")`` as a dictionary."""
    if function_name(node) not in ("list", "c") or not isinstance(node, Call):
        raise ArgumentError(f"contrasts={text_of(node)} has no translation: write a list of names")
    pieces = []
    for argument in node.arguments:
        value = argument.value
        name = value.value if isinstance(value, Text) else function_name(value) or text_of(value)
        bare = not isinstance(value, Call) or not value.arguments
        if argument.name is not None and "(" in argument.name:
            raise ArgumentError(
                f"contrasts= of {argument.name}, which is computed, are not available: make it a "
                "column of the data"
            )
        if argument.name is None or not name.startswith("contr.") or not bare:
            raise ArgumentError(
                f"contrasts={text_of(node)}: {text_of(value)} has no translation; names such as "
                '"contr.sum" have'
            )
        pieces.append(f"{quote(argument.name)}: {quote(name)}")
    return f"{{{', '.join(pieces)}}}"


def _formula_and_node(reading: Reading) -> tuple[str, Node]:
    node = reading.own.get("formula")
    if node is None:
        raise ArgumentError(f"{reading.name}() has no formula")
    written = reading.formula("formula")
    assert written is not None
    return written, node


def _nodes(reading: Reading, out: PythonCall) -> PythonCall:
    """The number of nodes, where there is one."""
    node = reading.take("nAGQ")
    if node is not None:
        sign = node.operator if isinstance(node, Unary) else ""
        number = node.operand if isinstance(node, Unary) else node
        if sign or not isinstance(number, Number):
            raise ArgumentError(
                f"nAGQ={text_of(node)} is not available: numbers of nodes of adaptive "
                "Gauss-Hermite quadrature are 1, 2, …"
            )
        if number.value != 1:
            out.arguments["nAGQ"] = repr(number.value)
    return out


# -- functions of R -------------------------------------------------------------------------------


def _lmer(reading: Reading) -> PythonCall:
    formula, node = _formula_and_node(reading)
    out = _call(reading, "lmer", formula, node)
    if reading.flag("REML") is False:
        out.arguments = {"REML": "False", **out.arguments}
    return out


def _glmer(reading: Reading) -> PythonCall:
    family = family_of(reading.take("family"))
    formula, node = _formula_and_node(reading)
    if family.is_gaussian:
        reading.notes.append("a Gaussian glmer() is lmer(), fitted by REML")
        reading.take("nAGQ")
        return _call(reading, "lmer", formula, node)
    out = _call(reading, "glmer", formula, node)
    out.arguments = {"family": family.code, **out.arguments}
    if family.own.free_dispersion:
        reading.notes.append(
            f"glmer() leaves the dispersion of family {family.own.name} out of its likelihood; "
            "here it is part of it, as in glmmTMB, and estimates differ"
        )
    if family.theta:
        out.arguments["laplace"] = '"expected"'
    return _nodes(reading, out)


def _glmer_nb(reading: Reading) -> PythonCall:
    reading.take("family")
    formula, node = _formula_and_node(reading)
    out = _call(reading, "glmer", formula, node)
    out.arguments = {"family": '"negativebinomial"', **out.arguments, "laplace": '"expected"'}
    return _nodes(reading, out)


def _lm(reading: Reading) -> PythonCall:
    formula, node = _formula_and_node(reading)
    written = formula_node(node, reading.formulas)
    if written is not None and function_name(sides(written)[0]) == "cbind":
        raise ArgumentError("lm() of several responses, cbind(…), is not available: fit each")
    return _call(reading, "glm", formula, node)


def _glm(reading: Reading) -> PythonCall:
    family = family_of(reading.take("family"))
    formula, node = _formula_and_node(reading)
    out = _call(reading, "glm", formula, node)
    if not family.is_gaussian:
        out.arguments = {"family": family.code, **out.arguments}
    return out


def _glm_nb(reading: Reading) -> PythonCall:
    link = reading.choice("link")
    formula, node = _formula_and_node(reading)
    out = _call(reading, "glm", formula, node)
    name = "negativebinomial" if link in (None, "log") else f"negativebinomial({link})"
    out.arguments = {"family": quote(name), **out.arguments}
    return out


def _glmm_tmb(reading: Reading) -> PythonCall:
    family = family_of(reading.take("family"))
    formula, node = _formula_and_node(reading)
    reml = reading.flag("REML") or False
    others = {name: reading.formula(name) for name in ("ziformula", "dispformula")}
    if _is(others["ziformula"], "~0", "~-1"):
        others["ziformula"] = None
    if _is(others["dispformula"], "~0"):
        raise ArgumentError(
            "dispformula=~0 takes the residual variance away, which is not available; write "
            "il.glmer(…, family=il.Gaussian(sigma=…)) for a known one"
        )
    if _is(others["dispformula"], "~1"):
        others["dispformula"] = None
    mixed = any(
        parse(f if "~" in f[1:] else f"y {f}").random
        for f in (formula, *(o for o in others.values() if o))
    )
    _check_weights(reading, family, formula)
    linear = family.is_gaussian and others["ziformula"] is None
    function = _door(linear, mixed, reml, family, others)
    out = _call(reading, function, formula, node)
    own = {name: quote(text) for name, text in others.items() if text is not None}
    if function == "fit":
        out.arguments = {"method": quote("REML" if reml else "ML"), **own, **out.arguments}
    elif function == "gls":
        out.arguments = {**own, **out.arguments}
    else:
        shown = {} if linear else {"family": family.code}
        out.arguments = {**shown, **own, **out.arguments}
    plain = not own and not family.own.canonical and family.own.name in ("binomial", "poisson")
    if function == "glmer" and plain:
        out.arguments["laplace"] = '"observed"'
    return out


def _door(
    linear: bool, mixed: bool, reml: bool, family: Family, others: Mapping[str, str | None]
) -> str:
    """The function here for a model of glmmTMB."""
    if reml and not linear:
        raise ArgumentError(
            "REML=TRUE of glmmTMB() is not available for generalised models, which are fitted by "
            "maximum likelihood"
        )
    if reml and not mixed and others["dispformula"] is not None:
        raise ArgumentError(
            "REML=TRUE with dispformula= and without random effects is not available; "
            "il.gls(formula, data, variance=…) has functions of variance"
        )
    if linear:
        return "fit" if mixed else "gls" if reml else "glm"
    return "glmer" if mixed else "glm"


def _is(formula: str | None, *texts: str) -> bool:
    return formula is not None and "".join(formula.split()) in texts


def _check_weights(reading: Reading, family: Family, formula: str) -> None:
    """Refuse weights that are powers of a density with a dispersion, and no numbers of trials."""
    trials = family.own.name in OF_TRIALS and not formula.startswith("cbind(")
    if "weights" in reading.own and not trials and family.own.name not in WITHOUT_DISPERSION:
        raise ArgumentError(
            "weights= of glmmTMB() are powers of the density, which here divide the dispersion of "
            f"family {family.own.name}: the models differ; write il.fit, il.glm or il.glmer "
            "with the weights that you mean"
        )


def _clm(reading: Reading) -> PythonCall:
    formula, node = _formula_and_node(reading)
    words = {name: reading.choice(name) for name in ("link", "threshold")}
    formulas = {name: reading.formula(name) for name in ("nominal", "scale")}
    out = _call(reading, reading.name, formula, node)
    usual = {"link": "logit", "threshold": "flexible"}
    own = {
        name: quote(text)
        for name, text in words.items()
        if text is not None and text != usual[name]
    }
    own |= {
        name: quote(text)
        for name, text in formulas.items()
        if text is not None and not _is(text, "~1")
    }
    out.arguments = {**own, **out.arguments}
    return _nodes(reading, out)


def _polr(reading: Reading) -> PythonCall:
    method = reading.choice("method")
    formula, node = _formula_and_node(reading)
    out = _call(reading, "clm", formula, node)
    link = LINKS_OF_POLR.get(str(method), method)
    if link not in (None, "logit"):
        out.arguments = {"link": quote(str(link)), **out.arguments}
    return out


def _lme(reading: Reading) -> PythonCall:
    node = formula_node(reading.take("fixed"), reading.formulas)
    if node is None:
        raise ArgumentError("fixed= of lme() is no formula: write the formula itself in its place")
    data = reading.own.get("data")
    frame = next((n.text for n in walk(data) if isinstance(n, Name)), None) if data else None
    terms = random_terms(_written(reading, "random"), node, frame)
    formula = " + ".join([formula_text(node), *terms])
    return _with_residuals(reading, "fit", formula)


def _written(reading: Reading, name: str) -> Node | None:
    """An argument with the formula that a variable holds in its place."""
    node = reading.take(name)
    return reading.formulas.get(node.text, node) if isinstance(node, Name) else node


def _gls(reading: Reading) -> PythonCall:
    formula = reading.formula("model")
    if formula is None:
        raise ArgumentError("gls() has no formula")
    return _with_residuals(reading, "gls", formula)


def _with_residuals(reading: Reading, function: str, formula: str) -> PythonCall:
    """A call with nlme's correlation and weights, by REML unless told otherwise."""
    residual = {
        "correlation": correlation_text(_written(reading, "correlation"), reading.notes),
        "variance": variance_text(_written(reading, "weights"), reading.notes),
    }
    method = reading.choice("method")
    if method not in (None, "REML", "ML"):
        raise ArgumentError(f"method={method} of {reading.name}() is neither REML nor ML")
    out = _call(reading, function, formula)
    own = {name: quote(text) for name, text in residual.items() if text is not None}
    if method == "ML":
        own["method"] = '"ML"'
    out.arguments = {**own, **out.arguments}
    return out


_BUILDERS: dict[str, Callable[[Reading], PythonCall]] = {
    "lmer": _lmer, "glmer": _glmer, "glmer.nb": _glmer_nb, "lm": _lm, "glm": _glm,
    "glm.nb": _glm_nb, "glmmTMB": _glmm_tmb, "clm": _clm, "clmm": _clm, "polr": _polr,
    "lme": _lme, "gls": _gls,
}  # fmt: skip
