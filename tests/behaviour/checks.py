"""What must hold of a fit: the same answer by every way, and a true verdict.

Each check yields failures, ``(kind, words)``. ``examine`` runs them on one model; ``together`` runs
fits in threads.

Two fits that both stop within 1e-6 of the minimum of a deviance differ in it by 1e-6, and in each
estimate by two thousandths of a standard error: at t standard errors from the optimum the deviance
is t^2 above it.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import dense
import evidence
import numpy as np
import pandas as pd
from random_models import Model, column

import interlace as il

Failure = tuple[str, str]

SAME_CRITERION = 2e-6
SAME_SHARE = 1e-8
STANDARD_ERRORS = 4e-3
CERTAIN = ("converged", "singular")
#: Dense criteria of more work than this for one value are left to the few models with all checks.
WORK = 2e7
THREADS = 4
#: Responses of one fit that are refitted at once.
REFITS = 3
#: Rows times parameters of a generalised model that BOBYQA always fits.
FEW = 400


@dataclass
class Outcome:
    """What became of a model."""

    model: Model
    result: object = None
    error: Exception | None = None
    failures: list[Failure] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return type(self.error).__name__ if self.error else self.result.fit.optimum.verdict


def attempt(model: Model, **more) -> Outcome:
    """LMMFit, with what it warns of, or the error."""
    out = Outcome(model)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            out.result = model.call(**more)
        except il.errors.InterlaceError as error:
            out.error = error
        except Exception as error:
            out.error = error
            out.failures.append(("foreign error", f"{type(error).__name__}: {error}"))
    foreign = {
        f"{warning.message} ({warning.filename.rpartition('/')[2]}:{warning.lineno})"
        for warning in told
        if not issubclass(warning.category, il.errors.InterlaceWarning)
    }
    out.failures += [("foreign warning", words) for words in sorted(foreign)]
    return out


def examine(model: Model, thorough: bool = True) -> Outcome:
    """All checks of one model."""
    out = attempt(model)
    if out.error is not None:
        out.failures += refused(model, out)
        return out
    fit = out.result.fit
    try:
        problem = model.problem(fit)
    except Exception as error:
        out.failures.append(("harness", f"{type(error).__name__}: {error}"))
        return out
    work = len(problem.y) * sum(t.Z.shape[1] * (t.codes.max() + 1.0) for t in problem.terms) ** 2
    with np.errstate(all="ignore"):
        out.failures += truth(problem, fit, thorough or work < WORK)
    out.failures += again(model, out, thorough)
    if thorough:
        for check in (other_ways, after_pickling, rearranged):
            try:
                out.failures += check(model, out)
            except Exception as error:  # of the package or of the check: the place tells
                place = error.__traceback__
                while place.tb_next:
                    place = place.tb_next
                where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
                out.failures.append(("foreign error", f"{type(error).__name__}: {error} ({where})"))
    return out


def truth(problem: dense.Problem, fit, deep: bool) -> Iterator[Failure]:
    """The verdict against independent evidence."""
    verdict = fit.optimum.verdict
    here = evidence.place(problem, fit)
    gap = here.value - fit.criterion
    bar = 1e-6 + 1e-9 * abs(here.value)
    if problem.family is None:
        # residuals are differences of numbers of the size of y, the criterion n log r^2 of them
        digits = np.finfo(float).eps * np.abs(problem.y - problem.offset).max() / fit.sigma
        bar += 4.0 * len(problem.y) * digits
    agrees = abs(gap) < bar
    if verdict in CERTAIN or verdict == "not identified":
        if not agrees and verdict in CERTAIN:
            yield "criterion", f"dense {here.value!r}, fit {fit.criterion!r} ({verdict})"
            return
    if verdict in CERTAIN:
        if (verdict == "singular") != evidence.is_singular(here):
            yield "singular", f"verdict {verdict}, theta {here.v[: problem.n_theta].tolist()}"
        if verdict == "converged" and here.lost.any():
            yield "flat", f"converged, but no standard error of parameters {here.lost.tolist()}"
        if evidence.can_separate(problem):
            yield "separated", f"{verdict}, but the data are separated"
        if evidence.runs_away(here):
            yield "infinite", f"{verdict}, but the criterion does not rise to infinity"
        if deep:
            yield from evidence.not_stationary(here)
            yield from evidence.not_on_the_boundary(here)
    elif verdict == "separated":
        if not evidence.can_separate(problem) and not evidence.levels_separate(problem):
            yield "false alarm", f"nothing separates: {fit.optimum.message}"
    elif verdict == "breaks down":
        if not evidence.breaks_down(here):
            yield "false alarm", f"one mode, well curved: {fit.optimum.message}"
    elif verdict == "not identified":
        if not evidence.exact(problem) and not _flat(here):
            yield "false alarm", f"not identified, but curved: {fit.optimum.message}"
    elif agrees and deep and not _improvable(here):
        yield "false alarm", f"not converged, but at a minimum: {fit.optimum.message}"


def _flat(here: evidence.Place) -> bool:
    far = here.v.copy()
    if here.problem.n_zeta:
        far[-1] += 3.0
        if here.f(far) < here.value + 1e-3:
            return True
    if evidence.runs_away(here):
        return True
    return evidence.flattest(here) < evidence.FLAT or evidence.flat_along_a_curve(here)


def _improvable(here: evidence.Place) -> bool:
    if list(evidence.not_stationary(here)) or list(evidence.not_on_the_boundary(here)):
        return True
    return evidence.runs_away(here) or evidence.can_fall(here) > 1e-6


def refused(model: Model, out: Outcome) -> Iterator[Failure]:
    """An error instead of a fit: only of the package, and only with a reason."""
    text = str(out.error).replace("\n", " ")
    if isinstance(out.error, il.errors.NumericalError):
        if "no coefficients" in text and _no_coefficients(model):
            return
        yield "no fit", text
    elif isinstance(out.error, il.errors.InterlaceError) and not _reason(model, text):
        yield "refused", text


def _no_coefficients(model: Model) -> bool:
    """Whether no coefficients alone keep every mean in range; not asked of fixed parts with I()."""
    if model.link not in ("sqrt", "identity", "inverse"):
        return False
    used = model.data[model.columns()].dropna()
    names = [t.strip() for t in model.formula.partition("~")[2].split("+") if "|" not in t]
    if "0" not in names:
        return False  # an intercept alone does
    names = [n for n in dict.fromkeys(names) if n not in ("0", "1")]
    if any("*" in n and "I(" not in n for n in names) or "f" in names:
        return False
    X = np.column_stack([column(used, n) for n in names])
    offset = used[model.arguments["offset"]].to_numpy() if "offset" in model.arguments else 0.0
    return not evidence.any_coefficients(X, np.zeros(len(used)) + offset)


def _reason(model: Model, text: str) -> bool:
    """Whether the data have what the error says they have."""
    used = model.data[model.columns()].dropna()
    y = used["y"]
    if "constant" in text or "same value" in text or "all " in text:
        rate = y / (y + used["fail"]) if "fail" in used else y
        return rate.nunique() == 1
    groups = [c for c in "ghkf" if c in used]
    if "level" in text:
        counts = [used.groupby(list(names)).ngroups for names in _subsets(groups)]
        return 1 in counts or any(c >= len(used) for c in counts)
    if "variance" in text or "random effects" in text or "observations" in text:
        return True
    return False


def _subsets(groups: list[str]) -> list[tuple[str, ...]]:
    return [(a,) for a in groups] + [(a, b) for a in groups for b in groups if a < b]


def differs(a, b, sizes: np.ndarray | None = None) -> str:
    """In what two fits of one model differ, if they do."""
    bar = SAME_CRITERION + SAME_SHARE * abs(a.criterion)
    if not abs(a.criterion - b.criterion) <= bar:
        return f"criterion {a.criterion!r} against {b.criterion!r}"
    with np.errstate(all="ignore"):
        se = np.sqrt(np.diagonal(a.cov_beta))
        distance = np.abs(a.beta - b.beta) / se
    distance = distance[np.isfinite(distance)]
    allowed = STANDARD_ERRORS + np.sqrt(2.0 * SAME_SHARE * abs(a.criterion))
    if distance.max(initial=0.0) > allowed:
        return f"coefficients by {distance.max():.2g} standard errors"
    return ""


def again(model: Model, out: Outcome, thorough: bool) -> Iterator[Failure]:
    """A second call gives the same bits."""
    second = attempt(model)
    if not same_bits(out, second):
        yield "twice", _bits(out, second)


def same_bits(a: Outcome, b: Outcome) -> bool:
    if a.error is not None or b.error is not None:
        return str(a.error) == str(b.error)
    x, y = a.result.fit, b.result.fit
    return bool(np.array_equal(x.optimum.x, y.optimum.x)) and x.criterion == y.criterion


def _bits(a: Outcome, b: Outcome) -> str:
    if a.error is not None or b.error is not None:
        return f"{a.verdict} {a.error} | {b.verdict} {b.error}"
    x, y = a.result.fit, b.result.fit
    return (
        f"criterion {x.criterion!r} | {y.criterion!r}, x {x.optimum.x.tolist()} | "
        f"{y.optimum.x.tolist()}"
    )


def other_ways(model: Model, out: Outcome) -> Iterator[Failure]:
    """Every optimiser, back end and another start."""
    fit = out.result.fit
    ways = [("optimizer", "lbfgsb")]
    # hundreds of evaluations, without gradients: every third of the larger generalised models
    if model.family is None or model.seed % 3 == 0 or fit.n * len(fit.x) < FEW:
        ways.append(("optimizer", "bobyqa"))
    factors = len(fit.design.factors)
    ways += [("backend", name) for name in backends(factors, model)]
    if out.verdict == "not converged":
        ways = ways[:1]  # what has no optimum costs every optimiser its limit of evaluations
    start = np.where(np.asarray(fit.theta) == 0.0, 0.3, 2.0 * np.asarray(fit.theta) + 0.01)
    ways.append(("theta0", start))
    for argument, value in ways:
        other = attempt(model, **{argument: value})
        name = f"{argument}={value if isinstance(value, str) else np.round(value, 4).tolist()}"
        yield from ((kind, f"{name}: {words}") for kind, words in other.failures)
        if isinstance(other.error, il.errors.MissingDependencyError):
            continue
        if isinstance(other.error, il.errors.ArgumentError) and value == "nested":
            continue
        if other.error is not None:
            yield "no fit", f"{name}: {other.error}"
            continue
        yield from compared(model, name, fit, other.result.fit)


def backends(factors: int, model: Model) -> list[str]:
    """Those that can take the design; the sparse ones in turn where a fit is a long search."""
    sparse = ["superlu"]
    if find_spec("sksparse") is not None:
        sparse.append("cholmod")
    if model.family is not None:
        sparse = [sparse[model.seed % len(sparse)]]
    return ["blocked", "nested", *sparse, *(["schur"] if factors > 1 else [])]


def compared(model: Model, name: str, fit, other) -> Iterator[Failure]:
    """Two certain fits agree, or the default's is the lower and the other a minimum all the same.

    A verdict speaks of the point where it was reached. Criteria with several minima exist (tiny
    designs, families that are not log-concave), and an optimiser may be told to start elsewhere;
    but the default must not be the worse one.
    """
    a, b = fit.optimum.verdict, other.optimum.verdict
    if "breaks down" in (a, b):
        return  # it says itself that the criterion has several values; `truth` asks whether it has
    if a in CERTAIN and b in CERTAIN:
        words = differs(fit, other)
        if not words:
            return
        bar = SAME_CRITERION + SAME_SHARE * abs(fit.criterion)
        if other.criterion > fit.criterion + bar:
            with np.errstate(all="ignore"):
                untrue = list(truth(model.problem(other), other, True))
            yield from ((kind, f"{name}: {text}") for kind, text in untrue)
        else:
            yield "another answer", f"{name}: {words}; {a} and {b}"
    elif {a, b} & {*CERTAIN} and a != b and not _honest(fit, other):
        yield "another verdict", f"{name}: {a} {fit.criterion!r}, {b} {other.criterion!r}"


def _honest(fit, other) -> bool:
    """Of two fits the one that says it did not arrive is the worse one, or off as it says."""
    lost, found = (fit, other) if fit.optimum.verdict == "not converged" else (other, fit)
    bar = SAME_CRITERION + SAME_SHARE * abs(found.criterion)
    if "lost its digits, it is good to " in lost.optimum.message:
        share = lost.optimum.message.partition("good to ")[2].partition(":")[0]
        return abs(lost.criterion - found.criterion) < bar + 2.0 * float(share)
    return lost.optimum.verdict == "not converged" and lost.criterion > found.criterion + bar


def after_pickling(model: Model, out: Outcome) -> Iterator[Failure]:
    """A fit that went through a pickle predicts and refits as before."""
    result = out.result
    copy = pickle.loads(pickle.dumps(result))
    if copy.fit.criterion != result.fit.criterion or copy.fit.optimum.verdict != out.verdict:
        yield "pickle", "criterion or verdict changed"
    try:
        before = result.predict().to_numpy()
        after = copy.predict().to_numpy()
    except il.errors.InterlaceError as error:
        yield "pickle", f"predict: {error}"
        return
    scale = np.abs(before).max(initial=1e-300)
    if not np.abs(before - after).max(initial=0.0) <= 1e-9 * scale:
        yield "pickle", f"predictions moved by {np.abs(before - after).max():.3g}"
    used = model.data[model.columns()].dropna()
    new = result.predict(used).to_numpy()
    if not np.abs(before - new).max(initial=0.0) <= 1e-9 * scale:
        yield "predict", f"the rows of the fit as new data: {np.abs(before - new).max():.3g}"
    responses = draws(result, 1)
    if responses:
        yield from same_refit("pickle, refit", result, copy, responses[0])


def draws(result, count: int) -> list:
    """Responses simulated from a fit, where it can."""
    try:
        frame = result.simulate(count, seed=1)
    except il.errors.InterlaceError:
        return []
    return [frame.iloc[:, j] for j in range(count)]


def same_refit(name: str, result, copy, y) -> Iterator[Failure]:
    a, b = _refitted(result, y), _refitted(copy, y)
    if isinstance(a, Exception) or isinstance(b, Exception):
        if str(a) != str(b):
            yield name, f"{a!r} | {b!r}"
        return
    if {a.fit.optimum.verdict, b.fit.optimum.verdict} <= set(CERTAIN):
        words = differs(a.fit, b.fit)
        if words:
            yield name, words


def _refitted(result, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return result.refit(y)
        except il.errors.InterlaceError as error:
            return error


def rearranged(model: Model, out: Outcome) -> Iterator[Failure]:
    """Rows in another order, levels under other names: the same fit."""
    rng = np.random.default_rng(model.seed)
    order = rng.permutation(len(model.data))
    data = model.data.iloc[order].reset_index(drop=True)
    for name in "ghk":
        if name in data:
            names = pd.unique(data[name].dropna())
            new = dict(zip(names, rng.permutation(len(names)), strict=True))
            data[name] = [None if pd.isna(v) else f"level {new[v]}" for v in data[name]]
    other = attempt(model, data=data)
    if other.error is not None:
        yield "rearranged", f"{other.error}"
        return
    moved = replace(model, data=data)
    yield from compared(moved, "rearranged", out.result.fit, other.result.fit)


def together(outcomes: list[Outcome]) -> Iterator[tuple[int, Failure]]:
    """Fits of many models, and refits of each, in threads: the bits of fits alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(THREADS) as pool:
            fits = list(pool.map(_quiet, [o.model for o in outcomes]))
        for out, found in zip(outcomes, fits, strict=True):
            if not same_bits(out, found):
                yield out.model.seed, ("threads", _bits(out, found))
        for out in outcomes:
            if out.error is None:
                yield from ((out.model.seed, f) for f in _refits(out))


def _quiet(model: Model) -> Outcome:
    out = Outcome(model)
    try:
        out.result = model.call()
    except Exception as error:
        out.error = error
    return out


def _refits(out: Outcome) -> Iterator[Failure]:
    result = out.result
    responses = draws(result, REFITS)
    if not responses:
        return
    before = out.result.fit.criterion
    alone = [_bare_refit(result, y) for y in responses]
    with ThreadPoolExecutor(THREADS) as pool:
        there = list(pool.map(lambda y: _bare_refit(result, y), responses))
    for a, b in zip(alone, there, strict=True):
        if a != b:
            yield "threads, refit", f"{a} | {b}"
            break
    if out.result.fit.criterion != before:
        yield "threads, refit", "the parent changed"


def _bare_refit(result, y) -> tuple:
    try:
        fit = result.refit(y).fit
    except Exception as error:
        return type(error).__name__, str(error)
    return fit.criterion, *fit.optimum.x.tolist()
