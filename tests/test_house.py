"""The order of the house, read from the sources: who imports whom, and how large a file is.

CONTRIBUTING.md has the floors in words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "interlace"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Folders and files of the package, from the bottom to the top: each imports from those before it.
ORDER = (
    "errors",
    "other_names",
    "r_language",
    "calls",
    "printing",
    "lookups",
    "pictured",
    "datasets",
    "frames",
    "covariance",
    "formula",
    "families",
    "design",
    "linalg",
    "objective",
    "optimize",
    "models",
    "inference",
    "diagnostics",
    "tables",
    "plots",
    "results",
    "api",
    "interop",
    "modular",
    "__init__",
    "__main__",
)

# Lines of code of a function, its docstring aside.
LONGEST_FUNCTION = 40
#: Longer ones, and why.
LONGER_FUNCTIONS: dict[str, str] = {}

# Slow to import, or not installed everywhere: imported by the function that needs them.
IMPORTED_LATE = {
    "distributed",
    "joblib",
    "dask",
    "duckdb",
    "ibis",
    "tqdm",
    "marginaleffects",
    "narwhals",
    "polars",
    "pyspark",
    "pyarrow",
    "docx",
    "great_tables",
    "matplotlib",
    "nlopt",
    "sksparse",
    "threadpoolctl",
}


def name_of(path: Path) -> str:
    """``interlace.linalg.factor.base`` for interlace/linalg/factor/base.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place_of(module: str) -> str:
    """The file or folder that has a floor: ``linalg`` for interlace.linalg.factor.base."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(tree: ast.AST, path: Path) -> Iterator[str]:
    """Absolute names of all that is imported anywhere in a module, also inside functions.

    ``from a.b import c`` gives ``a.b.c``: whether c is a module is for the caller to judge.
    """
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            stem = ".".join(base) if node.level else ""
            module = ".".join(part for part in (stem, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def at_import_time(tree: ast.Module) -> ast.Module:
    """The statements that run when the module is imported: no function bodies, no type checking."""

    class Outer(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

    return Outer().visit(tree)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def is_private_to(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


def modules_imported(path: Path) -> set[str]:
    """The modules of the package that one imports, by full name."""
    known = {name_of(module) for module in MODULES}
    found = set()
    for name in imports(parse(path), path):
        stem = name.rpartition(".")[0]
        if name in known or stem in known:
            found.add(name if name in known else stem)
    return found


@each_module
def test_imports_run_down_the_list_of_folders(path: Path) -> None:
    place = place_of(name_of(path))
    assert place in ORDER, f"{place} has no place: add it to ORDER and to CONTRIBUTING.md"
    for name in modules_imported(path):
        other = place_of(name)
        assert other == place or ORDER.index(other) < ORDER.index(place), (
            f"{name_of(path)} imports {name}, which stands above it"
        )


def test_the_tree_in_contributing_is_the_order() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = re.findall(r"^  (\w+)(?:/|\.py) ", text, re.MULTILINE)
    assert tree == [name for name in reversed(ORDER) if (PACKAGE / name).exists() or _file(name)]


def _file(name: str) -> bool:
    return not name.startswith("__") and (PACKAGE / f"{name}.py").exists()


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Ways through a graph that come back, one for each that a search in depth meets."""
    state: dict[str, int] = {}
    found: list[list[str]] = []

    def visit(node: str, way: list[str]) -> None:
        state[node] = 1
        for other in sorted(edges.get(node, ())):
            if state.get(other) == 1:
                found.append([*way[way.index(other) :], other])
            elif other not in state:
                visit(other, [*way, other])
        state[node] = 2

    for node in edges:
        if node not in state:
            visit(node, [node])
    return found


def test_no_circle_of_imports() -> None:
    assert not circles({name_of(path): modules_imported(path) for path in MODULES})


def test_a_circle_is_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
    assert not circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})


@each_module
def test_results_are_known_to_the_front_doors_alone(path: Path) -> None:
    if place_of(name_of(path)) in {"results", "api", "interop", "modular", "__init__", "__main__"}:
        return
    found = [n for n in imports(parse(path), path) if is_private_to(n, "interlace.results")]
    assert not found, f"{name_of(path)} imports {found}: work on a fit instead"


