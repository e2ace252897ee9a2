"""Expressions of columns as a data engine computes them: the syntax of a formula in narwhals."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import FormulaError, listing
from ..formula.spelling import unquoted
from .evaluation import syntax_of, text_of

#: Functions of one argument that every engine has.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sqrt": lambda x: x.sqrt(),
    "exp": lambda x: x.exp(),
    "abs": lambda x: x.abs(),
    "log2": lambda x: x.log(base=2.0),
    "log10": lambda x: x.log(base=10.0),
    "floor": lambda x: x.floor(),
    "ceil": lambda x: x.ceil(),
    "ceiling": lambda x: x.ceil(),
    "exp10": lambda x: (x * LOG_10).exp(),
    "log1p": lambda x: _log1p(x),
}
LOG_10 = 2.302585092994046
#: A number times this leaves the upper half of its digits when it is taken off again.
HALVES = 2.0**27 + 1.0
#: Those that need questions first.
OF_ALL_ROWS = tuple("mean sd var min max sum median quantile scale center poly bs ns cr cc".split())
#: Those that are numbers or truth values already, in other words.
AS_IT_IS = ("I", "numeric")
CONSTANTS = {"TRUE": True, "FALSE": False, "True": True, "False": False, "pi": 3.141592653589793}

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _log1p(x: Any) -> Any:
    """log(1 + x) with the digits of small x, by what 1 + x is after rounding."""
    import narwhals.stable.v2 as nw

    u = x + 1.0
    return nw.when(u == 1.0).then(x).otherwise(u.log() * x / (u - 1.0))


def _whole_and_rest(value: Any, by: Any) -> tuple[Any, Any]:
    """The whole part of a quotient, rounded down, and the remainder with the sign of ``by``.

    A quotient near a whole number may be rounded to it, or be a little less where an engine
    multiplies by 1 / ``by``. The remainder tells: it is exact by the halves of ``by`` (Dekker 1971)
    while the whole part has as many digits as they.
    """
    import narwhals.stable.v2 as nw

    whole = (value / by).floor()
    high = by * HALVES - (by * HALVES - by)
    rest = (value - whole * high) - whole * (by - high)
    too_much, too_little = rest * by < 0.0, (rest - by) * by >= 0.0
    more, left = (
        nw.when(too_little).then(other).otherwise(own)
        for other, own in ((whole + 1.0, whole), (rest - by, rest))
    )
    return (
        nw.when(too_much).then(whole - 1.0).otherwise(more),
        nw.when(too_much).then(rest + by).otherwise(left),
    )


class Pushed(NamedTuple):
    """An expression, or a plain value of Python's, and its kind: number, logical or text."""

    value: Any
    kind: str

    def number(self) -> Any:
        """As float64, truth values as 0 and 1."""
        if not _is_expression(self.value):
            return float(self.value)
        return _float(self.value)


def _is_expression(value: Any) -> bool:
    import narwhals.stable.v2 as nw

    return isinstance(value, nw.Expr)


def _float(value: Any) -> Any:
    import narwhals.stable.v2 as nw

    return value.cast(nw.Float64())


def kind_of_type(dtype: Any) -> str:
    """Kind of a column by narwhals' type: "number", "logical", "text" or "other"."""
    import narwhals.stable.v2 as nw

    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, nw.Boolean):
        return "logical"
    return "text" if isinstance(dtype, nw.String | nw.Enum | nw.Categorical) else "other"


def pushed(text: str, schema: Mapping[str, Any], state: Mapping[str, Any] | None = None) -> Pushed:
    """An expression as the engine computes it; FormulaError where it is beyond engines.

    ``schema`` has narwhals' types of the columns, ``state`` what functions keep of all rows.
    """
    name = unquoted(text)
    if name in schema:
        return _column(name, schema, text)
    tree, aliases = syntax_of(text)
    return Translator(text, schema, aliases, state or {}).visit(tree.body)


