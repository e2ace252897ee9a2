"""All random-effect terms of a model: theta -> one template T per grouping factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief
from .names import STRUCTURES, make_structure
from .structures import SINGULAR_TOLERANCE, Structure

#: Columns of all grouping factors up to which models alike share what is known of them.
MOST_SHARED = 16


@dataclass(frozen=True)
class CovarianceTerm:
    """One random-effect term: its columns of a grouping factor, and its structure.

    Attributes
    ----------
    factor : int
        Index of the grouping factor.
    columns : slice
        Columns of the term within the factor's covariates.
    names : tuple of str
        Names of those columns.
    structure : Structure
        theta <-> T.
    component : str
        The linear predictor that it belongs to, in front of labels; empty for that of the mean.
    """

    factor: int
    columns: slice
    names: tuple[str, ...]
    structure: Structure
    component: str = ""

    @property
    def start(self) -> int:
        """The place of its first column among those of its factor."""
        return self.columns.start or 0

    @property
    def width(self) -> int:
        """Number of its columns: that of its names, or as often as its effects are repeated."""
        return self.structure.k

    @property
    def effects(self) -> Iterator[tuple[int, str]]:
        """The place among the columns of its factor, and the name, of each of its columns."""
        names = self.names * (self.width // len(self.names))
        return enumerate(names, self.start)

    def labelled(self, text: str) -> str:
        """``"zi.site"`` for the site of a term in the predictor zi."""
        return f"{self.component}.{text}" if self.component else text


class EarlierStart(NamedTuple):
    """The theta0 of an earlier model: it serves where the covariance parameters are the same."""

    theta0: Any
    names: list[str]


class CovarianceModel:
    """theta of all terms <-> the templates of all grouping factors.

    The pattern is fixed once: ``factor``, ``row`` and ``col`` say where each reached entry of
    the templates lies, and ``templates`` refills the values.

    Parameters
    ----------
    terms : sequence of CovarianceTerm
        In lme4's order; theta follows it.
    widths : sequence of int
        Number of columns of each grouping factor.
    group_names : sequence of str
        Names of the grouping factors, for labels.
    """

    def __init__(
        self, terms: Sequence[CovarianceTerm], widths: Sequence[int], group_names: Sequence[str]
    ) -> None:
        self.terms = tuple(terms)
        self.widths = tuple(widths)
        self.group_names = tuple(group_names)
        structures = [t.structure for t in self.terms]
        counts = [s.n_theta for s in structures]
        stops = list(accumulate(counts, initial=0))
        self.theta_slices = [slice(a, b) for a, b in pairwise(stops)]
        self.n_theta = stops[-1]
        self.identity = all(s.identity for s in structures)
        sizes = list(accumulate((k * k for k in self.widths), initial=0))
        self._size = sizes[-1]
        self._views = [(a, b, k) for (a, b), k in zip(pairwise(sizes), self.widths, strict=True)]

    @cached_property
    def theta_factor(self) -> np.ndarray:
        """Grouping factor of each parameter, (n_theta,)."""
        return np.repeat([t.factor for t in self.terms], [t.structure.n_theta for t in self.terms])

    def far_patterns(self, theta: np.ndarray, sd: float, few: bool) -> list[np.ndarray]:
        """theta with the correlations of one term far from what they are, as in `Structure`."""
        out = []
        for term, own in zip(self.terms, self.theta_slices, strict=True):
            for other in term.structure.far_patterns(theta[own], sd, few):
                far = np.array(theta)
                far[own] = other
                out.append(far)
        return out

    @cached_property
    def one_signed(self) -> np.ndarray:
        """Places in theta of standard deviations whose sign is no matter of convention."""
        parts = zip(self.terms, self.theta_slices, strict=True)
        own = [s.start + t.structure.one_signed for t, s in parts]
        return np.concatenate([np.empty(0, dtype=np.intp), *own])

    @cached_property
    def entries(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows and columns of the entries of its factor's template that each term reaches."""
        return [(t.structure.rows + t.start, t.structure.cols + t.start) for t in self.terms]

    @cached_property
    def factor(self) -> np.ndarray:
        """Grouping factor of each reached entry."""
        return np.repeat([t.factor for t in self.terms], [rows.size for rows, _ in self.entries])

    @cached_property
    def row(self) -> np.ndarray:
        """Row of each reached entry."""
        return np.concatenate([rows for rows, _ in self.entries])

    @cached_property
    def col(self) -> np.ndarray:
        """Column of each reached entry."""
        return np.concatenate([columns for _, columns in self.entries])

    @cached_property
    def entries_of(self) -> list[np.ndarray]:
        """The reached entries of each grouping factor."""
        return [np.flatnonzero(self.factor == b) for b in range(len(self.widths))]

    @cached_property
    def _flat(self) -> np.ndarray:
        width = np.asarray(self.widths)[self.factor]
        starts = np.array([a for a, _, _ in self._views])
        return starts[self.factor] + self.row * width + self.col

    @classmethod
    def of(cls, design) -> CovarianceModel:
        """The model of a :class:`~interlace.design.design.Design`; designs alike share it."""
        widths = tuple(f.Z.shape[1] for f in design.factors)
        names = tuple(f.name for f in design.factors)
        kinds = tuple(
            (t.factor, t.columns.start, t.columns.stop, t.names, t.component, t.structure, t.rank,
             t.copies, STRUCTURES.get(t.structure))
            for t in design.terms
        )  # fmt: skip
        if sum(widths) > MOST_SHARED or any(t.positions is not None for t in design.terms):
            return cls(_terms(kinds, [t.positions for t in design.terms]), widths, names)
        return _shared(kinds, widths, names)

    def values(self, theta: np.ndarray) -> np.ndarray:
        """Values of the reached template entries, shape (n_entries,)."""
        if self.identity:
            return theta
        parts = zip(self.terms, self.theta_slices, strict=True)
        return np.concatenate([t.structure.values(theta[s]) for t, s in parts])

    @property
    def term_labels(self) -> list[str]:
        """lme4's label of each random-effect term: later ones of a factor get ``.1``, ``.2``.

        Those of other predictors than the mean's are counted apart: ``zi.g``, ``zi.g.1``.
        """
        counts: dict[str, int] = {}
        labels = []
        for term in self.terms:
            group = term.labelled(self.group_names[term.factor])
            count = counts.get(group, 0)
            counts[group] = count + 1
            labels.append(f"{group}.{count}" if count else group)
        return labels

    def given_start(self, theta0: Any) -> np.ndarray | None:
        """The start that a user or an earlier model gives, (n_theta,); None for the usual one."""
        if isinstance(theta0, EarlierStart):
            theta0 = theta0.theta0 if theta0.names == self.theta_names else None
        return None if theta0 is None else self.given_theta(theta0, "theta0")

    def given_theta(self, value: Any, name: str) -> np.ndarray:
        """theta that a user gives, (n_theta,); refused under its name if it cannot be one."""
        names = self.theta_names
        try:
            theta = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                f"{name} must be a sequence of {len(names)} numbers, got {brief(value)}"
            ) from None
        if theta.shape != (len(names),):
            raise ArgumentError(
                f"{name} has shape {theta.shape} but the model has {len(names)} covariance "
                f"parameters: {', '.join(names)}"
            )
        if not np.all(np.isfinite(theta)):
            raise ArgumentError(f"{name} must be finite, got {theta.tolist()}")
        return theta

    def terms_of(self, factor: int) -> list[CovarianceTerm]:
        """The terms of a grouping factor in the order of their columns."""
        own = [term for term in self.terms if term.factor == factor]
        return sorted(own, key=lambda term: term.start)

    def effect_names(self, factor: int) -> list[str]:
        """Names of the random effects of a level of one grouping factor, in their order.

        Those of other predictors than the mean's have its name in front: ``zi.Intercept``.
        """
        return [term.labelled(name) for term in self.terms_of(factor) for name in term.names]

    def templates(self, theta: np.ndarray) -> list[np.ndarray]:
        """One T per grouping factor, (k_b, k_b) each."""
        flat = np.zeros(self._size)
        flat[self._flat] = self.values(theta)
        return [flat[a:b].reshape(k, k) for a, b, k in self._views]

    def start(self) -> np.ndarray:
        """theta of ``T = I`` for every term."""
        return np.concatenate([t.structure.start() for t in self.terms])

    @cached_property
    def bounded(self) -> np.ndarray:
        """Which parameters have zero as their lower bound, (n_theta,)."""
        return self.lower_bounds() == 0.0

    def lower_bounds(self) -> np.ndarray:
        """Lower bounds of theta."""
        return np.concatenate([t.structure.lower_bounds() for t in self.terms])

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        """The equivalent theta with non-negative diagonals of T."""
        parts = zip(self.terms, self.theta_slices, strict=True)
        return np.concatenate([t.structure.canonical(theta[s]) for t, s in parts])

    def snapped(self, theta: np.ndarray, tolerance: float) -> np.ndarray:
        """theta with what is nearer to a boundary than this put on it."""
        parts = zip(self.terms, self.theta_slices, strict=True)
        return np.concatenate([t.structure.snapped(theta[s], tolerance) for t, s in parts])

    def singular(self, theta: np.ndarray, tolerance: float = SINGULAR_TOLERANCE) -> list[bool]:
        """Per term: whether it is on a boundary, for lme4's isSingular a pivot of T near zero."""
        parts = zip(self.terms, self.theta_slices, strict=True)
        return [
            bool(t.structure.boundary(theta[s], theta[s], t.names, tolerance)) for t, s in parts
        ]

    def null_directions(
        self,
        theta: np.ndarray,
        shown: np.ndarray | None = None,
        tolerance: float = SINGULAR_TOLERANCE,
    ) -> list[str]:
        """One text per term that is on a boundary.

        Whether one is is judged on `theta`, which variances are zero on `shown`, of other
        covariates.
        """
        texts = []
        shown = theta if shown is None else shown
        for term, s in zip(self.terms, self.theta_slices, strict=True):
            text = term.structure.boundary(theta[s], shown[s], term.names, tolerance)
            if text:
                group = term.labelled(self.group_names[term.factor])
                texts.append(text.replace("{group}", group))
        return texts

    @property
    def theta_names(self) -> list[str]:
        """lme4's names of theta, such as ``"Subject.Days.Intercept"``."""
        return [
            t.labelled(f"{self.group_names[t.factor]}.{name}")
            for t in self.terms
            for name in t.structure.theta_names(t.names)
        ]

    def relative_covariances(self, theta: np.ndarray) -> list[np.ndarray]:
        """``T T'`` of a level of each term (times sigma^2: its covariance matrix)."""
        out = []
        for term, s in zip(self.terms, self.theta_slices, strict=True):
            T = term.structure.one.template(theta[s])
            out.append(T @ T.T)
        return out


def _terms(
    kinds: Sequence[tuple], positions: Sequence[np.ndarray | None]
) -> tuple[CovarianceTerm, ...]:
    """The terms of a design by their kinds: place, names, component and structure of each.

    The class of a structure is with its name, which may come to mean another one.
    """
    return tuple(
        CovarianceTerm(
            factor,
            slice(start, stop),
            names,
            make_structure(structure, len(names), own, rank, copies),
            component,
        )
        for (factor, start, stop, names, component, structure, rank, copies, _), own in zip(
            kinds, positions, strict=True
        )
    )


@lru_cache(maxsize=256)
def _shared(
    kinds: tuple[tuple, ...], widths: tuple[int, ...], names: tuple[str, ...]
) -> CovarianceModel:
    """One model for all designs of these terms, which never changes."""
    return CovarianceModel(_terms(kinds, [None] * len(kinds)), widths, names)
