"""Scripts in R -> scripts in Python, statement by statement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...datasets import list_datasets
from ...errors import InterlaceError
from ...r_language.nodes import (
    ASSIGNMENTS,
    Argument,
    Binary,
    Bracket,
    Call,
    Construct,
    Index,
    Name,
    Node,
    Text,
    Unary,
    function_name,
    text_of,
    walk,
)
from ...r_language.parser import Statement, parse_script
from ...r_language.tokens import Token
from .code import FALSE, Context, Untranslated, arguments_of, identifier, python_of, quote
from .fits import FITS, PythonCall, fit_call
from .formulas import formula_text
from .from_r import unwrapped
from .words import Words, component, kind_of

__all__ = ["translate"]

#: Packages whose functions are read, or that a script needs no more.
PACKAGES = frozenset(
    "lme4 lmerTest glmmTMB ordinal nlme MASS emmeans car pbkrtest Matrix stats splines methods "
    "broom.mixed performance DHARMa simr MuMIn lattice utils datasets multcomp dplyr readr tibble "
    "magrittr tidyverse".split()
)
#: Functions that load packages, or stand round one that does.
_LOADING = ("library", "require", "suppressPackageStartupMessages", "suppressWarnings")
#: Functions that show what they are asked for themselves.
_SHOWING = re.compile(r"\.plot\.\w+\(|^print\(|\.info\(\)$")


def translate(source: str) -> str:
    r"""The Python script of an R script; what has no translation stays as a comment, with why.

    Examples
    --------
    >>> from interlace.interop.r.script import translate
    >>> print(translate("m <- lmer(Yield ~ 1 + (1 | Batch), Dyestuff)\nfixef(m)"))
    import interlace as il
    <BLANKLINE>
    Dyestuff = il.load_dataset("Dyestuff")
    m = il.lmer("Yield ~ 1 + (1 | Batch)", Dyestuff)
    print(m.fe_params)
    <BLANKLINE>
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    statements, comments = parse_script(source)
    script = _Script(source)
    body = "\n".join(_layout(source, statements, comments, script))
    imports = ["import interlace as il"]
    imports += ["import numpy as np"] * ("np." in body) + ["import pandas as pd"] * ("pd." in body)
    return "\n".join([*sorted(imports), "", body.strip("\n"), ""])


def _layout(
    source: str, statements: list[Statement], comments: list[Token], script: _Script
) -> Iterator[str]:
    """The lines of the new script: comments and empty lines where they were."""
    rest = list(comments)
    position = 0
    for statement in statements:
        while rest and rest[0].start < statement.start:
            comment = rest.pop(0)
            yield from _empty_lines(source[position : comment.start])
            yield comment.text
            position = comment.end
        yield from _empty_lines(source[position : statement.start])
        while rest and rest[0].start < statement.end:
            yield rest.pop(0).text
        lines = script.lines(statement)
        position = statement.end
        beside = source[position : rest[0].start] if rest else "\n"
        if lines and rest and "\n" not in beside and not beside.strip(" \t;"):
            comment = rest.pop(0)
            lines[-1] += f"  {comment.text}"
            position = comment.end
        yield from lines
    for comment in rest:
        yield from _empty_lines(source[position : comment.start])
        yield comment.text
        position = comment.end


def _empty_lines(between: str) -> list[str]:
    return [""] if between.count("\n") > 1 else []


