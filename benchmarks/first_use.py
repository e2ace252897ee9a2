"""What a user waits for once a process: the import, and the first fit with what it imports late."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from typing import Any

from tasks import Task

#: Fresh processes for each median, after one that fills the cache of compiled modules.
PROCESSES = 7
REFERENCE = "pandas, scipy.sparse.linalg"

IMPORT = """
from time import perf_counter
start = perf_counter()
import {module}
print(perf_counter() - start)
"""

FIRST_FIT = """
import sys, warnings
from time import perf_counter
sys.path.insert(0, {here!r})
from peers import PACKAGES
import pandas as pd
warnings.simplefilter("ignore")
frame = pd.read_pickle({pickle!r})
package = PACKAGES[{system!r}]()
start = perf_counter()
package.fit({formula!r}, frame)
print(perf_counter() - start)
"""


def run(script: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    return float(done.stdout.split()[-1])


def measure(
    modules: dict[str, str], task: Task, stem: str, here: str, processes: int = PROCESSES
) -> dict[str, Any]:
    """Seconds of imports and first fits, each the median over fresh processes, in turn.

    Parameters
    ----------
    modules : dict
        System to the module to import.
    task : Task
        Of the first fit.
    stem : str
        Where its data are.
    here : str
        The folder of peers.py.
    processes : int
        Of each kind.
    """
    scripts = {"import " + REFERENCE: IMPORT.format(module=REFERENCE)}
    for system, module in modules.items():
        scripts[f"import {system}"] = IMPORT.format(module=module)
        scripts[f"first fit {system}"] = FIRST_FIT.format(
            here=here, pickle=stem + ".pickle", system=system, formula=task.formula
        )
    for name in list(scripts):
        try:
            run(scripts[name])
        except subprocess.CalledProcessError as error:
            print(f"  {name}: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            del scripts[name]
    times: dict[str, list[float]] = {name: [] for name in scripts}
    for turn in range(processes):
        for name in scripts if turn % 2 else reversed(scripts):
            times[name].append(run(scripts[name]))
    return {name: {"median": median(found), "all": found} for name, found in times.items()}
