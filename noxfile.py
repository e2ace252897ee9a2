"""The checks of the repository: ``python -m nox -s NAME``; ``python -m nox -l`` lists them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests", "docs"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")
TEST_ENVIRONMENT = {
    "INTERLACE_TEST_INSTALLED": "1",
    # Python processes that tests start must not find the source tree in the working directory.
    "PYTHONSAFEPATH": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# A process for each core; fits that the tests of one file share are made once.
SIDE_BY_SIDE = ["-n", "auto", "--dist", "loadfile"]

#: Examples of the site's pages: `docs` runs them when it builds the site, warnings as errors too.
BUILT = ["--deselect", "tests/test_documents.py::test_blocks_run_and_print_what_is_shown[docs/"]

#: Tests that have another subject than the factorisation of M: they run once, without CHOLMOD.
RUN_ONCE = [
    *(f"tests/{folder}" for folder in ("covariance", "design", "families", "formula", "frames")),
    *(f"tests/{name}" for name in ("plots", "tables", "test_documents.py", "test_house.py")),
    *(f"tests/inference/test_{name}.py" for name in ("bootstrap", "pb_modcomp", "power")),
    *(f"tests/inference/test_{name}.py" for name in ("multiplicity", "normal_nodes", "predictive")),
    *(f"tests/results/test_{name}.py" for name in ("ordinal", "ordinal_references")),
    *(f"tests/{name}" for name in ("interop", "r_language", "objective/partitioned")),
    *(f"tests/{name}.py" for name in ("models/test_lmm_summed", "optimize/test_watch")),
    *(f"tests/{name}.py" for name in ("inference/test_forecast", "behaviour/test_executors")),
    *(f"tests/behaviour/parity/test_{name}.py" for name in ("ordinal", "residual", "structures")),
    *(f"tests/behaviour/{name}" for name in ("bad_input", "test_wrong_kinds.py")),
    *(f"tests/behaviour/test_{name}.py" for name in ("other_names", "public_methods")),
    *(f"tests/objective/{name}/test_series.py" for name in ("linear", "generalised")),
    *(f"tests/models/test_{name}.py" for name in ("family_limits", "separation")),
    *(f"tests/{name}.py" for name in ("test_datasets", "test_package", "test_packaging")),
    *(f"tests/{name}.py" for name in ("api/test_glm", "diagnostics/test_laplace_error")),
    # of random models those that are fitted by every way there is run twice
    "tests/behaviour/test_random_models.py::test_verdict_is_true",
]


@cache
def wheel_folder() -> Path:
    """One folder for the wheel of this run: it is built once, however many sessions use it."""
    return Path(tempfile.mkdtemp(prefix="interlace-wheel-"))


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """Install the package as users get it, from a wheel, with dependency groups and extras."""
    folder = wheel_folder()
    if not any(folder.glob("*.whl")):
        session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), ".")
    (wheel,) = folder.glob("*.whl")
    session.install(f"{wheel}[{extras}]" if extras else str(wheel), *dependencies(*groups))


def dependencies(*groups: str) -> list[str]:
    return nox.project.dependency_groups(PROJECT, *groups) if groups else []


@nox.session
def demo(session: nox.Session) -> None:
    """Install into a fresh environment and fit a first model."""
    install(session)
    session.run("interlace", "demo")


@nox.session
@nox.parametrize("cholmod", [nox.param(False, id="without-cholmod"), nox.param(True, id="cholmod")])
def tests(session: nox.Session, cholmod: bool) -> None:
    """The test suite on the installed package, without CHOLMOD; with it where M is factorised."""
    env = dict(TEST_ENVIRONMENT)
    required = bool(os.environ.get("CI")) or os.environ.get("INTERLACE_REQUIRE_CHOLMOD") == "1"
    install(session, "test")
    if cholmod:
        if not install_cholmod(session):
            advice = "CHOLMOD could not be installed: see README.md, section CHOLMOD"
            session.error(advice) if required else session.skip(advice)
        env["INTERLACE_REQUIRE_CHOLMOD"] = "1"
    left_out = [left_out_by(place) for place in RUN_ONCE] if cholmod else []
    session.run("pytest", *SIDE_BY_SIDE, *BUILT, *left_out, *session.posargs, env=env)


def left_out_by(place: str) -> str:
    return f"--deselect={place}" if "::" in place else f"--ignore={place}"


def install_cholmod(session: nox.Session) -> bool:
    """Install scikit-sparse, which is built against the system's SuiteSparse; whether it worked."""
    try:
        session.install(*PROJECT["project"]["optional-dependencies"]["cholmod"])
    except nox.command.CommandFailed:
        return False
    return True


