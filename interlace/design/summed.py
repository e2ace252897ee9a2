"""Formula and lazy frame -> `SummedDesign`: the sums of a linear model, computed by the engine.

Every column of X and Z is a sum of elements, indicators of cells of factors times a number: 1, or a
covariate that the engine has centred and scaled before it multiplies, so that large means take no
digits. Three kinds of queries: moments of the covariates; their products by cell of the factors of
X; products of Z with all of them by level of a grouping factor, or by pair of levels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..covariance.names import STRUCTURES
from ..errors import DataError, FormulaError
from .build import check_effects, check_groups, in_order, kept_columns, new_data_recipe
from .design import GroupingFactor, RandomTerm
from .elements import Elements, Table, put
from .gram_roots import gram_roots
from .grouping import Grouping, grouping
from .lazy_frame import LazyModelFrame
from .model_matrix import terms_on
from .newdata import FixedSide, RandomSide
from .predictor import MEAN, LinearPredictor
from .rowless import RowlessDesign


class FactorSums(NamedTuple):
    """Sums by level of one grouping factor.

    ``own`` (l, e, e) are products of the e elements of Z, ``with_all`` (l, e, d) those with the d
    elements of X and y; ``columns`` (e, k) make Z of its elements.
    """

    own: np.ndarray
    with_all: np.ndarray
    columns: np.ndarray


class PairSums(NamedTuple):
    """Sums by pair of levels of two grouping factors, rows compressed: values (nnz, e_b, e_c)."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Sums:
    """All that a linear model needs of its rows.

    Attributes
    ----------
    n : int
    log_weights : float
    ones, X, y : ndarray, shape (r,), (r, p), (r,)
        Rows that stand for those of the data: [1 X y] has the same cross-products.
    whole : ndarray, shape (r, all)
        X with the columns left out.
    elements : ndarray, shape (d, p + 1)
        What makes [X y] of the elements; the first of these is 1.
    factors : tuple of FactorSums
    pairs : dict
        (b, c), b < c, to `PairSums`.
    plain : ndarray, shape (s, p), or None
        As X, without the weights of the rows; None where there are none.
    """

    n: int
    log_weights: float
    ones: np.ndarray
    X: np.ndarray
    y: np.ndarray
    whole: np.ndarray
    elements: np.ndarray
    factors: tuple[FactorSums, ...]
    pairs: dict[tuple[int, int], PairSums]
    plain: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SummedDesign(RowlessDesign):
    """A design of which the engine of the data computed sums.

    ``X`` has rows of the cells of its factors, with covariates within the range of the data: they
    span what X spans.

    Attributes
    ----------
    sums : Sums
    """

    sums: Sums | None = field(default=None, repr=False)

    @property
    def whereabouts(self) -> str:  # type: ignore[override]
        """What there is in place of rows, in a message."""
        return f"has the sums of its data, which {self.engine} computed, and not their rows"

    def without_levels(self) -> SummedDesign:
        """The same without the sums by level, which the cross-products of a fit have."""
        assert self.sums is not None
        return self.changed(sums=replace(self.sums, factors=(), pairs={}))

    @property
    def information_root(self) -> np.ndarray:
        assert self.sums is not None
        return self.sums.X if self.sums.plain is None else self.sums.plain

    @property
    def whole_root(self) -> np.ndarray:
        assert self.sums is not None
        return self.sums.whole


def build_summed(formula: Any, data: Any, **arguments: Any) -> SummedDesign:
    """The design of a formula and a lazy frame; arguments as those of `build`."""
    return _Summing(LazyModelFrame.of(formula, data, linear=True, **arguments)).design()


