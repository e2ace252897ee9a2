"""Expressions of R -> Python code with NumPy and pandas, for data and what is one value a row."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce

from ...errors import ArgumentError
from ...r_language.nodes import (
    ASSIGNMENTS,
    Binary,
    Bracket,
    Call,
    Index,
    Name,
    Node,
    Number,
    Text,
    Unary,
    function_name,
    text_of,
)

__all__ = [
    "CONSTANTS",
    "FALSE",
    "TRUE",
    "Context",
    "Untranslated",
    "arguments_of",
    "identifier",
    "python_of",
    "quote",
]


class Untranslated(ArgumentError):
    """R code that has no translation: its text says which part."""


#: R's constants in Python.
CONSTANTS = {
    "TRUE": "True", "T": "True", "FALSE": "False", "F": "False", "NULL": "None", "pi": "np.pi",
    "NA": "np.nan", "NaN": "np.nan", "Inf": "np.inf", "NA_real_": "np.nan",
    "letters": 'list("abcdefghijklmnopqrstuvwxyz")',
}  # fmt: skip

TRUE, FALSE = ("TRUE", "T"), ("FALSE", "F")

#: Binary operators: Python's, and how closely it binds.
_OPERATORS = {
    "|": ("|", 5), "||": ("|", 5), "&": ("&", 6), "&&": ("&", 6),
    "==": ("==", 3), "!=": ("!=", 3), "<": ("<", 3), ">": (">", 3), "<=": ("<=", 3),
    ">=": (">=", 3), "+": ("+", 8), "-": ("-", 8), "*": ("*", 9), "/": ("/", 9),
    "%%": ("%", 9), "%/%": ("//", 9), "^": ("**", 11),
}  # fmt: skip
#: How closely calls, names and numbers bind.
ATOM = 12

#: Functions of one column, with `{0}` for it.
_TEMPLATES = {
    "log": "np.log({0})", "exp": "np.exp({0})", "sqrt": "np.sqrt({0})", "abs": "np.abs({0})",
    "log2": "np.log2({0})", "log10": "np.log10({0})", "log1p": "np.log1p({0})",
    "expm1": "np.expm1({0})", "sin": "np.sin({0})", "cos": "np.cos({0})", "tan": "np.tan({0})",
    "floor": "np.floor({0})", "ceiling": "np.ceil({0})", "sign": "np.sign({0})",
    "mean": "{0}.mean()", "median": "{0}.median()", "sd": "{0}.std()", "var": "{0}.var()",
    "min": "{0}.min()", "max": "{0}.max()", "sum": "{0}.sum()", "cumsum": "{0}.cumsum()",
    "is.na": "{0}.isna()", "unique": "{0}.unique()", "rev": "{0}[::-1]",
    "nrow": "len({0})", "length": "len({0})", "NROW": "len({0})",
    "ncol": "{0}.shape[1]", "dim": "{0}.shape", "names": "{0}.columns", "colnames": "{0}.columns",
    "levels": "{0}.cat.categories", "nlevels": "len({0}.cat.categories)",
    "table": "{0}.value_counts(sort=False)", "range": "({0}.min(), {0}.max())",
    "as.factor": '{0}.astype("category")', "as.numeric": "{0}.astype(float)",
    "as.double": "{0}.astype(float)",
    "as.integer": "{0}.astype(int)", "as.character": "{0}.astype(str)",
    "as.logical": "{0}.astype(bool)", "na.omit": "{0}.dropna()", "droplevels": "{0}",
    "as.data.frame": "{0}", "I": "{0}", "plogis": "1 / (1 + np.exp(-{0}))",
    "qlogis": "np.log({0} / (1 - {0}))", "tolower": "{0}.str.lower()", "toupper": "{0}.str.upper()",
    "complete.cases": "{0}.notna().all(axis=1)", "diff": "np.diff({0})",
    "seq_len": "np.arange(1, {0} + 1)", "as.vector": "{0}", "invisible": "{0}",
    "colMeans": "{0}.mean()", "as_tibble": "{0}", "tibble": "{0}",
    "cor": "{0}.corr()", "is.factor": 'str({0}.dtype) == "category"',
}  # fmt: skip
#: Templates whose value is no atom.
_LOOSE = {"plogis", "is.factor"}


@dataclass
class Context:
    """What the names of an expression mean.

    Attributes
    ----------
    data : str or None
        Python name of the data frame whose columns plain names are.
    variables : collection of str
        R names that are variables, whatever columns there are.
    columns : collection of str or None
        Columns of the data; None if they are not known.
    calls : mapping of str to function
        Functions that the translator of a script knows beyond these: (call, context) -> code.
    members : function, optional
        Of parts of what functions return, ``fixef(m)$zi``: (node, context) -> code or None.
    """

    data: str | None = None
    variables: Collection[str] = ()
    columns: Collection[str] | None = None
    calls: Mapping[str, Callable[[Call, Context], str | None]] = field(default_factory=dict)
    members: Callable[[Binary, Context], str | None] | None = None

    def inside(self, data: str | None) -> Context:
        """The same with other data."""
        return Context(data, self.variables, None, self.calls, self.members)

    def is_column(self, name: str) -> bool:
        """Whether a plain name is a column."""
        if self.columns is not None:
            return name in self.columns
        return self.data is not None and name not in self.variables


def identifier(name: str) -> str:
    """A name of R as Python can have it: ``d.long`` is ``d_long``."""
    plain = re.sub(r"\W", "_", name)
    plain = f"_{plain}" if plain[:1].isdigit() else plain
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def quote(text: str) -> str:
    """A Python string, in double quotes unless these stand in it."""
    plain = text.isprintable() and "\\" not in text
    if plain and '"' not in text:
        return f'"{text}"'
    return f"'{text}'" if plain and "'" not in text else repr(text)


def python_of(node: Node | None, context: Context) -> str:
    """Python code of an R expression; Untranslated where there is none."""
    return _code(node, context)[0]


def _code(node: Node | None, context: Context) -> tuple[str, int]:
    """Code, and how closely its outermost operator binds."""
    match node:
        case Name(name):
            return _name(name, context), ATOM
        case Number():
            return f"{node.value!r}", ATOM
        case Text(value):
            return quote(value), ATOM
        case Bracket(inner):
            return f"({_code(inner, context)[0]})", ATOM
        case Unary(operator, operand) if operator in "!-+":
            return _unary(operator, operand, context)
        case Binary(operator, left, right):
            return _binary(operator, left, right, context)
        case Index():
            return _index(node, context), ATOM
        case Call():
            return _call(node, context)
    raise Untranslated(f"{text_of(node)!r} has no translation")


def _name(name: str, context: Context) -> str:
    if name in CONSTANTS:
        return CONSTANTS[name]
    if context.is_column(name):
        return f"{context.data}[{quote(name)}]"
    return identifier(name)


def _within(node: Node, context: Context, level: int) -> str:
    """Code that may stand beside an operator of this level."""
    code, own = _code(node, context)
    return code if own >= level else f"({code})"


def _unary(operator: str, operand: Node, context: Context) -> tuple[str, int]:
    if operator == "!":
        inner = operand.inner if isinstance(operand, Bracket) else operand
        if function_name(inner) == "is.na" and isinstance(inner, Call):
            return f"{_first(inner, context)}.notna()", ATOM
        return f"~{_within(operand, context, 10)}", 10
    return f"{operator}{_within(operand, context, 10)}", 10


def _binary(operator: str, left: Node, right: Node, context: Context) -> tuple[str, int]:
    if operator == "$" and isinstance(right, Name | Text):
        own = context.members(Binary(operator, left, right), context) if context.members else None
        if own is not None:
            return own, ATOM
        name = right.text if isinstance(right, Name) else right.value
        return f"{_within(left, context.inside(None), ATOM)}[{quote(name)}]", ATOM
    if operator == "%in%":
        return f"{_within(left, context, ATOM)}.isin({_listed(right, context)})", ATOM
    if operator == ":":
        return _span(left, right, context), ATOM
    if operator in ASSIGNMENTS:
        text = text_of(Binary(operator, left, right))
        raise Untranslated(f"the assignment inside of an expression, {text!r}, has no translation")
    if operator not in _OPERATORS:
        raise Untranslated(f"the operator {operator} has no translation")
    sign, level = _OPERATORS[operator]
    after = level if operator == "^" else level + 1
    before = level + 1 if operator == "^" or level == 3 else level
    code = f"{_within(left, context, before)} {sign} {_within(right, context, after)}"
    return code, level


def _span(left: Node, right: Node, context: Context) -> str:
    first, last = _code(left, context)[0], _within(right, context, 8)
    stop = str(right.value + 1) if isinstance(right, Number) else f"{last} + 1"
    return f"np.arange({first}, {stop})"


def _listed(node: Node, context: Context) -> str:
    code = python_of(node, context)
    return code if isinstance(node, Call | Index) else f"[{code}]"


def _index(node: Index, context: Context) -> str:
    inner = python_of(node.object, context.inside(None))
    arguments = [a.value for a in node.arguments]
    if len(arguments) == 1 and isinstance(arguments[0], Text):
        return f"{inner}[{quote(arguments[0].value)}]"
    if len(arguments) == 2 and not node.double:
        rows, columns = arguments
        code = inner
        if rows is not None:
            code = _rows(rows, code, context)
        if columns is not None:
            code += f"[{_columns(columns, context)}]"
        return code
    if len(arguments) == 1 and isinstance(arguments[0], Binary | Unary) and not node.double:
        return f"{inner}[{python_of(arguments[0], context)}]"
    if len(arguments) == 1 and isinstance(arguments[0], Number):
        place = "" if inner[:1] == "[" or inner.endswith(".categories") else ".iloc"
        return f"{inner}{place}[{int(arguments[0].value) - 1}]"
    raise Untranslated(f"the index {text_of(node)!r} has no translation")


def _rows(rows: Node, frame: str, context: Context) -> str:
    if isinstance(rows, Binary) and rows.operator == ":" and isinstance(rows.left, Number):
        first = int(rows.left.value) - 1
        return f"{frame}.iloc[{first or ''}:{python_of(rows.right, context)}]"
    if isinstance(rows, Number):
        return f"{frame}.iloc[[{int(rows.value) - 1}]]"
    return f"{frame}[{python_of(rows, context)}]"


def _columns(columns: Node, context: Context) -> str:
    if isinstance(columns, Text):
        return quote(columns.value)
    if function_name(columns) == "c":
        return python_of(columns, context)
    raise Untranslated(f"the columns {text_of(columns)!r} have no translation")


# -- calls ----------------------------------------------------------------------------------------


def _first(call: Call, context: Context) -> str:
    if not call.arguments or call.arguments[0].value is None:
        raise Untranslated(f"{text_of(call)!r} has no argument")
    return _within(call.arguments[0].value, context, ATOM)


def _call(call: Call, context: Context) -> tuple[str, int]:
    name = function_name(call)
    if name in context.calls and (code := context.calls[name](call, context)) is not None:
        return code, ATOM
    if name in _CALLS:
        return _CALLS[name](call, context)
    positional = [a for a in call.arguments if a.name in (None, "x", "object", "data")]
    settled = all(a.name == "na.rm" for a in call.arguments[1:])
    if name in _TEMPLATES and len(positional) >= 1 and settled:
        return _TEMPLATES[name].format(_first(call, context)), 9 if name in _LOOSE else ATOM
    raise Untranslated(f"{name or text_of(call.function)}() has no translation")


def arguments_of(call: Call, *names: str) -> dict[str, Node]:
    """The arguments of a call by name, those without one in the order of `names`."""
    free = [n for n in names if n not in {a.name for a in call.arguments}]
    out: dict[str, Node] = {}
    for argument in call.arguments:
        if argument.value is None:
            raise Untranslated(f"{text_of(call)!r} has an empty argument")
        if argument.name is None and not free:
            raise Untranslated(f"{text_of(call)!r} has more arguments than are known")
        name = argument.name or free.pop(0)
        if name not in names:
            raise Untranslated(f"{name}= of {function_name(call)}() has no translation")
        out[name] = argument.value
    return out


def _c(call: Call, context: Context) -> tuple[str, int]:
    values = [python_of(a.value, context) for a in call.arguments]
    if all(a.name for a in call.arguments) and call.arguments:
        keys = [quote(str(a.name)) for a in call.arguments]
        return f"{{{', '.join(f'{k}: {v}' for k, v in zip(keys, values, strict=True))}}}", ATOM
    return f"[{', '.join(values)}]", ATOM


def _factor(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "x", "levels", "labels", "ordered")
    column = _within(own["x"], context, ATOM)
    ordered = function_name(call) == "ordered" or text_of(own.get("ordered")) in TRUE
    if "levels" not in own and "labels" not in own and not ordered:
        return f'{column}.astype("category")', ATOM
    more = ", ordered=True" if ordered else ""
    levels = f", {python_of(own['levels'], context)}" if "levels" in own else ""
    code = f"pd.Categorical({column}{levels}{more})"
    if "labels" in own:
        code += f".rename_categories({python_of(own['labels'], context)})"
    return code, ATOM


def _relevel(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "x", "ref")
    column, first = _within(own["x"], context, ATOM), python_of(own["ref"], context)
    rest = f"*{column}.cat.categories.drop({first})"
    return f"{column}.cat.reorder_categories([{first}, {rest}])", ATOM


def _scale(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "x", "center", "scale")
    column = _within(own["x"], context, ATOM)
    centre, scale = (text_of(own.get(name)) or "TRUE" for name in ("center", "scale"))
    if not {centre, scale} <= {*TRUE, *FALSE}:
        raise Untranslated(f"{text_of(call)!r} has no translation")
    top = f"{column} - {column}.mean()" if centre in TRUE else column
    if scale in FALSE:
        return top, 8 if centre in TRUE else ATOM
    if centre in FALSE:
        raise Untranslated(
            "scale() without centring divides by the root mean square, which no function "
            "here does: make the column first"
        )
    return f"({top}) / {column}.std()", 9


def _ifelse(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "test", "yes", "no")
    return f"np.where({', '.join(python_of(own[n], context) for n in own)})", ATOM


def _subset(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "x", "subset", "select")
    frame = python_of(own["x"], context)
    code = frame
    if "subset" in own:
        code = f"{frame}[{python_of(own['subset'], context.inside(frame))}]"
    if "select" in own:
        names = own["select"]
        plain = names.arguments if isinstance(names, Call) and function_name(names) == "c" else ()
        listed = [a.value.text for a in plain if isinstance(a.value, Name)]
        if not listed or len(listed) != len(plain):
            raise Untranslated(f"select={text_of(names)} has no translation")
        code += f"[[{', '.join(map(quote, listed))}]]"
    return code, ATOM


def _transform(call: Call, context: Context) -> tuple[str, int]:
    frame = _first(call, context)
    inside = context.inside(frame)
    new = [f"{identifier(str(a.name))}={python_of(a.value, inside)}" for a in call.arguments[1:]]
    if any(a.name is None for a in call.arguments[1:]):
        raise Untranslated(f"{text_of(call)!r} has no translation")
    return f"{frame}.assign({', '.join(new)})", ATOM


def _data_frame(call: Call, context: Context) -> tuple[str, int]:
    columns = [a for a in call.arguments if a.name not in ("stringsAsFactors", "check.names")]
    if len(columns) == 1 and columns[0].name is None:
        return python_of(columns[0].value, context), ATOM
    if any(a.name is None for a in columns):
        raise Untranslated(f"{text_of(call)!r} has columns without names")
    values = [python_of(a.value, context) for a in columns]
    if columns and all(_is_one(a.value) for a in columns):
        values[0] = f"[{values[0]}]"  # pandas asks for one column that says how many rows
    inner = ", ".join(f"{quote(str(a.name))}: {v}" for a, v in zip(columns, values, strict=True))
    return f"pd.DataFrame({{{inner}}})", ATOM


def _is_one(node: Node | None) -> bool:
    """Whether an expression is seen to have one value: a number, a text, a constant."""
    if isinstance(node, Unary):
        return _is_one(node.operand)
    constant = isinstance(node, Name) and node.text in CONSTANTS and node.text != "letters"
    return constant or isinstance(node, Number | Text)


def _filter(call: Call, context: Context) -> tuple[str, int]:
    """``filter(d, …)`` of dplyr: rows for which all conditions hold."""
    frame = _first(call, context)
    if len(call.arguments) < 2 or any(a.name for a in call.arguments):
        raise Untranslated(f"{text_of(call)!r} has no translation")
    conditions = [a.value for a in call.arguments[1:] if a.value is not None]
    if unlike := [c for c in conditions if not _is_condition(c)]:  # that of time series, too
        raise Untranslated(f"{text_of(unlike[0])} of filter() has no translation")
    whole = reduce(lambda left, right: Binary("&", left, right), map(_bracketed, conditions))
    return f"{frame}[{python_of(whole, context.inside(frame))}]", ATOM


def _is_condition(node: Node) -> bool:
    """Whether an expression is seen to be true or false in each row."""
    if isinstance(node, Bracket):
        return _is_condition(node.inner)
    if isinstance(node, Unary):
        return node.operator == "!"
    if isinstance(node, Binary):
        return node.operator == "%in%" or _OPERATORS.get(node.operator, ("", 99))[1] <= 6
    return isinstance(node, Name) or function_name(node) in ("is.na", "complete.cases")


def _bracketed(node: Node) -> Node:
    """A condition in brackets, if it has an ``|`` that would come after an ``&``."""
    return Bracket(node) if isinstance(node, Binary) and node.operator[:1] == "|" else node


def _mutate(call: Call, context: Context) -> tuple[str, int]:
    """``mutate(d, a = …, b = … a …)`` of dplyr: each column may use those before it."""
    frame = _first(call, context)
    new = call.arguments[1:]
    if not new or any(a.name is None or a.name.startswith(".") for a in new):
        raise Untranslated(f"{text_of(call)!r} has no translation")
    rows = "rows"
    while rows in context.variables:
        rows += "_"
    inside = context.inside(rows)
    columns = [
        f"{identifier(str(a.name))}=lambda {rows}: {python_of(a.value, inside)}" for a in new
    ]
    return f"{frame}.assign({', '.join(columns)})", ATOM


def _seq(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "from", "to", "by", "length.out", "length")
    first = python_of(own["from"], context) if "from" in own else "1"
    count = own.get("length.out", own.get("length"))
    if "to" in own and count is not None:
        return (
            f"np.linspace({first}, {python_of(own['to'], context)}, {python_of(count, context)})",
            ATOM,
        )
    if "to" in own:
        step = python_of(own["by"], context) if "by" in own else "1"
        last = _within(own["to"], context, 8)
        half = f"{step} / 2" if step != "1" else "0.5"
        return f"np.arange({first}, {last} + {half}{'' if step == '1' else f', {step}'})", ATOM
    raise Untranslated(f"{text_of(call)!r} has no translation")


def _rep(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "x", "times", "each")
    x = python_of(own["x"], context)
    if set(own) == {"x", "each"}:
        return f"np.repeat({x}, {python_of(own['each'], context)})", ATOM
    if set(own) == {"x", "times"}:
        return f"np.tile({x}, {python_of(own['times'], context)})", ATOM
    raise Untranslated(f"{text_of(call)!r} has no translation")


def _round(call: Call, context: Context) -> tuple[str, int]:
    own = arguments_of(call, "x", "digits")
    digits = f", {python_of(own['digits'], context)}" if "digits" in own else ""
    return f"np.round({python_of(own['x'], context)}{digits})", ATOM


def _interaction(call: Call, context: Context) -> tuple[str, int]:
    sides = [f"{_within(a.value, context, ATOM)}.astype(str)" for a in call.arguments if a.value]
    joined = ' + "." + '.join(sides)
    return f'({joined}).astype("category")', ATOM


_CALLS: dict[str, Callable[[Call, Context], tuple[str, int]]] = {
    "c": _c, "list": _c, "factor": _factor, "ordered": _factor, "relevel": _relevel,
    "scale": _scale, "ifelse": _ifelse, "subset": _subset, "transform": _transform,
    "data.frame": _data_frame, "seq": _seq, "rep": _rep, "round": _round,
    "interaction": _interaction, "filter": _filter, "mutate": _mutate,
}  # fmt: skip
