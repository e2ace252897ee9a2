"""A generalised model of 1e7 rows: in memory with two threads, and by two workers of Dask.

python benchmarks/parts.py write FOLDER [--rows 1e7] [--levels 2e5] [--scattered]
python benchmarks/parts.py fit FOLDER --by memory|threads|files|frame|rows [--partitions 2]

`memory` fits a pandas frame; `threads` and `files` have the Parquet files read by threads of this
process and by Dask's workers, `frame` is a Dask data frame, and `rows` a pandas frame that is sent
to the workers. Files have ranges of levels, or with `--scattered` levels in no order. Each fit is a
process of its own, since the peak is that of the process.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

FORMULA = "y ~ a + b + c + d + (1 | g)"
FILES = 16
WORKERS = 2


class Used(NamedTuple):
    """Processor time of a process in seconds, and its peak in GB."""

    seconds: float
    peak: float


def used() -> Used:
    """What this process has used."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Used(time.process_time(), peak)


def write(folder: Path, rows: int, levels: int, scattered: bool) -> None:
    """Bernoulli responses of levels with about as many rows each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    g = rng.integers(0, levels, rows).astype(np.int32)
    g = g if scattered else np.sort(g)
    X = rng.standard_normal((rows, 4))
    eta = -0.3 + X @ [0.5, -0.2, 0.1, 0.3] + rng.normal(0.0, 0.7, levels)[g]
    d = pd.DataFrame(X, columns=list("abcd"))
    d["g"] = g
    d["y"] = (rng.random(rows) < 1.0 / (1.0 + np.exp(-eta))).astype(np.int8)
    file = np.arange(rows) % FILES if scattered else g.astype(np.int64) * FILES // levels
    for i, own in d.groupby(file):
        own.to_parquet(folder / f"{i:02d}.parquet", index=False)


def fit(folder: Path, by: str, partitions: int) -> None:
    """Fit once and print what it took."""
    import interlace as il

    files: Any = f"{folder}/*.parquet"
    clock = time.perf_counter()
    data = pd.read_parquet(folder) if by in ("memory", "rows") else files
    reading = time.perf_counter() - clock
    if by in ("memory", "threads"):
        told(il, data, reading, {"partitions": partitions}, None)
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, memory_limit="10GB") as cluster,
        Client(cluster) as client,
    ):
        if by == "frame":
            import dask.dataframe

            data = dask.dataframe.read_parquet(folder)
        told(il, data, reading, {"partitions": partitions, "executor": client}, client)


def told(il: Any, data: Any, reading: float, engine: dict[str, Any], client: Any) -> None:
    """Fit and print."""
    before = {} if client is None else client.run(used)
    own, wall = used(), time.perf_counter()
    m = il.glmer(FORMULA, data, "binomial", **engine)
    wall = time.perf_counter() - wall
    here = used()
    print(f"wall {wall:.1f} s after {reading:.1f} s of reading")
    print(f"this process: {here.seconds - own.seconds:.1f} s of processor, peak {here.peak:.2f} GB")
    for name, now in ({} if client is None else client.run(used)).items():
        taken = now.seconds - before[name].seconds
        print(f"worker: {taken:.1f} s of processor, peak {now.peak:.2f} GB")
    print(f"logLik {m.llf!r}, {m.fe_params.to_dict()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("write")
    made.add_argument("folder", type=Path)
    made.add_argument("--rows", type=float, default=1e7)
    made.add_argument("--levels", type=float, default=2e5)
    made.add_argument("--scattered", action="store_true")
    fitted = commands.add_parser("fit")
    fitted.add_argument("folder", type=Path)
    ways = ["memory", "threads", "files", "frame", "rows"]
    fitted.add_argument("--by", choices=ways, required=True)
    fitted.add_argument("--partitions", type=int, default=WORKERS)
    given = parser.parse_args()
    if given.command == "write":
        write(given.folder, int(given.rows), int(given.levels), given.scattered)
    else:
        fit(given.folder, given.by, given.partitions)


if __name__ == "__main__":
    main()
