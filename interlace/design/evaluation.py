"""Values of expressions of columns, on the data of the fit and on new data alike.

An expression is compiled once, with R's meaning where Python has another: booleans count as 0 and
1 in arithmetic, ``a < x < b`` and the logical words work row by row, and functions are looked up
where functions are called.  A part that gives one number (``mean(x)``, ``x.max()``) keeps the
number of the fit.  A part that gives one value per row is tried on some rows alone: if its values
differ there, they depend on the other rows and could not be computed for new data.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues

from ..errors import DataError, FormulaError
from ..formula.spelling import mark_tokens, python_text, unmarked
from ..formula.terms import CACHE_SIZE
from .functions import AGGREGATES, CONTEXT, ROWWISE, TAKES_LABELS

#: Rows on which a function of the user's is tried; single ones are tried besides.
TRIAL_ROWS = 50

#: Relative difference up to which two evaluations agree: a vector loop rounds unlike a scalar one.
TRIAL_TOLERANCE = 1e-7

#: Words that no variable of the session replaces: R's own, and the codings that C() takes.
RESERVED = frozenset("TRUE FALSE NULL contr Treatment Sum Helmert Poly Diff".split())

#: Numpy's functions that take booleans for what they are.
LOGICAL_UFUNCS = frozenset(
    "logical_and logical_or logical_xor logical_not invert bitwise_and bitwise_or bitwise_xor "
    "equal not_equal less less_equal greater greater_equal isnan isfinite isinf".split()
)


class Name(NamedTuple):
    """A name in an expression: `path` is ``total.fruits`` where `name` is ``total``."""

    name: str
    path: str
    called: bool
    term: bool = False  # a term by itself: only a column will do


class Expression(NamedTuple):
    """A compiled expression; `plain` when all its functions work row by row and keep nothing."""

    text: str
    code: Any
    names: tuple[Name, ...]
    plain: bool


# --- compiling ------------------------------------------------------------------------------


@lru_cache(maxsize=CACHE_SIZE)
def expression_of(text: str) -> Expression:
    """Compile an expression."""
    tree, aliases = syntax_of(text)
    compiler = _Compiler(tree, aliases)
    body = compiler.visit(tree)
    code = compile(ast.fix_missing_locations(body), "<formula>", "eval")
    return Expression(text, code, tuple(dict.fromkeys(compiler.names)), compiler.plain)


def syntax_of(text: str) -> tuple[ast.Expression, dict[str, str]]:
    """The syntax of an expression, and the names that aliases in it stand for."""
    aliases: dict[str, str] = {}
    python = _without_quotes(mark_tokens(python_text(text.strip().strip("{}"))), aliases)
    try:
        return ast.parse(python, mode="eval"), aliases
    except (SyntaxError, ValueError):  # ValueError: characters that are none
        raise FormulaError(f"{text!r} is no valid expression", text) from None


def _without_quotes(text: str, aliases: dict[str, str]) -> str:
    parts = _split_strings(text)
    for i, part in enumerate(parts):
        if part[:1] == "`":
            alias = f"_quoted_{len(aliases)}_"
            aliases[alias] = unmarked(part[1:-1])
            parts[i] = f" {alias} "
    return "".join(parts).strip()


def _split_strings(text: str) -> list[str]:
    return re.split(r"(`[^`]*`|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')", text)


class _Compiler(ast.NodeTransformer):
    """Rewrites names as ``_v["x"]``, operators in R's meaning, and parts that may look at all rows.

    `_v` is the :class:`Values` at hand, an argument wherever a part has to be evaluated again.
    """

    def __init__(self, tree: ast.AST, aliases: Mapping[str, str]):
        self.aliases, self.plain = aliases, True
        self.names: list[Name] = []
        self.inside = 0  # loops and lambdas around
        self.bound = {
            node.id if isinstance(node, ast.Name) else node.arg
            for node in ast.walk(tree)
            if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
            or isinstance(node, ast.arg)
        }

    def _name(self, identifier: str) -> str:
        return self.aliases.get(identifier, identifier)

    def _note(self, name: str, path: str, called: bool) -> None:
        self.names.append(Name(name, path, called))

    # names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.bound:
            return node
        name = self._name(node.id)
        self._note(name, name, False)
        return _subscript(name)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        key, attribute = text_of(node, self.aliases), self._attribute(node, called=False)
        root, _, name = key.rpartition(".")
        if root == "np" and isinstance(getattr(np, name, None), float):
            return attribute  # a constant, as np.pi
        return self._part(key, attribute)

    def _attribute(self, node: ast.Attribute, called: bool) -> ast.expr:
        """``np.linalg.norm``, its first name looked up as the owner of the attribute."""
        attributes, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            attributes, inner = [inner.attr, *attributes], inner.value
        if isinstance(inner, ast.Name) and inner.id not in self.bound:
            name = self._name(inner.id)
            self._note(name, ".".join([name, *attributes]), called)
            owner: ast.expr = _call("_v.owner", ast.Constant(name), ast.Constant(attributes[0]))
        else:
            owner = self.visit(inner)
        return reduce(
            lambda made, attribute: ast.Attribute(made, attribute, ast.Load()), attributes, owner
        )

    # calls, and whatever else may look at more than one row

    def visit_Call(self, node: ast.Call) -> ast.expr:
        key = text_of(node, self.aliases)
        called = node.func
        if isinstance(called, ast.Name) and self._name(called.id) == "Q" and len(node.args) == 1:
            return self._patsy_name(node.args[0])
        if isinstance(called, ast.Name) and called.id == "I":
            _check_identity(node)
        trusted = keeps = False
        if isinstance(called, ast.Name) and called.id not in self.bound:
            name = self._name(called.id)
            self._note(name, name, True)
            trusted, keeps = name in CONTEXT and name not in AGGREGATES, name not in ROWWISE
            func: ast.expr = _call("_v.function", ast.Constant(name))
        elif isinstance(called, ast.Attribute):
            func = self._attribute(called, called=True)
            root, _, attribute = ast.unparse(called).rpartition(".")
            trusted = root == "np" and isinstance(getattr(np, attribute, None), np.ufunc)
        else:
            func = self.visit(called)
        self.plain = self.plain and trusted and not keeps
        call = ast.Call(
            ast.Name("_apply", ast.Load()),
            [_variable(), ast.Constant(key), func, *(self.visit(item) for item in node.args)],
            [ast.keyword(word.arg, self.visit(word.value)) for word in node.keywords],
        )
        return call if trusted else self._part(key, call)

    def _patsy_name(self, node: ast.expr) -> ast.expr:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            raise FormulaError("Q() takes the name of a column, as in Q('age'); or write `age`")
        self._note(node.value, node.value, False)
        return _subscript(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return self._part(text_of(node, self.aliases), self.generic_visit(node))

    def _part(self, key: str, made: ast.AST) -> ast.expr:
        self.plain = False
        if self.inside:  # its value changes with the variable of a loop
            return _expression(made)
        again = ast.Lambda(
            ast.arguments([], [ast.arg("_v")], None, [], [], None, []), _expression(made)
        )
        return _call("_part", _variable(), ast.Constant(key), again)

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        self.inside += 1
        function = self.generic_visit(node)
        self.inside -= 1
        return _expression(function)

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        key = text_of(node, self.aliases)
        self.inside += 1
        elements = self.generic_visit(node)
        self.inside -= 1
        return self._part(key, elements)

    visit_GeneratorExp = visit_SetComp = visit_DictComp = visit_ListComp  # type: ignore[assignment]

    # operators

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        key = text_of(node, self.aliases)
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.MatMult):
            return self._part(key, ast.BinOp(left, node.op, right))
        if isinstance(node.op, ast.BitAnd | ast.BitOr):
            word = "_all" if isinstance(node.op, ast.BitAnd) else "_any"
            return _call(word, left, right)
        return ast.BinOp(_number(left, key), node.op, _number(right, key))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        inner = self.visit(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return _call("_not", inner)
        return ast.UnaryOp(node.op, _number(inner, text_of(node, self.aliases)))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        word = "_all" if isinstance(node.op, ast.And) else "_any"
        return _call(word, *(self.visit(value) for value in node.values))

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        return _call("_where", *(self.visit(x) for x in (node.test, node.body, node.orelse)))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        sides = [self.visit(side) for side in (node.left, *node.comparators)]
        pairs = [
            _comparison(left, operator, right)
            for left, operator, right in zip(sides, node.ops, sides[1:])
        ]
        return pairs[0] if len(pairs) == 1 else _call("_all", *pairs)


def _check_identity(node: ast.Call) -> None:
    if node.keywords:
        word = node.keywords[0].arg
        raise FormulaError(f"I() takes one expression; to compare write I({word} == ...)")
    if len(node.args) != 1:
        raise FormulaError(f"I() takes one expression, got {len(node.args)}")


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    if isinstance(operator, ast.In | ast.NotIn):
        membership = _call("_among", left, right)
        return membership if isinstance(operator, ast.In) else _call("_not", membership)
    return ast.Compare(left, [operator], [right])


def _expression(node: Any) -> ast.expr:
    return node


def _variable() -> ast.expr:
    return ast.Name("_v", ast.Load())


def _subscript(name: str) -> ast.expr:
    return ast.Subscript(_variable(), ast.Constant(name), ast.Load())


def _call(function: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.parse(function, mode="eval").body, list(arguments), [])


def _number(node: ast.expr, key: str) -> ast.expr:
    return node if isinstance(node, ast.Constant) else _call("_numeric", node, ast.Constant(key))


def text_of(node: ast.AST, aliases: Mapping[str, str]) -> str:
    """An expression as written once for all, by which what it keeps is found."""
    text = ast.unparse(node)
    for alias, name in aliases.items():
        text = text.replace(alias, f"`{name}`")
    return text


# --- what the names mean --------------------------------------------------------------------


class Values:
    """Values that the names of an expression stand for.

    Columns come before the session's variables, and these before the package's own constants.
    Where a function is called, the package's functions come first, then the session's, then
    Python's; a column or a number of that name is no function and does not hide one.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        context: Mapping[str, Any],
        state: dict,
        n: int,
        fitting: bool,
        strict: bool = True,
    ):
        self.columns, self.context, self.state, self.n = columns, context, state, n
        self.fitting, self.strict = fitting, strict

    @property
    def kept(self) -> dict[str, Any]:
        """Numbers computed from the data of the fit, by the text of what gave them."""
        return self.state.setdefault("kept", {})

    def __getitem__(self, name: str) -> Any:
        if name in self.columns:
            return self.columns[name]
        if name in self.context and name not in RESERVED:
            value = self.context[name]
            if self.n > 1 and np.ndim(value) == 1 and len(value) == self.n:
                raise _not_of_data(name)
            return value
        return CONTEXT[name] if name in CONTEXT else getattr(builtins, name)

    def function(self, name: str) -> Callable:
        """The function of that name."""
        if name in CONTEXT:
            return CONTEXT[name]
        value = self.context.get(name)
        return value if callable(value) else getattr(builtins, name)

    def owner(self, name: str, attribute: str) -> Any:
        """The object that has the attribute of ``name.attribute``."""
        for place in owners(name, attribute, self.columns, self.context):
            return place[name]
        return self[name]

    def rows(self, at: np.ndarray) -> Values:
        """The values of the rows at the positions `at`, nothing new kept."""
        columns = {
            name: value.iloc[at] if hasattr(value, "iloc") else value[at]
            for name, value in self.columns.items()
        }
        return Values(columns, self.context, self.state, len(at), False)


