"""Comparisons of models: whether they are allowed, the labels of the models, and the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..design.rank import SAME_COLUMN
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..families.base import Family
from ..families.zero_inflated import ZeroInflated
from .components import parts

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

# Longer labels make a table wider than a screen: printed tables number the models then.
LONGEST_LABEL = 45


class Comparison(pd.DataFrame):
    """A table of models with notes on how it was made, in ``attrs["notes"]``, printed above it.

    Examples
    --------
    >>> import interlace as il
    >>> dye = il.load_dataset("Dyestuff")
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", dye)
    >>> table = m.anova(il.lmer("Yield ~ 1 + (1 | Batch)", dye, method="ML"))
    >>> table.attrs["notes"]
    ('refitted by maximum likelihood instead of REML: Yield ~ 1 + (1 | Batch) (1)',)
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _printed(self) -> tuple[list[str], pd.DataFrame]:
        lines, table = list(self.attrs.get("notes", ())), pd.DataFrame(self)
        labels = [str(label) for label in self.index]
        if max(map(len, labels), default=0) > LONGEST_LABEL and table.index.name == "model":
            numbers = [f"[{i}]" for i in range(1, len(labels) + 1)]
            lines += [f"{n} {label}" for n, label in zip(numbers, labels, strict=True)]
            table = table.set_axis(pd.Index(numbers, name="model"))
        return lines, table

    def __repr__(self) -> str:
        lines, table = self._printed()
        # All columns whatever the screen: what pandas leaves out of narrow ones are the tests.
        return "\n".join([*lines, table.to_string(na_rep="")])

    def _repr_html_(self) -> str:
        lines, table = self._printed()
        return "".join(f"<p>{escape(line)}</p>" for line in lines) + table.to_html(na_rep="")


# -- names ----------------------------------------------------------------------------------------


def labels_of(fits: Sequence[AnyFit], names: Sequence[str] | None) -> list[str]:
    """Row labels: the names given, or formulas with what tells models of the same formula apart.

    What tells two of them apart is said of all, so that the labels of a table are of one style.
    """
    if names is not None:
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise ArgumentTypeError(
                f"names must be a list of names, one a model; got {brief(names)}"
            )
        if len(names) != len(fits):
            raise ArgumentError(f"names has {len(names)} entries for {len(fits)} models")
        return list(names)
    labels = [fit.design.formula.text for fit in fits]
    for describe in (_formulas, _kind, _residuals, _approximation, _extras):
        details = [describe(fit) for fit in fits]
        if len(set(zip(labels, details, strict=True))) > len(set(labels)):
            labels = [f"{a} [{b}]" if b else a for a, b in zip(labels, details, strict=True)]
    often, numbers = Counter(labels), Counter[str]()
    for i, label in enumerate(labels):
        if often[label] > 1:
            numbers[label] += 1
            labels[i] = f"{label} ({numbers[label]})"
    return labels


def _formulas(fit: AnyFit) -> str:
    """Formulas of the other linear predictors: ``"zi ~ mined"``."""
    others = list(parts(fit).items())[1:]
    formulas = [(c, part.design.predictors[part.design.current].formula) for c, part in others]
    return ", ".join(f"{c} {'~ 1' if formula is None else formula.text}" for c, formula in formulas)


def _kind(fit: AnyFit) -> str:
    if fit.linear:
        return "linear"
    family = fit.family
    arguments = family._arguments().items()
    fixed = [f"{k}={v:.6g}" for k, v in arguments if k != "link" and isinstance(v, float)]
    if fit.ordered:
        fixed.append(f"{family.threshold} thresholds")  # type: ignore[attr-defined]
    return ", ".join([f"{family.name} ({family.link.name})", *fixed])


def _residuals(fit: AnyFit) -> str:
    """Structures of the residuals: ``"ar1(1 | g), power(x)"``."""
    own = fit.design.residual if fit.linear else None
    if own is None:
        return "independent residuals" if fit.linear else ""
    correlation = own.spec.correlation
    structures = [] if correlation is None else [correlation]
    return ", ".join(part.text for part in (*structures, *own.spec.variance))


