"""Truncated Taylor series in several linear predictors, over arrays of rows.

A log-density written on jets yields its derivatives up to the third by the rules of Leibniz and
Faa di Bruno. Functions that lose digits in a tail come as one step with derivatives of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations_with_replacement
from math import comb, factorial
from typing import TypeAlias

import numpy as np

from .special_functions import (
    STIRLING,
    STIRLING_FROM,
    log_gamma_difference,
    log_normal_cdf,
    logistic,
)

Array: TypeAlias = np.ndarray
#: Which predictors a derivative is taken in, ascending: () is the value, (0, 0, 1) a third one.
Index: TypeAlias = tuple[int, ...]
Parts: TypeAlias = dict[Index, Array]

#: The order of constants: all their derivatives are known.
ORDER = 99
ZERO, ONE = np.zeros(()), np.ones(())


class Jet:
    """A function of linear predictors at given points, with derivatives up to an order.

    Attributes
    ----------
    parts : dict of tuple to array (n,)
        Value and derivatives; those that are absent are 0.
    order : int
        Up to which order derivatives are known.
    """

    __slots__ = ("order", "parts")
    __array_ufunc__ = None

    def __init__(self, parts: Parts, order: int = 3):
        self.parts = parts
        self.order = order

    @classmethod
    def variables(cls, eta: Array | Sequence[Array], order: int = 3) -> list[Jet]:
        """The predictors themselves, rows of eta (K, n)."""
        return [
            cls({(): row} if order == 0 else {(): row, (k,): ONE}, order)
            for k, row in enumerate(np.asarray(eta, dtype=float))
        ]

    @property
    def value(self) -> Array:
        """The function itself, (n,)."""
        return self.parts[()]

    def part(self, *index: int) -> Array:
        """A derivative, in predictors given in ascending order."""
        return self.parts.get(index, ZERO)

    def compose(self, *derivatives: Array) -> Jet:
        """f of this, from f at the value and its derivatives there, in their order."""
        parts: Parts = {(): derivatives[0]}
        variables = sorted({k for index in self.parts for k in index})
        for length in range(1, self.order + 1):
            for index in combinations_with_replacement(variables, length):
                for times, blocks in _partitions(index):
                    if all(block in self.parts for block in blocks):
                        term = derivatives[len(blocks)]
                        for block in blocks:
                            term = term * self.parts[block]
                        _add(parts, index, term, times)
        return Jet(parts, self.order)

    def __add__(self, other: Jet | Array | float) -> Jet:
        other = constant(other)
        order = min(self.order, other.order)
        parts: Parts = {}
        for index, part in (*self.parts.items(), *other.parts.items()):
            if len(index) <= order:
                _add(parts, index, part)
        return Jet(parts, order)

    def __mul__(self, other: Jet | Array | float) -> Jet:
        other = constant(other)
        order = min(self.order, other.order)
        parts: Parts = {}
        for a, left in self.parts.items():
            for b, right in other.parts.items():
                if len(a) + len(b) <= order:
                    index, times = _product(a, b)
                    _add(parts, index, left * right, times)
        return Jet(parts, order)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Jet:
        return Jet({index: -part for index, part in self.parts.items()}, self.order)

    def __sub__(self, other: Jet | Array | float) -> Jet:
        return self + -constant(other)

    def __rsub__(self, other: Array | float) -> Jet:
        return -self + other

    def __truediv__(self, other: Jet | Array | float) -> Jet:
        if not isinstance(other, Jet):
            return Jet({index: part / other for index, part in self.parts.items()}, self.order)
        return self * other**-1.0

    def __rtruediv__(self, other: Array | float) -> Jet:
        return self**-1.0 * other

    def __pow__(self, p: float) -> Jet:
        x = self.value
        return self.compose(
            x**p,
            p * x ** (p - 1.0),
            p * (p - 1.0) * x ** (p - 2.0),
            p * (p - 1.0) * (p - 2.0) * x ** (p - 3.0),
        )


#: f(x, order) with as many derivatives as asked for, or more.
Unary: TypeAlias = Callable[[Array, int], Sequence[Array]]


def constant(x: Jet | Array | float) -> Jet:
    """A jet as it is; anything else as one without derivatives."""
    return x if isinstance(x, Jet) else Jet({(): np.asarray(x, dtype=float)}, ORDER)


def unary(x: Jet | Array | float, function: Unary) -> Jet:
    """A function of one variable of a jet."""
    jet = constant(x)
    moves = len(jet.parts) > 1
    derivatives = function(jet.value, jet.order if moves else 0)
    return jet.compose(*derivatives) if moves else Jet({(): derivatives[0]}, jet.order)


def where(mask: Array, a: Jet | Array | float, b: Jet | Array | float) -> Jet:
    """Rows of `a` where the mask holds, of `b` elsewhere."""
    a, b = constant(a), constant(b)
    indices = dict.fromkeys((*a.parts, *b.parts))
    order = min(a.order, b.order)
    return Jet({i: np.where(mask, a.part(*i), b.part(*i)) for i in indices}, order)


def take(x: Jet | Array | float, rows: Array) -> Jet:
    """Some rows of a jet."""
    jet = constant(x)
    return Jet(
        {i: part[rows] if np.ndim(part) else part for i, part in jet.parts.items()}, jet.order
    )


def place(rows: Array, a: Jet, n: int) -> Jet:
    """The jet over n rows that has `a` at some of them, and is 0 elsewhere."""
    parts: Parts = {}
    for index, part in a.parts.items():
        parts[index] = np.zeros(n)
        parts[index][rows] = part
    return Jet(parts, a.order)


def substitute(series: Jet, arguments: Sequence[Jet]) -> Jet:
    """A function of few variables, given by its jet at the values of jets, of these jets."""
    moves = [Jet({i: part for i, part in jet.parts.items() if i}, jet.order) for jet in arguments]
    order = min(series.order, *(jet.order for jet in arguments))
    total = constant(series.value)
    powers: dict[Index, Jet] = {}
    for index in sorted(series.parts, key=len):
        if not 0 < len(index) <= order:
            continue
        step = moves[index[-1]]
        powers[index] = step if len(index) == 1 else powers[index[:-1]] * step
        times = 1
        for k in set(index):
            times *= factorial(index.count(k))
        total = total + powers[index] * (series.parts[index] / times)
    return Jet(total.parts, order)


def branches(mask: Array, a: Callable[[Array], Jet], b: Callable[[Array], Jet]) -> Jet:
    """`a` of the rows of a mask and `b` of the others: each computed where it is needed."""
    if mask.all():
        return a(mask)
    if not mask.any():
        return b(~mask)
    return place(mask, a(mask), mask.size) + place(~mask, b(~mask), mask.size)


def exp(x: Jet | Array | float) -> Jet:
    """e^x."""

    def function(x: Array, order: int) -> Sequence[Array]:
        return (np.exp(x),) * (order + 1)

    return unary(x, function)


def expm1(x: Jet | Array | float) -> Jet:
    """e^x - 1."""

    def function(x: Array, order: int) -> Sequence[Array]:
        return np.expm1(x), *(np.exp(x),) * order

    return unary(x, function)


def log(x: Jet | Array | float) -> Jet:
    """log x."""

    def function(x: Array, order: int) -> Sequence[Array]:
        r = 1.0 / x
        return np.log(x), r, -r * r, 2.0 * r * r * r, -6.0 * r * r * r * r

    return unary(x, function)


def log1p(x: Jet | Array | float) -> Jet:
    """log(1 + x)."""

    def function(x: Array, order: int) -> Sequence[Array]:
        r = 1.0 / (1.0 + x)
        return np.log1p(x), r, -r * r, 2.0 * r * r * r

    return unary(x, function)


def sqrt(x: Jet | Array | float) -> Jet:
    """The square root."""
    return constant(x) ** 0.5


def expit(x: Jet | Array | float) -> Jet:
    """1 / (1 + e^-x)."""

    def function(x: Array, order: int) -> Sequence[Array]:
        p, q, _, _ = logistic(x)
        return p, p * q, p * q * (q - p), p * q * (1.0 - 6.0 * p * q)

    return unary(x, function)


def log_expit(x: Jet | Array | float) -> Jet:
    """log(1 / (1 + e^-x))."""

    def function(x: Array, order: int) -> Sequence[Array]:
        p, q, log_p, _ = logistic(x)
        return log_p, q, -p * q, -p * q * (q - p)

    return unary(x, function)


def softplus(x: Jet | Array | float) -> Jet:
    """log(1 + e^x)."""
    return -log_expit(-constant(x))


def log1mexp(x: Jet | Array | float) -> Jet:
    """log(1 - e^x) for x < 0."""

    def function(x: Array, order: int) -> Sequence[Array]:
        odds = 1.0 / np.expm1(-x)
        odds1 = odds * (1.0 + odds)
        value = np.where(x > -0.5, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))
        return value, -odds, -odds1, -odds1 * (1.0 + 2.0 * odds)

    return unary(x, function)


def logaddexp(a: Jet | Array | float, b: Jet | Array | float) -> Jet:
    """log(e^a + e^b), from the larger: exact also where the other is next to nothing."""
    a, b = constant(a), constant(b)
    larger = a.value >= b.value
    high, low = where(larger, a, b), where(larger, b, a)
    return high + softplus(low - high)


def log_ndtr(x: Jet | Array | float) -> Jet:
    """log Phi(x)."""
    return unary(x, lambda x, order: log_normal_cdf(x))


def lgamma(x: Jet | Array | float) -> Jet:
    """The logarithm of the gamma function."""

    def function(x: Array, order: int) -> Sequence[Array]:
        from scipy.special import gammaln, psi, zeta

        derivatives = gammaln(x), *((psi(x),) if order > 0 else ())
        derivatives += (zeta(2.0, x),) if order > 1 else ()
        return derivatives + ((-2.0 * zeta(3.0, x),) if order > 2 else ())

    return unary(x, function)


def binet(x: Jet | Array | float) -> Jet:
    """lgamma(x) - (x - 1/2) log x + x - log(2 pi) / 2, which tends to 0 as 1 / (12 x)."""
    return unary(x, binet_derivatives)


def binet_derivatives(x: Array, order: int) -> list[Array]:
    """Binet's function, by its series where the terms of its definition cancel."""
    from scipy.special import gammaln, psi, zeta

    x = np.asarray(x, dtype=float)
    large = np.maximum(x, STIRLING_FROM)
    derivatives = _series(large, order)
    below = x < STIRLING_FROM
    if below.any():
        s = x[below]
        direct = [gammaln(s) - (s - 0.5) * np.log(s) + s - 0.5 * np.log(2.0 * np.pi)]
        if order > 0:
            direct.append(psi(s) - np.log(s) + 0.5 / s)
        if order > 1:
            direct.append(zeta(2.0, s) - (1.0 + 0.5 / s) / s)
        if order > 2:
            direct.append((1.0 + 1.0 / s) / (s * s) - 2.0 * zeta(3.0, s))
        for whole, part in zip(derivatives, direct, strict=True):
            whole[below] = part
    return derivatives


