"""Random models against independent evidence: ``python tests/behaviour/fuzz.py --help``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import checks  # noqa: E402
from known import KNOWN  # noqa: E402
from random_models import draw  # noqa: E402

BATCH = 8


def batch(seeds: list[int], thorough: bool) -> list[tuple[int, str, str, list, float]]:
    """Seed, verdict, how to make it again, failures, seconds."""
    outcomes, seconds = [], []
    for seed in seeds:
        clock = time.perf_counter()
        outcomes.append(checks.examine(draw(seed), thorough))
        seconds.append(time.perf_counter() - clock)
    if thorough:
        found = {o.model.seed: o for o in outcomes}
        for seed, failure in checks.together(outcomes):
            found[seed].failures.append(failure)
    return [
        (o.model.seed, o.verdict, o.model.reproduce, o.failures, s)
        for o, s in zip(outcomes, seconds, strict=True)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--seed", type=int, action="append", help="these seeds alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="the verdict's checks alone")
    parser.add_argument("--r", action="store_true", help="against lme4 and glmmTMB instead")
    options = parser.parse_args()
    seeds = options.seed or list(range(options.start, options.start + options.models))
    if options.r:
        import in_r

        absent = in_r.available()
        if absent:
            print(f"not compared with R: {absent}")
            return 0
        return int(in_r.compare(seeds) > 0)
    batches = [seeds[i : i + BATCH] for i in range(0, len(seeds), BATCH)]
    clock = time.perf_counter()
    verdicts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    slowest: list[tuple[float, int]] = []
    bad = expected = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(batch, b, not options.quick) for b in batches]
        for job in jobs:
            for seed, verdict, words, failures, seconds in job.result():
                verdicts[verdict] += 1
                slowest.append((round(seconds, 2), seed))
                if failures:
                    known = KNOWN.get(seed, "")
                    bad, expected = bad + (not known), expected + bool(known)
                    mark = f" (known: {known})" if known else ""
                    print(f"\nseed {seed}: {verdict}{mark}\n    {words}")
                    for kind, text in failures:
                        kinds[kind] += 1
                        print(f"  * {kind}: {text}", flush=True)
    print(f"\n{len(seeds)} models in {time.perf_counter() - clock:.0f} s: {dict(verdicts)}")
    if expected:
        print(f"known faults of {expected} models, see known.py")
    print("slowest", sorted(slowest, reverse=True)[:5])
    print(f"failures of {bad} models: {dict(kinds)}" if bad else "all checks passed")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
