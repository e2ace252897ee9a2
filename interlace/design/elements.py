"""Elements of columns, indicators of cells times numbers, and queries of their products by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..frames.columns import Columns
from ..frames.lazy import LazyRows
from .plain_matrix import PlainMatrix
from .products import Products

#: Indicators of cells are summed as columns up to so many; more are grouped on.
MOST_INDICATORS = 16


class Block(NamedTuple):
    """Elements: the indicators of some cells of factors (indices), each times one atom."""

    factors: tuple[int, ...]
    atom: int


class Elements:
    """Blocks of elements side by side."""

    def __init__(self, products: Products) -> None:
        self.products = products
        self.starts: dict[Block, int] = {}
        self.size = 0

    def add(self, factors: tuple[int, ...], atom: int) -> int:
        """Where the block begins, which is added if it is not there."""
        block = Block(factors, atom)
        if block not in self.starts:
            self.starts[block] = self.size
            self.size += len(self.products.cells(factors))
        return self.starts[block]

    def add_those_of(self, recipe: PlainMatrix) -> None:
        """Add the blocks that the columns of a matrix are made of."""
        for _, product in recipe.split()[0].products:
            own, atom = self.products.parts(recipe, product)
            self.add(own, 0)
            self.add(own, atom)

    def matrix(self, recipe: PlainMatrix) -> np.ndarray:
        """What makes the columns of a matrix of elements, (d, columns)."""
        self.add_those_of(recipe)
        columns = [np.zeros((self.size, 0))]
        single, places = recipe.split()
        for scale, product in single.products:
            own, atom = self.products.parts(recipe, product)
            values = scale * self.products.coded(recipe, product, own)
            out = np.zeros((self.size, values.shape[1]))
            # a number is its mean times 1 and its standard deviation times what is centred
            for of, times in zip((0, atom), self.products.moments[atom], strict=True):
                start = self.starts[Block(own, of)]
                out[start : start + len(values)] += values * times
            columns.append(out)
        return put(np.concatenate(columns, axis=1), places)


def put(columns: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Columns of a matrix in their places."""
    out = np.empty_like(columns)
    out[:, places] = columns
    return out


