"""What is installed is what the repository holds, and every public name is documented."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import interlace

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = [name for name in interlace.__all__ if not name.startswith("__")]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(interlace.__path__, "interlace.")
    if not module.name.endswith(("__main__", "._memoryviews"))  # the latter is Cython's own
)

# `import interlace` must not pay for what a fit may never need.
NOT_AT_IMPORT = (
    *("polars", "pyarrow", "matplotlib", "sksparse", "nlopt", "threadpoolctl"),
    *("scipy.stats", "scipy.special", "scipy.optimize", "scipy.interpolate"),
)


def start_python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    # -P: without it the source tree, the working directory, would come before what is installed.
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def run_python(*arguments: str) -> str:
    process = start_python(*arguments)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def installed_files() -> set[str]:
    """Paths below interlace/ of what the installed distribution brought."""
    try:
        files = distribution("interlace").files
    except PackageNotFoundError:
        pytest.skip("interlace is on the path, but not installed")
    assert files is not None
    return {
        path.as_posix().removeprefix("interlace/")
        for path in files
        if path.parts[0] == "interlace" and "__pycache__" not in path.parts
    }


def sources(folder: str, *endings: str) -> set[str]:
    """What the build takes from a folder, by the build's own list."""
    return set(
        run_python(str(ROOT / "tools/list_sources.py"), str(ROOT / folder), *endings).split()
    )


def test_every_module_and_data_set_is_installed(installed_files: set[str]) -> None:
    assert sources("interlace", ".py", ".pyi", ".typed") <= installed_files
    data = sources("data", ".csv", ".csv.gz", ".json", ".md")
    assert "sleepstudy.csv" in data
    assert {f"_data/{name}" for name in data} <= installed_files


def test_every_kernel_is_installed_compiled(installed_files: set[str]) -> None:
    kernels = sources("interlace", ".pyx")
    assert kernels
    compiled = {
        path.rpartition("/")[2].partition(".")[0]
        for path in installed_files
        if path.endswith((".so", ".pyd"))
    }
    # and what they share, which has no source: Cython writes it
    assert {"_memoryviews", *(Path(name).stem for name in kernels)} == compiled


def test_nothing_else_is_installed(installed_files: set[str]) -> None:
    assert {Path(name).suffix for name in installed_files} <= {
        *(".py", ".pyi", ".typed", ".so", ".pyd", ".csv", ".gz", ".md", ".json"),
    }


def test_version_is_that_of_the_distribution(installed_files: set[str]) -> None:
    assert interlace.__version__ == distribution("interlace").version


def test_import_is_cheap() -> None:
    """Counted are modules, which are the same on every machine; and pandas imports some itself."""
    report = f"; print(*[m for m in {NOT_AT_IMPORT} if m in sys.modules])"
    needed = run_python("-c", "import sys, pandas, scipy.sparse.linalg" + report).split()
    ours = run_python("-c", "import sys, interlace" + report).split()
    assert set(ours) <= set(needed)
    assert "scipy.stats" not in needed


def test_demo_runs() -> None:
    printed = run_python("-m", "interlace", "demo")
    # lme4: fixef(lmer(Reaction ~ Days + (Days | Subject), sleepstudy)) is 251.40510, 10.46729.
    assert "251.405" in printed
    assert "10.467" in printed
    # lme4: fixef(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial)),
    # at its tight optimum, is -1.39853, -0.99233, -1.12867, -1.58031.
    for estimate in ("-1.3985", "-0.9923", "-1.1287", "-1.5803"):
        assert estimate in printed
    assert run_python("-m", "interlace", "--version").strip() == interlace.__version__


def test_command_runs(installed_files: set[str]) -> None:
    command = Path(sysconfig.get_path("scripts")) / "interlace"
    process = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=120)
    assert process.stdout.strip() == interlace.__version__


def test_a_source_tree_that_is_not_built_says_so(tmp_path: Path) -> None:
    compiled = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(ROOT / "interlace", tmp_path / "interlace", ignore=compiled)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = start_python("-c", "import interlace", env=environment)
    assert "The compiled kernels are missing" in process.stderr


def test_names_are_listed_once_and_exist() -> None:
    assert len(set(interlace.__all__)) == len(interlace.__all__)
    assert set(interlace.__all__) <= set(dir(interlace))
    assert callable(interlace.fit), "the function, not the module of the same name"


def sections(text: str) -> set[str]:
    """Titles of the numpydoc sections of a docstring."""
    lines = text.splitlines()
    return {
        title.strip()
        for title, rule in zip(lines, lines[1:], strict=False)
        if rule.strip() and set(rule.strip()) == {"-"}
    }


def undocumented(obj: object) -> list[str]:
    """Parameters that the docstring does not name, in its section on them."""
    text = inspect.getdoc(obj) or ""
    names = [
        name
        for name, parameter in inspect.signature(obj).parameters.items()  # type: ignore[arg-type]
        if name not in {"self", "cls"}
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    listed = [part.split(":")[0] for part in text.splitlines() if not part.startswith(" ")]
    words = {name.strip(" `*") for part in listed for name in part.split(",")}
    return [name for name in names if name not in words]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    obj = getattr(interlace, name)
    text = inspect.getdoc(obj)
    assert text
    if inspect.ismodule(obj) or (inspect.isclass(obj) and issubclass(obj, Exception)):
        return
    assert "Examples" in sections(text)
    assert ">>>" in text
    if inspect.isfunction(obj):
        assert undocumented(obj) == []
        assert "Returns" in sections(text) or inspect.signature(obj).return_annotation == "None"


def public_methods() -> list[tuple[str, str]]:
    classes = [name for name in PUBLIC if inspect.isclass(getattr(interlace, name))]
    return [
        (name, member)
        for name in classes
        if not issubclass(getattr(interlace, name), Exception)
        for member, value in inspect.getmembers(getattr(interlace, name))
        if not member.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property))
        and getattr(value, "__module__", "interlace").startswith("interlace")
    ]


@pytest.mark.parametrize(("owner", "member"), public_methods())
def test_every_public_method_is_documented(owner: str, member: str) -> None:
    value = getattr(getattr(interlace, owner), member)
    assert inspect.getdoc(value)
    if inspect.isfunction(value):
        assert undocumented(value) == []


class Finder(doctest.DocTestFinder):
    """Finds functions under a decorator too, which doctest takes for those of its module."""

    def _from_module(self, module: ModuleType | None, object: object) -> bool:
        if inspect.isfunction(object):
            object = inspect.unwrap(object)
        return super()._from_module(module, object)  # type: ignore[misc]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(verbose=False, optionflags=options)
    for example in Finder().find(module, module.__name__):
        runner.run(example)
    assert runner.failures == 0


def test_examples_of_decorated_functions_are_found() -> None:
    found = {
        example.name for example in Finder().find(importlib.import_module("interlace.api.linear"))
    }
    assert {"interlace.api.linear.fit", "interlace.api.linear.lmer"} <= found
    found = {e.name for e in Finder().find(importlib.import_module("interlace.results.base"))}
    assert "interlace.results.base.ModelResult.conf_int" in found
