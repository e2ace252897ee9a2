"""Models side by side: `model_table`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..calls import checked, flag, one_of
from ..errors import ArgumentError, ArgumentTypeError, brief
from ..inference.wald import method_of
from ..results.base import ModelResult
from ..tables.model_table.entries import (
    DEFAULT_STATISTICS,
    STATISTICS,
    Wanted,
    default_statistics,
    has_choice,
)
from ..tables.model_table.table import (
    BELOW_ALIASES,
    BELOW_ESTIMATES,
    STARS,
    Chosen,
    Form,
    ModelTable,
    side_by_side,
)

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["ModelTable", "model_table"]

#: More decimals than numbers of double precision have.
MOST_DIGITS = 15


@checked
def model_table(
    models: Any,
    names: Sequence[str] | None = None,
    *,
    below: Any = "std_error",
    beside: bool = False,
    conf_level: float = 0.95,
    digits: int = 3,
    stars: Any = False,
    exponentiate: bool = False,
    coef_map: Any = None,
    omit: Any = None,
    labels: Any = None,
    random_effects: bool = True,
    fit_statistics: Any = DEFAULT_STATISTICS,
    ddf: str | None = None,
    r_names: bool = False,
    title: Any = "",
    notes: Any = (),
) -> ModelTable:
    """Show one or several models side by side, as R's ``modelsummary`` and ``tab_model`` do.

    Models of any kinds: a row stands for the same thing in each that has it. Coefficients come
    first, those of other linear predictors (zero inflation, dispersion, thresholds, …) under
    headings, then standard deviations and correlations of random effects and residuals, other
    parameters of the family, and statistics of the fit.

    Parameters
    ----------
    models : result, sequence of results, or dict of name -> result
    names : sequence of str, optional
        Of the columns. Default: the keys of a dict, else ``(1)``, ``(2)``, ….
    below : str, sequence of str or None, default "std_error"
        Below each estimate: ``"std_error"``, ``"conf_int"``, ``"statistic"``, ``"df"``,
        ``"p_value"``, several of them, or nothing. Other packages' words do as well: ``"se"``,
        ``"std.error"``, ``"ci"``, ``"confint"``, ``"conf.int"``, ``"t"``, ``"z"``, ``"p"``, ….
    beside : bool, default False
        Beside the estimates, in columns of their own, instead.
    conf_level : float, default 0.95
    digits : int, default 3
        Decimals; numbers of which they would show nothing are written with powers of ten.
    stars : bool or dict, default False
        Mark small p-values: ``*`` below 0.05, ``**`` 0.01, ``***`` 0.001; or a dict of mark and
        limit.
    exponentiate : bool, default False
        Ratios instead of coefficients, under links that have such.
    coef_map : dict or sequence of str, optional
        The coefficients to show, in this order; a dict also renames them. Names are those here or
        R's; ``"zi: x"`` is that of one linear predictor.
    omit : str or sequence of str, optional
        Coefficients left out: a regular expression that is searched in their names, or the names.
    labels : dict, optional
        Other names for rows: of coefficients, variance components, parameters and statistics.
    random_effects : bool, default True
        Show standard deviations and correlations.
    fit_statistics : sequence of str or None
        Among ``"nobs"``, ``"groups"``, ``"log_lik"``, ``"aic"``, ``"bic"``, ``"r2_marginal"``,
        ``"r2_conditional"``, ``"icc"``, ``"sigma"``, ``"deviance"``, ``"df_residual"``,
        ``"nparams"``, ``"method"``, ``"family"``, ``"response"``; the last two by default where
        models differ in them. A model that has no such number has an empty cell.
    ddf : str, optional
        Degrees of freedom of linear mixed models, as for ``summary``.
    r_names : bool, default False
        R's names of coefficients and effects.
    title : str, optional
    notes : str or sequence of str, optional
        Lines below the table.

    Returns
    -------
    ModelTable
        With ``to_frame()``, ``to_html()``, ``to_latex()``, ``to_markdown()``, ``to_docx(path)`` and
        ``to_gt()``.

    Raises
    ------
    ArgumentError
        If a name is of no model, or ratios are asked for under a link that has none.

    Examples
    --------
    >>> import interlace as il
    >>> sleep = il.load_dataset("sleepstudy")
    >>> m = il.fit("Reaction ~ Days + (Days | Subject)", sleep)
    >>> print(il.model_table({"slopes": m}, below=None, digits=2, fit_statistics=["nobs", "aic"]))
    ---------------------------------------
                                     slopes
    ---------------------------------------
    Intercept                        251.41
    Days                              10.47
    ---------------------------------------
    Random effects and residuals
    SD Intercept | Subject            24.74
    SD Days | Subject                  5.92
    Corr Intercept, Days | Subject     0.07
    SD residual                       25.59
    ---------------------------------------
    Observations                        180
    AIC                             1755.63
    ---------------------------------------
    """
    columns, columns_names = _columns(models, names)
    if not 0 <= digits <= MOST_DIGITS:
        raise ArgumentError(f"digits must be between 0 and {MOST_DIGITS}, got {digits}")
    shown = tuple(dict.fromkeys(_below(one) for one in _several(below)))
    form = Form(shown, beside, digits, _marks(stars), conf_level, exponentiate)
    chosen = Chosen(coef_map, omit, _labels(labels))
    fits = [m.fit for m in columns]
    if fit_statistics is DEFAULT_STATISTICS:
        fit_statistics = default_statistics(fits)
    statistics = tuple(one_of("fit_statistics", n, STATISTICS) for n in _several(fit_statistics))
    _check_ddf(fits, ddf)
    wanted = Wanted(conf_level, exponentiate, r_names, ddf, random_effects, statistics)
    return side_by_side(fits, columns_names, wanted, chosen, form, str(title), _several(notes))


def _columns(models: Any, names: Sequence[str] | None) -> tuple[list[ModelResult], list[str]]:
    """Models and their names, refused where there are none or something else."""
    if isinstance(models, Mapping):
        if names is not None:
            raise ArgumentError(
                "names= and the keys of models both name the columns: leave one out"
            )
        names, models = [str(name) for name in models], list(models.values())
    listed = [models] if isinstance(models, ModelResult) or not _listed(models) else list(models)
    for model in listed:
        if not isinstance(model, ModelResult):
            raise ArgumentTypeError(
                "model_table takes fitted models, of fit(), glmer(), glm(), clm() or clmm(), one, "
                f"a list or a dict of them; got {brief(model)}"
            )
    if not listed:
        raise ArgumentError("models is empty: model_table takes at least one fitted model")
    names = [f"({i})" for i in range(1, len(listed) + 1)] if names is None else list(names)
    if len(names) != len(listed) or len(set(names)) != len(names):
        raise ArgumentError(
            f"names must be {len(listed)} different texts, one for each model; got {brief(names)}"
        )
    return listed, names


def _listed(models: Any) -> bool:
    return isinstance(models, Iterable) and not isinstance(models, (str, bytes))


def _several(value: Any) -> tuple[Any, ...]:
    """None, one or several as a tuple."""
    if value is None:
        return ()
    return tuple(value) if _listed(value) else (value,)


def _below(name: Any) -> str:
    """What is meant to stand below estimates, by its name here or elsewhere."""
    if isinstance(name, str):
        name = BELOW_ALIASES.get(name.lower(), name)
    return one_of("below", name, BELOW_ESTIMATES)


def _marks(stars: Any) -> dict[str, float]:
    if isinstance(stars, Mapping):
        for mark, limit in stars.items():
            known = isinstance(mark, str) and isinstance(limit, (int, float))
            if not known or isinstance(limit, bool) or not 0.0 < limit <= 1.0:
                raise ArgumentError(
                    "stars must be True, False or a dict of mark and limit of the p-value, such as "
                    f"{{'*': 0.05}}; got {brief(mark)}: {brief(limit)}"
                )
        return {mark: float(limit) for mark, limit in stars.items()}
    return dict(STARS) if flag("stars", stars) else {}


def _labels(labels: Any) -> dict[str, str]:
    if labels is None:
        return {}
    if isinstance(labels, Mapping):
        return {str(name): str(label) for name, label in labels.items()}
    raise ArgumentTypeError(
        f"labels must be a dict of a row's name and another, got {brief(labels)}; names of the "
        "models are names="
    )


def _check_ddf(fits: Sequence[AnyFit], ddf: str | None) -> None:
    """Refuse degrees of freedom that no model has."""
    linear = [fit for fit in fits if has_choice(fit)]
    for fit in linear or fits[:1]:
        method_of(fit, ddf, "ddf")