def _series(x: Array, order: int) -> list[Array]:
    """Stirling's series and its derivatives: sums of c_k x^(1 - 2k)."""
    y = 1.0 / (x * x)
    derivatives = []
    for d in range(order + 1):
        total = np.zeros(np.shape(x))
        for k, coefficient in reversed(list(enumerate(STIRLING, 1))):
            total = total * y + coefficient * _falling(1 - 2 * k, d)
        derivatives.append(np.asarray(total / x ** (d + 1)))
    return derivatives


def _falling(p: int, d: int) -> float:
    """p (p - 1) ... (p - d + 1)."""
    return 1.0 if d == 0 else p * _falling(p - 1, d - 1)


def log_multiset(a: Jet | Array | float, k: Array) -> Jet:
    """lgamma(a + k) - lgamma(a) - lgamma(k + 1): how many multisets of k out of a."""

    def function(a: Array, order: int) -> Sequence[Array]:
        from scipy.special import gammaln

        n, m = np.broadcast_arrays(a, np.asarray(k, dtype=float))
        none = m == 0.0
        from_a = (n > m + 1.0) | none
        value = log_gamma_difference(np.where(from_a, n, m + 1.0), np.where(from_a, m, n - 1.0))
        value = np.where(none, 0.0, value - gammaln(np.where(from_a, m + 1.0, n)))
        return value, *_polygamma_differences(n, m, order)

    return unary(a, function)


