"""Whether a verdict is true, from values of a dense criterion alone.

Of the fit only its point and its own idea of standard errors are used: they say which way to look
and how far. Along a direction of one standard error a deviance is d(t) = d(0) + t^2, so slope and
curvature at zero say how much it could still fall, and whether the standard error is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import dense
import numpy as np

# Steps, in standard errors: five points leave an error of h^4 = 6e-6 of the fifth derivative, and
# rounding of 1e-13 of the deviance over h^2.
STEP = 0.05
FINER = (0.008, 0.002, 3e-4)
# A certificate promises that the criterion cannot fall by more than 1e-6 (or 1e-12 of it); the
# differences above may err by as much again.
PROMISE = 2e-6
# Rounding of a deviance of n terms, as a share of it.
ROUNDING = 1e-11
# The curvature in units of standard errors is 2; a Hessian from differences of gradients is good
# to 1e-4, five points to (h^4 / 90) times the sixth derivative.
CURVATURE_SHARE = 0.02
# Places from which modes are looked for, beside zero and those of the fit.
RANDOM_STARTS = 2
# The least eigenvalue of a Hessian of unit diagonal that is not called flat, and how far a curve
# is followed in these units.
FLAT = 1e-4
CURVE_STEP, CURVE_STEPS = 0.1, 3
# For a dense search that is to show that the criterion can fall.
SECONDS = 3.0
# Values of a criterion on one way down.
WAY = 400
# Rounding of sums of n terms.
EXACT = 1e-13
# Least eigenvalue of the information of the modes, where the prior alone gives 1.
NEARLY_FLAT = 0.1
# A standard deviation on the scale of a link that is beyond any approximation; a criterion off by
# so much says little.
WIDE, FAR = 20.0, 0.05
# lme4's bar for what is zero, in standardised covariates.
ZERO = 1e-4


@dataclass
class Place:
    """A fit's point in the dense problem: v = (theta, coefficients unless profiled, zeta)."""

    problem: dense.Problem
    v: np.ndarray
    directions: np.ndarray  # columns: one standard error each, uncorrelated
    lost: np.ndarray  # parameters without a standard error
    value: float
    f: Callable[[np.ndarray], float]

    @property
    def noise(self) -> float:
        return PROMISE + ROUNDING * abs(self.value)

    def parts(self, v: np.ndarray):
        """Loadings, coefficients, zeta."""
        k = self.problem.n_theta
        p = 0 if self.problem.profiled else self.problem.X.shape[1]
        return dense.loadings(self.problem, v[:k]), v[k : k + p], v[k + p :]


def place(problem: dense.Problem, fit) -> Place:
    """Where a fit stands."""
    zeta = np.asarray(fit.zeta) if problem.family else np.zeros(0)
    theta = np.asarray(fit.theta)
    if problem.profiled:
        v = np.concatenate([theta, zeta])
        back = np.eye(len(v))
        back[: len(theta), : len(theta)] = fit.scale.jacobian()
        directions, lost = _of_information(fit.optimum.curvature)
        directions, lost = back @ directions, (np.abs(back[:, lost]) > 0.0).any(axis=1)
    else:
        v = np.concatenate([theta, fit.beta, zeta])
        directions, lost = _of_covariance(np.asarray(fit.cov_all))
    problem.starts.pop("here", None)
    f = dense.criterion(problem, "here")
    if not (log_concave(problem) or problem.profiled):
        k, p = problem.n_theta, len(v) - len(zeta)
        S = dense.loadings(problem, v[:k])
        own = np.concatenate([u.ravel() for u in fit.u])
        problem.starts["here"] = highest_mode(problem, S, v[k:p], zeta, own)
    return Place(problem, v, directions, lost, f(v), f)


def log_concave(problem: dense.Problem) -> bool:
    """Modes are unique whatever the response."""
    return problem.family in ("poisson", None) or problem.link in ("logit", "probit", "cloglog")


def highest_mode(problem: dense.Problem, S, beta, zeta, own: np.ndarray) -> np.ndarray | None:
    """The highest mode from zero, a fit's own modes and random places, and what they negate."""
    A, base = dense.columns(problem, S), problem.offset + problem.X @ beta
    rng = np.random.default_rng(0)
    starts = [np.zeros_like(own), own, *(rng.normal(size=(RANDOM_STARTS, own.size)))]
    modes: list[tuple[float, np.ndarray]] = []
    for start in starts:
        for sign in (1.0, -1.0) if start.any() else (1.0,):
            found = dense.search(problem, A, base, zeta, None, sign * start)
            if found is not None:
                u, rows = found
                modes.append((rows.value.sum() - 0.5 * u @ u, u))
    return max(modes, key=lambda mode: mode[0])[1] if modes else None