@dataclass
class _Script:
    """What is known of the names of a script while it is read."""

    source: str
    models: dict[str, str] = field(default_factory=dict)
    frames: set[str] = field(default_factory=set)
    formulas: dict[str, Node] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    #: Codings of factors, ``contrasts(d$f) <- …``: code by data frame and column.
    codings: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Means beside their contrasts, ``emmeans(m, pairwise ~ f)``: code of the means by name.
    means: dict[str, str] = field(default_factory=dict)

    def lines(self, statement: Statement) -> list[str]:
        """The lines of a statement."""
        text = self.source[statement.start : statement.end]
        if statement.node is None:
            return _untranslated(text, f"R does not read this: {statement.error}")
        target = _target(statement.node)
        known = target in self.frames and target not in self.lost
        try:
            if gone := next((n for n in _names(statement.node) if n in self.lost), None):
                raise Untranslated(f"it uses {gone}, whose line above has no translation")
            lines = self.translated(statement.node)
        except InterlaceError as error:
            why = str(error).split("\n")[0]
            if known:
                self.frames.add(target)
                why += f"; {target} stays as it is above"
            else:
                self.lost |= {target} - {""}
            return _untranslated(text, why)
        self.lost.discard(target)
        return [*self.loading(statement.node), *lines]

    def loading(self, node: Node) -> list[str]:
        """Lines that load the data sets which a statement is the first to use."""
        names = [n for n in _names(node) if n in list_datasets() and n not in self.variables]
        names = list(dict.fromkeys(names))
        self.variables |= {*names}
        self.frames |= {*names}
        return [f"{name} = il.load_dataset({quote(name)})" for name in names]

    @property
    def context(self) -> Context:
        """What names and functions mean at this place."""
        words = Words(self.models, self.frames)
        calls = words.calls()
        calls |= dict.fromkeys(FITS, self.fit)
        calls |= dict.fromkeys(("with", "within"), self.inside)
        return Context(None, self.variables, None, calls, self.member)

    def member(self, node: Binary, context: Context) -> str | None:
        """Code of ``fixef(m)$zi`` and its kin, and of the parts of means with contrasts."""
        match node:
            case Binary("$", Name(name), Name(part)) if name in self.means:
                if part in ("emmeans", "lsmeans", "emtrends", "lstrends"):
                    return self.means[name]
                if part == "contrasts":
                    return identifier(name)
        return component(node, context)

    def fit(self, call: Call, context: Context) -> str:
        """The code of a fit inside of something else."""
        return self.fitted(call).code

    def fitted(self, call: Call) -> PythonCall:
        """A fit, with the codings that its factors were given before."""
        python = fit_call(call, self.formulas, Context(variables=self.variables))
        names = {n.text for n in walk(call) if isinstance(n, Name)}
        columns = names | {
            n.text
            for name in names & {*self.formulas}
            for n in walk(self.formulas[name])
            if isinstance(n, Name)
        }
        own = {
            column: code
            for frame in sorted(names & {*self.codings})
            for column, code in self.codings[frame].items()
            if column in columns
        }
        if own and "contrasts" not in python.arguments:
            inner = ", ".join(f"{quote(column)}: {code}" for column, code in own.items())
            python.arguments["contrasts"] = f"{{{inner}}}"
        return python

    def inside(self, call: Call, context: Context) -> str | None:
        """``with(d, …)``."""
        inner = unwrapped(call)
        if inner is not None and inner is not call and function_name(inner) in FITS:
            return self.fit(inner, context)
        if function_name(call) == "with" and len(call.arguments) == 2:
            frame = python_of(call.arguments[0].value, context)
            return python_of(call.arguments[1].value, context.inside(frame))
        return None

    def translated(self, node: Node) -> list[str]:
        """The lines of a statement that R reads."""
        if isinstance(node, Construct):
            raise Untranslated(f"{node.word} … has no translation")
        if isinstance(node, Bracket):
            lines = self.translated(node.inner)
            match node.inner:
                case Binary(operator, Name(target), _) if operator in ASSIGNMENTS:
                    lines.append(f"print({identifier(target)})")
            return lines
        if isinstance(node, Binary) and node.operator in ASSIGNMENTS:
            return self.assigned(node.left, node.right)
        name = function_name(node)
        if name in ("rm", "gc", "graphics.off", "qqline"):  # m.plot.qq() has its line
            return []
        if name == "options" and isinstance(node, Call):
            return _options(node)
        if name in _LOADING:
            return self.library(node)
        if name == "data" and isinstance(node, Call):
            return self.data(node)
        if name == "set.seed":
            raise Untranslated(
                "there is no seed for all that follows: give seed= to simulate(), bootMer() and "
                "power()"
            )
        return self.shown(node)

    def shown(self, node: Node) -> list[str]:
        """A statement whose value R prints."""
        name = function_name(node)
        if name in ("head", "tail", "str") and isinstance(node, Call) and node.arguments:
            first = python_of(node.arguments[0].value, self.context)
            n = python_of(node.arguments[1].value, self.context) if len(node.arguments) > 1 else ""
            if name == "str":
                return [f"{first}.info()"]
            return [f"print({first}.{name}({n}))"]
        code = python_of(node, self.context)
        return [code if _SHOWING.search(code) else f"print({code})"]

    def library(self, node: Node) -> list[str]:
        names = [
            n.text if isinstance(n, Name) else n.value
            for n in walk(node)
            if isinstance(n, Name | Text)
        ]
        unknown = [n for n in names if n not in {*PACKAGES, *_LOADING, "TRUE"}]
        if unknown:
            raise Untranslated(f"the package {unknown[0]} is not read here")
        return []

    def data(self, call: Call) -> list[str]:
        names = [a.value for a in call.arguments if a.name is None]
        texts = [n.value if isinstance(n, Text) else text_of(n) for n in names]
        unknown = [t for t in texts if t not in list_datasets()]
        if unknown:
            raise Untranslated(f"{unknown[0]} is no data set of the package; read it from a file")
        self.variables |= {*texts}
        self.frames |= {*texts}
        return [f"{identifier(t)} = il.load_dataset({quote(t)})" for t in texts]

    def assigned(self, target: Node, value: Node) -> list[str]:
        """The lines of ``target <- value``."""
        if isinstance(value, Binary) and value.operator in ("<-", "="):
            lines = self.assigned(value.left, value.right)
            return [*lines, *self.assigned(target, value.left)]
        if isinstance(target, Text):
            target = Name(target.value)
        if not isinstance(target, Name):
            if function_name(target) == "contrasts":
                self.coded(target, value)
                return []
            return [self.part(target, value)]
        name = identifier(target.text)
        code, notes = self.value(target.text, value)
        self.variables.add(target.text)
        return [*(f"# {note}" for note in notes), f"{name} = {code}"]

    def value(self, name: str, value: Node) -> tuple[str, list[str]]:
        """Code of what is assigned to a name, with notes on it; the name's kind is kept."""
        kind = kind_of(value, self.models)
        self.models.pop(name, None)
        self.formulas.pop(name, None)
        self.frames.discard(name)
        self.means.pop(name, None)
        kept = [self.codings[n] for n in _names(value) if n in self.codings]
        self.codings.pop(name, None)
        if kept:  # rows of a data frame, or more columns: its factors are coded as they were
            self.codings[name] = dict(kept[0])
        if isinstance(value, Binary | Unary) and value.operator == "~":
            self.formulas[name] = value
            return quote(formula_text(value)), []
        call = unwrapped(value)
        if call is not None and function_name(call) in FITS:
            python = self.fitted(call)
            self.models[name] = python.kind
            return python.code, python.notes
        if function_name(value) in _READERS and isinstance(value, Call):
            self.frames.add(name)
            return _read(value, self.context), []
        if kind:
            self.models[name] = kind
        if function_name(value) in _OF_FRAMES:
            self.frames.add(name)
        if isinstance(value, Name) and value.text in self.frames | {*list_datasets()}:
            self.frames.add(name)
            return f"{identifier(value.text)}.copy()", []
        code = python_of(value, self.context)
        if function_name(value) in _MEANS and ".contrast(" in code:
            self.means[name] = code.partition(".contrast(")[0]
        return code, []

    def coded(self, target: Node, value: Node) -> None:
        """``contrasts(d$f) <- contr.sum(3)``: fits of ``d`` with ``f`` have it."""
        match target:
            case Call(_, (Argument(None, Binary("$", Name(frame), Name(column))),)):
                self.codings.setdefault(frame, {})[column] = _coding(value)
            case _:
                raise Untranslated(f"the assignment to {text_of(target)!r} has no translation")

    def part(self, target: Node, value: Node) -> str:
        """An assignment to a column, or to the levels of one."""
        if function_name(target) == "levels" and isinstance(target, Call):
            column = python_of(target.arguments[0].value, self.context)
            new = python_of(value, self.context)
            return f"{column} = {column}.cat.rename_categories({new})"
        column_of = isinstance(target, Binary) and target.operator == "$"
        if not column_of and not (isinstance(target, Index) and target.double):
            raise Untranslated(f"the assignment to {text_of(target)!r} has no translation")
        left = python_of(target, self.context)
        if isinstance(target, Binary) and isinstance(target.left, Name):
            self.codings.get(target.left.text, {}).pop(text_of(target.right), None)
        if text_of(value) == "NULL":
            return f"del {left}"
        return f"{left} = {python_of(value, self.context)}"


