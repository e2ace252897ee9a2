"""Run the R scripts again and compare what they write with what is committed.

Usage: ``python r_parity/compare.py --rscript Rscript [--only ID,ID] [--skip-data]``.
Prints every difference; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

# Optima are polished until they repeat to 1e-9; lmerTest's numerical derivatives to about 1e-5.
TIGHT = 1e-6
NUMERICAL = 1e-4
# Numbers this small in size are rounding: modes and residuals of a singular fit.
FLOOR = 1e-9

# How lme4's optimiser got there, and with what, is kept for the reader only.
NOT_COMPARED = {
    "versions",
    "default",
    "curvature",
    "scaled_gradient",
    "restart_spread",
    "default_evaluations",
    "messages",
    "reported_log_likelihood",
    "gradient",
    "difference",
    "nlme",
    "ordinal",
    "polr",
}
# Derivatives by differences.
LOOSE = frozenset({"satterthwaite"})
# Of generalised models: Hessians by differences of deviances, and another package's optimiser.
GLMM_LOOSE = frozenset({"glmmTMB", "se", "vcov", "se_log", "se_zeta", "population_se"})
# Of models with several predictors: Hessians by differences of gradients, and what rests on them.
SEVERAL_LOOSE = frozenset({"se", "vcov", "se_psi", "se_fit", "full_sd_modes"})
BY_DIFFERENCES = ("several", "ordinal", "structures", "residual")
# Folder of references -> script that writes it.
SCRIPTS = {
    "lmm": "lmm.R", "glmm": "glmm.R", "glm": "glm.R", "several": "several.R",
    "ordinal": "ordinal.R", "structures": "structures.R", "residual": "residual.R",
}  # fmt: skip
# Several values of these give the same covariance matrix, or several matrices the same likelihood.
NOT_IDENTIFIED = {"theta", "terms"}


def read(path: Path) -> Any:
    """Lines of a CSV file, gzipped or not, or the content of a JSON file."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    text = content.decode("utf-8")
    return json.loads(text) if path.suffix == ".json" else text.splitlines()


def differences(
    old: Any,
    new: Any,
    where: str = "",
    tolerance: float = TIGHT,
    skip: frozenset[str] = frozenset(),
    loose: frozenset[str] = LOOSE,
) -> Iterator[str]:
    """Lines that say what differs between two contents of a JSON file."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted((old.keys() | new.keys()) - NOT_COMPARED - skip):
            if key not in old or key not in new:
                yield f"{where}/{key}: only in the {'new' if key in new else 'committed'} file"
                continue
            bar = NUMERICAL if key in loose else tolerance
            yield from differences(old[key], new[key], f"{where}/{key}", bar, skip, loose)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new)):
            yield from differences(a, b, f"{where}[{i}]", tolerance, skip, loose)
    elif _number(old) and _number(new):
        if not math.isclose(old, new, rel_tol=tolerance, abs_tol=FLOOR):
            yield f"{where}: {old!r} committed, {new!r} now"
    elif old != new:
        yield f"{where}: {old!r} committed, {new!r} now"


def _number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def compare_files(committed: Path, fresh: Path) -> Iterator[str]:
    """Lines that say what differs between two files."""
    if not committed.exists() or not fresh.exists():
        yield f"{committed}: only {'committed' if committed.exists() else 'made now'}"
        return
    old, new = read(committed), read(fresh)
    skip: frozenset[str] = frozenset()
    loose = LOOSE
    if isinstance(old, dict) and old.get("identified") is False:
        skip = frozenset(NOT_IDENTIFIED)
    elif isinstance(old, dict) and old.get("singular"):
        skip = frozenset({"theta"})
    if isinstance(old, dict) and "fits" in old:
        loose = GLMM_LOOSE
        if any(fit["singular"] for fit in old["fits"].values()):
            skip = frozenset({"theta", "glmmTMB"})
    if isinstance(old, dict) and committed.parent.name in BY_DIFFERENCES:
        loose = SEVERAL_LOOSE
        if "edge" in old:  # a variance estimated as 0 is where the search stopped
            skip = frozenset({"theta", "theta_disp", "terms", "vcov", "se", "se_fit"})
    name = committed.relative_to(HERE.parent)
    for line in differences(old, new, skip=skip, loose=loose):
        yield f"{name}{line}"


def run(rscript: str, script: str, *arguments: str) -> None:
    """Run one of the R scripts of this folder with one BLAS thread in a UTF-8 locale."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    command = [rscript, str(HERE / script), *arguments]
    subprocess.run(command, check=True, env=environment)


def main() -> int:
    """Make everything anew in a temporary folder; 1 if something differs, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rscript", default="Rscript", help="the Rscript program")
    parser.add_argument("--only", default="", help="ids of models, separated by commas")
    parser.add_argument("--skip-data", action="store_true", help="leave the data sets out")
    options = parser.parse_args()
    found: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        fresh = Path(name)
        chosen = set(options.only.split(",")) if options.only else set()
        pairs = []
        for kind, script in SCRIPTS.items():
            folder = Path("references") / kind
            committed = {p.stem for p in (HERE / folder).glob("*.json")}
            wanted = committed & chosen if chosen else committed
            if not wanted:
                continue
            only = ",".join(sorted(wanted)) if chosen else ""
            run(options.rscript, script, "--out", name, "--only", only)
            names = wanted | {p.stem for p in (fresh / folder).glob("*.json")}
            names_of = (f"{id}.json" for id in sorted(names))
            pairs += [(HERE / folder / n, fresh / folder / n) for n in names_of]
        if (fresh / "data").exists():
            pairs += [(p, fresh / "data" / p.name) for p in sorted((HERE / "data").iterdir())]
        if not chosen:
            run(options.rscript, "lmm_tests.R", "--out", name)
            tests = Path("references") / "lmm_tests.json"
            pairs.append((HERE / tests, fresh / tests))
        if not options.skip_data:
            run(options.rscript, "export_data.R", "--out", str(fresh / "packages"))
            data = HERE.parent / "data"
            pairs += [(p, fresh / "packages" / p.name) for p in sorted(data.iterdir())]
        for old, new in pairs:
            found += compare_files(old, new)
    print("\n".join(found) if found else f"{len(pairs)} files agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
