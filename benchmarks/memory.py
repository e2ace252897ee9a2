"""Memory that a fit in memory takes above its data: the peak, and what the result keeps.

python benchmarks/memory.py [TASK ...]

Each task is a process of its own. X is what the matrix of the fixed part takes in 64-bit numbers. A
task that needs more memory than is free ends with the refusal of the fit, before it is begun.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """Rows, levels of the grouping factors, and a model of them."""

    rows: int
    levels: tuple[int, ...]
    formula: str
    family: str | None = None


ROWS = 10_000_000
TASKS = {
    "linear": Task(ROWS, (100_000,), "y ~ x1 + x2 + f + (1 | g0)"),
    "binomial": Task(ROWS, (100_000,), "z ~ x1 + x2 + f + (1 | g0)", "binomial"),
    "linear, slopes": Task(ROWS, (1_000_000,), "y ~ x1 + x2 + f + (1 + x1 | g0)"),
    "binomial, slopes": Task(ROWS, (1_000_000,), "z ~ x1 + x2 + f + (1 + x1 | g0)", "binomial"),
    "two crossed": Task(ROWS, (100_000, 1_000), "y ~ x1 + x2 + (1 | g0) + (1 | g1)"),
    "three crossed": Task(
        ROWS, (100_000, 10_000, 1_000), "y ~ x1 + x2 + (1 | g0) + (1 | g1) + (1 | g2)"
    ),
}


def data_of(task: Task) -> dict[str, Any]:
    """Columns of rows whose levels are in no order."""
    rng = np.random.default_rng(1)
    d: dict[str, Any] = {f"x{i}": rng.standard_normal(task.rows) for i in (1, 2)}
    d["f"] = rng.integers(0, 4, task.rows) > 1
    eta = 0.4 * d["x1"] - 0.2 * d["x2"] + 0.3 * d["f"]
    for i, levels in enumerate(task.levels):
        d[f"g{i}"] = rng.integers(0, levels, task.rows)
        eta += rng.standard_normal(levels)[d[f"g{i}"]]
    if task.family is None:
        d["y"] = eta + rng.standard_normal(task.rows)
    else:
        d["z"] = (rng.random(task.rows) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
    return d


def held() -> float:
    """Bytes of this process in memory."""
    return float(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> float:
    """The most of them since the last look."""
    lines = Path("/proc/self/status").read_text().splitlines()
    most = next(1024.0 * float(s.split()[1]) for s in lines if s.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return most


def run(name: str) -> None:
    """One task in this process, and a line of the table."""
    import interlace as il

    task = TASKS[name]
    small = task._replace(rows=2_000, levels=tuple(min(n, 40) for n in task.levels))
    fit(il, small)  # imports
    data = data_of(task)
    gc.collect()
    peak()
    before, clock = held(), time.process_time()
    try:
        m = fit(il, task, data)
    except il.TooLargeError as error:
        print(f"| {name} | refused: {error} | | | |", flush=True)
        return
    used, most = time.process_time() - clock, peak() - before
    gc.collect()
    X = m.fit.design.X.nbytes
    print(
        f"| {name} | {X / 1e9:.2f} | {most / 1e9:.2f} ({most / X:.1f} X) | "
        f"{(held() - before) / 1e9:.2f} | {used:.0f} s |",
        flush=True,
    )


def fit(il: Any, task: Task, data: Any = None) -> Any:
    """The fit of a task, of data of its own unless given."""
    data = data_of(task) if data is None else data
    if task.family is None:
        return il.fit(task.formula, data)
    return il.glmer(task.formula, data, task.family)


def main() -> None:
    """All tasks, or those that are named."""
    chosen = sys.argv[1:]
    if len(chosen) == 2 and chosen[0] == "--one":
        run(chosen[1])
        return
    print("| model | X, GB | peak above the data, GB | kept, GB | processor |")
    print("|---|---|---|---|---|", flush=True)
    for name in chosen or TASKS:
        subprocess.run([sys.executable, __file__, "--one", name], check=False)


if __name__ == "__main__":
    main()
