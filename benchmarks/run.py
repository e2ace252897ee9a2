"""Time interlace side by side with R and with Python packages, in one run on one machine.

``python benchmarks/run.py --help``; README.md says how it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import first_use
import prepare
import report
from peers import PACKAGES
from tasks import OF_R, SYSTEMS, TASKS, Task

HERE = Path(__file__).resolve().parent
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: Time that a process gets for its start and for reading the data, beyond the cap on a fit.
START_SECONDS = 90.0
#: A fit that takes longer is timed once, without a warm-up.
ONCE_ABOVE = 20.0


@dataclass
class Measured:
    """What one way to fit one task gave: a system, its arguments, its BLAS threads."""

    task: str
    system: str
    variant: str
    threads: int
    samples: list[float] = field(default_factory=list)
    first: float | None = None
    criterion: float | None = None
    peak: float | None = None
    growth: float | None = None
    over: float | None = None
    error: str | None = None

    def take(self, lines: Sequence[dict[str, Any]], once_above: float) -> None:
        """Add what a process told."""
        for line in lines:
            if "first" in line:
                self.first = min(filter(None, (self.first, line["first"])))
                self.criterion = line["criterion"]
                self.peak, self.growth = line["peak"], line["growth"]
                if line["first"] > once_above:
                    self.samples.append(line["first"])
            self.samples += line.get("warm", [])


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int
    repetitions: int
    budget: float
    cap: float
    threads: tuple[int, ...]


def specification(task: Task, stem: str, effort: Effort) -> dict[str, Any]:
    """What a process has to know beside the system."""
    return {
        "stem": stem,
        "kind": task.kind,
        "formula": task.formula,
        "distribution": asdict(task.distribution) if task.distribution else None,
        "repetitions": effort.repetitions,
        "budget": effort.budget,
        "once_above": ONCE_ABOVE,
    }


def command(way: Measured, task: Task, stem: str, effort: Effort) -> list[str]:
    told = specification(task, stem, effort)
    if way.system in OF_R:
        keys = ("stem", "kind", "formula", "repetitions", "budget", "once_above")
        words = [str(told[key]) for key in keys] + [way.system]
        if task.distribution is not None:
            words += [str(value) or "-" for value in asdict(task.distribution).values()]
        elif task.correlation:
            words.append(task.correlation)
        return ["Rscript", str(HERE / "r_side.R"), *words]
    options = PACKAGES[way.system].ways(task)[way.variant]
    own = {"correlation": task.correlation} if task.correlation else {}
    told |= {"system": way.system, "options": {**options, **own}}
    return [sys.executable, str(HERE / "measure.py"), json.dumps(told)]


def run_once(way: Measured, task: Task, stem: str, effort: Effort) -> None:
    """One fresh process, stopped when its first fit lasts longer than the cap."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(way.threads))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command(way, task, stem, effort), stdout=out, stderr=err, env=environment
        )
        try:
            process.wait(effort.cap + START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            way.over = effort.cap
        out.seek(0)
        err.seek(0)
        lines = [json.loads(line) for line in out if line.startswith("{")]
        complaint = err.read().strip().splitlines()
    if process.returncode and way.over is None:
        way.error = complaint[-1] if complaint else f"exit status {process.returncode}"
    if way.over is not None and any("first" in line for line in lines):
        way.over = None
    way.take(lines, ONCE_ABOVE)


def ways(task: Task, systems: Sequence[str], threads: Sequence[int]) -> list[Measured]:
    """Every system with every set of its arguments and number of threads."""
    found = []
    for system in systems:
        if system not in task.systems:
            continue
        variants: Sequence[str] = ("",)
        if system in PACKAGES:
            variants = tuple(PACKAGES[system].ways(task))
        found += [
            Measured(task.name, system, variant, count) for variant in variants for count in threads
        ]
    return found


def measure(task: Task, stem: str, systems: Sequence[str], effort: Effort) -> list[Measured]:
    """Rounds over all ways to fit a task, back and forth; what is slow or fails runs once."""
    found = ways(task, systems, effort.threads)
    for turn in range(effort.rounds):
        for way in found if turn % 2 == 0 else reversed(found):
            slow = way.first is not None and way.first > ONCE_ABOVE
            if way.error or way.over or (turn and slow):
                continue
            run_once(way, task, stem, effort)
            told = way.error or (f"> {way.over:.0f} s" if way.over else report.duration(way.first))
            print(f"  {way.system} {way.variant} {way.threads}: {told}", file=sys.stderr)
    return found


def available(systems: Sequence[str]) -> list[str]:
    """The systems that this machine has; a line for each that it lacks."""
    found = []
    for system in systems:
        if system in OF_R:
            rscript = shutil.which("Rscript")
            check = [rscript or "", "-e", f"library({system})"]
            there = rscript and subprocess.run(check, capture_output=True).returncode == 0
        else:
            there = PACKAGES[system].available()
        if there:
            found.append(system)
        else:
            print(f"skipped: {system} is not installed", file=sys.stderr)
    return found


def load() -> tuple[float, ...]:
    """Load averages, where the system has them."""
    return os.getloadavg() if hasattr(os, "getloadavg") else ()


def surroundings(systems: Sequence[str]) -> dict[str, Any]:
    """Versions, the machine and how busy it is, for the record."""
    versions = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "pandas", *(name for name in systems if name not in OF_R)):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "source checkout"
    of_r = [name for name in systems if name in OF_R]
    if of_r:
        ask = "cat(R.version$major, '.', R.version$minor, ' ', sep='');"
        ask += "cat(basename(extSoftVersion()['BLAS']), '');"
        ask += "".join(f"cat(as.character(packageVersion('{name}')), '');" for name in of_r)
        told = subprocess.run(["Rscript", "-e", ask], capture_output=True, text=True).stdout
        versions |= dict(zip(("R", "BLAS of R", *of_r), told.split()))
    return {
        "versions": versions,
        "machine": platform.machine(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "load": load(),
        "date": time.strftime("%Y-%m-%d"),
    }


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [task.name for task in TASKS] + ["first-use"]
    groups = sorted({task.group for task in TASKS})
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        choices=[*names, *groups],
        help=f"tasks ({', '.join(names)}) or groups ({', '.join(groups)})",
    )
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--quick", action="store_true", help="one round, fits of at most 60 s")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes each (default 3)")
    parser.add_argument("--cap", type=float, default=600.0, help="seconds a fit may take")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of BLAS")
    parser.add_argument("--out", type=Path, help="JSON; a table is written beside it as .md")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    asked = arguments(given)
    effort = Effort(asked.rounds, 25, 2.0, asked.cap, tuple(asked.threads))
    if asked.quick:
        effort = Effort(1, 7, 0.5, min(asked.cap, 60.0), effort.threads)
    wanted = asked.tasks or [task.name for task in TASKS] + ["first-use"]
    tasks = [task for task in TASKS if task.name in wanted or task.group in wanted]
    systems = available(asked.systems)
    results: dict[str, Any] = {"surroundings": surroundings(systems), "tasks": {}}
    with tempfile.TemporaryDirectory(prefix="interlace-bench-") as folder:
        for task in tasks:
            print(task.name, file=sys.stderr)
            data = prepare.write(task, Path(folder))
            found = measure(task, str(data.pop("stem")), systems, effort)
            results["tasks"][task.name] = data | {"ways": [asdict(way) for way in found]}
            keep(results, asked.out)
        if "first-use" in wanted:
            print("first-use", file=sys.stderr)
            task = next(task for task in TASKS if task.name == "sleepstudy")
            stem = str(prepare.write(task, Path(folder))["stem"])
            modules = {name: PACKAGES[name].module for name in systems if name in PACKAGES}
            results["first use"] = first_use.measure(modules, task, stem, str(HERE))
    results["load at the end"] = load()
    keep(results, asked.out)
    print(report.markdown(results))
    return 0


def keep(results: dict[str, Any], path: Path | None) -> None:
    """Write what there is so far, so that a run that is stopped leaves what it measured."""
    if path is not None:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(report.markdown(results), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