def _not_of_data(text: str) -> DataError:
    return DataError(
        f"{text!r} has one value per row that does not come from data, so new data would not have "
        "it; add it to data as a column"
    )


def owners(name: str, attribute: str, columns: Any, context: Mapping[str, Any]) -> list[Any]:
    """Namespaces that have ``name.attribute``: the package's modules, columns, the session."""
    holders: list[Any] = [CONTEXT] if hasattr(CONTEXT.get(name), attribute) else []
    if name in columns and hasattr(pd.Series, attribute):
        holders.append(columns)
    if name in context and hasattr(context[name], attribute):
        holders.append(context)
    return holders


# --- evaluating -----------------------------------------------------------------------------


def value_of(expression: Expression, values: Values) -> Any:
    """The value of an expression."""
    with np.errstate(all="ignore"):
        return eval(expression.code, {**_GLOBALS, "_v": values})


def _apply(values: Values, key: str, function: Callable, *arguments: Any, **keywords: Any) -> Any:
    """Call a function; a transform with a state is handed its own, one of the session copies."""
    called = key.partition("(")[0]
    if isinstance(function, np.ufunc):
        if function.__name__ not in LOGICAL_UFUNCS:
            arguments = tuple(_numeric(value, key) for value in arguments)
    elif CONTEXT.get(called) is not function:
        arguments = tuple(_copied(value) for value in arguments)
        keywords = {word: _copied(value) for word, value in keywords.items()}
    elif called not in TAKES_LABELS:
        arguments = tuple(_numeric(value, key) for value in arguments)
    if getattr(function, "__is_stateful_transform__", False):
        keywords |= {"_state": values.state.setdefault(key, {}), "_context": {}, "_metadata": {}}
    return function(*arguments, **keywords)


