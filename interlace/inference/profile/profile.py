"""Profile likelihoods of a fit as an object, and limits alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...calls import alpha as checked_alpha
from ...calls import level as checked_level
from ...errors import ArgumentError, InterlaceWarning, listing, warn
from ...pictured import Pictured
from ...printing import Table
from ..tails import t_quantile
from .likelihood import Likelihood, likelihood_of
from .parameters import Parameter, chosen, parameters_of
from .search import LOWER, Search
from .target import coordinates_of, fixed, scale_of, undetermined, values_at
from .trace import Trace

__all__ = ["Profile", "profile", "profile_limits"]

# lme4's: points are an eighth of the cutoff apart.
SPACING = 1.0 / 8.0
# Points of curves and densities that are drawn.
DRAWN = 201
# Densities of correlations at their ends are those of this angle before them.
EDGE = 1e-3
#: What ends a profile before its cutoff, in words.
ENDS = {
    "bound": "is at a bound of {name}",
    "level": "is infinite: the likelihood is level there",
    "short": "of {name} was not found: constrained fits failed on the way to it",
}


@dataclass(frozen=True, eq=False)
class Profile(Pictured):
    """Profile likelihoods of the parameters of a model.

    For each value v of a parameter all others are at their best, and

        zeta(v) = sign(v - estimate) (D(v) - D(estimate))^(1/2),   D = -2 log-likelihood,

    has a standard normal distribution, nearly. A straight line in v means that Wald's intervals are
    right.

    Attributes
    ----------
    traces : dict of str to Trace
        The points of each parameter.
    estimates : Series
        Of all parameters, by maximum likelihood.
    notes : tuple of str
        What is out of the ordinary, in words.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    >>> p = m.profile(["sigma", "Days"])
    >>> p.conf_int().round(2).loc["sigma"].tolist()
    [22.9, 28.86]
    >>> round(float(p.zeta("Days", 7.36)), 3)
    -1.959
    """

    traces: dict[str, Trace]
    estimates: pd.Series
    notes: tuple[str, ...] = ()

    def _trace(self, parm: Any) -> Trace:
        parameters = [t.parameter for t in self.traces.values()]
        several = chosen(parameters, parm)
        if len(several) != 1:
            raise ArgumentError(f"name one parameter, of {listing(map(repr, self.traces))}")
        return self.traces[several[0].name]

    def zeta(self, parm: str, values: Any) -> np.ndarray:
        """zeta at values of a parameter; NaN beyond the points.

        Parameters
        ----------
        parm : str
        values : float or array

        Returns
        -------
        ndarray
        """
        return self._trace(parm).zeta_at(values)

    def value(self, parm: str, zeta: Any) -> np.ndarray:
        """Values of a parameter at which zeta is what is given; NaN beyond the points.

        Parameters
        ----------
        parm : str
        zeta : float or array

        Returns
        -------
        ndarray
        """
        return self._trace(parm).value_at(zeta)

    def conf_int(self, level: float = 0.95, parm: Any = None, r_names: bool = False):
        """Intervals from the profiles.

        Parameters
        ----------
        level : float, default 0.95
        parm : str or sequence, optional
            Default: all that were profiled.
        r_names : bool, default False
            lme4's names of the parameters: ``.sig01``, ``.sigma``, ``(Intercept)``.

        Returns
        -------
        DataFrame
            Columns ``lower, upper``. A limit at a bound of the parameter is the bound, and infinite
            where the likelihood is level; ``attrs["notes"]`` says so.
        """
        wanted = float(t_quantile(checked_level("level", level), np.inf))
        own = chosen([t.parameter for t in self.traces.values()], parm)
        traces = [self.traces[p.name] for p in own]
        limits = [trace.limits(wanted) for trace in traces]
        notes = [
            note
            for trace, pair in zip(traces, limits, strict=True)
            for note in _notes_on(trace, pair, wanted)
        ]
        return interval_frame(own, np.array(limits).reshape(-1, 2), r_names, notes)

    confint = conf_int

    def frame(self, r_names: bool = False) -> pd.DataFrame:
        """All points: a row each, with the values of all parameters there.

        Parameters
        ----------
        r_names : bool, default False

        Returns
        -------
        DataFrame
            ``parameter, zeta, value``, then a column for each parameter of the model.
        """
        blocks = []
        for trace in self.traces.values():
            block = pd.DataFrame(trace.others, columns=list(self.estimates.index))
            name = trace.parameter.r_name if r_names else trace.parameter.name
            block.insert(0, "parameter", name)
            block.insert(1, "zeta", trace.zeta)
            block.insert(2, "value", trace.values)
            blocks.append(block)
        return pd.concat(blocks, ignore_index=True)

    to_frame = frame

    def curves(self, parm: Any = None, points: int = DRAWN) -> pd.DataFrame:
        """The splines of zeta at equally spaced values, to draw.

        Parameters
        ----------
        parm : str or sequence, optional
        points : int, default 201

        Returns
        -------
        DataFrame
            ``parameter, value, zeta, density``; densities are those of ``density``.
        """
        blocks = []
        for p in chosen([t.parameter for t in self.traces.values()], parm):
            trace = self.traces[p.name]
            if trace.at.size < 2:
                continue
            ends = trace.values[[0, -1]]
            values = np.linspace(ends.min(), ends.max(), points)
            at = np.sort(trace.scale.coordinate(values))
            at = np.clip(at, trace.at[0], trace.at[-1])
            values = trace.scale.value(at)
            zeta, slope = trace.spline(at)
            if p.kind == "cor":  # towards plus or minus one slope and derivative of the sine vanish
                inside = np.clip(at, EDGE - 0.5 * np.pi, 0.5 * np.pi - EDGE)
                slope = trace.spline(inside)[1] / trace.scale.slope(inside)
            else:
                slope = slope / trace.scale.slope(at)
            slope = np.abs(np.nan_to_num(slope))
            density = np.exp(-0.5 * zeta**2) / np.sqrt(2.0 * np.pi) * slope
            columns = {"parameter": p.name, "value": values, "zeta": zeta, "density": density}
            blocks.append(pd.DataFrame(columns))
        return pd.concat(blocks, ignore_index=True)

    def density(self, parm: Any = None, points: int = DRAWN) -> pd.DataFrame:
        """Densities that the profiles imply, phi(zeta) d zeta / d value, lme4's densityplot.

        Parameters
        ----------
        parm : str or sequence, optional
        points : int, default 201

        Returns
        -------
        DataFrame
            ``parameter, value, density``.
        """
        return self.curves(parm, points).drop(columns="zeta")

    def _table(self) -> Table:
        limits = self.conf_int()
        rows = [
            [name, *(f"{v:.5g}" for v in (self.estimates[name], *limits.loc[name]))]
            for name in self.traces
        ]
        note = "\n".join(dict.fromkeys([*self.notes, *limits.attrs["notes"]]))
        head = ["", "estimate", "2.5 %", "97.5 %"]
        return Table(head, rows, title="Profile likelihood intervals", note=note)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().html()


def interval_frame(
    parameters: Sequence[Parameter], limits: np.ndarray, r_names: bool, notes: Sequence[str]
) -> pd.DataFrame:
    """Limits (r, 2) as the frame that users get."""
    names = [p.r_name if r_names else p.name for p in parameters]
    out = pd.DataFrame(limits, index=pd.Index(names, dtype=object), columns=["lower", "upper"])
    out.attrs["notes"] = tuple(dict.fromkeys(notes))
    return out


#: More than the cutoff of any usual level: a profile of fewer points would be none.
WIDEST = 5.0


def profile(
    fit: Any, parm: Any = None, alphamax: float = 0.01, spacing: float | None = None
) -> Profile:
    """Profiles of a fit's parameters until zeta is beyond what intervals of alphamax need.

    The cutoff is lme4's: the root of the quantile of chi-squared with as many degrees of freedom as
    there are parameters.
    """
    from scipy.special import chdtri

    alphamax = checked_alpha("alphamax", alphamax)
    if spacing is not None and not 0.0 < spacing <= WIDEST:
        raise ArgumentError(
            f"spacing must be positive, a distance in zeta of at most {WIDEST:g}; got {spacing:g}"
        )
    parameters = parameters_of(fit)
    own = chosen(parameters, parm)
    likelihood = likelihood_of(fit)
    cutoff = float(np.sqrt(chdtri(len(parameters), alphamax)))
    notes: list[str] = []
    traces = {}
    with likelihood.threads():
        estimates = values_at(likelihood, parameters, likelihood.y)
        for parameter in own:
            if reason := without_profile(likelihood, parameter):
                notes.append(reason)
                continue
            trace, lowest = _trace_of(
                likelihood, parameters, parameter, cutoff, spacing or SPACING * cutoff
            )
            traces[parameter.name] = trace
            notes += _lower(parameter, lowest)
            notes += _not_monotone(trace)
    _warn(notes)
    names = [p.name for p in parameters]
    return Profile(traces, pd.Series(estimates, names, name="estimate"), tuple(notes))


def _trace_of(
    likelihood: Likelihood,
    parameters: list[Parameter],
    parameter: Parameter,
    cutoff: float,
    spacing: float,
) -> tuple[Trace, float]:
    """The profile of one parameter, and by how much its points are below the minimum."""
    scale = scale_of(likelihood, parameter)
    if undetermined(likelihood, parameter):
        at = np.array([-0.5 * np.pi, 0.5 * np.pi])
        others = np.tile(values_at(likelihood, parameters, likelihood.y), (2, 1))
        others[:, parameters.index(parameter)] = scale.value(at)
        zero = np.zeros(2)
        return Trace(parameter, scale, at, zero, zero, others, ("bound", "bound")), 0.0
    search = search_of(likelihood, parameter)
    down, up = (search.side(sign, cutoff, spacing) for sign in (-1.0, 1.0))
    points = [*reversed(down.points), search.first, *up.points]
    at, zeta, slope = (np.array(column) for column in list(zip(*points, strict=True))[:3])
    others = np.array(
        [values_at(likelihood, parameters, search.y(p.w) if p.y is None else p.y) for p in points]
    )
    # with an effect that is zero it is not to be had from the others
    others[:, parameters.index(parameter)] = scale.value(at)
    ends = down.ends, up.ends
    return Trace(parameter, scale, at, zeta, slope, others, ends), search.lowest


def search_of(likelihood: Likelihood, parameter: Parameter) -> Search:
    """The search along a parameter.

    Where the variance of an effect is zero its correlations can be anything: no profile of one is
    further from zero.
    """
    coordinates = coordinates_of(likelihood, parameter)
    if parameter.kind != "cor":
        return Search(likelihood, coordinates)
    b, *rows = parameter.at
    lowest, most = np.inf, None
    for i in rows:
        deviation = Parameter("", "", "sd", "", (b, i, i))
        without = Search(likelihood, coordinates_of(likelihood, deviation))
        there = without.fit(0.0, without.first)
        if there is not None and abs(there.zeta) < lowest:
            lowest, most = abs(there.zeta), without.y(there.w)
    return Search(likelihood, coordinates, most)


def profile_limits(
    fit: Any, parameters: Sequence[Parameter], level: float
) -> tuple[np.ndarray, list[str]]:
    """Profile likelihood limits (r, 2), and notes on them: constrained fits at the limits alone."""
    wanted = float(t_quantile(checked_level("level", level), np.inf))
    likelihood = likelihood_of(fit)
    limits, notes, lower = np.empty((len(parameters), 2)), [], []
    with likelihood.threads():
        for k, parameter in enumerate(parameters):
            if reason := without_profile(likelihood, parameter):
                limits[k] = np.nan
                notes.append(reason)
                continue
            scale = scale_of(likelihood, parameter)
            if undetermined(likelihood, parameter):
                limits[k] = -1.0, 1.0
                notes.append(_undetermined(parameter))
                continue
            search = search_of(likelihood, parameter)
            ends = [search.limit(sign, wanted) for sign in (-1.0, 1.0)]
            pair = [float(scale.value(at)) for at, _ in ends]
            limits[k] = sorted(pair)
            for which, (_, why), value in zip(("lower", "upper"), ends, pair, strict=True):
                notes += _note(parameter, which, why, value)
            lower += _lower(parameter, search.lowest)
    _warn(lower)
    return limits, [*lower, *notes]


def _note(parameter: Parameter, which: str, why: str, value: float) -> list[str]:
    if not why:
        return []
    said = ENDS[why].format(name=parameter.name)
    at = f", {value:g}" if why == "bound" else ""
    return [f"{parameter.name}: the {which} limit {said}{at}"]


def _notes_on(trace: Trace, limits: Sequence[float], wanted: float) -> list[str]:
    if trace.at.size == 2 and not trace.zeta.any():
        return [_undetermined(trace.parameter)]
    out = []
    sides = zip(("lower", "upper"), (0, -1), limits, trace.ends, strict=True)
    for which, side, value, why in sides:
        if np.abs(trace.zeta[side]) >= wanted:
            continue
        if why:
            out += _note(trace.parameter, which, why, value)
        else:
            out.append(
                f"{trace.parameter.name}: the {which} limit is beyond the profile; take a smaller "
                "alphamax="
            )
    return out


def without_profile(likelihood: Likelihood, parameter: Parameter) -> str:
    """The reason why there is no profile of a parameter; empty if there is one."""
    if parameter.kind == "pattern" and parameter.natural is None:
        return (
            f"{parameter.name} is a function of several parameters and has no profile here; write "
            "method='wald' or method='boot'"
        )
    if fixed(likelihood, parameter):
        return (
            f"{parameter.name} is -1 or 1 whatever the data are, as of all effects with one latent "
            "factor: it has no profile and no interval"
        )
    return ""


def _undetermined(parameter: Parameter) -> str:
    return (
        f"{parameter.name} is not determined: the variance of one of the two effects is estimated "
        "as zero"
    )


def _lower(parameter: Parameter, lowest: float) -> list[str]:
    if lowest > -LOWER:
        return []
    return [
        f"on the way along {parameter.name} -2 log-likelihood was {-lowest:.3g} lower than at the "
        "estimates: these are not the best ones, and the intervals mean little. Fit again with "
        "another theta0= or optimizer="
    ]


def _not_monotone(trace: Trace) -> list[str]:
    if (np.diff(trace.zeta) >= -1e-6).all():
        return []
    return [
        f"the profile of {trace.parameter.name} is not monotone: the likelihood has more than one "
        "maximum along it, and the values within its limits may be in several pieces"
    ]


def _warn(notes: Sequence[str]) -> None:
    if notes:
        warn("; ".join(notes), InterlaceWarning)
