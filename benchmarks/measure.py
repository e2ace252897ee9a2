"""Time one package on one task in this process; one JSON object a line on standard output.

``python measure.py SPECIFICATION`` with a JSON text of the keys that `run.specification` gives.
The lines are ``{"ready": …}`` before the first fit, ``{"first": …}`` after it, and ``{"warm": …}``.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

#: A sample lasts at least this long: shorter fits are timed several at a time.
SAMPLE_SECONDS = 0.02
#: The median of fewer hides or shows one that had to ask the system for memory.
LEAST_SAMPLES = 3
MB = 1e6


def peak_memory() -> float:
    """Largest resident size of this process so far, MB.

    ru_maxrss survives exec on Linux, so that a small process started by a large one would report
    the size of its parent; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def resident_memory() -> float:
    """Resident size of this process now, MB; the largest so far where it is not known."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    return peak_memory()


def tell(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def seconds(call: Callable[[], Any], times: int = 1) -> tuple[float, Any]:
    """Time per call, and what the last one gave."""
    result = None
    start = perf_counter()
    for _ in range(times):
        result = call()
    return (perf_counter() - start) / times, result


def warm_samples(
    call: Callable[[], Any], first: float, specification: dict[str, Any]
) -> list[float]:
    """Times per call after a warm-up, as many as the budget of seconds allows."""
    if first > specification["once_above"]:
        return []
    estimate, _ = seconds(call)
    batch = max(1, math.ceil(SAMPLE_SECONDS / max(estimate, 1e-6)))
    samples = [] if batch > 1 else [estimate]
    spent = estimate
    while len(samples) < specification["repetitions"] and (
        len(samples) < LEAST_SAMPLES or spent < specification["budget"]
    ):
        sample, _ = seconds(call, batch)
        samples.append(sample)
        spent += sample * batch
    return samples


def workload(
    package: Any, frame: Any, specification: dict[str, Any]
) -> tuple[Callable[[], Any], Callable[[Any], float], int]:
    """What is timed, the criterion of what it gives, and how many fits it is."""
    import pandas as pd

    formula, kind, options = (specification[key] for key in ("formula", "kind", "options"))
    generalised = specification["distribution"]
    if generalised:
        options = package.arguments(generalised, frame) | options
    if kind == "refit":
        new = pd.read_pickle(specification["stem"] + ".responses.pickle")
        responses = [column.to_numpy() for _, column in new.items()]
        first = package.arguments(generalised, frame) if generalised else {}
        model = package.fit(formula, frame, **first)

        def refits() -> Any:
            found = []
            for refitted in package.refit_all(model, frame, responses, **options):
                if generalised:
                    package.standard_errors(refitted)
                found.append(package.criterion(refitted))
            return found

        return refits, sum, len(responses)

    def fit() -> Any:
        model = package.fit(formula, frame, **options)
        if generalised:
            package.standard_errors(model)
        if kind == "p-values":
            package.p_values(model)
        return model

    return fit, package.criterion, 1


def main(specification: dict[str, Any]) -> None:
    import pandas as pd
    from peers import PACKAGES

    warnings.simplefilter("ignore")
    package = PACKAGES[specification["system"]]()
    frame = pd.read_pickle(specification["stem"] + ".pickle")
    call, criterion, per = workload(package, frame, specification)
    before = resident_memory()
    tell(ready=True)
    first, result = seconds(call)
    tell(
        first=first / per,
        criterion=float(criterion(result)),
        peak=peak_memory(),
        growth=peak_memory() - before,
    )
    del result
    tell(warm=[sample / per for sample in warm_samples(call, first, specification)])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