def _polygamma_differences(a: Array, d: Array, order: int) -> list[Array]:
    """Derivatives of lgamma(a + d) - lgamma(a) in a, from the first up to an order."""
    from scipy.special import psi, zeta

    if order == 0:
        return []
    c = a + d
    share = d / a / c
    leading = [np.log1p(d / a) + 0.5 * share]
    if order > 1:
        leading.append(-share * (1.0 + 0.5 * (1.0 / a + 1.0 / c)))
    if order > 2:
        powers = 1.0 / (a * a) + 1.0 / (a * c) + 1.0 / (c * c)
        leading.append(share * (1.0 / a + 1.0 / c + powers))
    large = np.maximum(a, STIRLING_FROM)
    high, low = _series(large + d, order)[1:], _series(large, order)[1:]
    differences = [lead + (h - g) for lead, h, g in zip(leading, high, low, strict=True)]
    below = a < STIRLING_FROM
    if below.any():
        s, t = a[below], c[below]
        functions = (psi, lambda x: zeta(2.0, x), lambda x: -2.0 * zeta(3.0, x))
        for whole, f in zip(differences, functions, strict=False):
            whole[below] = f(t) - f(s)
    return differences


def packed(K: int) -> list[Index]:
    """Pairs of predictors in the order of a packed lower triangle, each ascending."""
    return [(b, a) for a in range(K) for b in range(a + 1)]


def _add(parts: Parts, index: Index, term: Array, times: int = 1) -> None:
    if times != 1:
        term = times * term
    parts[index] = parts[index] + term if index in parts else term


@cache
def _product(a: Index, b: Index) -> tuple[Index, int]:
    """The derivative that D_a f D_b g belongs to, and how often it is in D(f g)."""
    index = tuple(sorted(a + b))
    times = 1
    for k in set(index):
        times *= comb(index.count(k), a.count(k))
    return index, times


@cache
def _partitions(index: Index) -> tuple[tuple[int, tuple[Index, ...]], ...]:
    """Faa di Bruno's terms of a derivative of a composition: how often, and of which parts."""
    counts: dict[tuple[Index, ...], int] = {}
    for blocks in _set_partitions(list(range(len(index)))):
        key = tuple(sorted(tuple(sorted(index[i] for i in block)) for block in blocks))
        counts[key] = counts.get(key, 0) + 1
    return tuple((times, blocks) for blocks, times in counts.items())


def _set_partitions(items: list[int]) -> list[list[list[int]]]:
    if not items:
        return [[]]
    first, partitions = items[0], []
    for rest in _set_partitions(items[1:]):
        partitions.append([[first], *rest])
        partitions += [[*rest[:i], [first, *block], *rest[i + 1 :]] for i, block in enumerate(rest)]
    return partitions
