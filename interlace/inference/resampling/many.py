"""A model fitted to many responses, given or drawn: one row of numbers each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...models.new_response import checked_responses
from ..parameters import parameter_names
from .bootstrap import checked_effects, source_of
from .refits import Refit, Refits, reason_of, refits_of
from .replicates import (
    Outcomes,
    by_threads,
    checked_count,
    checked_workers,
    chunk_of,
    counts,
    replicates,
)

if TYPE_CHECKING:
    from ...models.kinds import AnyFit

__all__ = ["refit_many", "simulate_refit"]

CONVERGED = ("converged", "singular")


def refit_many(
    fit: AnyFit, refit: Refit, responses: Any, workers: int | None, progress: bool | None
) -> pd.DataFrame:
    """One row a response: all parameters, the log-likelihood, the verdict and why it failed."""
    workers = checked_workers(workers)
    labels, Y, errors = checked_responses(fit, responses)
    reasons = ["" if error is None else reason_of(error) for error in errors]
    good = np.flatnonzero([not reason for reason in reasons])
    names = parameter_names(fit)
    own = Outcomes(np.empty((0, len(names) + 1)), [], [])
    if good.size:
        first = refits_of(fit, refit)
        step = min(first.at_once, chunk_of(fit.n))
        jobs = [good[i : i + step] for i in range(0, good.size, step)]

        def work(refits: Refits, rows: np.ndarray) -> Outcomes:
            return refits.of(Y[rows])

        shown = good.size, progress, "refits"
        own = by_threads(lambda: refits_of(fit, refit), first, work, jobs, workers, shown)
    index = pd.RangeIndex(len(Y), name="response") if labels is None else labels
    return _frame(names, Outcomes.spread(len(Y), good, own, reasons), index)


def simulate_refit(
    fit: AnyFit,
    refit: Refit,
    nsim: int,
    use_u: bool | None,
    seed: Any,
    workers: int | None,
    progress: bool | None,
) -> pd.DataFrame:
    """The same of responses that are drawn, those that the bootstrap draws."""
    nsim = checked_count("nsim", nsim)
    use_u = checked_effects(fit, "parametric", use_u)
    make = source_of(fit, refit, "parametric", use_u)
    outcomes = replicates(make, nsim, seed, workers, progress, "refits")
    index = pd.RangeIndex(1, nsim + 1, name="replicate")
    return _frame(parameter_names(fit), outcomes, index)


def _frame(names: list[str], outcomes: Outcomes, index: pd.Index) -> pd.DataFrame:
    out = pd.DataFrame(outcomes.values, columns=[*names, "llf"], index=index)
    out["converged"] = np.isin(outcomes.verdicts, CONVERGED)
    out["verdict"], out["reason"] = outcomes.verdicts, outcomes.reasons
    failures, verdicts = counts(outcomes)
    notes = [f"{count} of {len(out)} refits failed: {why}" for why, count in failures.items()]
    others = {v: c for v, c in verdicts.items() if v not in CONVERGED}
    notes += [f"{count} of {len(out)} refits are {verdict}" for verdict, count in others.items()]
    out.attrs["notes"] = notes
    return out