class Table:
    """One query: sums of products by combination of keys.

    Indicators of few cells are columns of the query; those of many are keys.
    """

    def __init__(
        self, products: Products, keys: list[str], asked: list[tuple[Elements, Elements]]
    ) -> None:
        self.products, self.keys, self.asked = products, keys, asked
        own = {block.factors for pair in asked for side in pair for block in side.starts}
        count = sum(len(products.cells(factors)) for factors in own if factors)
        self.indicators = count <= MOST_INDICATORS
        self._factors = [] if self.indicators else sorted({f for factors in own for f in factors})
        self.columns: Columns
        self._codes: dict[tuple[int, ...], np.ndarray] = {}

    def run(self, lazy: LazyRows) -> None:
        """Ask the engine."""
        keys = [*self.keys, *(f"{self.products.free}f{i}" for i in self._factors)]
        asked = {}
        for left, right in self.asked:
            for a in left.starts:
                for b in right.starts:
                    asked.update(self._sums_of(right, a, b))
        self.columns = lazy.sums(self.products.first(self.keys), keys, asked, self.keys)

    def _sums_of(self, right: Elements, a: Block, b: Block) -> dict[str, Any]:
        import narwhals.stable.v2 as nw

        i, j = sorted((a.atom, b.atom))
        product = self.products.product(i, j)
        if not self.indicators:
            return {self._name(i, j): product}
        out = {}
        for _, _, inside in self._overlaps(right, a, b):
            value = product
            if inside:
                conditions = [self._is_at(f, level) for f, level in inside]
                value = nw.when(*conditions).then(product).otherwise(0.0)
            out[self._name(i, j, inside)] = value
        return out

    def _name(self, i: int, j: int, inside: tuple[tuple[int, int], ...] = ()) -> str:
        """The column of a sum."""
        cell = "".join(f"_{factor}at{level}" for factor, level in inside)
        return f"{self.products.free}s{i}_{j}{cell}"

    def _overlaps(
        self, right: Elements, a: Block, b: Block
    ) -> Iterator[tuple[int, int, tuple[tuple[int, int], ...]]]:
        """Cells of a and of b, by place, that are summed, and the levels that are both."""
        for x, cell in enumerate(self.products.cells(a.factors)):
            for y, other in enumerate(self._asked_cells(right, a, b)):
                inside = _both(a, cell, b, other)
                if inside is not None:
                    yield x, y, inside

    def _asked_cells(self, right: Elements, a: Block, b: Block) -> np.ndarray:
        """Cells of b that are summed: without the last where the sum over all is known."""
        cells = self.products.cells(b.factors)
        known = not a.factors and b.factors and Block((), b.atom) in right.starts
        return cells[:-1] if known else cells

    def _is_at(self, factor: int, level: int) -> Any:
        import narwhals.stable.v2 as nw

        key, labels = (
            nw.col(f"{self.products.free}f{factor}"),
            self.products.levels[self.products.factors[factor]],
        )
        if labels is None:
            return key if level else ~key
        return key == labels.levels.tolist()[level]

    def spread(self, left: Elements, right: Elements, codes: np.ndarray, levels: int) -> np.ndarray:
        """Sums by level of rows with these codes, (levels, left, right)."""
        out = np.zeros((levels, left.size, right.size))
        alone = self.columns.n == levels and self.indicators
        for a, start in left.starts.items():
            for b, at in sorted(right.starts.items(), key=lambda item: len(item[0].factors)):
                if not self.indicators:
                    self._by_cell(out, a, start, b, at, codes)
                    continue
                i, j = sorted((a.atom, b.atom))
                for x, y, inside in self._overlaps(right, a, b):
                    values = self.columns.values[self._name(i, j, inside)]
                    assert isinstance(values, np.ndarray)
                    if alone:
                        out[codes, start + x, at + y] = values
                    else:
                        out[:, start + x, at + y] = np.bincount(codes, values, levels)
                summed = len(self._asked_cells(right, a, b))
                if summed < len(self.products.cells(b.factors)):
                    last = at + summed
                    whole = out[:, start, right.starts[Block((), b.atom)]]
                    out[:, start, last] = whole - out[:, start, at:last].sum(axis=1)
        return out

    def _by_cell(
        self, out: np.ndarray, a: Block, start: int, b: Block, at: int, codes: np.ndarray
    ) -> None:
        i, j = sorted((a.atom, b.atom))
        values = self.columns.values[self._name(i, j)]
        assert isinstance(values, np.ndarray)
        x, rows = self._cells_of(a.factors)
        y, columns = self._cells_of(b.factors)
        levels = len(out)
        sums = np.bincount((codes * rows + x) * columns + y, values, levels * rows * columns)
        out[:, start : start + rows, at : at + columns] = sums.reshape(levels, rows, columns)

    def _cells_of(self, factors: tuple[int, ...]) -> tuple[np.ndarray, int]:
        """The cell of some factors that each row is in, and how many there are."""
        cells = self.products.cells(factors)
        if not factors:
            return np.zeros(self.columns.n, dtype=np.int64), 1
        if factors not in self._codes:
            sizes = tuple(cells.max(axis=0) + 1)
            known = np.ravel_multi_index(tuple(cells.T), sizes)
            made = [self.columns.values[f"{self.products.free}f{f}"] for f in factors]
            own = [self.products.codes_in(c, f) for c, f in zip(made, factors, strict=True)]
            self._codes[factors] = np.searchsorted(known, np.ravel_multi_index(tuple(own), sizes))
        return self._codes[factors], len(cells)


def _both(a: Block, x: np.ndarray, b: Block, y: np.ndarray) -> tuple[tuple[int, int], ...] | None:
    """Levels of factors in two cells at once; None if they exclude each other."""
    inside = dict(zip(a.factors, x.tolist(), strict=True))
    for factor, level in zip(b.factors, y.tolist(), strict=True):
        if inside.setdefault(factor, level) != level:
            return None
    return tuple(sorted(inside.items()))
