"""The verdict of a fit and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..printing import Table, paragraph

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit

# Gradients are shown as a power of ten that bounds them: below this one it says no more.
SHOWN_GRADIENT = 1e-6


@dataclass(frozen=True, eq=False)
class Convergence:
    """The verdict on an optimisation and what it rests on.

    Attributes
    ----------
    verdict : str
        ``"converged"``, ``"singular"``, ``"not identified"``, ``"separated"``, ``"breaks down"``
        or ``"not converged"``.
    message : str
        The verdict in words.
    gradient_norm : float
        Largest gradient along the axes of curvature, in units of the parameters' standard errors.
    decrement : float
        How much the criterion could still fall.
    gradient : ndarray, shape (m,)
        In the parameters of the search: theta, and of a generalised model all parameters.
    hessian_eigenvalues : ndarray, shape (m,)
        Of the criterion's curvature in these, ascending.
    singular_terms : tuple of str
        What lies on the boundary, in words.
    evaluations : int
        Evaluations of the criterion.
    optimizer, backend : str
    seconds : dict
        Wall time by stage.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.convergence.verdict
    'converged'
    """

    verdict: str
    message: str
    gradient_norm: float
    decrement: float
    gradient: np.ndarray
    hessian_eigenvalues: np.ndarray
    singular_terms: tuple[str, ...]
    evaluations: int
    optimizer: str
    backend: str
    seconds: dict[str, float]

    def __repr__(self) -> str:
        rows = [f"  {name:<12} {value}" for name, value in self._rows()]
        return "\n".join([self.message, *rows])

    def _repr_html_(self) -> str:
        rows = [[name, value] for name, value in self._rows()]
        return paragraph(self.message) + Table(["", ""], rows, left=2).html()

    def _rows(self) -> list[tuple[str, str]]:
        low, high = self.hessian_eigenvalues.min(), self.hessian_eigenvalues.max()
        bound = 10.0 ** np.ceil(np.log10(max(self.gradient_norm, SHOWN_GRADIENT)))
        return [
            ("gradient", f"at most {bound:.0e} standard errors"),
            ("curvature", f"eigenvalues {low:.3g} to {high:.3g}"),
            ("search", f"{self.optimizer}, {self.evaluations} evaluations"),
            ("back end", self.backend),
        ]


def convergence(fit: AnyFit) -> Convergence:
    """The verdict of a fit; gradient and curvature are in the parameters of its search."""
    evidence: dict[str, Any]
    if not fit.irls:
        optimum = fit.optimum
        certificate = optimum.certificate
        evidence = {
            "gradient_norm": certificate.gradient_norm,
            "decrement": certificate.decrement,
            "gradient": optimum.gradient.copy(),
            "hessian_eigenvalues": certificate.eigenvalues.copy() if optimum.x.size else np.ones(1),
            "singular_terms": certificate.boundary,
            "evaluations": optimum.evaluations,
        }
    else:
        maximum = cast("GLMFit", fit).maximum
        evidence = {
            "gradient_norm": float(np.sqrt(2.0 * maximum.decrement)),
            "decrement": maximum.decrement,
            "gradient": maximum.score.copy(),
            "hessian_eigenvalues": np.linalg.eigvalsh(maximum.information) if fit.p else np.ones(1),
            "singular_terms": (),
            "evaluations": maximum.iterations,
        }
    return Convergence(
        verdict=fit.verdict,
        message=fit.message,
        optimizer=fit.optimizer,
        backend=fit.backend,
        seconds=dict(fit.seconds),
        **evidence,
    )