@nox.session
def fuzz(session: nox.Session) -> None:
    """Random models against dense criteria, every way of fitting them; ``-- --r`` against R too."""
    install(session, "test")
    chosen = session.posargs or ["--models", "1000"]
    session.run("python", "tests/behaviour/fuzz.py", *chosen, env=TEST_ENVIRONMENT)


@nox.session
def marginaleffects(session: nox.Session) -> None:
    """The adapter for marginaleffects, which needs Polars below 2."""
    install(session, extras="marginaleffects")
    session.install("pytest>=8.2")
    session.run("pytest", "tests/interop", *session.posargs, env=TEST_ENVIRONMENT)


@nox.session
def spark(session: nox.Session) -> None:
    """Linear mixed models of PySpark's data frames, which need Java (default-jre-headless)."""
    if shutil.which("java") is None:
        session.error("java is not on PATH: apt-get install default-jre-headless")
    install(session, "test", extras="spark")
    # what Spark does with its sockets and with pandas is not at issue
    chosen = ["-k", "spark", "-W", "default", *session.posargs]
    session.run("pytest", "tests/models/test_lmm_summed.py", *chosen, env=TEST_ENVIRONMENT)


@nox.session
def oldest(session: nox.Session) -> None:
    """The test suite with the oldest dependencies that pyproject.toml allows.

    Documents are left out: they show how the newest pandas prints.
    """
    install(session, "test")
    required = PROJECT["project"]["dependencies"]
    session.install(*(re.sub(r">=([\d.]+).*", r"==\1", text) for text in required))
    chosen = session.posargs or ["--ignore", "tests/test_documents.py"]
    session.run("pytest", *SIDE_BY_SIDE, *chosen, env=TEST_ENVIRONMENT)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format and types."""
    session.install(*dependencies("lint"), *PROJECT["project"]["dependencies"])
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The site: a broken link, an example that fails, a docstring that cannot be read is an error.

    Examples are run on the installed package.
    """
    build_site(session)


@nox.session
def site(session: nox.Session) -> None:
    """Every page in Chromium, narrow and wide, light and dark; ``-- --shots FOLDER``."""
    if missing := [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]:
        advice = "apt-get install chromium chromium-driver"
        session.skip(f"{' and '.join(missing)} not found: {advice}")
    build_site(session)
    session.run("python", "tools/browse_site.py", "site", *session.posargs)


def build_site(session: nox.Session) -> None:
    """Build the site into ``site/`` and check its files."""
    install(session, "docs", extras="plots,polars,duckdb,dask,tables")
    env = {**TEST_ENVIRONMENT, "NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", env=env)
    session.run("python", "tools/check_site.py", "site")


@nox.session
def bench(session: nox.Session) -> None:
    """Side-by-side timings; see benchmarks/README.md."""
    install(session, extras="bench")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def r_parity(session: nox.Session) -> None:
    """Compare with R itself; needs Rscript and the packages that r_parity/README.md names."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        session.error("Rscript is not on PATH; the stored references are checked by `tests`")
    install(session)
    session.run("python", "r_parity/compare.py", "--rscript", rscript, *session.posargs)
