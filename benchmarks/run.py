"""Side by side: interlace, lme4 and the compiled Python peers, on one machine in one run.

Each (system, task, number of BLAS threads) runs in a process of its own, systems in turn; the
peers count at the better of 1 and 2 threads.  What is missing (R, a peer) is left out and said.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from tasks import TASKS, Task  # noqa: E402

SYSTEMS = ["interlace", "lme4", "glmm", "mixedlm"]
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def environment(threads: int) -> dict[str, str]:
    """This process's environment with BLAS held to a number of threads."""
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def available(systems: list[str]) -> list[str]:
    """Those of the systems that are installed here."""
    out = []
    for system in systems:
        found = shutil.which("Rscript") if system == "lme4" else importlib.util.find_spec(system)
        if found:
            out.append(system)
        else:
            print(f"{system}: not installed, left out")
    return out


def timed(system: str, task: Task, threads: int, limit: float) -> dict | None:
    """Run one worker; None if it fails, ``{"timeout": limit}`` if it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "worker.py"), system, task.name]
        if system == "lme4":
            command = lme4_command(task, Path(folder))
        try:
            done = subprocess.run(
                command, env=environment(threads), capture_output=True, text=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            return {"timeout": limit}
    if done.returncode:
        print(f"  {system} on {task.name}: {done.stderr.strip().splitlines()[-1:]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def lme4_command(task: Task, folder: Path) -> list[str]:
    """Write the frame for R and the command that times lmer on it."""
    import pandas as pd
    from worker import frame

    data = frame(task)
    if task.data.startswith("simulated:"):
        data = data.assign(g=data["g"].astype(str))
    kinds = [
        "ordered" if getattr(data[c].dtype, "ordered", False)
        else "factor" if isinstance(data[c].dtype, pd.CategoricalDtype) or c == "g"
        else "number"
        for c in data
    ]
    path = folder / "data.csv"
    data.to_csv(path, index=False)
    small = task.repeats >= 20
    repeats = min(task.repeats, 7 if small else 3)
    if task.name == "1e6 rows":
        repeats = 1
    return [
        "Rscript", str(HERE / "worker.R"), str(path), task.formula, str(repeats),
        task.kind, "20" if small else "1", ",".join(kinds),
    ]


def better(runs: list[dict | None]) -> dict | None:
    """The run with the smallest median; a timeout only if nothing ended."""
    ended = [r for r in runs if r and "median" in r]
    if ended:
        return min(ended, key=lambda r: r["median"])
    return next((r for r in runs if r), None)


def shown(run: dict | None) -> str:
    """Milliseconds, or what happened."""
    if run is None:
        return "-"
    if "timeout" in run:
        return f"> {run['timeout']:.0f} s"
    ms = run["median"] * 1e3
    return f"{ms:.3g} ms" if ms < 1000 else f"{ms / 1e3:.3g} s"


def ratio(run: dict | None, ours: dict) -> str:
    """How many times longer than ours."""
    if run is None or "median" not in ours:
        return "-"
    sign, seconds = ("> ", run["timeout"]) if "timeout" in run else ("", run["median"])
    return f"{sign}{seconds / ours['median']:.3g}"


def table(results: dict[str, dict[str, dict | None]], systems: list[str]) -> str:
    """Markdown: medians, ratios to interlace, criteria, memory."""
    peers = [s for s in systems if s != "interlace"]
    head = ["task", "interlace", *peers, *(f"{p} / ours" for p in peers), "criterion - lme4's",
            "growth, MB", "growth / columns"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for task, runs in results.items():
        ours = runs.get("interlace") or {}
        lme4 = runs.get("lme4") or {}
        known = ours.get("criterion") is not None and lme4.get("criterion") is not None
        difference = f"{ours['criterion'] - lme4['criterion']:.1e}" if known else "-"
        memory = [f"{ours[k]:.3g}" if k in ours else "-" for k in ("growth_mb",
                                                                  "growth_in_columns")]
        cells = [task, *(shown(runs.get(s)) for s in ["interlace", *peers]),
                 *(ratio(runs.get(p), ours) for p in peers), difference, *memory]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def first_use(repeats: int = 7) -> str:
    """Import time against pandas and scipy.sparse.linalg, and the first fit, in new processes."""
    import statistics

    base = "import pandas, scipy.sparse.linalg"
    programs = {
        "base": f"t = time.perf_counter()\n{base}\nprint(time.perf_counter() - t)",
        "import": "t = time.perf_counter()\nimport interlace\nprint(time.perf_counter() - t)",
        "first fit": "import interlace as il\ns = il.load_dataset('sleepstudy')\n"
        "t = time.perf_counter()\nil.fit('Reaction ~ Days + (Days | Subject)', s)\n"
        "print(time.perf_counter() - t)",
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, program in programs.items():
            out = subprocess.run([sys.executable, "-c", "import time\n" + program],
                                 capture_output=True, text=True, check=True, env=environment(1))
            seconds[name].append(float(out.stdout))
    m = {name: statistics.median(values) for name, values in seconds.items()}
    return (
        f"`{base}`: {m['base']:.3f} s; `import interlace`: {m['import']:.3f} s "
        f"({m['import'] / m['base']:.2f}); first sleepstudy fit: {m['first fit'] * 1e3:.1f} ms "
        f"({m['first fit'] / m['base']:.3f})"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="*", help="names or parts of names; default: all")
    parser.add_argument("--systems", nargs="*", default=SYSTEMS)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one worker")
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    arguments = parser.parse_args()
    systems = available(arguments.systems)
    wanted = [t for t in TASKS if not arguments.tasks or any(p in t.name for p in arguments.tasks)]
    results: dict[str, dict[str, dict | None]] = {}
    for task in wanted:
        results[task.name] = {}
        for system in systems:
            runs = []
            for threads in (1, 2):
                run = timed(system, task, threads, arguments.limit)
                runs.append(run)
                if run is None or "timeout" in run or run.get("median", 0) > arguments.limit / 4:
                    break
            results[task.name][system] = better(runs)
        print(task.name, {s: shown(r) for s, r in results[task.name].items()}, flush=True)
    text = table(results, systems) + "\n\n" + first_use()
    print("\n" + text)
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1))
        arguments.out.with_suffix(".md").write_text(text + "\n")


if __name__ == "__main__":
    main()
