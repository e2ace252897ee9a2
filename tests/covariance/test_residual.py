"""Structures of the residual covariance against dense algebra and differences."""

from __future__ import annotations

import numpy as np
import pytest

from interlace.covariance.correlations import (
    AutoRegressive,
    CompoundSymmetry,
    ContinuousAutoRegressive,
    Correlation,
    Groups,
)
from interlace.covariance.dense_correlations import Exponential, GaussianDecay, Unstructured
from interlace.covariance.residual import CORRELATIONS, ResidualModel
from interlace.covariance.variance_functions import (
    ConstantPower,
    Fixed,
    exponential,
    ident,
    power,
)

SIZES = np.array([4, 1, 3, 4])
STARTS = np.cumsum(np.append(0, SIZES[:-1]))
N = int(SIZES.sum())
RNG = np.random.default_rng(1)
TIMES = np.concatenate([np.sort(RNG.choice(6, s, replace=False)) for s in SIZES])
ROWS = Groups(STARTS, SIZES, TIMES[:, None].astype(float))
PLACES = Groups(STARTS, SIZES, RNG.normal(size=(N, 2)))
V = RNG.uniform(1.0, 5.0, N)
CODES = np.arange(N) % 2
LEVELS = list("abcdef")


OPTIONS: dict[str, dict[str, int | bool]] = {
    "arma": {"p": 2, "q": 1},
    "arma(1, 0)": {"p": 1},
    "arma(0, 2)": {"q": 2},
    "arma(1, 3)": {"p": 1, "q": 3},
    "exp nugget": {"nugget": True},
    "gau nugget": {"nugget": True},
}
STRUCTURES = list(dict.fromkeys([*CORRELATIONS, *OPTIONS]))


def structure(name: str) -> Correlation:
    own = CORRELATIONS[name.partition("(")[0].partition(" ")[0]]
    options = OPTIONS.get(name, {})
    return own(PLACES if own.spatial else ROWS, LEVELS if own.levels else [], **options)


def by_innovations(phi: np.ndarray, theta: np.ndarray, last: int) -> np.ndarray:
    """Autocorrelations of an ARMA by the weights of its innovations, as many as count."""
    weights = np.zeros(4000)
    for j in range(weights.size):
        weights[j] = (1.0 if j == 0 else 0.0) + (theta[j - 1] if 0 < j <= theta.size else 0.0)
        weights[j] += sum(phi[i] * weights[j - 1 - i] for i in range(min(j, phi.size)))
    g = np.array([weights[: weights.size - k] @ weights[k:] for k in range(last + 1)])
    return g / g[0]


def model(name: str) -> tuple[ResidualModel, np.ndarray]:
    functions = [
        ident(CODES, ["a", "b"]),
        power("v", V, None, []),
        exponential("v", V, CODES, ["a", "b"]),
        ConstantPower("v", V),
        Fixed(V),
    ]
    whole = ResidualModel(N, structure(name), functions)
    x = whole.start() + 0.3 * np.random.default_rng(2).normal(size=whole.n_parameters)
    return whole, x


