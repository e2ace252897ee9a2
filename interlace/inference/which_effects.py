"""The random effects that an argument ``include_re`` names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion

if TYPE_CHECKING:
    from ..covariance.model import CovarianceTerm
    from ..models.kinds import AnyFit, MixedFit


def which_effects(fit: AnyFit, include_re: Any) -> list[np.ndarray]:
    """The random effects that enter, one boolean mask (k_b,) per grouping factor.

    ``include_re`` is True, False, or names: of a grouping factor (``"Subject"``), or terms in
    lme4's way (``"(1 | Subject)"``; ``"~ (1 | a) + (1 | b)"`` as R's ``re.form``). A term is meant
    in each linear predictor that has it.
    """
    widths = [T.shape[0] for T in fit.T]
    if include_re is None:
        raise ArgumentTypeError(
            "include_re=None is ambiguous (R's re.form = NULL means all random effects, NA none); "
            "use True for all, False for none, or names of grouping factors or terms"
        )
    if isinstance(include_re, (bool, np.bool_)):
        return [np.full(k, bool(include_re)) for k in widths]
    masks = [np.zeros(k, dtype=bool) for k in widths]
    if isinstance(include_re, str) and "".join(include_re.split()) == "~0":
        return masks  # R's re.form = ~0
    texts = [include_re] if isinstance(include_re, str) else include_re
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise ArgumentTypeError(
            "include_re must be True, False, or names of grouping factors or terms such as "
            f"'(1 | Subject)'; got {brief(include_re)}"
        )
    for text in texts:
        for factor, columns in _selected(cast("MixedFit", fit), text.strip()):
            masks[factor][columns] = True
    return masks


def _columns(term: CovarianceTerm) -> Iterator[tuple[int, str]]:
    """Place among the effects of its factor, and name, of each effect of a term."""
    yield from term.effects


def of_predictors(fit: AnyFit, masks: list[np.ndarray], names: Collection[str]) -> list[np.ndarray]:
    """The masks without the effects of other linear predictors than these."""
    if not fit.several:
        return masks
    places = [k for k, name in enumerate(fit.design.predictors) if name in names]
    factors = zip(masks, fit.design.factors, strict=True)
    return [mask & np.isin(factor.predictor, places) for mask, factor in factors]


def _selected(fit: MixedFit, text: str) -> list[tuple[int, list[int]]]:
    groups = [factor.name for factor in fit.design.factors]
    if text in groups:
        factor = groups.index(text)
        return [(factor, list(range(fit.T[factor].shape[0])))]
    if "|" not in text:
        raise ArgumentError(
            f"include_re names {text!r}, which is no grouping factor of the model."
            f"{suggestion(text, groups)} It has {listing(groups)}"
        )
    # Formula-like: the parser expands "||" and "a/b", formulaic the left side.
    from ..formula.parser import parse
    from ..formula.spelling import shown
    from ..formula.terms import lhs_terms

    right = text.lstrip("~ ")
    parsed = parse(f"~ {right}" if right.startswith("(") else f"~ ({right})")
    out = []
    for spec in parsed.random:
        label = spec.label
        if spec.matrix is not None and f"{label}[{spec.matrix.name}]" in groups:
            label = f"{label}[{spec.matrix.name}]"
        if label not in groups:
            raise ArgumentError(
                f"include_re has the term {spec.text!r}, but {spec.label!r} is no grouping factor "
                f"of the model. It has {listing(groups)}"
            )
        factor = groups.index(label)
        own = [term for term in fit.covariance.terms if term.factor == factor]
        places = [(name, j) for term in own for j, name in _columns(term)]
        names = list(dict.fromkeys(name for name, _ in places))
        columns: list[int] = []
        for term in lhs_terms(spec.lhs):
            effect = "Intercept" if term == "1" else shown(term)
            matches = [j for n, j in places if n == effect or n.startswith(f"{effect}[")]
            if not matches:
                raise ArgumentError(
                    f"include_re has the term {spec.text!r}, but {spec.label!r} has no random "
                    f"effect {effect!r} in the model: it has {listing(names)}"
                )
            columns += matches
        out.append((factor, columns))
    return out
