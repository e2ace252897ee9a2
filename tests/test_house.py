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

FLOORS: dict[str, int] = {
    **dict.fromkeys(["errors", "calls", "other_names", "layout"], 0),
    **dict.fromkeys(["formula", "tokens", "terms", "spelling", "updating", "frame"], 1),
    **dict.fromkeys(["transforms", "splines", "evaluation", "expressions"], 2),
    **dict.fromkeys(["grouping", "response", "rank"], 2),
    **dict.fromkeys(["model_frame", "model_matrix", "design", "replay"], 2),
    **dict.fromkeys(["covariance", "families", "datasets"], 2),
    **dict.fromkeys(["linalg"], 3),
    **dict.fromkeys(["objective"], 4),
    **dict.fromkeys(["optimize"], 5),
    **dict.fromkeys(["fit", "fit_glm", "fit_glmm"], 6),
    **dict.fromkeys(
        ["inference", "predict", "simulate", "diagnostics", "tables", "show", "plots"], 7
    ),
    **dict.fromkeys(["model_result", "mixed_result", "result", "glm_result", "glmm_result"], 8),
    **dict.fromkeys(["api", "api_glm", "api_glmm", "interop"], 9),
    **dict.fromkeys(["__init__", "__main__"], 10),
}

# About 400 lines of 60 characters: past it, look for the second idea in the file.
LARGEST_FILE = 24_000
LARGER_FILES: frozenset[str] = frozenset()

# Slow to import, or not installed everywhere: imported by the function that needs them.
IMPORTED_LATE = {"polars", "pyarrow", "matplotlib", "nlopt", "sksparse", "threadpoolctl"}


def name_of(path: Path) -> str:
    """``interlace.linalg.factor.base`` for interlace/linalg/factor.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place_of(module: str) -> str:
    """The file or folder that has a floor: ``linalg`` for interlace.linalg.factor."""
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


@each_module
def test_imports_come_from_lower_floors(path: Path) -> None:
    place = place_of(name_of(path))
    assert place in FLOORS, f"{place} has no floor: add it to FLOORS and to CONTRIBUTING.md"
    for name in imports(parse(path), path):
        if not is_private_to(name, "interlace"):
            continue
        other = place_of(name)
        if other not in FLOORS:
            # `from interlace import __version__`: the package itself, the top floor.
            other = "__init__"
        same = FLOORS[other] == FLOORS[place]
        assert same or FLOORS[other] < FLOORS[place], (
            f"{name_of(path)} (floor {FLOORS[place]}) imports {name} (floor {FLOORS[other]})"
        )


@each_module
def test_result_is_known_to_api_and_interop_alone(path: Path) -> None:
    if place_of(name_of(path)) in {"result", "api", "interop", "__init__", "__main__"}:
        return
    found = [
        name for name in imports(parse(path), path) if is_private_to(name, "interlace.results.lmm")
    ]
    assert not found, f"{name_of(path)} imports {found}: work on a Fit instead"


@each_module
def test_only_tokens_reads_the_internals_of_formulaic(path: Path) -> None:
    if name_of(path) == "interlace.formula.tokens":
        return
    found = [name for name in imports(parse(path), path) if is_private_to(name, "formulaic.parser")]
    assert not found, f"{name_of(path)} imports {found}"


@each_module
def test_what_is_slow_to_import_is_imported_late(path: Path) -> None:
    early = {name.split(".")[0] for name in imports(at_import_time(parse(path)), path)}
    assert not early & IMPORTED_LATE
    everywhere = imports(parse(path), path)
    slow = [name for name in everywhere if is_private_to(name, "scipy.stats")]
    assert not slow, f"{name_of(path)} imports {slow}: scipy.special has what is needed"


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted(PACKAGE.rglob("*.pyx")), *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)  # fmt: skip
def test_a_file_holds_one_idea(path: Path) -> None:
    if path.relative_to(ROOT).as_posix() not in LARGER_FILES:
        assert path.stat().st_size <= LARGEST_FILE


def test_files_allowed_to_be_larger_exist_and_are_larger() -> None:
    for name in LARGER_FILES:
        assert (ROOT / name).stat().st_size > LARGEST_FILE


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
        ("from ..fit import Fit", {"interlace.models.lmm.Fit"}),
        ("from .. import fit", {"interlace.fit"}),
        ("from . import kernels", {"interlace.linalg.kernels"}),
        ("def f():\n    from ..result import LMMResult", {"interlace.results.lmm.LMMResult"}),
        ("if TYPE_CHECKING:\n    from ..api import fit", {"interlace.api.linear.fit"}),
    ],
)
def test_imports_are_read_wherever_they_stand(source: str, expected: set[str]) -> None:
    assert set(imports(ast.parse(source), PACKAGE / "linalg" / "factor.py")) == expected


def test_late_imports_are_told_from_early_ones() -> None:
    source = (
        "import numpy\nif TYPE_CHECKING:\n    import polars\ndef f():\n    import nlopt\n"
        "class A:\n    import pandas\n    def g(self):\n        import sksparse"
    )
    early = set(imports(at_import_time(ast.parse(source)), PACKAGE / "fit.py"))
    assert early == {"numpy", "pandas"}
