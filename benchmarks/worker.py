"""Time one task in one Python package, in a process of its own; prints one line of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from tasks import TASKS, Task


def simulated(rows: int, groups: int) -> pd.DataFrame:
    """y = 1 + 2 x + b_g0 + b_g1 x + e, groups in random order."""
    rng = np.random.default_rng(1)
    g = rng.integers(0, groups, rows)
    x = rng.normal(size=rows)
    b = rng.normal(size=(groups, 2)) * [1.0, 0.5]
    return pd.DataFrame({"y": 1 + 2 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=rows),
                         "x": x, "g": g})


def frame(task: Task) -> pd.DataFrame:
    """The task's data with only the columns it names."""
    if task.data.startswith("simulated:"):
        return simulated(*map(int, task.data.split(":")[1:]))
    import interlace

    data = interlace.load_dataset(task.data)
    return data[[c for c in data if c in task.formula]]


def caller(system: str, task: Task, data: pd.DataFrame):
    """A function of no arguments that fits once and returns -2 log-likelihood or REML criterion."""
    if system == "interlace":
        import interlace

        if task.kind == "refit":
            m = interlace.fit(task.formula, data)
            draws = responses(m)
            return lambda: m.refit(next(draws)).fit.criterion
        return lambda: interlace.fit(task.formula, data).fit.criterion
    plain = data.copy()
    for name in plain:
        if isinstance(plain[name].dtype, pd.CategoricalDtype):
            plain[name] = plain[name].astype(str)
    plain.columns = [c.replace(".", "_") for c in plain]
    formula = task.formula.replace("Informed.liking", "Informed_liking")
    if system == "glmm":
        import glmm

        if task.kind == "refit":
            import interlace

            draws = responses(interlace.fit(task.formula, data))
            name = task.formula.split("~")[0].strip()

            def refit():
                plain[name] = next(draws)
                return -2.0 * glmm.fit(plain, formula).loglik

            return refit
        return lambda: -2.0 * glmm.fit(plain, formula).loglik
    if system == "mixedlm":
        import mixedlm

        if task.kind == "refit":
            raise NotImplementedError("mixedlm is timed on whole fits")
        return lambda: mixedlm.lmer(formula, plain).deviance
    raise ValueError(system)


def responses(m):
    """Draws from a fit, over and over."""
    draws = m.simulate(100, seed=1).to_numpy().T.copy()
    while True:
        yield from draws


def main() -> None:
    """Arguments: system, task name."""
    warnings.simplefilter("ignore")
    system, name = sys.argv[1:3]
    task = next(t for t in TASKS if t.name == name)
    data = frame(task)
    columns = int(sum(data[c].to_numpy().nbytes if not isinstance(
        data[c].dtype, pd.CategoricalDtype) else data[c].cat.codes.nbytes for c in data))
    call = caller(system, task, data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    criterion = call()
    first = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(task.repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({
        "median": float(np.median(seconds)), "min": min(seconds), "first": first,
        "criterion": None if criterion is None else float(np.squeeze(criterion)),
        "peak_mb": after / 1024, "growth_mb": (after - before) / 1024,
        "growth_in_columns": (after - before) * 1024 / columns,
    }))


if __name__ == "__main__":
    main()