def _copied(value: Any) -> Any:
    """Columns that the function may write to."""
    return value.copy() if isinstance(value, (np.ndarray, pd.Series)) else value


def _part(values: Values, key: str, again: Callable[[Values], Any]) -> Any:
    kept = values.kept
    if key in kept:
        return kept[key]
    value = again(values)
    if values.n == 1 and not values.fitting:
        value = _in_a_row(value)
    if values.fitting:
        size = _rows(value)
        if size is None:
            return value
        if size != values.n or values.n == 0:
            kept[key] = value
        elif not _row_by_row(value, again, values, key):
            if values.strict:
                raise DataError(
                    f"{key!r} gives a row a value that depends on the other rows, so that it "
                    "could not be computed for new data: compute it as a column of data, or use "
                    "scale(), center(), poly(), or single numbers such as mean(x), which are kept"
                )
            values.state["whole"] = key
    return value


def _in_a_row(value: Any) -> Any:
    """A single number or text as an array of one row; other values as they are."""
    single = isinstance(value, np.ndarray | np.generic | float | int | str) and not np.ndim(value)
    return np.array([value]) if single else value


def _rows(value: Any) -> int | None:
    """Number of rows of a value: 0 of a single number or text, None of what has no rows."""
    if isinstance(value, FactorValues):
        value = value.__wrapped__
    if isinstance(value, dict):
        return _rows(next(iter(value.values()), None))
    if isinstance(value, np.ndarray | pd.Series | pd.DataFrame | pd.Index | list | tuple):
        return len(value) if np.ndim(value) else 0
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return len(value)
    if isinstance(value, int | float | complex | str | np.generic | pd.Timestamp | pd.Timedelta):
        return 0
    return None