def _approximation(fit: AnyFit) -> str:
    if fit.nAGQ is None:
        return ""
    return f"nAGQ={fit.nAGQ}, {'expected' if fit.expected else 'observed'} information"


def _extras(fit: AnyFit) -> str:
    extras = {"weights": fit.design.weights, "offset": fit.design.offset}
    return ", ".join(name for name, values in extras.items() if values is not None)


# -- what may be compared -----------------------------------------------------------------------


def _weights(fit: AnyFit) -> np.ndarray:
    """Weights of the data: functions of the variance are part of a model."""
    if fit.linear and fit.design.residual is not None:
        own = fit.design.weights
        return np.ones(fit.n) if own is None else own
    return fit.observations.weights


def check_same_data(fits: Sequence[AnyFit], labels: Sequence[str]) -> None:
    """Refuse models of different rows, responses or weights."""
    first = fits[0].design
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        other, both = fit.design, f"{labels[0]!r} and {label!r}"
        if not (fits[0].has_rows and fit.has_rows):
            _check_same_sums(fits[0], fit, both)
            continue
        if other.y.size != first.y.size:
            raise ArgumentError(
                f"{labels[0]!r} was fitted to {first.y.size} rows and {label!r} to "
                f"{other.y.size}: models compared must use the same rows. Missing values in a "
                "column that only one of them has? Drop those rows first, or use subset="
            )
        if not np.array_equal(other.y, first.y):
            if np.array_equal(np.sort(other.y), np.sort(first.y)):
                raise ArgumentError(
                    f"{both} have the same values of the response in another order: the data were "
                    "sorted in between. Fit both to the same data frame"
                )
            if fits[0].ordered != fit.ordered:
                raise ArgumentError(
                    f"{both} cannot be compared: one has probabilities of ordered categories, the "
                    "other is of numbers"
                )
            raise ArgumentError(
                f"{both} have different responses ({first.response_name!r}, "
                f"{other.response_name!r}): their log-likelihoods cannot be compared"
            )
        weights = _weights(fits[0]), _weights(fit)
        if not np.array_equal(*weights):
            plain = [label for label, w in zip((labels[0], label), weights) if (w == 1.0).all()]
            how = f"only {plain[0]!r} is without" if plain else "fit both with the same weights="
            raise ArgumentError(
                f"{both} have different weights or numbers of trials ({how}): their "
                "log-likelihoods cannot be compared"
            )


def _check_same_sums(first: AnyFit, fit: AnyFit, both: str) -> None:
    """Refuse models of other data, as far as number, mean and spread of the response tell."""
    if first.linear != fit.linear:
        raise ArgumentError(f"{both} cannot be compared: one has sums of its data, not their rows")
    one, other = first.response_moments, fit.response_moments
    if one[0] != other[0]:
        raise ArgumentError(
            f"{both} were fitted to {one[0]:.0f} and {other[0]:.0f} rows: models compared must use "
            "the same rows. Missing values in a column that only one of them has? Drop those rows "
            "first, or use subset="
        )
    if not np.allclose(one[1:], other[1:], rtol=SAME_COLUMN, atol=SAME_COLUMN * one[2]):
        raise ArgumentError(
            f"{both} have different responses, offsets or weights, as their means and spreads "
            "show: their log-likelihoods cannot be compared"
        )