def _of_information(H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = np.sqrt(np.maximum(np.abs(np.diagonal(H)), 1e-300))
    values, vectors = np.linalg.eigh(H / size[:, None] / size)
    keep = values > 1e-7 * max(values.max(initial=0.0), 1e-300)
    directions = vectors[:, keep] * np.sqrt(2.0 / values[keep]) / size[:, None]
    return directions, (np.abs(vectors[:, ~keep]) > 1e-3).any(axis=1)


def _of_covariance(C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lost = ~np.isfinite(np.diagonal(C)) | (np.diagonal(C) <= 0.0)
    own = np.flatnonzero(~lost)
    C = C[np.ix_(own, own)]
    size = np.sqrt(np.diagonal(C))
    values, vectors = np.linalg.eigh(C / size[:, None] / size)
    keep = values > 1e-12
    out = np.zeros((len(lost), int(keep.sum())))
    out[own] = vectors[:, keep] * np.sqrt(values[keep]) * size[:, None]
    return out, lost


def slopes(place: Place, step: float = STEP) -> tuple[np.ndarray, np.ndarray]:
    """Slope and curvature along each direction, by five points."""
    slope, curvature = [], []
    for d in place.directions.T:
        a, b, c, e = (place.f(place.v + t * step * d) for t in (-2.0, -1.0, 1.0, 2.0))
        slope.append((8.0 * (c - b) - (e - a)) / (12.0 * step))
        curvature.append((16.0 * (b + c) - a - e - 30.0 * place.value) / (12.0 * step**2))
    return np.array(slope), np.array(curvature)


def not_stationary(place: Place) -> Iterator[tuple[str, str]]:
    """Signs that the point is no minimum with these standard errors."""
    for step in (STEP, *FINER):
        signs = list(_signs(place, step))
        if not signs:  # a shorter step where the criterion bends within the longer one
            break
    yield from signs
    for j in np.flatnonzero(place.lost):
        for t in (1e-3, -1e-3, 1e-2, -1e-2):
            there = place.v.copy()
            there[j] += t
            if place.f(there) < place.value - place.noise:
                yield "lost direction", f"parameter {j} by {t}: {place.f(there) - place.value:.3g}"
                break


def _signs(place: Place, step: float) -> Iterator[tuple[str, str]]:
    slope, curvature = slopes(place, step)
    if not (np.isfinite(slope).all() and np.isfinite(curvature).all()):
        yield "cliff", "the criterion has no value within a tenth of a standard error"
        return
    fall = float(np.sum(slope**2 / (2.0 * np.maximum(np.abs(curvature), 0.2))))
    if fall > place.noise:
        yield "gradient", f"it can fall by {fall:.2g}, slopes {np.round(slope, 6).tolist()}"
    noise = 10.0 * ROUNDING * abs(place.value) / step**2
    if curvature.min(initial=2.0) < -noise:
        yield "saddle", f"curvatures {np.round(curvature, 4).tolist()}"
    elif (np.abs(curvature - 2.0) > 2.0 * CURVATURE_SHARE + noise).any():
        yield "standard errors", f"curvatures {np.round(curvature, 4).tolist()} instead of 2"


def not_on_the_boundary(place: Place) -> Iterator[tuple[str, str]]:
    """Signs that a variance would rather be larger than zero, or a correlation less than one."""
    problem = place.problem
    S, beta, zeta = place.parts(place.v)
    rng = np.random.default_rng(0)
    for i, term in enumerate(problem.terms):
        R = root(term)
        for direction in _null(R @ S[i], term.structure, rng):
            for t in (0.01, 0.05):
                more = list(S)
                extra = t * np.linalg.solve(R, direction)[:, None]
                more[i] = np.concatenate([S[i], extra], axis=1)
                if problem.nAGQ > 1:  # nodes in as many dimensions as before
                    U = np.linalg.qr(more[i].T, mode="r")
                    more[i] = (U * np.where(np.diagonal(U) < 0.0, -1.0, 1.0)[:, None]).T
                # the effects in hand, and none of the new ones
                problem.starts["more"] = widened(problem, i, problem.starts.get("here"))
                value = dense.at(problem, more, beta, zeta, "more")
                if value < place.value - place.noise:
                    yield (
                        "boundary",
                        f"more variance of {term.group} along {direction.round(3).tolist()}, "
                        f"{t}^2: {value - place.value:.3g}",
                    )
                    break


def widened(problem: dense.Problem, i: int, u: np.ndarray | None) -> np.ndarray | None:
    """Modes u for one more effect, zero, at each level of term i."""
    if u is None or problem.profiled or problem.nAGQ > 1:
        return None
    before = sum(t.Z.shape[1] * (t.codes.max() + 1) for t in problem.terms[:i])
    term = problem.terms[i]
    k, levels = term.Z.shape[1], term.codes.max() + 1
    own = u[before : before + k * levels].reshape(levels, k)
    own = np.column_stack([own, np.zeros(levels)])
    return np.concatenate([u[:before], own.ravel(), u[before + k * levels :]])


def root(term: dense.Term) -> np.ndarray:
    """R, lower triangular, with Z'Z / n = R'R: R S is S for orthogonal covariates of unit size."""
    G = term.Z.T @ term.Z / len(term.Z)
    size = np.sqrt(np.diagonal(G))
    size[size == 0.0] = 1.0
    if term.structure == "diag":
        return np.diag(size)
    turned = (G / size[:, None] / size)[::-1, ::-1]
    try:
        return np.linalg.cholesky(turned)[::-1, ::-1].T * size
    except np.linalg.LinAlgError:
        return np.diag(size)


def _null(S: np.ndarray, structure: str, rng: np.random.Generator) -> list[np.ndarray]:
    k = len(S)
    if structure == "diag":
        return [np.eye(k)[j] for j in range(k) if abs(S[j, j]) < ZERO]
    U, values, _ = np.linalg.svd(S)
    null = U[:, values < ZERO]
    if not null.shape[1]:
        return []
    out = list(null.T)
    if null.shape[1] > 1:
        for _ in range(2):
            v = null @ rng.normal(size=null.shape[1])
            out.append(v / np.linalg.norm(v))
    return out


def is_singular(place: Place) -> bool:
    """Some covariance matrix of random effects has lost rank, in standardised covariates."""
    for S, term in zip(place.parts(place.v)[0], place.problem.terms, strict=True):
        if np.abs(np.diagonal(root(term) @ S)).min() < ZERO:
            return True
    return False


def runs_away(place: Place) -> bool:
    """The criterion does not rise when random effects and coefficients grow together."""
    S, beta, zeta = place.parts(place.v)
    pairs = zip(S, place.problem.terms, strict=True)
    largest = max(np.abs(root(term) @ s).max() for s, term in pairs)
    if largest < ZERO:
        return False
    for c in (4.0, 16.0, 64.0):
        c *= max(1.0, 1.0 / largest)
        far = dense.at(place.problem, [c * s for s in S], c * beta, zeta)
        if not far < place.value + 1e-2:
            return False
    return True


def separates(X: np.ndarray, y: np.ndarray, two_ends: bool) -> bool:
    """A direction d with X d >= 0 at the top, <= 0 at the bottom, zero between, not zero."""
    from scipy.optimize import linprog

    sign = np.where(y <= 0.0, -1.0, 0.0)
    if two_ends:
        sign[y >= 1.0] = 1.0
    Q = np.linalg.qr(X / np.maximum(np.linalg.norm(X, axis=0), 1e-300))[0]
    free = sign != 0.0
    moved = Q[free] * sign[free, None]
    if not len(moved):
        return False
    found = linprog(
        -moved.sum(axis=0), -moved, np.zeros(len(moved)), Q[~free] if (~free).any() else None,
        np.zeros(int((~free).sum())) if (~free).any() else None, [(-1.0, 1.0)] * Q.shape[1],
    )  # fmt: skip
    return found.status == 0 and -found.fun > 1e-6


def can_separate(problem: dense.Problem) -> bool | None:
    """Whether coefficients have no finite maximum; None where the family cannot have that."""
    if problem.family == "binomial":
        return separates(problem.X, problem.y, True)
    if problem.family in ("poisson", "negativebinomial") and problem.link == "log":
        return separates(problem.X, problem.y, False)
    return None


def levels_separate(problem: dense.Problem) -> bool:
    """Coefficients and effects together predict every row: variances without bound."""
    if problem.family != "binomial" or not np.isin(problem.y, (0.0, 1.0)).all():
        return False
    S = [np.eye(t.Z.shape[1]) for t in problem.terms]
    for term in problem.terms:
        # or the rows of every level that one effect moves agree
        pull = np.where(problem.y > 0.5, 1.0, -1.0)[:, None] * np.sign(term.Z)
        for j in range(term.Z.shape[1]):
            pairs = np.unique(np.column_stack([term.codes, pull[:, j]])[pull[:, j] != 0], axis=0)
            if len(pairs) == len(np.unique(pairs[:, 0])) and len(pairs) > 1:
                return True
    return _separates_all(np.column_stack([dense.columns(problem, S), problem.X]), problem.y)


def _separates_all(A: np.ndarray, y: np.ndarray) -> bool:
    from scipy.optimize import linprog

    signed = A * np.where(y > 0.5, 1.0, -1.0)[:, None]
    k = A.shape[1]
    found = linprog(
        np.zeros(k), -signed, -np.ones(len(y)), bounds=[(-1e6, 1e6)] * k
    )  # any d with s_i a_i'd >= 1
    return found.status == 0


def far_from_the_integral(place: Place) -> bool:
    """The criterion of one effect a level is another one than the integral over it.

    With several effects there is no such integral: what is wide is taken for far.
    """
    problem = place.problem
    S, beta, zeta = place.parts(place.v)
    sole = len(problem.terms) == 1 and problem.terms[0].Z.shape[1] == 1
    if not sole or problem.profiled:
        return bool(max(np.abs(s).max() for s in S) > WIDE)
    u = np.linspace(-9.0, 9.0, 40_001)
    base, z = problem.offset + problem.X @ beta, problem.terms[0].Z[:, 0] * S[0][0, 0]
    weight = -0.5 * u**2 + np.log((u[1] - u[0]) / np.sqrt(2.0 * np.pi))
    total = 0.0
    for level in np.unique(problem.terms[0].codes):
        here = problem.terms[0].codes == level
        value = weight.copy()
        for i in np.flatnonzero(here):
            row = (np.full(u.size, v[i]) for v in (problem.y, problem.trials, problem.prior))
            value += dense.rows("binomial", problem.link, base[i] + z[i] * u, *row, zeta).value
        total += value.max() + np.log(np.exp(value - value.max()).sum())
    return bool(abs(-2.0 * total - place.value) > FAR)


def breaks_down(place: Place) -> bool:
    """Laplace's formula is in doubt: several modes, or an information near to singular."""
    problem = place.problem
    if problem.family == "binomial" and far_from_the_integral(place):
        return True
    if log_concave(problem):
        return False
    S, beta, zeta = place.parts(place.v)
    A = dense.columns(problem, S)
    q = A.shape[1]
    rng = np.random.default_rng(0)
    B = None
    base = problem.offset
    if problem.nAGQ == 0:
        B = np.linalg.qr(problem.X / np.linalg.norm(problem.X, axis=0))[0]
    else:
        base = base + problem.X @ beta
    seen = []
    for size in (0.0, *[1.0] * 8, *[3.0] * 12):
        start = np.concatenate(
            [size * rng.normal(size=q), np.zeros(0 if B is None else B.shape[1])]
        )
        found = dense.search(problem, A, base, zeta, B, start)
        if found is None:
            continue
        v, r = found
        seen.append(r.value.sum() - 0.5 * v[:q] @ v[:q])
        M = (A * r.observed[:, None]).T @ A + np.eye(q)
        if np.linalg.eigvalsh(M)[0] < NEARLY_FLAT:
            return True
    if not seen or max(seen) - min(seen) > 1e-5 * (1.0 + abs(max(seen))):
        return True
    return depends_on_the_way(place)


def depends_on_the_way(place: Place) -> bool:
    """Going down from a place the dense criterion gets a value that is not there on its own.

    Each point begins at the modes of the one before: where a mode is unique that changes nothing.
    """
    from scipy.optimize import minimize

    found = minimize(place.f, place.v, method="Nelder-Mead", options={"maxfev": WAY})
    place.problem.starts.pop("here", None)
    alone = place.f(found.x)
    return bool(abs(found.fun - alone) > 1e-3)


def exact(problem: dense.Problem) -> bool:
    """Coefficients and effects reproduce the response of a linear model to its last digits."""
    if problem.family is not None:
        return False
    y = problem.y - problem.offset
    A = dense.columns(problem, [np.eye(t.Z.shape[1]) for t in problem.terms])
    for B in (problem.X, np.column_stack([problem.X, A])):
        B = B / np.maximum(np.linalg.norm(B, axis=0), 1e-300)
        U, values, _ = np.linalg.svd(B, full_matrices=False)
        U = U[:, values > 1e-10 * values[0]]
        rest = y - U @ (U.T @ y)
        if np.linalg.norm(rest - U @ (U.T @ rest)) < EXACT * np.linalg.norm(y):
            return True
    return False


def any_coefficients(X: np.ndarray, offset: np.ndarray) -> bool:
    """Whether some coefficients make every linear predictor positive."""
    from scipy.optimize import linprog

    Q = np.linalg.qr(X / np.maximum(np.linalg.norm(X, axis=0), 1e-300))[0]
    k = Q.shape[1]
    # the largest t with Q d + offset >= t
    found = linprog(
        np.r_[np.zeros(k), -1.0], np.column_stack([-Q, np.ones(len(Q))]), offset,
        bounds=[(-1e6, 1e6)] * k + [(None, 1.0)],
    )  # fmt: skip
    return found.status == 0 and -found.fun > 1e-9


def _hessian(place: Place) -> tuple[np.ndarray, np.ndarray]:
    """The criterion's Hessian by differences, its diagonal scaled to 1, and the scales."""
    m = len(place.v)
    width = np.full(m, 2e-3)
    if place.directions.size:
        spread = np.sqrt((place.directions**2).sum(axis=1))
        width = np.where((spread > 0) & (spread < 10.0), 0.05 * spread, width)
    H = np.zeros((m, m))
    f, v = place.f, place.v
    for i in range(m):
        for j in range(i + 1):
            a, b = np.zeros(m), np.zeros(m)
            a[i], b[j] = width[i], width[j]
            H[i, j] = H[j, i] = 0.25 * (f(v + a + b) - f(v + a - b) - f(v - a + b) + f(v - a - b))
            H[i, j] = H[j, i] = H[i, j] / (width[i] * width[j])
    size = np.sqrt(np.maximum(np.abs(np.diagonal(H)), 1e-12))
    return H / size[:, None] / size, size


def flattest(place: Place) -> float:
    """The smallest eigenvalue of the criterion's Hessian, diagonal scaled to 1."""
    H, _ = _hessian(place)
    return float(np.linalg.eigvalsh(H)[0]) if np.isfinite(H).all() else -np.inf


def flat_along_a_curve(place: Place) -> bool:
    """Whether the criterion keeps its value far along a curve that begins flat.

    A straight step leaves a curve, so that all other directions are minimised over after each:
    where the criterion has a minimum it rises by half the curvature times the step squared.
    """
    from scipy.optimize import minimize

    H, size = _hessian(place)
    if not np.isfinite(H).all():
        return False
    axes = np.linalg.eigh(H)[1] / size[:, None]
    for sign in (1.0, -1.0):
        at = place.v.copy()
        for _ in range(CURVE_STEPS):
            at = at + sign * CURVE_STEP * axes[:, 0]
            rest = minimize(lambda c, at=at: place.f(at + axes[:, 1:] @ c), np.zeros(len(at) - 1))
            at = at + axes[:, 1:] @ rest.x
        gone = CURVE_STEP * CURVE_STEPS
        if rest.fun - place.value < 0.5 * FLAT * gone**2:
            return True
    return False


def can_fall(place: Place) -> float:
    """How much a dense search from the point lowers the criterion."""
    from scipy.optimize import minimize

    if not np.isfinite(place.value):
        return np.inf
    spread = np.sqrt((place.directions**2).sum(axis=1)) if place.directions.size else 0.0
    spread = np.where(
        (spread > 1e-8) & (spread < 1e3), spread, 0.1 * np.maximum(1, np.abs(place.v))
    )

    def f(t):
        value = place.f(place.v + t * spread)
        return value if np.isfinite(value) else abs(place.value) * 10.0 + 1e6

    clock = perf_counter()

    def enough(*_):
        if perf_counter() - clock > SECONDS:
            raise StopIteration

    best = 0.0
    for method in ("BFGS", "Nelder-Mead"):
        options = {"maxiter": 150, "maxfev": 2000} if method == "Nelder-Mead" else {"maxiter": 60}
        found = minimize(f, np.zeros(len(place.v)), method=method, callback=enough, options=options)
        best = max(best, place.value - found.fun)
        if best > 1e-5 or perf_counter() - clock > SECONDS:
            break
    return float(best)
