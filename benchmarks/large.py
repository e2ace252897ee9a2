"""Linear mixed models of Parquet files by their engines: wall and processor time, peak memory.

python benchmarks/large.py write FOLDER --rows 2e7 --levels 1e6 [--crossed 1e3]
python benchmarks/large.py fit FOLDER --engine polars|duckdb|memory [--formula "y ~ ..."]
python benchmarks/large.py growth FOLDER --levels 1e5 [--engine ...]

Each fit is a process of its own, since the peak is that of the process. `growth` prints a table:
processor time of the sums, which grows with the rows, and of the fit, which does not.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS_AT_ONCE = 1_000_000
GROWTH = (1e6, 3e6, 1e7)
FORMULA = "y ~ x1 + x2 + f + (1 + x1 | g)"


def write(folder: Path, rows: int, levels: int, crossed: int) -> None:
    """Files of a million rows each, levels in no order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    b = rng.standard_normal((levels, 2)) * [1.0, 0.5]
    c = rng.standard_normal(max(crossed, 1))
    for part, start in enumerate(range(0, rows, ROWS_AT_ONCE)):
        n = min(ROWS_AT_ONCE, rows - start)
        g, f = rng.integers(0, levels, n), rng.integers(0, 4, n)
        x1, x2 = rng.standard_normal(n), rng.standard_normal(n) + 5.0
        y = 1.0 + 0.5 * x1 - 0.2 * x2 + np.array([0.0, 0.3, -0.1, 1.0])[f]
        y += b[g, 0] + b[g, 1] * x1 + rng.standard_normal(n)
        columns = {"y": y, "x1": x1, "x2": x2, "f": np.array(list("abcd"))[f], "g": g}
        if crossed:
            columns["h"] = rng.integers(0, crossed, n)
            columns["y"] = y + c[columns["h"]]
        pq.write_table(pa.table(columns), folder / f"part-{part:04d}.parquet")


def data_of(engine: str, folder: Path) -> Any:
    """The files as an engine has them."""
    if engine == "polars":
        import polars as pl

        return pl.scan_parquet(f"{folder}/*.parquet")
    if engine == "duckdb":
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET threads = 2; SET memory_limit = '1GB'")
        return connection.read_parquet(f"{folder}/*.parquet")
    import pandas as pd

    return pd.read_parquet(folder)


def fit(engine: str, folder: Path, formula: str) -> None:
    """Fit once and print what it took."""
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    import interlace as il

    data = data_of(engine, folder)
    wall, cpu = time.perf_counter(), time.process_time()
    m = il.fit(formula, data)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    stages = {name: round(seconds, 2) for name, seconds in m.fit.seconds.items()}
    print(f"{engine}: wall {wall:.1f} s, processor {cpu:.1f} s, peak {peak:.2f} GB, {stages}")
    print(f"logLik {m.llf:.6f}, {m.fe_params.to_dict()}, {m.theta.to_dict()}")


def stages(engine: str, folder: Path, formula: str) -> None:
    """Print processor time of the sums and of the fit from them, in seconds, and the peak in GB."""
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    from interlace.design.summed import build_summed
    from interlace.models.lmm_summed import fit_sums

    data = data_of(engine, folder)
    clock = [time.process_time()]
    design = build_summed(formula, data)
    clock.append(time.process_time())
    fit = fit_sums(design, reml=True)
    clock.append(time.process_time())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(design.n_rows, clock[1] - clock[0], clock[2] - clock[1], peak, len(fit.u[0]))


def growth(engines: list[str], folder: Path, levels: int, formula: str) -> None:
    """A table of rows, engine, processor time of sums and fit, and peak; the same levels."""
    print("| rows | engine | sums, s | s for 1e6 rows | fit, s | peak, GB |")
    print("|---|---|---|---|---|---|")
    for rows in GROWTH:
        own = folder / f"{rows:.0e}-{levels:.0e}"
        if not own.exists():
            write(own, int(rows), levels, 0)
        for engine in engines:
            call = [sys.executable, __file__, "stages", str(own), "--engine", engine]
            done = subprocess.run(
                [*call, "--formula", formula], capture_output=True, text=True, check=True
            )
            n, sums, fitted, peak, _ = map(float, done.stdout.split())
            each = sums / n * 1e6
            cells = f"{n:.0e}", engine, f"{sums:.2f}", f"{each:.2f}", f"{fitted:.2f}", f"{peak:.2f}"
            print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["write", "fit", "stages", "growth"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=float, default=2e7)
    parser.add_argument("--levels", type=float, default=1e6)
    parser.add_argument("--crossed", type=float, default=0)
    parser.add_argument("--engine", default="polars")
    parser.add_argument("--formula", default=FORMULA)
    given = parser.parse_args()
    if given.what == "write":
        write(given.folder, int(given.rows), int(given.levels), int(given.crossed))
    elif given.what == "stages":
        stages(given.engine, given.folder, given.formula)
    elif given.what == "growth":
        growth(given.engine.split(","), given.folder, int(given.levels), given.formula)
    else:
        fit(given.engine, given.folder, given.formula)


if __name__ == "__main__":
    main()