def _column(name: str, schema: Mapping[str, Any], text: str) -> Pushed:
    import narwhals.stable.v2 as nw

    kind = kind_of_type(schema[name])
    if kind == "other":
        raise beyond(text, f"the column {name!r} is of type {schema[name]}")
    column = nw.col(name)
    if kind == "text" and not isinstance(schema[name], nw.String):
        column = column.cast(nw.String())
    return Pushed(_float(column) if kind == "number" else column, kind)


def beyond(text: str, why: str) -> FormulaError:
    """The error of what engines cannot compute, with the way out."""
    return FormulaError(
        f"{text!r} cannot be computed where the data are: {why}. Make it a column of the lazy "
        "frame first, or collect the rows that fit into memory and give these as data"
    )


class Translator(ast.NodeVisitor):
    """Syntax of Python, with R's meaning, to expressions of the engine."""

    def __init__(
        self,
        text: str,
        schema: Mapping[str, Any],
        aliases: Mapping[str, str],
        state: Mapping[str, Any],
    ) -> None:
        self.text, self.schema, self.aliases, self.state = text, schema, aliases, state

    def generic_visit(self, node: ast.AST) -> Pushed:
        raise beyond(self.text, f"{ast.unparse(node)} is more than arithmetic of columns")

    def visit_Constant(self, node: ast.Constant) -> Pushed:
        kind = {bool: "logical", str: "text"}.get(type(node.value), "number")
        return Pushed(node.value, kind)

    def visit_Name(self, node: ast.Name) -> Pushed:
        return self._named(self.aliases.get(node.id, node.id))

    def _named(self, name: str) -> Pushed:
        if name in self.schema:
            return _column(name, self.schema, self.text)
        if name in CONSTANTS:
            return Pushed(CONSTANTS[name], "number" if name == "pi" else "logical")
        raise beyond(self.text, f"{name} is no column")

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Pushed:
        inner = self.visit(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return Pushed(~self._logical(inner), "logical")
        value = inner.number()
        return Pushed(-value if isinstance(node.op, ast.USub) else value, "number")

    def visit_BinOp(self, node: ast.BinOp) -> Pushed:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.BitAnd | ast.BitOr):
            return self._joined([left, right], isinstance(node.op, ast.BitAnd))
        if isinstance(node.op, ast.Pow):
            return Pushed(self._power(left.number(), right.number()), "number")
        if isinstance(node.op, ast.Mod | ast.FloorDiv):
            if _is_expression(left.number()):
                whole, rest = _whole_and_rest(left.number(), right.number())
                return Pushed(whole if isinstance(node.op, ast.FloorDiv) else rest, "number")
        if type(node.op) not in ARITHMETIC:
            return self.generic_visit(node)
        self._no_text(left, right)
        return Pushed(ARITHMETIC[type(node.op)](left.number(), right.number()), "number")

    def _power(self, base: Any, power: Any) -> Any:
        if isinstance(power, float) and power == int(power) and 1 <= power <= 8:
            out = base
            for _ in range(int(power) - 1):
                out = out * base
            return out
        return base**power

    def visit_BoolOp(self, node: ast.BoolOp) -> Pushed:
        return self._joined([self.visit(v) for v in node.values], isinstance(node.op, ast.And))

    def _joined(self, parts: list[Pushed], every: bool) -> Pushed:
        out = self._logical(parts[0])
        for part in parts[1:]:
            out = out & self._logical(part) if every else out | self._logical(part)
        return Pushed(out, "logical")

    def visit_Compare(self, node: ast.Compare) -> Pushed:
        sides = [self.visit(side) for side in (node.left, *node.comparators[:-1])]
        pairs = []
        for left, op, right in zip(sides, node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                among = left.value.is_in(self._values(right))
                pairs.append(Pushed(~among if isinstance(op, ast.NotIn) else among, "logical"))
                continue
            pairs.append(self._comparison(left, op, self.visit(right)))
        return pairs[0] if len(pairs) == 1 else self._joined(pairs, True)

    def _comparison(self, left: Pushed, op: ast.cmpop, right: Pushed) -> Pushed:
        if "text" in (left.kind, right.kind):
            if left.kind != right.kind:
                raise beyond(self.text, "it compares text with numbers")
            values = left.value, right.value
        else:
            values = left.number(), right.number()
        if not any(_is_expression(value) for value in values):
            raise beyond(self.text, "it compares no column")
        return Pushed(COMPARISONS[type(op)](*values), "logical")

    def _values(self, node: ast.expr) -> list[Any]:
        """The values of ``c('a', 'b')`` or of a list."""
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "c":
            items = node.args
        elif isinstance(node, ast.List | ast.Tuple):
            items = node.elts
        else:
            raise beyond(self.text, f"{ast.unparse(node)} is no list of values")
        return [ast.literal_eval(item) for item in items]

    def visit_IfExp(self, node: ast.IfExp) -> Pushed:
        return self._where(*(self.visit(x) for x in (node.test, node.body, node.orelse)))

    def _where(self, test: Pushed, yes: Pushed, no: Pushed) -> Pushed:
        import narwhals.stable.v2 as nw

        if {yes.kind, no.kind} == {"text"}:
            return Pushed(nw.when(self._logical(test)).then(yes.value).otherwise(no.value), "text")
        self._no_text(yes, no)
        made = nw.when(self._logical(test)).then(yes.number()).otherwise(no.number())
        return Pushed(_float(made), "number")

    def visit_Call(self, node: ast.Call) -> Pushed:
        key = text_of(node, self.aliases)
        if key in self.state.get("kept", ()):
            value = self.state["kept"][key]
            if np.ndim(value):
                raise beyond(self.text, f"{ast.unparse(node)} is several numbers")
            return Pushed(float(value), "number")
        if key in self.state:
            return self._scaled(node, self.state[key])
        name = ast.unparse(node.func).removeprefix("np.")
        if not node.keywords and len(node.args) == 1:
            if name in AS_IT_IS:
                return self.visit(node.args[0])
            if name in FUNCTIONS or name == "log":
                inner = self.visit(node.args[0])
                self._no_text(inner)
                value = inner.number()
                if not _is_expression(value):
                    raise beyond(self.text, "it has no column")
                return Pushed(value.log() if name == "log" else FUNCTIONS[name](value), "number")
        if name == "Q" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            return self._named(str(node.args[0].value))
        if name == "log" and len(node.args) == 2:
            value, base = self.visit(node.args[0]), self.visit(node.args[1])
            self._no_text(value, base)
            if _is_expression(value.value) and not _is_expression(base.value):
                return Pushed(value.number().log(base=base.number()), "number")
        if name == "ifelse" and len(node.args) == 3 and not node.keywords:
            return self._where(*(self.visit(item) for item in node.args))
        known = [*AS_IT_IS, "log", "ifelse", *FUNCTIONS, *OF_ALL_ROWS]
        raise beyond(self.text, f"engines compute {listing(known, 30)}, not {name}()")

    def _scaled(self, node: ast.Call, kept: Mapping[str, Any]) -> Pushed:
        """``scale(x)`` or ``center(x)`` with the numbers kept."""
        if "ddof" not in kept:
            raise beyond(self.text, f"{ast.unparse(node)} has several columns, and is no number")
        value = self.visit(node.args[0]).number()
        if kept["center"] is not None:
            value = value - float(kept["center"])
        if kept["scale"] is not None:
            value = value * (1.0 / float(kept["scale"]))
        return Pushed(value, "number")

    def _logical(self, part: Pushed) -> Any:
        self._no_text(part)
        if part.kind == "logical":
            return part.value
        return part.value != 0.0

    def _no_text(self, *parts: Pushed) -> None:
        if any(part.kind == "text" for part in parts):
            raise beyond(self.text, "it calculates with text")