def _row_by_row(value: Any, again: Callable[[Values], Any], values: Values, key: str) -> bool:
    """Whether some rows alone give the values that they have among all rows."""
    whole = _matrix(value)
    if whole is None:
        return True
    n = len(whole)
    first = whole[:, 0]
    single = {0, n - 1}
    if first.dtype.kind in "biuf":
        numbers = np.nan_to_num(first.astype(np.float64))
        single |= {int(np.argmin(numbers)), int(np.argmax(numbers))}
    few = np.unique(np.linspace(0, n - 1, min(TRIAL_ROWS, n)).astype(int))[::-1]
    for at in [*(np.array([row]) for row in sorted(single)), few]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                part = _matrix(again(values.rows(at)))
        except Exception:
            return False
        if part is not None and len(part) == n > len(at) and _same(whole, part):
            raise _not_of_data(key)
        if part is None or not _same(whole[at], part):
            return False
    return True


def _matrix(value: Any) -> np.ndarray | None:
    """Values as a matrix with one row per row; None of what cannot be compared."""
    if isinstance(value, FactorValues):
        value = value.__wrapped__
    if isinstance(value, dict):
        parts = [_matrix(item) for key, item in value.items()]
        return None if any(part is None for part in parts) else np.hstack(parts)  # type: ignore
    if isinstance(value, pd.api.extensions.ExtensionArray | pd.Series) and not isinstance(
        getattr(value, "dtype", None), np.dtype
    ):
        value = np.asarray(value, dtype=object)
    array = np.asarray(_in_a_row(value))
    if array.ndim not in (1, 2):
        return None
    return array.reshape(len(array), -1)


def _same(expected: np.ndarray, found: np.ndarray) -> bool:
    if expected.shape != found.shape:
        return False
    if expected.dtype.kind in "biufc" and found.dtype.kind in "biufc":
        size = float(np.abs(np.nan_to_num(expected)).max(initial=0.0))
        return bool(
            np.allclose(found, expected, TRIAL_TOLERANCE, TRIAL_TOLERANCE * size, equal_nan=True)
        )
    return all(a == b or (pd.isna(a) and pd.isna(b)) for a, b in zip(expected.flat, found.flat))


# --- operators ------------------------------------------------------------------------------


def _is_logical(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return isinstance(value, bool) or getattr(dtype, "kind", "") == "b"


def _plain_number(value: Any) -> Any:
    """Booleans as 0 and 1, anything else as it is."""
    if not _is_logical(value):
        return value
    return value.astype(np.float64) if hasattr(value, "astype") else int(value)


def _numeric(value: Any, where: str) -> Any:
    if isinstance(getattr(value, "dtype", None), pd.CategoricalDtype):
        raise TypeError(  # whoever evaluates adds the term
            f"{where!r} calculates with a factor, whose values are labels; convert the column to "
            "numbers first, or compare it: f == 'a'"
        )
    return _plain_number(value)


def _truth(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DataError("text is neither true nor false; compare it, as in f == 'a'")
    return array.astype(bool)


def _all(*values: Any) -> Any:
    return reduce(np.logical_and, (_truth(value) for value in values))


def _any(*values: Any) -> Any:
    return reduce(np.logical_or, (_truth(value) for value in values))


def _not(value: Any) -> Any:
    return np.logical_not(_truth(value))


def _where(test: Any, yes: Any, no: Any) -> Any:
    return np.where(_truth(test), yes, no)


def _among(value: Any, of: Any) -> Any:
    chosen = list(of) if np.ndim(of) else [of]
    if np.ndim(value):
        return np.asarray(pd.Series(value).isin(chosen))
    return value in chosen


_GLOBALS = {
    "__name__": __name__,  # its frame is no caller: warnings look further
    "_apply": _apply,
    "_part": _part,
    "_numeric": _numeric,
    "_all": _all,
    "_any": _any,
    "_not": _not,
    "_where": _where,
    "_among": _among,
}