@each_module
def test_only_tokens_reads_the_internals_of_formulaic(path: Path) -> None:
    if name_of(path) == "interlace.formula.tokens":
        return
    found = [name for name in imports(parse(path), path) if is_private_to(name, "formulaic.parser")]
    assert not found, f"{name_of(path)} imports {found}"


@each_module
def test_names_with_an_underscore_stay_in_their_module(path: Path) -> None:
    """Kernels, whose modules have one, aside."""
    found = [
        alias.name
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and not (node.module or "").endswith("kernels")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not found, f"{name_of(path)} imports {found}: give them names without underscore"


@each_module
def test_what_is_slow_to_import_is_imported_late(path: Path) -> None:
    early = {name.split(".")[0] for name in imports(at_import_time(parse(path)), path)}
    assert not early & IMPORTED_LATE
    everywhere = imports(parse(path), path)
    slow = [name for name in everywhere if is_private_to(name, "scipy.stats")]
    assert not slow, f"{name_of(path)} imports {slow}: scipy.special has what is needed"


def lines_of_code(function: ast.FunctionDef, lines: list[str]) -> int:
    """Lines of a body that are neither blank, comment nor its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    kept = (line.strip() for line in lines[body[0].lineno - 1 : function.end_lineno])
    return sum(1 for line in kept if line and not line.startswith("#"))


def long_functions(source: str) -> Iterator[str]:
    """Names of the functions of a module that have more lines than allowed."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            if lines_of_code(node, source.splitlines()) > LONGEST_FUNCTION:
                yield node.name


def test_a_function_fits_a_screen() -> None:
    found = {
        f"{name_of(path)}.{name}"
        for path in MODULES
        for name in long_functions(path.read_text(encoding="utf-8"))
    }
    assert found == set(LONGER_FUNCTIONS)


def test_a_long_function_is_seen() -> None:
    body = '    """Text.\n\n    More.\n    """\n' + "    a = 1\n" * LONGEST_FUNCTION
    assert not list(long_functions(f"def f():\n{body}    # a comment\n\n"))
    assert list(long_functions(f"def f():\n{body}    b = 2\n")) == ["f"]


def written_files() -> list[Path]:
    """What people wrote in this repository, this file aside."""
    folders = ["interlace", "tests", "docs", "tools", "benchmarks", "r_parity", ".ci"]
    endings = {".py", ".pyx", ".md", ".R", ".toml", ".build", ""}
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file()]
    return sorted(
        path
        for path in found
        if path.suffix in endings
        and path.resolve() != Path(__file__).resolve()
        and "__pycache__" not in path.parts
        and path.name != ".git"  # of a linked worktree
    )


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b|pragma: no cover")
# In the package: what it cannot do is an error of its own that says what to do instead.
STUB = re.compile(r"\bNotImplementedError\b")
PLACE_OF_A_MACHINE = re.compile(r"(?<![\w.<])/(?:work|root|home|Users)/\w")


def test_nothing_unfinished_and_no_place_of_one_machine() -> None:
    for path in written_files():
        patterns = [UNFINISHED, PLACE_OF_A_MACHINE]
        patterns += [STUB] if path.is_relative_to(PACKAGE) else []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for pattern in patterns:
                assert not pattern.search(line), f"{path.relative_to(ROOT)}:{number}: {line}"


# What the checks above are worth: each must see the fault it is there for.
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import scipy.stats", {"scipy.stats"}),
        ("from scipy import stats", {"scipy.stats"}),
        ("from ..models.lmm import LMMFit", {"interlace.models.lmm.LMMFit"}),
        ("from .. import models", {"interlace.models"}),
        ("from . import kernels", {"interlace.linalg.kernels"}),
        ("def f():\n    from ..results.lmm import LMMResult", {"interlace.results.lmm.LMMResult"}),
        ("if TYPE_CHECKING:\n    from ..api.linear import fit", {"interlace.api.linear.fit"}),
    ],
)
def test_imports_are_read_wherever_they_stand(source: str, expected: set[str]) -> None:
    assert set(imports(ast.parse(source), PACKAGE / "linalg" / "threads.py")) == expected


def test_late_imports_are_told_from_early_ones() -> None:
    source = (
        "import numpy\nif TYPE_CHECKING:\n    import polars\ndef f():\n    import nlopt\n"
        "class A:\n    import pandas\n    def g(self):\n        import sksparse"
    )
    early = set(imports(at_import_time(ast.parse(source)), PACKAGE / "calls.py"))
    assert early == {"numpy", "pandas"}
