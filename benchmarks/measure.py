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
        not samples or spent < specification["budget"]
    ):
        sample, _ = seconds(call, batch)
        samples.append(sample)
        spent += sample * batch
    return samples


def main(specification: dict[str, Any]) -> None:
    import pandas as pd
    from peers import PACKAGES

    warnings.simplefilter("ignore")
    package = PACKAGES[specification["system"]]()
    frame = pd.read_pickle(specification["stem"] + ".pickle")
    formula, options = specification["formula"], specification["options"]
    per = 1
    if specification["kind"] == "refit":
        new = pd.read_pickle(specification["stem"] + ".responses.pickle")
        responses = [column.to_numpy() for _, column in new.items()]
        per = len(responses)
        model = package.fit(formula, frame)

        def call() -> Any:
            return [
                package.criterion(refitted)
                for refitted in package.refit_all(model, frame, responses, **options)
            ]

        criterion: Callable[[Any], float] = sum
    elif specification["kind"] == "p-values":

        def call() -> Any:
            model = package.fit(formula, frame, **options)
            package.p_values(model)
            return model

        criterion = package.criterion
    else:

        def call() -> Any:
            return package.fit(formula, frame, **options)

        criterion = package.criterion
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