def _target(node: Node) -> str:
    """The name that a statement assigns to, or a part of it; empty if it assigns nothing."""
    if isinstance(node, Bracket):
        return _target(node.inner)
    if not isinstance(node, Binary) or node.operator not in ASSIGNMENTS:
        return ""
    return next((n.text for n in walk(node.left) if isinstance(n, Name)), "")


def _names(node: Node) -> Iterator[str]:
    """Names of an expression that may be data: no functions, nothing in formulas or after ``$``."""
    match node:
        case Name(text):
            yield text
        case Binary(("$" | "<-" | "=" | "<<-") as operator, left, right):
            yield from _names(left if operator == "$" else right)
            if operator != "$" and not isinstance(left, Name):
                yield from _names(left)
        case Binary("~", _, _):
            return
        case Call(_, arguments):
            for argument in arguments:
                if argument.value is not None:
                    yield from _names(argument.value)
        case Bracket(inner) | Unary(_, inner):
            if not isinstance(node, Unary) or node.operator != "~":
                yield from _names(inner)
        case Index(inner, _, _):
            yield from _names(inner)
        case Binary(_, left, right):
            yield from _names(left)
            yield from _names(right)


#: Functions whose values are data frames, and marginal means.
_OF_FRAMES = ("subset", "transform", "na.omit", "droplevels", "data.frame", "filter", "mutate")
_MEANS = ("emmeans", "lsmeans", "emtrends", "lstrends")


