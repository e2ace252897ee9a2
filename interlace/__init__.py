"""Mixed-effects models: lme4's formulas, exact gradients, pandas results.

=======================================  ==========================================================
``fit("y ~ x + (x | g)", data)``         a linear mixed model; ``lmer`` is the same, ``gls`` has no
                                         random effects
``glmer(formula, data, family="...")``   a generalised linear mixed model; ``glm`` has no random
                                         effects
``clmm(formula, data)``                  ordered categories; ``clm`` has no random effects
``from_r("lmer(y ~ x + (x | g), d)")``   a call of R: what it is here, and its fit
``anova(m1, m2)``, ``emmeans(m, "x")``   comparisons of models, marginal means
``model_table([m1, m2])``                models side by side
``load_dataset("sleepstudy")``           data to try; ``list_datasets()`` has their names
=======================================  ==========================================================

A fitted model has ``summary()``, ``tidy()``, ``predict(new)``, ``confint()``, ``ranef()``,
``VarCorr()``, ``plot()`` and more: ``help(interlace.LMMResult)`` has all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors
from .api.functions import LRT, VarCorr, all_fit, allFit, anova, isSingular, update
from .api.generalised import glmer
from .api.glm import glm
from .api.linear import fit, gls, lmer
from .datasets import list_datasets, load_dataset
from .errors import (
    ArgumentError,
    ArgumentTypeError,
    ConvergenceWarning,
    DataError,
    DataWarning,
    FitInterrupted,
    FormulaError,
    InterlaceError,
    InterlaceWarning,
    MissingDependencyError,
    NumericalError,
    TooLargeError,
    UnknownNameError,
    WorkerError,
)
from .pictured import draws
from .results.lmm import LMMResult

if TYPE_CHECKING:
    from . import modular
    from .api.cross_validation import cross_val
    from .api.deletion import drop1, ranova, step
    from .api.diagnosis import (
        cooks_distance,
        hlm_augment,
        hlm_influence,
        hlm_resid,
        influence,
        leverage,
        lmer_influence_measures,
        mdffits,
        n_influential,
        ols_dfbetas_qr,
        ols_influence_measures,
    )
    from .api.earlier import AllFitResult, BootResult, CrossedLMEResult
    from .api.intervals import profile_confint
    from .api.marginal import (
        EmmResult,
        contrast,
        difflsmeans,
        emmeans,
        joint_tests,
        ls_means,
        pairs,
    )
    from .api.model_table import model_table
    from .api.ordinal import clm, clmm
    from .api.pedigree import relationship
    from .api.pictures import dotplot_diag, plot_influence, plot_resid
    from .api.resampling import bootMer, pb_modcomp, power, simulate
    from .api.stored import from_json
    from .api.tests import Anova, anova_type2, anova_type3, contest, contest1D, contestMD
    from .diagnostics.cross_validation import CVResult
    from .diagnostics.simulated_residuals import SimulatedResiduals
    from .families import (
        Bell,
        Beta,
        BetaBinomial,
        BetaFamily,
        Binomial,
        ConwayMaxwellPoisson,
        Gamma,
        GammaFamily,
        Gaussian,
        GeneralisedPoisson,
        GLMMFamily,
        Hurdle,
        HurdlePoissonFamily,
        InverseGaussian,
        LogNormal,
        NegativeBinomial,
        NegativeBinomial1,
        NegativeBinomial1Family,
        NegativeBinomial2Family,
        OrderedBeta,
        Ordinal,
        Poisson,
        SkewNormal,
        StudentT,
        Truncated,
        TruncatedNegativeBinomial,
        TruncatedNegativeBinomial1,
        TruncatedPoisson,
        Tweedie,
        ZeroInflated,
        ZeroInflatedNB2Family,
        ZeroInflatedPoissonFamily,
        ZeroOneInflatedBeta,
        ZeroOneInflatedBetaFamily,
    )
    from .interop.r.from_r import ModelFromR, from_r
    from .results.glm import GLMResult
    from .results.glmm import GLMMResult
    from .results.ordinal import CLMMResult, CLMResult

__version__ = "0.2.0"

__all__ = [
    "AllFitResult",
    "Anova",
    "ArgumentError",
    "ArgumentTypeError",
    "Bell",
    "Beta",
    "BetaBinomial",
    "BetaFamily",
    "Binomial",
    "BootResult",
    "CLMMResult",
    "CLMResult",
    "CVResult",
    "ConvergenceWarning",
    "ConwayMaxwellPoisson",
    "CrossedLMEResult",
    "DataError",
    "DataWarning",
    "EmmResult",
    "FitInterrupted",
    "FormulaError",
    "GLMMFamily",
    "GLMMResult",
    "GLMResult",
    "Gamma",
    "GammaFamily",
    "Gaussian",
    "GeneralisedPoisson",
    "Hurdle",
    "HurdlePoissonFamily",
    "InterlaceError",
    "InterlaceWarning",
    "InverseGaussian",
    "LMMResult",
    "LRT",
    "LogNormal",
    "MissingDependencyError",
    "ModelFromR",
    "NegativeBinomial",
    "NegativeBinomial1",
    "NegativeBinomial1Family",
    "NegativeBinomial2Family",
    "NumericalError",
    "OrderedBeta",
    "Ordinal",
    "Poisson",
    "SimulatedResiduals",
    "SkewNormal",
    "StudentT",
    "TooLargeError",
    "Truncated",
    "TruncatedNegativeBinomial",
    "TruncatedNegativeBinomial1",
    "TruncatedPoisson",
    "Tweedie",
    "VarCorr",
    "UnknownNameError",
    "WorkerError",
    "ZeroInflated",
    "ZeroInflatedNB2Family",
    "ZeroInflatedPoissonFamily",
    "ZeroOneInflatedBeta",
    "ZeroOneInflatedBetaFamily",
    "__version__",
    "allFit",
    "all_fit",
    "anova",
    "anova_type2",
    "anova_type3",
    "bootMer",
    "clm",
    "clmm",
    "contest",
    "contest1D",
    "contestMD",
    "contrast",
    "cooks_distance",
    "cross_val",
    "difflsmeans",
    "dotplot_diag",
    "drop1",
    "emmeans",
    "errors",
    "fit",
    "from_json",
    "from_r",
    "glm",
    "glmer",
    "gls",
    "hlm_augment",
    "hlm_influence",
    "hlm_resid",
    "influence",
    "isSingular",
    "joint_tests",
    "leverage",
    "list_datasets",
    "lmer",
    "lmer_influence_measures",
    "load_dataset",
    "ls_means",
    "mdffits",
    "model_table",
    "modular",
    "n_influential",
    "ols_dfbetas_qr",
    "ols_influence_measures",
    "pairs",
    "pb_modcomp",
    "plot_influence",
    "plot_resid",
    "power",
    "profile_confint",
    "ranova",
    "relationship",
    "simulate",
    "step",
    "update",
]

# A linear model does not pay for these: imported when first asked for (PEP 562).
_LATE = {
    **dict.fromkeys(
        (
            "Bell",
            "Beta",
            "BetaBinomial",
            "BetaFamily",
            "Binomial",
            "ConwayMaxwellPoisson",
            "GLMMFamily",
            "Gamma",
            "GammaFamily",
            "Gaussian",
            "GeneralisedPoisson",
            "Hurdle",
            "HurdlePoissonFamily",
            "InverseGaussian",
            "LogNormal",
            "NegativeBinomial",
            "NegativeBinomial1",
            "NegativeBinomial1Family",
            "NegativeBinomial2Family",
            "OrderedBeta",
            "Ordinal",
            "Poisson",
            "SkewNormal",
            "StudentT",
            "Truncated",
            "TruncatedNegativeBinomial",
            "TruncatedNegativeBinomial1",
            "TruncatedPoisson",
            "Tweedie",
            "ZeroInflated",
            "ZeroInflatedNB2Family",
            "ZeroInflatedPoissonFamily",
            "ZeroOneInflatedBeta",
            "ZeroOneInflatedBetaFamily",
        ),
        "families",
    ),
    **dict.fromkeys(("drop1", "ranova", "step"), "api.deletion"),
    **dict.fromkeys(
        (
            "cooks_distance",
            "hlm_augment",
            "hlm_influence",
            "hlm_resid",
            "influence",
            "leverage",
            "lmer_influence_measures",
            "mdffits",
            "n_influential",
            "ols_dfbetas_qr",
            "ols_influence_measures",
        ),
        "api.diagnosis",
    ),
    **dict.fromkeys(("dotplot_diag", "plot_influence", "plot_resid"), "api.pictures"),
    "from_json": "api.stored",
    "model_table": "api.model_table",
    "relationship": "api.pedigree",
    "profile_confint": "api.intervals",
    "CVResult": "diagnostics.cross_validation",
    **dict.fromkeys(("bootMer", "pb_modcomp", "power", "simulate"), "api.resampling"),
    "SimulatedResiduals": "diagnostics.simulated_residuals",
    **dict.fromkeys(
        (
            "EmmResult",
            "contrast",
            "difflsmeans",
            "emmeans",
            "joint_tests",
            "ls_means",
            "pairs",
        ),
        "api.marginal",
    ),
    **dict.fromkeys(
        ("Anova", "anova_type2", "anova_type3", "contest", "contest1D", "contestMD"), "api.tests"
    ),
    **dict.fromkeys(("AllFitResult", "BootResult", "CrossedLMEResult"), "api.earlier"),
    **dict.fromkeys(("clm", "clmm"), "api.ordinal"),
    **dict.fromkeys(("CLMResult", "CLMMResult"), "results.ordinal"),
    **dict.fromkeys(("ModelFromR", "from_r"), "interop.r.from_r"),
    "GLMMResult": "results.glmm",
    "GLMResult": "results.glm",
    "cross_val": "api.cross_validation",
    "modular": "modular",
}


@draws
def _pictures(record: Any) -> Any:
    """The pictures of an object that is no fitted model."""
    from .plots.records import pictures_of

    return pictures_of(record)


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_missing(name)}")
    from importlib import import_module

    module = import_module(f".{_LATE[name]}", __name__)
    value = module if name == _LATE[name] else getattr(module, name)
    globals()[name] = value
    return value


def _missing(name: str) -> str:
    """Words on what serves for a name that is not here; empty if nothing is known."""
    if name.startswith("_"):
        return ""
    import sys

    from .errors import suggestion
    from .other_names import function_hint

    # Nothing is imported that is not there: the import of a submodule asks here first.
    late = [
        (f"{__name__}.{module}", cls)
        for cls, module in _LATE.items()
        if module.startswith("results.")
    ]
    for owner in (LMMResult, *(getattr(sys.modules.get(path), cls, None) for path, cls in late)):
        if hasattr(owner, name):
            called = "(…)" if callable(getattr(owner, name)) else ""
            return f": it belongs to results, m.{name}{called}"
    if hint := function_hint(name):
        return f": {hint}"
    near = suggestion(name, __all__)
    return f".{near}" if near else ""


def __dir__() -> list[str]:
    return sorted(__all__)