def check_same_scale(fits: Sequence[AnyFit], labels: Sequence[str]) -> None:
    """Refuse log-likelihoods of counts beside densities, of other constants or approximations."""
    first = fits[0]
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        both = f"{labels[0]!r} and {label!r}"
        whole = first.family.normalised and fit.family.normalised
        if not whole and not same_distribution(first.family, fit.family):
            raise ArgumentError(
                f"{both} cannot be compared: log-likelihoods of a family of your own lack a "
                "constant, and go with models of that family only"
            )
        if fit.family.discrete != first.family.discrete:
            raise ArgumentError(
                f"{both} cannot be compared: the family of one gives probabilities of counts, "
                "that of the other densities"
            )
        check_offsets(first, fit, both)
    # Without random effects the likelihood is exact: it goes with any approximation.
    pairs = zip(fits, labels, strict=True)
    integrated = [(fit, label) for fit, label in pairs if fit.nAGQ is not None]
    nodes_used = {fit.nAGQ: label for fit, label in integrated}
    if len(nodes_used) > 1:
        said = " and ".join(f"{label!r} with nAGQ={nodes}" for nodes, label in nodes_used.items())
        raise ArgumentError(
            f"{said} were fitted by different approximations of the likelihood, which cannot be "
            "compared; fit all with the same nAGQ"
        )
    # The two informations are the same with a canonical link, and quadrature needs neither.
    kinds = {
        "expected" if fit.expected else "observed": label
        for fit, label in integrated
        if (fit.nAGQ or 0) <= 1 and not fit.family.canonical
    }
    if len(kinds) > 1:
        said = " and ".join(f"{label!r} with laplace={kind!r}" for kind, label in kinds.items())
        several = any(fit.several for fit, _ in integrated)
        remedy = (
            "laplace='observed', which several predictors need" if several else "the same laplace="
        )
        raise ArgumentError(
            f"{said} were fitted by different approximations of the likelihood, which cannot be "
            f"compared; fit all with {remedy}"
        )


def check_offsets(first: AnyFit, fit: AnyFit, both: str) -> None:
    """Refuse offsets whose difference the fixed part of the larger model cannot make up for."""
    if not (first.has_rows and fit.has_rows):
        return  # means of the response less its offset were compared
    zero = np.zeros(first.n)
    gap = _or(first.design.offset, zero) - _or(fit.design.offset, zero)
    if not gap.any():
        return
    X = max(first, fit, key=lambda f: f.n_parameters).design.X
    rest = gap - X @ np.linalg.lstsq(X, gap, rcond=None)[0]
    if np.abs(rest).max() > SAME_COLUMN * np.abs(gap).max():
        raise ArgumentError(
            f"{both} have different offsets, so that neither is a special case of the other; fit "
            "both with the same offset, or compare their aic"
        )


def _or(values: np.ndarray | None, default: np.ndarray) -> np.ndarray:
    return default if values is None else values


def check_same_fixed_part(fits: Sequence[AnyFit], labels: Sequence[str]) -> None:
    """Refuse a comparison of REML criteria with different fixed parts, or of REML with ML."""
    remedy = "Use refit=True, which refits by maximum likelihood"
    if not all(fit.is_reml for fit in fits):
        raise ArgumentError(f"some of the models are REML fits and some ML fits. {remedy}")
    X = fits[0].design.X
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        other = fit.design.X
        # The REML criterion contains log|X'V^{-1}X|: even another basis of the same space
        # shifts it by a constant.
        same = other.shape == X.shape and np.allclose(other, X, rtol=SAME_COLUMN, atol=0.0)
        if not same:
            raise ArgumentError(
                f"the REML criteria of {labels[0]!r} and {label!r} cannot be compared: their "
                f"fixed parts differ. {remedy}"
            )


# -- families -------------------------------------------------------------------------------------


def same_distribution(one: Family, other: Family) -> bool:
    """Whether families agree in all but the link."""
    arguments = [
        {k: v for k, v in family._arguments().items() if k != "link"} for family in (one, other)
    ]
    return one._distribution() is other._distribution() and arguments[0] == arguments[1]


def same_zeros(smaller: Family, larger: Family) -> bool:
    """Whether probabilities of structural zeros of one are a special case of those of the other."""
    one, other = (f._arguments()["zi"] for f in (smaller, larger))
    return other is None or one == other


def nested(smaller: Family, larger: Family) -> bool:
    """Whether distributions of a family are a special case of those of another, as far as known."""
    if smaller.link != larger.link:
        return False
    smaller, larger = smaller.for_formulas(), larger.for_formulas()
    if isinstance(larger, ZeroInflated):
        inner = smaller.base if isinstance(smaller, ZeroInflated) else smaller
        # without structural zeros; of a hurdle model the others have no zeros at all
        possible = larger.mixture if inner is smaller else same_zeros(smaller, larger)
        return bool(possible) and (inner == larger.base or nested(inner, larger.base))
    if larger.limit is not None and isinstance(smaller, larger.limit):
        return bool(larger.parameters)
    return smaller._distribution() is larger._distribution() and (
        same_distribution(smaller, larger) or bool(larger.parameters)
    )
