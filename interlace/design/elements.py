"""Elements of columns, indicators of cells times numbers, and queries of their products by key."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..frames.columns import Columns
from ..frames.lazy import LazyRows
from .model_matrix import PlainMatrix
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
            self.size += len(self.cells(block))
        return self.starts[block]

    def cells(self, block: Block) -> np.ndarray:
        """Levels of the block's factors in each observed cell, (cells, factors)."""
        return self.products.cells(block.factors)

    def matrix(self, recipe: PlainMatrix) -> np.ndarray:
        """What makes the columns of a matrix of elements, (d, columns)."""
        places, width = [], 0
        for scale, factors in recipe.products:
            coded = tuple(v for v, _ in factors if v in recipe.codings)
            own = self.products.factors_of(coded)
            atom = self.products.atom([v for v, _ in factors if v not in recipe.codings])
            values = scale * self.products.coded(recipe, factors, own)
            places.append((own, atom, values, width))
            width += values.shape[1]
            self.add(own, 0)
            if atom:
                self.add(own, atom)
        out = np.zeros((self.size, width))
        for own, atom, values, at in places:
            columns = slice(at, at + values.shape[1])
            mean, sd = self.products.moments[atom]
            self._put(out, own, 0, values * (mean if atom else 1.0), columns)
            if atom:
                self._put(out, own, atom, values * sd, columns)
        return out

    def _put(self, out: np.ndarray, own: Any, atom: int, values: np.ndarray, at: slice) -> None:
        start = self.starts[Block(own, atom)]
        out[start : start + len(values), at] += values


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

    def run(self, lazy: LazyRows) -> None:
        """Ask the engine."""
        import narwhals.stable.v2 as nw

        keys = {name: nw.col(name) for name in self.keys}
        keys |= {f"_f{i}": self.products.key(i) for i in self._factors}
        asked = {}
        for left, right in self.asked:
            for a in left.starts:
                for b in right.starts:
                    asked.update(self._sums_of(right, a, b))
        self.columns = lazy.sums(keys, asked, self.keys)

    def _sums_of(self, right: Elements, a: Block, b: Block) -> dict[str, Any]:
        import narwhals.stable.v2 as nw

        i, j = sorted((a.atom, b.atom))
        product = self.products.product(i, j)
        if not self.indicators:
            return {f"_s{i}_{j}": product}
        out = {}
        for x in self.products.cells(a.factors):
            for y in self._asked_cells(right, a, b):
                inside = _both(a, x, b, y)
                if inside is None:
                    continue
                value = product
                if inside:
                    conditions = [self._is_at(f, level) for f, level in inside]
                    value = nw.when(*conditions).then(product).otherwise(0.0)
                out[_name(i, j, inside)] = value
        return out

    def _asked_cells(self, right: Elements, a: Block, b: Block) -> np.ndarray:
        """Cells of b that are summed: without the last where the sum over all is known."""
        cells = self.products.cells(b.factors)
        known = not a.factors and b.factors and Block((), b.atom) in right.starts
        return cells[:-1] if known else cells

    def _is_at(self, factor: int, level: int) -> Any:
        key, labels = self.products.key(factor), self.products.levels[self.products.factors[factor]]
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
                summed = self._asked_cells(right, a, b)
                for x, cell in enumerate(self.products.cells(a.factors)):
                    for y, other in enumerate(summed):
                        inside = _both(a, cell, b, other)
                        if inside is None:
                            continue
                        values = self.columns.values[_name(i, j, inside)]
                        assert isinstance(values, np.ndarray)
                        if alone:
                            out[codes, start + x, at + y] = values
                        else:
                            out[:, start + x, at + y] = np.bincount(codes, values, levels)
                if len(summed) < len(self.products.cells(b.factors)):
                    last = at + len(summed)
                    whole = out[:, start, right.starts[Block((), b.atom)]]
                    out[:, start, last] = whole - out[:, start, at:last].sum(axis=1)
        return out

    def _by_cell(
        self, out: np.ndarray, a: Block, start: int, b: Block, at: int, codes: np.ndarray
    ) -> None:
        i, j = sorted((a.atom, b.atom))
        values = self.columns.values[f"_s{i}_{j}"]
        assert isinstance(values, np.ndarray)
        x, rows = self._cells_of(a)
        y, columns = self._cells_of(b)
        levels = len(out)
        sums = np.bincount((codes * rows + x) * columns + y, values, levels * rows * columns)
        out[:, start : start + rows, at : at + columns] = sums.reshape(levels, rows, columns)

    def _cells_of(self, block: Block) -> tuple[np.ndarray, int]:
        """The block's cell of each row, and how many it has."""
        cells = self.products.cells(block.factors)
        if not block.factors:
            return np.zeros(self.columns.n, dtype=np.int64), 1
        sizes = tuple(cells.max(axis=0) + 1)
        known = np.ravel_multi_index(tuple(cells.T), sizes)
        own = [self.products.codes_in(self.columns.values[f"_f{f}"], f) for f in block.factors]
        return np.searchsorted(known, np.ravel_multi_index(tuple(own), sizes)), len(cells)


def _both(a: Block, x: np.ndarray, b: Block, y: np.ndarray) -> tuple[tuple[int, int], ...] | None:
    """Levels of factors in two cells at once; None if they exclude each other."""
    inside = dict(zip(a.factors, x.tolist(), strict=True))
    for factor, level in zip(b.factors, y.tolist(), strict=True):
        if inside.setdefault(factor, level) != level:
            return None
    return tuple(sorted(inside.items()))


def _name(i: int, j: int, inside: tuple[tuple[int, int], ...]) -> str:
    return f"_s{i}_{j}" + "".join(f"_{factor}at{level}" for factor, level in inside)
