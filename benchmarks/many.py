"""Many responses at once: `refit_many` against refits one by one, wall and processor time.

python benchmarks/many.py [--workers 1 2] [--rounds 5]

The smallest time of the rounds counts; bars are those of two processors that nobody else uses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

#: Formula, data, arguments, responses, seconds allowed.
TASKS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", {}, 10_000, 0.6),
    "cbpp": ("incidence / size ~ period + (1 | herd)", {"family": "binomial"}, 1_000, 0.5),
}
#: Refits one by one are timed on so many responses.
FEW = 100


def seconds(call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """The smallest wall and processor times of some rounds."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        wall, own = time.perf_counter(), time.process_time()
        call()
        spent = time.perf_counter() - wall, time.process_time() - own
        best = [min(a, b) for a, b in zip(best, spent, strict=True)]
    return best[0], best[1]


def main(workers: list[int], rounds: int) -> None:
    import interlace as il

    print("| task | responses | how | wall s | processor s | bar s |")
    print("|---|---|---|---|---|---|")
    for name, (formula, arguments, count, bar) in TASKS.items():
        door = il.glmer if arguments else il.fit
        m = door(formula, il.load_dataset(name), **arguments)
        Y = m.simulate(count, seed=1)
        m.refit_many(Y.iloc[:, :10])
        columns = [Y.iloc[:, i] for i in range(FEW)]
        single = seconds(lambda m=m, columns=columns: [m.refit(y) for y in columns], rounds)
        row(name, count, "refit, one by one", [s * count / FEW for s in single], None)
        for k in workers:
            many = seconds(lambda m=m, Y=Y, k=k: m.refit_many(Y, workers=k), rounds)
            row(name, count, f"refit_many, workers={k}", many, bar)
            drawn = seconds(lambda m=m, k=k, n=count: m.simulate_refit(n, workers=k), rounds)
            row(name, count, f"simulate_refit, workers={k}", drawn, None)


def row(name: str, count: int, how: str, spent: Any, bar: float | None) -> None:
    """One line of the table."""
    wall, own = spent
    print(f"| {name} | {count} | {how} | {wall:.3f} | {own:.3f} | {'' if bar is None else bar} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    main(chosen.workers, chosen.rounds)