class _Summing:
    """The queries of a model in their order, and the design that comes of them."""

    def __init__(self, frame: LazyModelFrame) -> None:
        self.frame, self.products = frame, frame.products
        part = frame.predictors[MEAN]
        self.fixed = frame.recipe(part.fixed, frame.columns, frame.contrasts)
        self.specs = list(zip(part.formula.random, part.sides, strict=True))
        self.recipes = [
            frame.recipe(side, frame.columns, frame.contrasts) for _, side in self.specs
        ]
        for spec, _ in self.specs:
            if STRUCTURES[spec.structure].patterned or spec.matrix is not None:
                what = "a known covariance of levels"
                if spec.matrix is None:
                    what = f"the structure {spec.structure!r}"
                raise FormulaError(
                    f"{spec.text}: {what} is not made of sums by level; "
                    "collect the rows that fit into memory and give these as data",
                    frame.formula.text,
                )

    def design(self) -> SummedDesign:
        """Everything."""
        frame = self.frame
        products, plain = self.products, None
        X, y, ones = self._rows(products.grams)
        if products.weight is not None:
            plain = self._rows(products.plain_grams)[0]
        kept, dropped = kept_columns(X, self.fixed.names)
        elements, making = self._elements(kept)
        tables = _LevelTables(self, elements)
        factors, terms, sides, sums = tables.results()
        pairs = tables.pairs(factors)
        if len(kept) >= frame.n:
            raise DataError(
                f"formula has {len(kept)} fixed coefficients for {frame.n} rows; leave out terms"
            )
        whole = Sums(
            frame.n, frame.log_weights, ones, X[:, kept], y, X, making, tuple(sums), pairs,
            None if plain is None else plain[:, kept],
        )  # fmt: skip
        return SummedDesign(
            y=None,  # type: ignore[arg-type]
            trials=None,
            weights=frame.weights,
            predictors={MEAN: self._predictor(kept, dropped)},
            factors=tuple(factors),
            terms=tuple(terms),
            formula=frame.formula,
            response_name=frame.response.text,
            index=None,
            na_action=frame.na_action,
            n_missing=frame.n_missing,
            missing_by=frame.missing_by,
            recipe=new_data_recipe(frame, [self._side(kept)], sides, tables.groupings, linear=True),
            n_rows=frame.n,
            sums=whole,
            engine=frame.lazy.engine,
            ranges=products.columns_seen,
        )

    def _rows(self, grams: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows with the cross-products of the data's, whose sums are ``grams``: X, y and 1."""
        products = self.products
        R = gram_roots(grams, np.empty((*grams.shape[:2], 0)))
        place = {atom: at for at, atom in enumerate(products.of_X)}
        real = R.any(axis=2)
        ones = R[:, :, 0][real]
        at = np.nonzero(real)[0]

        def column(atom: int) -> np.ndarray:
            mean, sd = products.moments[atom]
            return mean * ones + sd * R[:, :, place[atom]][real]

        blocks = [np.zeros((len(ones), 0))]
        single, places = self.fixed.split()
        for scale, product in single.products:
            own, atom = products.parts(self.fixed, product)
            coding = scale * products.coded(self.fixed, product, own)[products.cell_of(own)]
            blocks.append(coding[at] * column(atom)[:, None])
        X = put(np.concatenate(blocks, axis=1), places)
        return X, column(products.response), ones

    def _elements(self, kept: np.ndarray) -> tuple[Elements, np.ndarray]:
        """Elements of X and y, and what makes these of them."""
        elements = Elements(self.products)
        elements.add((), 0)
        of_X = elements.matrix(self.fixed)[:, kept]
        at = elements.add((), self.products.response)
        making = np.zeros((elements.size, len(kept) + 1))
        making[: len(of_X), :-1] = of_X
        making[0, -1], making[at, -1] = self.products.moments[self.products.response]
        return elements, making

    def _predictor(self, kept: np.ndarray, dropped: tuple[str, ...]) -> LinearPredictor:
        """Fixed part, with rows that span what the data span."""
        alone = replace(self.fixed, calls=())
        single, places = alone.split()
        columns = self.products.prototypes()
        side = self.frame.predictors[MEAN].fixed
        terms = terms_on(side.text, side.variables, self.frame.columns, alone, columns)
        return LinearPredictor(
            X=np.ascontiguousarray(put(single.matrix(columns), places)[:, kept]),
            names=tuple(self.fixed.names[j] for j in kept),
            terms=terms.keep(kept) if dropped else terms,
            offset=np.empty(0) if self._has_offset() else None,
            dropped=dropped,
            formula=self.frame.predictors[MEAN].formula,
        )

    def _side(self, kept: np.ndarray) -> FixedSide:
        part = self.frame.predictors[MEAN]
        return FixedSide(self.fixed, kept, part.fixed.variables, part.offsets)

    def _has_offset(self) -> bool:
        return bool(self.frame.predictors[MEAN].offsets) or self.frame.offset is not None


class _LevelTables:
    """Sums by level of each grouping factor, and by pair of levels of each two."""

    def __init__(self, work: _Summing, elements: Elements) -> None:
        self.work, self.all = work, elements
        self.frame, self.products = work.frame, work.products
        self.keys = {
            label: list(dict.fromkeys(n for piece in pieces for n in piece.variables))
            for label, pieces in self.frame.groups.items()
        }
        self.own: dict[str, Elements] = {label: Elements(self.products) for label in self.keys}
        for (spec, _), recipe in zip(work.specs, work.recipes, strict=True):
            self.own[spec.factor].add_those_of(recipe)
        self.hosts = {label: self._host(self.keys[label]) for label in self.keys}
        self.by_label: dict[str, tuple[Grouping, np.ndarray, np.ndarray]] = {}
        self._hosted: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.groupings: tuple[Grouping, ...] = ()
        self._run()

    def _host(self, keys: list[str]) -> str | None:
        """The grouping factor with most keys whose table has these keys too."""
        fits = [label for label, own in self.keys.items() if set(keys) <= set(own)]
        return max(fits, key=lambda label: len(self.keys[label])) if fits else None

    def _run(self) -> None:
        labels = list(self.keys)
        pairs = list(combinations(labels, 2))
        pair_hosts = {
            (b, c): self._host(list(dict.fromkeys(self.keys[b] + self.keys[c]))) for b, c in pairs
        }
        for host in dict.fromkeys(self.hosts.values()):
            assert host is not None
            guests = [label for label in labels if self.hosts[label] == host]
            together = [pair for pair in pairs if pair_hosts[pair] == host]
            asked = [(self.own[b], other) for b in guests for other in (self.own[b], self.all)]
            asked += [(self.own[b], self.own[c]) for b, c in together]
            table = Table(self.products, self.keys[host], asked)
            table.run(self.frame.lazy)
            codes = {}
            for b in guests:
                made, codes[b] = grouping(b, self.frame.groups[b], table.columns)
                check_groups(made, self.frame.n, True, False)
                count, own = len(made.cells), self.own[b]
                squares = table.spread(own, own, codes[b], count)
                self.by_label[b] = made, squares, table.spread(own, self.all, codes[b], count)
            for b, c in together:
                values = table.spread(
                    self.own[b], self.own[c], np.arange(table.columns.n), table.columns.n
                )
                self._hosted[b, c] = codes[b], codes[c], values

    def results(self) -> tuple[list, list, tuple[RandomSide, ...], list[FactorSums]]:
        """Grouping factors with their terms, most levels first."""
        frame = self.frame
        sizes = {label: len(own[0].cells) for label, own in self.by_label.items()}
        ordered = in_order(frame, sizes)
        labels = list(dict.fromkeys(spec.factor for _, spec, _ in ordered))
        labels.sort(key=lambda label: -sizes[label])
        self.labels = labels
        self.groupings = tuple(self.by_label[label][0] for label in labels)
        blocks: dict[str, list[np.ndarray]] = {label: [] for label in labels}
        terms, sides = [], []
        for name, spec, side in ordered:
            recipe = next(r for (s, _), r in zip(self.work.specs, self.work.recipes) if s is spec)
            making = self.own[spec.factor].matrix(recipe)
            check_effects(spec.text, sizes[spec.factor] * making.shape[1], frame.n)
            start = sum(block.shape[1] for block in blocks[spec.factor])
            at = slice(start, start + making.shape[1])
            blocks[spec.factor].append(making)
            factor = labels.index(spec.factor)
            terms.append(
                RandomTerm(factor, at, recipe.names, spec.structure, spec.text, name, None, None)
            )
            sides.append(RandomSide(recipe, side.variables, factor, at, name))
        factors, sums = [], []
        for label in labels:
            made, own, with_all = self.by_label.pop(label)
            columns = np.concatenate(blocks[label], axis=1)
            factors.append(
                GroupingFactor(
                    label, made.levels, np.empty(0, np.int32), np.empty((0, columns.shape[1]))
                )
            )
            sums.append(FactorSums(own, with_all, columns))
        return factors, terms, tuple(sides), sums

    def pairs(self, factors: list[GroupingFactor]) -> dict[tuple[int, int], PairSums]:
        """Sums by pair of levels, factors by their place."""
        out = {}
        for b, c in combinations(range(len(factors)), 2):
            first, second = self.labels[b], self.labels[c]
            if (first, second) in self._hosted:
                sums = self._hosted.pop((first, second))
            elif (second, first) in self._hosted:
                right, left, values = self._hosted.pop((second, first))
                sums = left, right, values.transpose(0, 2, 1)
            else:
                sums = self._ask(b, c)
            out[b, c] = _compressed(*sums, len(factors[b].levels), len(factors[c].levels))
        return out

    def _ask(self, b: int, c: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, second = self.labels[b], self.labels[c]
        keys = list(dict.fromkeys(self.keys[first] + self.keys[second]))
        table = Table(self.products, keys, [(self.own[first], self.own[second])])
        table.run(self.frame.lazy)
        n = table.columns.n
        values = table.spread(self.own[first], self.own[second], np.arange(n), n)
        left = self.groupings[b].codes(table.columns)[0]
        return left, self.groupings[c].codes(table.columns)[0], values


def _compressed(
    left: np.ndarray, right: np.ndarray, values: np.ndarray, levels: int, others: int
) -> PairSums:
    """Blocks of pairs of levels, sorted and added where a pair occurs again."""
    key = left.astype(np.int64) * others + right
    order = np.argsort(key)
    key = key[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    values = values[order]
    if len(first) < len(key):
        values, key = np.add.reduceat(values, first, axis=0), key[first]
    rows, columns = np.divmod(key, others)
    indptr = np.zeros(levels + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=levels), out=indptr[1:])
    return PairSums(indptr, columns.astype(np.int32), values)
