"""Expressions that call nothing but the functions formulas have: they may be read from a file."""

from __future__ import annotations

import ast

import numpy as np

from .evaluation import syntax_of
from .functions import CONTEXT

#: Python's own functions that such expressions may call, beside the package's.
BUILTINS = frozenset("abs round min max sum len float int bool pow".split())
#: Methods of columns that give numbers and do nothing else.
METHODS = frozenset("mean median std var min max sum prod abs round clip astype".split())
#: numpy's functions of columns that are no ufuncs, and its numbers.
OF_NUMPY = frozenset("where clip round mean median std var min max sum pi e inf nan".split())
NUMPY = ("np", "numpy")
NODES = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.keyword),
    *(ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.IfExp),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context, ast.Subscript, ast.Slice),
)


def outside(text: str) -> str | None:
    """The part of an expression that is not of the functions of formulas; None if all of it is."""
    tree, _ = syntax_of(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, NODES):
            return type(node).__name__
        if isinstance(node, ast.Attribute) and not _allowed(node, called):
            return ast.unparse(node)
        if isinstance(node, ast.Name) and node.id.startswith("__"):
            return node.id
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                if not callable(CONTEXT.get(function.id)) and function.id not in BUILTINS:
                    return f"{function.id}()"
            elif not isinstance(function, ast.Attribute):
                return ast.unparse(function)
    return None


def _allowed(node: ast.Attribute, called: set[int]) -> bool:
    """Whether ``np.log``, ``contr.sum``, ``x.mean`` or ``total.fruits`` is of formulas."""
    owner = node.value
    if isinstance(owner, ast.Name) and owner.id in NUMPY:
        return node.attr in OF_NUMPY or isinstance(getattr(np, node.attr, None), np.ufunc)
    if isinstance(owner, ast.Name) and owner.id == "contr":
        return not node.attr.startswith("_")
    return node.attr in METHODS or (id(node) not in called and not node.attr.startswith("_"))
