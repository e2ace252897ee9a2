"""The same model by every optimiser and from other starts: whether the optimum is the only one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import NumericalError, listing
from ..optimize import OPTIMIZERS

if TYPE_CHECKING:
    from ..models.kinds import MixedFit

__all__ = ["AllFit", "all_fit"]

# Variances of the random effects that further searches start at, for standardised covariates and
# in the unit of the residual, or of the predictors.
START_VARIANCES = {"small variances": 0.01, "large variances": 9.0}
# Optima whose log-likelihoods differ by less are the same one: no test shows the difference.
SAME = 1e-3
# Estimates that differ by less than this share of a standard error are the same.
SAME_ESTIMATES = 0.01


@dataclass(frozen=True, eq=False)
class AllFit:
    """Fits of one model by several searches.

    Attributes
    ----------
    results : dict of str to LMMResult or GLMMResult
        The fit that each search ended with, by the name of its optimiser or start; those that
        failed are left out.
    converged : dict of str to bool
        Whether each search ended at an optimum.
    failed : dict of str to str
        Why a search gave no fit.
    seconds : dict of str to float
        Wall time of each search.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> m.all_fit().possible_issue
    False
    """

    results: dict[str, Any]
    converged: dict[str, bool]
    failed: dict[str, str]
    seconds: dict[str, float]

    @property
    def llf(self) -> pd.Series:
        """The log-likelihoods."""
        return pd.Series({name: m.llf for name, m in self.results.items()}, name="log_lik")

    @property
    def coefficients(self) -> pd.DataFrame:
        """The fixed effects, a row for each search."""
        return pd.DataFrame({name: m.fe_params for name, m in self.results.items()}).T

    @property
    def theta(self) -> pd.DataFrame:
        """The relative covariance parameters, a row for each search."""
        return pd.DataFrame({name: m.theta for name, m in self.results.items()}).T

    @property
    def best(self) -> Any:
        """The result with the highest log-likelihood."""
        return self.results[str(self.llf.idxmax())]

    @property
    def possible_issue(self) -> bool:
        """Whether searches ended at different points, or failed."""
        return bool(self.failed) or not all(self.converged.values()) or bool(self._elsewhere())

    def _elsewhere(self) -> list[str]:
        """Searches that ended lower than the best, or as high with other estimates."""
        low = self.llf.max() - self.llf > SAME
        far = self._distance() > SAME_ESTIMATES
        return [str(name) for name in self.llf.index[low | far]]

    def _distance(self) -> pd.Series:
        """The largest distance of a fixed effect from that of the best fit, in standard errors."""
        errors = self.best.fe_bse
        known = errors.index[np.isfinite(errors) & (errors > 0.0)]
        apart = (self.coefficients - self.best.fe_params)[known] / errors[known]
        return apart.abs().max(axis=1).fillna(0.0)

    @property
    def message(self) -> str:
        """The comparison in words."""
        words = [f"{name} gave no fit: {why}" for name, why in self.failed.items()]
        elsewhere = self._elsewhere()
        if elsewhere:
            below = self.llf.max() - self.llf[elsewhere].min()
            words.append(
                f"{listing(elsewhere)} ended elsewhere, up to {below:.3g} below the highest "
                f"log-likelihood, that of {self.llf.idxmax()}, with fixed effects up to "
                f"{self._distance().max():.2g} standard errors away: the criterion has several "
                "optima or is flat; report the highest"
            )
        else:
            spread = self.llf.max() - self.llf.min()
            words.append(
                f"{len(self.results)} searches end at the same point: log-likelihoods are within "
                f"{spread:.1g}, fixed effects within {self._distance().max():.1g} standard errors"
            )
        if unsettled := [name for name, good in self.converged.items() if not good]:
            verdicts = {self.results[name].fit.verdict for name in unsettled}
            which = "all" if len(unsettled) == len(self.results) else listing(unsettled)
            words.append(f"the verdict of {which} is {listing(sorted(verdicts))}")
        return "; ".join(words)

    def to_frame(self) -> pd.DataFrame:
        """One row a search.

        Returns
        -------
        DataFrame
            ``verdict, log_lik, below`` (the highest), ``distance`` (the largest of a fixed effect
            from the best fit's, in standard errors), ``evaluations, seconds``, then fixed effects
            and theta.
        """
        fits = {name: m.fit for name, m in self.results.items()}
        head = pd.DataFrame(
            {
                "verdict": {name: fit.verdict for name, fit in fits.items()},
                "log_lik": self.llf,
                "below": self.llf.max() - self.llf,
                "distance": self._distance(),
                "evaluations": {name: fit.optimum.evaluations for name, fit in fits.items()},
                "seconds": {name: self.seconds[name] for name in fits},
            }
        )
        theta = self.theta.add_prefix("theta ")
        out = pd.concat([head, self.coefficients, theta], axis=1).loc[list(fits)]
        return out.rename_axis("search")

    def summary(self) -> pd.DataFrame:
        """As ``to_frame``, under the name of R's method.

        Returns
        -------
        DataFrame
        """
        return self.to_frame()

    def __repr__(self) -> str:
        return f"{self.message}\n{self.to_frame().iloc[:, :6].to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.message)}</p>{self.to_frame().to_html()}"


def all_fit(fit: MixedFit, result: Callable[[Any], Any]) -> AllFit:
    """Fit the design of a fit again by each search; ``result`` makes results of the fits."""
    results, converged, failed, seconds = {}, {}, {}, {}
    for name, optimizer, theta0 in _searches(fit):
        clock = perf_counter()
        try:
            other = _fitted(fit, optimizer, theta0)
        except (NumericalError, ImportError) as error:
            failed[name] = str(error)
            continue
        seconds[name] = perf_counter() - clock
        results[name], converged[name] = result(other), other.converged
    return AllFit(results, converged, failed, seconds)


def _searches(fit: MixedFit) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Name, optimiser and start of theta, the optimiser's own if None."""
    for optimizer in OPTIMIZERS:
        yield optimizer, optimizer, None
    width = sum(fit.covariance.widths)
    for name, variance in START_VARIANCES.items():
        x = fit.scale.start(np.full(width, variance))
        yield f"newton, {name}", "newton", fit.scale.theta(x)


def _fitted(fit: MixedFit, optimizer: str, theta0: np.ndarray | None) -> Any:
    if fit.linear:
        from ..models.lmm import fit_lmm
        from ..models.lmm_residual import fit_residual

        fitter = fit_lmm if fit.design.residual is None else fit_residual
        return fitter(fit.design, reml=fit.is_reml, optimizer=optimizer, theta0=theta0)
    from ..models.glmm import fit_glmm

    return fit_glmm(
        fit.design, fit.family, fit.observations, nAGQ=fit.nAGQ or 0, expected=fit.expected,
        optimizer=optimizer, theta0=theta0, method=fit.method, kind=type(fit),
    )  # fmt: skip
