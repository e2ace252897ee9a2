"""Residuals, influence of single rows, and the verdict on convergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import one_of
from ..inference.prediction import joint_variance, rows_of, selection
from ..models.lmm import LMMFit
from ..printing import Table, paragraph
from ..tables.source_rows import rows_of_data

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit, GeneralisedFit, MixedFit

# Gradients are shown as a power of ten that bounds them: below this one it says no more.
SHOWN_GRADIENT = 1e-6

RESIDUALS = ("response", "pearson", "deviance", "working")
WEIGHTS = ("prior", "working")


def residual_array(fit: AnyFit, type: str = "response", scaled: bool = False) -> np.ndarray:
    """Residuals of the rows of the fit, (n,).

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit
    type : {"response", "pearson", "deviance", "working"}
        With weights w (times the trials of a binomial response): ``y - mu``;
        ``(y - mu) sqrt(w / V(mu))``; the root of the row's part of the deviance, signed as
        ``y - mu``; ``(y - mu) / (d mu / d eta)``. For a linear model that is ``y - fitted``, times
        ``sqrt(w)`` for pearson and deviance.
    scaled : bool, default False
        Divide by the root of the dispersion, sigma in a linear model.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ArgumentError
        If the type is not known.
    """
    type = one_of("type", type, RESIDUALS)
    if not isinstance(fit, LMMFit):
        out = _generalised_residuals(fit, type)
        return out / np.sqrt(fit.dispersion) if scaled else out
    out = fit.design.y - fit.fitted
    if type in ("pearson", "deviance") and fit.design.weights is not None:
        out = out * np.sqrt(fit.design.weights)
    return out / (fit.sigma or np.nan) if scaled else out


def _generalised_residuals(fit: GeneralisedFit, type: str) -> np.ndarray:
    y, w = fit.observations.y, fit.observations.weights
    raw = y - fit.mu
    if type == "pearson":
        with np.errstate(divide="ignore", invalid="ignore"):
            out = np.sign(raw) * np.sqrt(fit.family.pearson(y, fit.mu, w, fit.zeta))
        # 0 / 0: a mean on the border of its range and the response that it foretells.
        return np.where(raw == 0.0, 0.0, out)
    if type == "deviance":
        parts = fit.family.deviance(y, fit.mu, w, fit.zeta)
        # Rounding can leave a part of zero a hair below zero.
        return np.sign(raw) * np.sqrt(np.maximum(parts, 0.0))
    if type == "working":
        with np.errstate(divide="ignore", invalid="ignore"):
            out = raw / fit.family.mean_slope(fit.eta, fit.zeta)
        return np.where(raw == 0.0, 0.0, out)
    return raw


def weight_array(fit: AnyFit, type: str = "prior") -> np.ndarray:
    """Weights of the rows of the fit, (n,).

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit
    type : {"prior", "working"}, default "prior"
        Weights of the call, times the trials of a binomial response; or those of the weighted
        least squares that the fit solves, which are the same for a linear model.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ArgumentError
        If the type is not known.
    """
    type = one_of("type", type, WEIGHTS)
    if isinstance(fit, LMMFit):
        given = fit.design.weights
        return np.ones(fit.n) if given is None else given.copy()
    return (fit.observations.weights if type == "prior" else fit.working_weights).copy()


def hat_values(fit: AnyFit) -> np.ndarray:
    """Diagonal of the matrix that maps y to the fitted values, given theta, (n,).

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit

    Returns
    -------
    ndarray, shape (n,)
        Their sum is the effective number of parameters. Of a generalised model those of the
        weighted least squares problem at the modes; lme4, which warns, multiplies by prior
        weights there instead of the working ones.
    """
    if not fit.T:
        return cast("GLMFit", fit).hat
    # Var(x'beta_hat + z'(b_hat - b)) / s^2 is the diagonal of [X Z] (normal equations)^{-1}
    # [X Z]': with the weight of the row, its leverage.
    mixed = cast("MixedFit", fit)
    everything = selection(mixed, True)
    variance = joint_variance(mixed, rows_of(fit, None, everything, "error"), everything)
    if not isinstance(fit, LMMFit):
        return variance * fit.working_weights
    leverage = variance / (fit.sigma or np.nan) ** 2
    return leverage if fit.design.weights is None else leverage * fit.design.weights


def cooks_distance(fit: AnyFit, hat: np.ndarray | None = None) -> np.ndarray:
    """Cook's distance of each row as in R: theta held fixed, (n,).

    Parameters
    ----------
    fit : LMMFit, GLMMFit or GLMFit
    hat : ndarray, shape (n,), optional
        Hat values if made already.

    Returns
    -------
    ndarray, shape (n,)
        ``(pearson / (1 - hat))^2 hat / (dispersion p)``.
    """
    hat = hat_values(fit) if hat is None else hat
    residual = residual_array(fit, "pearson", scaled=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (residual / (1.0 - hat)) ** 2 * hat / fit.p


def augment(
    fit: MixedFit,
    data: Any = None,
    influence: bool = True,
    source: Any = None,
    own_response: bool = False,
) -> pd.DataFrame:
    """The rows of the fit with fitted values and residuals, broom.mixed's columns.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    data : data frame, optional
        The data of the fit, whose columns come first; default: see
        :func:`interlace.tables.source_rows.rows_of_data`.
    influence : bool, default True
        Also ``.hat`` and ``.cooksd``.
    source : data frame, optional
        The data of the fit, of which the variables of the formula come first without ``data``.
    own_response : bool, default False
        Whether the response of the fit is that of its data.

    Returns
    -------
    DataFrame
        ``.fitted, .resid, [.hat, .cooksd,] .fixed`` and, if the fit has them, ``.offset`` and
        ``.weights``. Of a generalised model ``.fitted`` and ``.fixed`` are linear predictors,
        ``.resid`` deviance residuals, and ``.mu``, ``.sqrtXwt``, ``.sqrtrwt`` and ``.wtres`` the
        fitted means, the roots of the expected weights and of weights over variances, dispersion
        aside, and the Pearson residuals.

    Raises
    ------
    ArgumentError
        If rows of the fit are not in ``data``, or the variables of its formula differ there.
    """
    design = fit.design
    frame = rows_of_data(design, data, source, own_response)
    linear = isinstance(fit, LMMFit)
    eta = fit.fixed_part + fit.random_part
    new = {".fitted": eta, ".resid": residual_array(fit, "response" if linear else "deviance")}
    if influence:
        new[".hat"] = hat_values(fit)
        new[".cooksd"] = cooks_distance(fit, new[".hat"])
    new[".fixed"] = fit.fixed_part
    if design.offset is not None:
        new[".offset"] = design.offset
    if not isinstance(fit, LMMFit):
        variance = fit.family.variance(fit.mu, fit.zeta)
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(fit.observations.weights / variance)
            new[".sqrtXwt"] = root * np.abs(fit.family.mean_slope(fit.eta, fit.zeta))
        new[".mu"] = fit.mu
        new[".sqrtrwt"] = root
        new[".weights"], new[".wtres"] = fit.observations.weights, residual_array(fit, "pearson")
    elif design.weights is not None:
        new[".weights"] = design.weights
    return frame.assign(**{name: np.asarray(values) for name, values in new.items()})


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


def convergence(fit: MixedFit) -> Convergence:
    """The verdict of a fit.

    Parameters
    ----------
    fit : LMMFit or GLMMFit

    Returns
    -------
    Convergence
    """
    optimum = fit.optimum
    certificate = optimum.certificate
    return Convergence(
        verdict=certificate.verdict,
        message=certificate.message,
        gradient_norm=certificate.gradient_norm,
        decrement=certificate.decrement,
        gradient=optimum.gradient.copy(),
        hessian_eigenvalues=certificate.eigenvalues.copy(),
        singular_terms=certificate.boundary,
        evaluations=optimum.evaluations,
        optimizer=fit.optimizer,
        backend=fit.backend,
        seconds=dict(fit.seconds),
    )
