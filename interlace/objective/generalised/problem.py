"""Rows, columns and first estimates that all objectives of a generalised model share."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from ...design.indicators import IndexedColumns
from ...design.predictor import MEAN
from ...errors import DataError, NumericalError
from ...frames.columns import repeated
from ...linalg.crossproducts.fixed import (
    CentredColumns,
    FixedColumns,
    FixedPart,
    columns_of,
)
from ...linalg.crossproducts.linear import effect_root, standard_rows
from ...linalg.crossproducts.standardise import Standardisation, intercept_column, standardise
from ...linalg.crossproducts.weighted import WeightedZ, root_mean_squares
from ...linalg.information import side_by_side
from ...linalg.row_threads import PIECE_ROWS, gathered, gathered_rows, over_rows
from ..linear.design_products import free_columns
from .density import ConditionalDensity
from .irls import IRLS, irls

__all__ = ["Problem", "variances_of"]

_EMPTY = np.empty(0)
# Groups times the cube of the times of a series by dense templates: hours.
MOST_WORK = 1e11
# Rows up to which they are sorted by level faster by themselves than as a sparse matrix.
FEW_ROWS = 20_000
# Variances that the search starts from, whatever the moments say.
START_VARIANCES = (0.02, 25.0)
# The first estimates are good enough when the log-likelihood gains less than this share.
START_DECREMENT = 1e-6
# ... but not where predictors are farther from those of the responses themselves than this.
FARTHEST = 10.0
# ... and the logarithm of a precision has settled to this.
SETTLED = 0.1


class Problem:
    """Rows, columns and first estimates that all objectives of a generalised model share.

    `of` makes one. Bare it has the factors of a design alone, whatever the response.

    Attributes
    ----------
    order : ndarray of int, shape (n,), or None
        With one grouping factor: rows sorted by level; None if they are or need not be.
    density : ConditionalDensity
        Of the rows in that order.
    fixed : FixedPart
        Standardised columns.
    offset : ndarray, shape (n,)
    glm : IRLS
        Fit without random effects, in the standardised columns.
    zeta : ndarray, shape (n_zeta,)
    unit : float
        Of the predictors: 1 where a link has a scale of its own (logarithms, quantiles), else the
        residual standard deviation of a row on the scale of the predictors.
    Z : WeightedZ
        Its columns are scaled to a root mean square of ``unit``, those of unstructured terms
        orthogonal.
    z_roots : list of ndarray, shape (k_b, k_b)
        Lower triangular R with the design's Z = Z R.
    z_scale : list of ndarray, shape (k_b,)
        What the columns of Z are divided by.
    """

    fixed: FixedPart
    Z: WeightedZ
    #: Whether the effects of the first grouping factor depend on each other.
    chained = False
    #: `start_variances`, once they are asked for.
    _variances: np.ndarray | None = None

    def __init__(self, design) -> None:
        self.design = design
        self.order = order = _level_order(design)
        factors = [_dense(f) for f in design.factors]
        self._roots = [
            effect_root(f.Z, free_columns(design, b), _EMPTY) for b, f in enumerate(factors)
        ]
        self.factors = [_orthogonal(f, R) for f, R in zip(factors, self._roots, strict=True)]
        if order is not None:
            self.factors = [_reordered(factor, order) for factor in self.factors]

    @classmethod
    def of(cls, design, density: ConditionalDensity, eta: np.ndarray | None) -> Self:
        """The problem of a density of the rows, in the design's order; fits without random effects.

        ``eta``, (n,) or (K, n), are predictors to begin with, within the range of the link; where
        there is one predictor, those of the density unless given.
        """
        problem = cls(design)
        scale = problem._set_response(density, eta)
        if problem.factors:
            problem.Z = problem._weighted_rows(scale)
        return problem

    def _weighted_rows(self, scale: list[np.ndarray]) -> WeightedZ:
        return WeightedZ(self.factors, scale)

    def with_response(self, density: ConditionalDensity, eta: np.ndarray) -> Problem:
        """The same rows for another response; arguments as those of `of`."""
        other = copy(self)
        other.Z = self.Z.fresh(other._set_response(density, eta))
        return other

    def part(self, rows: slice | np.ndarray, factors: list[Any]) -> Self:
        """The same for some of the rows, with the ``factors`` of these; it has no Z yet."""
        other = copy(self)
        for name in ("Z", "glm"):
            other.__dict__.pop(name, None)
        other.design = other.order = None
        other.factors, other.density = factors, self.density.part(rows)
        other.fixed, other.offset = self.fixed.part(rows), self.offset[..., rows]
        return other

    def coordinates(self) -> Self:
        """What other rows need to be described as these are: of rows a density of one alone."""
        other = copy(self)
        for name in ("design", "order", "factors", "fixed", "offset", "Z", "glm"):
            other.__dict__.pop(name, None)
        other.density = self.density.part(slice(0, 1))
        return other

    def of_rows(self, design: Any, density: ConditionalDensity) -> Self:
        """Other rows in the coordinates of this problem, in the order of a design; it has no Z."""
        other = copy(self)
        other.design, other.order = None, None
        roots = zip((_dense(f) for f in design.factors), self._roots, strict=True)
        other.factors = [_orthogonal(f, R) for f, R in roots]
        other.density = self.density.of_rows(density)
        predictors = list(design.predictors.values())
        other.fixed = self._fixed([own.X for own in predictors], self._standards)
        other.offset = self._offsets([own.offset for own in predictors], density.n)
        return other

    @staticmethod
    def _fixed(matrices: list[np.ndarray], standards: list[Standardisation]) -> FixedPart:
        """The standardised columns of all linear predictors."""
        return columns_of(matrices[0], standards[0])

    @staticmethod
    def _offsets(offsets: list[np.ndarray | None], n: int) -> np.ndarray:
        """Offsets of all linear predictors."""
        return repeated(0.0, n) if offsets[0] is None else offsets[0]

    @property
    def has_offset(self) -> bool:
        """Whether any row has an offset."""
        offset = self.offset
        return bool(offset.size and (any(offset.strides) or offset.flat[0]))

    def fresh(self) -> Problem:
        """The same problem with work space of its own."""
        other = copy(self)
        other.Z = self.Z.fresh()
        return other

    def _set_response(self, density: Any, eta: np.ndarray | None) -> list[np.ndarray]:
        """Set all that depends on the response; returns the scales of the columns of Z."""
        design, order = self.design, self.order
        X, offset = design.X if order is None else design.X_in(order, gathered_rows), design.offset
        if order is not None:
            offset = None if offset is None else offset[order]
            eta = None if eta is None else gathered(eta, order)
            density = density.take(order)
        eta = density.start_eta() if eta is None else eta
        # at the centre of the predictors: where they follow the response nothing is dispersed
        centre = eta
        if density.n_zeta or not density.scale_free:
            centre = np.full(density.n, eta.mean() if density.scale_free else np.median(eta))
        self._variances = None
        self.zeta = np.zeros(density.n_zeta)
        if density.n_zeta:
            zeta = density.start(centre, self.zeta)
            eta, self.zeta = density.moved(eta, self.zeta, zeta), zeta
        # there, too, if one response near the end of the link's range would outweigh all others
        at = eta if density.scale_free else centre
        root = _roots_of_weights(density, at, self.zeta)
        std = standardise(X, intercept_column(design.x_names), root, eta)
        # a step of 1 in a coefficient moves the predictors by `unit` in (weighted) mean square
        total = float(root @ root)
        del root, at, centre  # numbers a row that nothing reads
        self.unit = 1.0 if density.scale_free else float(np.sqrt(density.n / total))
        factor = self.unit * np.sqrt(total)
        standard = std.enlarged(factor)
        self.back, self._standards = standard.back, [standard]
        self.density = density
        self.fixed = self._fixed([X], self._standards)
        self.offset = self._offsets([offset], density.n)
        self.glm = self._first_estimates(eta)
        if self.glm.weight.size:  # a number a row that nothing reads
            self.glm = replace(self.glm, weight=_EMPTY)
        scale = [root_mean_squares(factor.Z) / self.unit for factor in self.factors]
        self.z_roots = [s[:, None] * R for s, R in zip(scale, self._roots, strict=True)]
        self.z_scale = scale
        return scale

    def _first_estimates(self, eta: np.ndarray) -> IRLS:
        """The fit without random effects, as far as its likelihood has a maximum near the data."""
        density = self.density
        fit: IRLS | None = None
        for last in (False, False, True):
            try:
                fit = self._regression(eta)
            except NumericalError:
                if fit is None:
                    raise
                break
            if last or not density.n_zeta:
                break
            zeta = density.start(fit.eta, self.zeta)
            if np.abs(zeta - self.zeta).max() < SETTLED:
                break
            eta, self.zeta = density.moved(fit.eta, self.zeta, zeta), zeta
        assert fit is not None
        return fit

    def _regression(self, eta: np.ndarray) -> IRLS:
        """A fit without random effects that begins at the responses, or at their mean.

        Where information falls with the mean (inverse Gaussian) the smallest responses draw the
        first step far below the others, and the next one overshoots to where the likelihood is
        flat; from the mean all rows have one weight. A likelihood that rises without end from
        there too leaves the regression of the responses themselves.
        """
        density, far = self.density, np.abs(eta).max() + FARTHEST
        assert isinstance(self.fixed, FixedColumns | CentredColumns)
        arguments = density, self.fixed, self.offset, self.zeta
        if not density.scale_free:
            return irls(*arguments, eta, decrement=START_DECREMENT, max_iterations=25)
        # Newton's steps leave the square of what they promise, wherever they lead
        fast = density.canonical and not density.n_zeta
        enough = START_DECREMENT**0.5 if fast else START_DECREMENT
        for begins_at_mean in (False, True):
            start = density.level(self.zeta) if begins_at_mean else eta
            try:
                fit = irls(*arguments, start, decrement=enough, max_iterations=25, ahead=fast)
            except NumericalError:
                continue
            if np.abs(fit.eta).max() <= far:
                return fit
        return irls(*arguments, eta, max_iterations=0)

    @property
    def slices(self) -> dict[str, slice]:
        """Coefficients of each linear predictor, by name."""
        return {MEAN: slice(0, self.fixed.p)}

    @property
    def signed(self) -> slice | None:
        """Coefficients of a shape of either sign: there may be a maximum for each."""
        return None

    def parameters(self, eta: np.ndarray, gamma: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        """Linear predictors of the family's parameters, (m,), or (m, n) where they differ."""
        return zeta.copy()

    def numbers(self, gamma: np.ndarray, zeta: np.ndarray) -> tuple[dict[int, int], np.ndarray]:
        """The family's parameters that are one number, and predictors of all, (m,).

        Places in (gamma, zeta) -> places among the parameters.
        """
        return {gamma.size + i: i for i in range(zeta.size)}, zeta

    def natural(self, n_zeta: int) -> np.ndarray:
        """From (gamma, zeta) as searches have them to coefficients of X and zeta of the data."""
        return side_by_side(self.back, np.eye(n_zeta)) if n_zeta else self.back

    def natural_eta(self, eta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        """Predictors of the data from those of searches."""
        return eta

    def searched(self, beta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        """zeta as searches have it from that of the data."""
        return zeta

    def beta(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients of X from those of the standardised columns."""
        return self.back @ gamma

    def gamma(self, beta: np.ndarray) -> np.ndarray:
        """Coefficients of the standardised columns from those of X."""
        return np.linalg.solve(self.back, beta)

    def unsorted(self, values: np.ndarray) -> np.ndarray:
        """Row values, (n,) or (K, n), in the order of the design."""
        if self.order is None:
            return values
        out, order = np.empty_like(values), self.order

        def fill(piece: slice) -> None:
            out[..., order[piece]] = values[..., piece]

        over_rows(fill, len(order))
        return out

    @property
    def first_eta(self) -> np.ndarray:
        """Predictors of the fit without random effects, shaped as eta."""
        if self.glm.eta.size:
            return self.glm.eta
        return self.fixed.times(self.glm.beta) + self.offset

    def start_variances(self) -> np.ndarray:
        """Moments of the scores by level at the fit without random effects.

        Without any variance var(g_l) = A_l, with g = Z's and A_l = [Z'WZ]_ll; a variance D adds
        A_l D A_l.
        """
        if self._variances is None:
            self._variances = self._moments()
            # a number a row that nothing reads from now on
            self.glm = replace(self.glm, eta=_EMPTY)
        return self._variances.copy()

    def _moments(self) -> np.ndarray:
        rows = self.density.rows(self.first_eta, self.zeta, True, order=0)
        g, cross = self.Z.transposed(rows.score), self.Z.set_weights(rows.weight)
        sums = []
        with np.errstate(over="ignore", invalid="ignore"):
            for b, k in enumerate(self.Z.widths):
                own = g[self.Z.offsets[b] : self.Z.offsets[b + 1]].reshape(-1, k)
                a = cross.diagonal[b].reshape(-1, k * k)[:, :: k + 1]
                sums.append([(own * own - a).sum(axis=0), (a * a).sum(axis=0)])
        return variances_of(np.concatenate(sums, axis=1))


def variances_of(moments: np.ndarray) -> np.ndarray:
    """Variances to begin with, (k,), from sums over levels of g^2 - a and of a^2, (2, k)."""
    with np.errstate(over="ignore", invalid="ignore"):
        variances = moments[0] / np.maximum(moments[1], 1e-300)
    variances[np.isnan(variances)] = 0.0
    return np.minimum(np.maximum(variances, START_VARIANCES[0]), START_VARIANCES[1])


def _roots_of_weights(density: Any, eta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
    """Roots of the expected information of the rows, (n,)."""
    if density.by_row or density.n <= PIECE_ROWS:
        return np.sqrt(np.maximum(density.rows(eta, zeta, True, order=0).weight, 1e-300))
    out = np.empty(density.n)

    def fill(at: slice) -> None:
        np.maximum(density.rows_at(at, eta[at], zeta).weight, 1e-300, out=out[at])
        np.sqrt(out[at], out=out[at])

    over_rows(fill, density.n)
    return out


def _level_order(design) -> np.ndarray | None:
    if len(design.factors) != 1:
        return None
    codes = design.factors[0].codes
    if codes.size < 2 or (codes[1:] >= codes[:-1]).all():
        return None
    if codes.size <= FEW_ROWS:  # a stable sort of short integers counts, too
        return np.argsort(codes.astype(np.uint16), kind="stable").astype(np.int32)
    # counting: the columns of a compressed sparse row are the rows of a level, in order
    n = np.arange(codes.size, dtype=np.int32)
    shape = (len(design.factors[0].levels), codes.size)
    return sp.coo_array((np.ones(n.size, dtype=np.int8), (codes, n)), shape=shape).tocsr().indices


def _dense(factor):
    """The factor with Z as a matrix; refused where its series are too long for that."""
    if not isinstance(factor.Z, IndexedColumns):
        return factor
    groups, times = len(factor.levels), factor.Z.shape[1]
    if float(groups) * times**3 > MOST_WORK:
        raise DataError(
            f"a random term by {factor.name} has {times} times in {groups} groups, and the effort "
            "grows with the cube of the number of times where nAGQ is not 1, with REML, beside a "
            "second series, for hetar1 and beside many levels of other grouping factors: this "
            "would take hours. Make the times coarser, or the model simpler: beside few levels "
            "one ar1() or ou() term with nAGQ=1 takes time that grows with the number itself"
        )
    return replace(factor, Z=np.asarray(factor.Z))


def _reordered(factor, order: np.ndarray):
    Z = factor.Z if factor.intercept_only else factor.Z[order]
    return replace(factor, codes=factor.codes[order], Z=Z)


def _orthogonal(factor, R: np.ndarray):
    Z, _ = standard_rows(factor.Z, R)
    if Z is factor.Z:
        return factor
    return replace(factor, Z=Z)