def expected(name: str, x: np.ndarray) -> np.ndarray:
    """C by its definition."""
    own, group = structure(name), np.repeat(np.arange(len(SIZES)), SIZES)
    (value, *_), t = own.natural(x), own.groups.times
    distance = np.sqrt(((t[:, None] - t) ** 2).sum(axis=-1))
    if name.startswith("arma"):
        p = OPTIONS[name].get("p", 0)
        natural = own.natural(x)
        whole = by_innovations(natural[:p], natural[p:], 10)
        return whole[distance.astype(int)] * (group[:, None] == group)
    if name.endswith("nugget"):
        share = 1.0 - own.natural(x)[1]
        power = 1.0 if name.startswith("exp") else 2.0
        C = share * np.exp(-((distance / value) ** power))
        return np.where(np.eye(N) > 0.0, 1.0, C) * (group[:, None] == group)
    C = {
        "ar1": lambda: value**distance,
        "car1": lambda: value**distance,
        "cs": lambda: np.where(np.eye(N) > 0.0, 1.0, value),
        "exp": lambda: np.exp(-distance / value),
        "gau": lambda: np.exp(-((distance / value) ** 2)),
    }
    if name != "us":
        return C[name]() * (group[:, None] == group)
    whole = np.eye(len(LEVELS))
    whole[np.tril_indices(len(LEVELS), -1)] = own.natural(x)
    whole = whole + np.tril(whole, -1).T
    at = t[:, 0].astype(int)
    return whole[at[:, None], at] * (group[:, None] == group)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_root_is_that_of_the_matrix_it_stands_for(name: str) -> None:
    whole, x = model(name)
    root = whole.at(x)
    W = root.whiten(np.eye(N))
    s = np.exp(whole.log_sd(x))
    R = s[:, None] * expected(name, x[whole.slices[0]]) * s
    np.testing.assert_allclose(np.linalg.inv(W.T @ W), R, rtol=1e-9, atol=1e-11)
    assert root.logdet == pytest.approx(np.linalg.slogdet(R)[1], rel=1e-10)
    np.testing.assert_allclose(root.colour(W), np.eye(N), atol=1e-11)
    # each row given those before it, as in nlme
    np.testing.assert_allclose(np.triu(W, 1), 0.0, atol=1e-12)
    np.testing.assert_allclose(root.precision(np.eye(N)), W.T @ W, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives_are_those_of_differences(name: str) -> None:
    whole, x = model(name)
    root, D = whole.at(x), np.random.default_rng(3).normal(size=(N, 3))
    h, G = 1e-6, np.random.default_rng(4).normal(size=(N, 3))
    slopes = root.slopes(D)
    inner = [np.vdot(G, slope) for slope in slopes]
    np.testing.assert_allclose(root.inner(D, G), inner, rtol=1e-10, atol=1e-11)
    for j, slope in enumerate(slopes):
        step = h * np.eye(x.size)[j]
        up, down = whole.at(x + step), whole.at(x - step)
        # truncation h^2, rounding eps / h
        close = {"rtol": 1e-7, "atol": 1e-7}
        np.testing.assert_allclose((up.whiten(D) - down.whiten(D)) / (2.0 * h), slope, **close)
        assert (up.logdet - down.logdet) / (2.0 * h) == pytest.approx(
            root.logdet_slopes[j], rel=1e-6, abs=1e-6
        )
        natural = (whole.natural(x + step) - whole.natural(x - step)) / (2.0 * h)
        np.testing.assert_allclose(natural, whole.jacobian(x)[:, j], **close)


@pytest.mark.parametrize("name", STRUCTURES)
def test_natural_parameters_lead_back(name: str) -> None:
    whole, x = model(name)
    np.testing.assert_allclose(whole.x_of(whole.natural(x)), x, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", STRUCTURES)
def test_correlations_between_rows_are_entries_of_the_matrix(name: str) -> None:
    own = structure(name)
    x = own.start() + 0.1
    C, t = expected(name, x), own.groups.times
    i, j = np.array([0, 5, 9]), np.array([3, 7, 11])
    np.testing.assert_allclose(own.between(x, t[i], t[j]), C[i, j], rtol=1e-12)


@pytest.mark.parametrize("name", STRUCTURES)
def test_other_rows_have_the_same_parameters(name: str) -> None:
    own = structure(name)
    x = own.start() + 0.1
    rows = own.groups
    fewer = own.of(Groups(np.array([0]), np.array([2]), rows.times[5:7]))
    np.testing.assert_allclose(fewer.natural(x), own.natural(x))
    W = fewer.at(x).whiten(np.eye(2))
    expect = own.between(x, rows.times[5:6], rows.times[6:7])
    np.testing.assert_allclose(np.linalg.inv(W.T @ W)[0, 1], expect[0], rtol=1e-10)


def test_autoregression_near_one_keeps_its_digits() -> None:
    rows = Groups(np.array([0]), np.array([3]), np.array([[0.0], [1.0], [4.0]]))
    x = np.array([12.0])
    root = AutoRegressive(rows).at(x)
    one_less = 2.0 / (1.0 + np.exp(24.0))  # 1 - tanh(12)
    expect = np.log(2.0 * one_less) + np.log(6.0 * one_less)
    assert root.logdet == pytest.approx(expect, rel=1e-9)


def test_a_car1_at_whole_times_is_an_ar1() -> None:
    car1, ar1 = ContinuousAutoRegressive(ROWS), AutoRegressive(ROWS)
    D = np.random.default_rng(5).normal(size=(N, 2))
    W = car1.at(car1.x_of(np.array([0.4]))).whiten(D)
    np.testing.assert_allclose(W, ar1.at(ar1.x_of(np.array([0.4]))).whiten(D), rtol=1e-12)


def test_a_compound_symmetry_ends_where_its_largest_group_does() -> None:
    cs = CompoundSymmetry(ROWS)
    assert cs.bounds == ((-1.0 / 3.0, 1.0),)
    assert cs.at_end(np.array([-40.0])) and not cs.at_end(np.zeros(1))


def test_ends_of_ranges_are_named() -> None:
    assert "rho of the residual correlation ar1 is at 1" in AutoRegressive(ROWS).at_end(
        np.array([9.0])
    )
    car1 = ContinuousAutoRegressive(ROWS)
    assert car1.at_end(np.array([4.0])).endswith("at 0")
    assert Exponential(PLACES).at_end(np.array([-20.0])).endswith("at 0")
    assert GaussianDecay(PLACES).at_end(np.array([0.0])) == ""
    assert ident(CODES, ["a", "b"]).at_end(np.array([-20.0])) == "sd_ratio_b is at 0"
    assert Unstructured(ROWS, LEVELS).at_end(Unstructured(ROWS, LEVELS).start()) == ""


def test_an_arma_of_order_one_is_an_ar1() -> None:
    arma = CORRELATIONS["arma"](ROWS, p=1)
    D = np.random.default_rng(5).normal(size=(N, 2))
    x = np.array([-0.7])
    np.testing.assert_allclose(arma.at(x).whiten(D), AutoRegressive(ROWS).at(x).whiten(D))


def test_armas_are_stationary_and_invertible_wherever_x_is() -> None:
    arma = CORRELATIONS["arma"](ROWS, p=3, q=3)
    for seed in range(20):
        x = 2.0 * np.random.default_rng(seed).normal(size=6)
        natural = arma.natural(x)
        for own in (natural[:3], -natural[3:]):
            assert (np.abs(np.roots([1.0, *-own])) < 1.0).all()
        np.testing.assert_allclose(arma.x_of(natural), x, rtol=1e-5)
    assert arma.at_end(np.full(6, 9.0)) and not arma.at_end(np.zeros(6))