def _coding(value: Node) -> str:
    """Code of the contrasts of a factor: a name, or the weights of its levels."""
    name = value.value if isinstance(value, Text) else function_name(value) or text_of(value)
    arguments = value.arguments if isinstance(value, Call) else ()
    if name.startswith("contr.") and all(a.name in (None, "n") for a in arguments):
        if len(arguments) < 2:
            return quote(name)
    if name == "c" and arguments and all(a.name is None for a in arguments):
        return f"np.array([{', '.join(f'[{python_of(a.value, Context())}]' for a in arguments)}])"
    raise Untranslated(
        f"contrasts {text_of(value)!r} have no translation; fits take contrasts= by factor, and "
        "code others by treatment"
    )


def _options(call: Call) -> list[str]:
    """``options(…)``: only how factors are coded changes a fit."""
    for argument in call.arguments:
        usual = "contr.treatment" in text_of(argument.value)
        if argument.name == "contrasts" and not usual:
            raise Untranslated(
                "fits here code factors by treatment, and those below have other coefficients "
                "than in R: give each of them contrasts={'factor': 'sum'}"
            )
    if any(a.name is None for a in call.arguments):
        raise Untranslated("options() has no translation")
    return []


_READERS = {"read.csv": ",", "read_csv": ",", "read.csv2": ";", "read.table": None,
            "read.delim": "\\t", "read_tsv": "\\t", "fread": None}  # fmt: skip


def _read(call: Call, context: Context) -> str:
    """``read.csv("file.csv")`` and its kin."""
    names = "file header sep dec stringsAsFactors na.strings as.is encoding fileEncoding"
    own = arguments_of(call, *names.split(), "show_col_types")
    file = python_of(own["file"], context)
    separator = _READERS[function_name(call)]
    pieces = []
    if "sep" in own:
        pieces.append(f"sep={python_of(own['sep'], context)}")
    elif separator is None:
        pieces.append('sep=r"\\s+"')
    elif separator != ",":
        pieces.append(f'sep="{separator}"')
    if "dec" in own or function_name(call) == "read.csv2":
        pieces.append(f"decimal={python_of(own['dec'], context) if 'dec' in own else quote(',')}")
    usual = "FALSE" if function_name(call) == "read.table" else "TRUE"
    if (text_of(own["header"]) if "header" in own else usual) in FALSE:
        pieces.append("header=None")
    if "na.strings" in own:
        pieces.append(f"na_values={python_of(own['na.strings'], context)}")
    return f"pd.read_csv({', '.join([file, *pieces])})"


def _untranslated(text: str, why: str) -> list[str]:
    return [f"# not translated: {why}", *(f"# R: {line}".rstrip() for line in text.split("\n"))]
