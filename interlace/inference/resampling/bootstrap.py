"""The bootstrap of any fitted model: draw responses, fit again, look at what varies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from ...calls import checked_methods
from ...errors import ArgumentError, ArgumentTypeError, InterlaceError, brief
from ...pictured import Pictured
from ...printing import Table
from ..parameters import parameter_names, parameter_values
from .intervals import SPELLINGS, intervals
from .jackknife import acceleration, jackknife
from .refits import Refit, Statistic, refits_of
from .replicates import Source, checked_count, counts, replicates
from .sources import (
    Draw,
    LinearSource,
    RowSource,
    by_sums,
    parametric,
    parametric_given_modes,
    semiparametric,
    statistics,
)

if TYPE_CHECKING:
    from ...models.kinds import AnyFit
    from ...models.lmm import LMMFit

__all__ = ["Bootstrap", "bootstrap", "with_precision"]

# Reasons of failures that are printed.
SHOWN_REASONS = 3


@checked_methods
@dataclass(frozen=True, eq=False)
class Bootstrap(Pictured):
    """Replicates of a statistic, with intervals.

    Attributes
    ----------
    frame : DataFrame
        One row a replicate, one column a number; a replicate that failed is a row of NaN.
    estimate : Series
        The statistic of the fit itself.
    kind : str
        What was drawn, in words.
    formula : str
    failures : dict of str to int
        Why refits failed, and how often.
    verdicts : dict of str to int
        Verdicts on the other refits, and how often: ``"converged"``, ``"singular"``, ….

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> b = m.bootstrap(200, seed=1)
    >>> b.frame.shape
    (200, 6)
    >>> b.conf_int("basic").columns.tolist()
    ['lower', 'upper']
    """

    frame: pd.DataFrame
    estimate: pd.Series
    kind: str
    formula: str
    failures: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    #: The statistic without one group each, (g, k), made when first asked for.
    _jackknife: Callable[[], np.ndarray] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_jackknife": None}

    @property
    def n(self) -> int:
        """Replicates, with those that failed."""
        return len(self.frame)

    @property
    def n_failed(self) -> int:
        """Refits that failed: rows of NaN, left out of all figures."""
        return sum(self.failures.values())

    @property
    def n_singular(self) -> int:
        """Refits on the boundary: a zero variance or a perfect correlation."""
        return self.verdicts.get("singular", 0)

    @property
    def n_not_converged(self) -> int:
        """Refits with any other verdict than converged or singular; they are in the figures."""
        good = ("converged", "singular")
        return sum(count for verdict, count in self.verdicts.items() if verdict not in good)

    @property
    def bias(self) -> pd.Series:
        """Mean of the replicates less the estimate."""
        return (self._finite.mean() - self.estimate).rename("bias")

    @property
    def se(self) -> pd.Series:
        """Standard deviation of the replicates."""
        return self._finite.std(ddof=1).rename("std_error")

    @property
    def t0(self) -> pd.Series:
        """The estimate, under R's name."""
        return self.estimate

    @property
    def t(self) -> pd.DataFrame:
        """The replicates, under R's name."""
        return self.frame

    @property
    def estimates(self) -> pd.DataFrame:
        """The replicates."""
        return self.frame

    @property
    def _finite(self) -> pd.DataFrame:
        return self.frame.where(np.isfinite(self.frame))

    def conf_int(
        self,
        method: Literal["percentile", "basic", "normal", "bca", "perc", "norm"] = "percentile",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Intervals from the replicates.

        Parameters
        ----------
        method : {"percentile", "basic", "normal", "bca"}, default "percentile"
            Or R's ``"perc"``, ``"norm"``. ``"bca"`` corrects for bias, and for a standard error
            that changes with the parameter, by a jackknife: the model is fitted without each level
            of the outermost grouping factor, without each row where there is none.
        level : float, default 0.95

        Returns
        -------
        DataFrame
            Columns ``lower, upper``.

        Raises
        ------
        ArgumentError
            If the method is not known.
        """
        kind = SPELLINGS.get(method, method)
        a = self._acceleration if kind == "bca" else None
        limits = intervals(kind, level, self.estimate.to_numpy(), self.frame.to_numpy(), a)
        return pd.DataFrame(limits, index=self.estimate.index, columns=["lower", "upper"])

    def ci(
        self,
        method: Literal["percentile", "basic", "normal", "bca", "perc", "norm"] = "perc",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """``conf_int`` with R's default spelling.

        Parameters
        ----------
        method : {"perc", "basic", "norm", "bca"}, default "perc"
        level : float, default 0.95

        Returns
        -------
        DataFrame
            Columns ``lower, upper``.
        """
        return self.conf_int(method, level)

    def to_frame(
        self,
        method: Literal["percentile", "basic", "normal", "bca", "perc", "norm"] = "percentile",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """One row a number: ``estimate, bias, std_error, lower, upper``.

        Parameters
        ----------
        method : {"percentile", "basic", "normal", "bca"}, default "percentile"
            As for ``conf_int``.
        level : float, default 0.95

        Returns
        -------
        DataFrame
        """
        parts = {"estimate": self.estimate, "bias": self.bias, "std_error": self.se}
        return pd.concat([pd.DataFrame(parts), self.conf_int(method, level)], axis=1)

    @cached_property
    def _acceleration(self) -> np.ndarray:
        if self._jackknife is None:
            raise ArgumentError(
                "method='bca' fits the model without one group each, which a bootstrap from a "
                "pickle cannot; ask for it before, or take 'percentile', 'basic' or 'normal'"
            )
        return acceleration(self._jackknife())

    # -- text ------------------------------------------------------------------------------------

    def _table(self) -> Table:
        frame = self.to_frame()
        rows = [[str(name), *(f"{v:.5g}" for v in row)] for name, row in frame.T.items()]
        title = f"{self.kind}, {self.n} replicates: {self.formula}"
        return Table(["", *frame.columns], rows, title=title, note=self._note())

    def _note(self) -> str:
        return "\n".join(["95 % percentile intervals", *self.notes])

    @property
    def notes(self) -> list[str]:
        """On refits that failed, are singular or did not converge, in words."""
        lines = []
        if self.n_failed:
            worst = list(self.failures.items())[:SHOWN_REASONS]
            why = "; ".join(f"{count} times: {reason}" for reason, count in worst)
            lines.append(f"{self.n_failed} refits failed and are left out ({why})")
        if self.n_singular:
            lines.append(f"{self.n_singular} refits are singular")
        if self.n_not_converged:
            kinds = {v: c for v, c in self.verdicts.items() if v not in ("converged", "singular")}
            listed = ", ".join(f"{count} {verdict}" for verdict, count in kinds.items())
            lines.append(f"refits that are in the figures but did not converge: {listed}")
        return lines

    def __str__(self) -> str:
        return self._table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table().html()


def with_precision(b: Bootstrap) -> Bootstrap:
    """The replicates of a Gaussian model with the precision 1 / sigma^2 as one number more."""
    frame = b.frame.assign(precision=b.frame["sigma"] ** -2.0)
    own = pd.Series({"precision": b.estimate["sigma"] ** -2.0})
    estimate = pd.concat([b.estimate, own]).rename("estimate")
    return replace(b, frame=frame, estimate=estimate, _jackknife=None)


def bootstrap(
    fit: AnyFit,
    refit: Refit,
    wrap: Callable[[Any], Any],
    n: int,
    func: Callable[[Any], Any] | None,
    method: str,
    use_u: bool | None,
    seed: Any,
    workers: int | None,
    progress: bool | None,
) -> Bootstrap:
    """n replicates of a statistic, by default of all parameters.

    ``refit`` fits the model to another response, ``wrap`` makes of a fit what ``func`` takes.
    """
    n = checked_count("n", n)
    use_u = checked_effects(fit, method, use_u)
    if func is None:
        names, estimate = parameter_names(fit), parameter_values(fit)
        statistic: Statistic = parameter_values
    else:
        if not callable(func):
            raise ArgumentTypeError(
                f"func must be a function of a result that gives numbers, got {brief(func)}"
            )
        names, estimate = labelled(_applied(func, wrap(fit)))
        statistic = lambda new: _same_size(func(wrap(new)), estimate.size)  # noqa: E731
    make: Callable[[], Source]
    if func is None:
        make = source_of(fit, refit, method, use_u)
    else:
        make = partial(_of_function, fit, refit, _draw(method, use_u), statistic, estimate.size)
    outcomes = replicates(make, n, seed, workers, progress, "bootstrap")
    values = outcomes.values[:, : estimate.size]  # without the log-likelihood
    frame = pd.DataFrame(values, columns=names, index=pd.RangeIndex(1, n + 1, name="replicate"))
    return Bootstrap(
        frame, pd.Series(estimate, index=names, name="estimate"), _words(fit, method, use_u),
        fit.design.formula.text, *counts(outcomes), partial(jackknife, fit, statistic),
    )  # fmt: skip


def source_of(fit: AnyFit, refit: Refit, method: str, use_u: bool) -> Callable[[], Source]:
    """What draws responses, and has all parameters and the log-likelihood of their refits."""
    if method == "parametric" and by_sums(fit):
        return partial(LinearSource, cast("LMMFit", fit), use_u)
    draw = _draw(method, use_u)
    return lambda: RowSource(fit, draw, refits_of(fit, refit).of)


def _of_function(
    fit: AnyFit, refit: Refit, draw: Draw, statistic: Statistic, size: int
) -> RowSource:
    return RowSource(fit, draw, statistics(fit, refit, statistic, size))


def _draw(method: str, use_u: bool) -> Draw:
    if method == "semiparametric":
        return semiparametric
    return parametric_given_modes if use_u else parametric


def _words(fit: AnyFit, method: str, use_u: bool) -> str:
    words = f"{method.capitalize()} bootstrap"
    return f"{words}, random effects kept" if use_u and fit.T else words


def checked_effects(fit: AnyFit, method: str, use_u: bool | None) -> bool:
    """Whether random effects stay at their modes; refused where nothing could be drawn."""
    exact = not fit.sigma > 0.0 if fit.linear else fit.dispersion == 0.0
    if exact:
        raise ArgumentError(
            "the model fits the response exactly: without a residual variance there is nothing to "
            "draw"
        )
    if method == "parametric":
        return bool(use_u)
    if not fit.family.residual_variance:
        raise ArgumentError(
            f"method={method!r} adds residuals to fitted values, which gives no responses of the "
            f"family {fit.family.name!r}; take method='parametric'"
        )
    if use_u is False and fit.T:
        raise ArgumentError(
            f"method={method!r} draws residuals, not random effects, which stay at their modes "
            "(use_u=True); method='parametric' draws both"
        )
    return True


def _applied(func: Callable[[Any], Any], result: Any) -> Any:
    """What a function of the user's gives of the fit itself; its failure in our words."""
    try:
        return func(result)
    except InterlaceError:
        raise
    except Exception as error:
        raise ArgumentError(
            f"func={brief(func)} fails on this fit: {type(error).__name__}: {brief(str(error))}"
        ) from error


def labelled(value: Any) -> tuple[list[Any], np.ndarray]:
    """Names and numbers of what a statistic gives: a number, a mapping, a Series, an array."""
    of_user = value
    if isinstance(value, pd.DataFrame):
        value = value.stack()
    if isinstance(value, Mapping):
        value = pd.Series(value)
    if isinstance(value, pd.Series):
        names = ["|".join(map(str, k)) if isinstance(k, tuple) else k for k in value.index]
    else:
        names = []
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=float)).ravel()
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            "func must give a number, or several in an array, a Series or a dict; of this fit it "
            f"gives {brief(of_user)}"
        ) from None
    return names or [f"t{i + 1}" for i in range(numbers.size)], numbers


def _same_size(value: Any, size: int) -> np.ndarray:
    numbers = labelled(value)[1]
    if numbers.size != size:
        raise ArgumentError(f"it gives {numbers.size} numbers, {size} of the fit itself")
    return numbers
