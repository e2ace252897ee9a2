"""What is timed: models of the literature, a maximal one, refits, growth with the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

#: The order of columns of the tables.
SYSTEMS = ("interlace", "lme4", "glmmTMB", "nlme", "glmm", "mixedlm")
#: Those of them that are packages of R.
OF_R = ("lme4", "glmmTMB", "nlme")
#: Who takes part in linear models, and in generalised ones.
LINEAR = ("interlace", "lme4", "glmm", "mixedlm")
GENERALISED = ("interlace", "lme4", "glmmTMB", "glmm")


@dataclass(frozen=True)
class Distribution:
    """What makes a model a generalised one.

    Parameters
    ----------
    family : {"binomial", "poisson", "nbinom2", "gamma", ...}
        With the canonical link of the first two and log of the others; of models with several
        linear predictors glmmTMB's name, with its link.
    weights : str
        Column of the numbers of trials, where the response is a proportion.
    nAGQ : int
        Nodes of adaptive quadrature; 1 is Laplace's approximation.
    zi, dispersion : str
        Formulas of extra zeros and of the dispersion; empty for none.
    """

    family: str
    weights: str = ""
    nAGQ: int = 1
    zi: str = ""
    dispersion: str = ""


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Parameters
    ----------
    name : str
        What ``--tasks`` selects.
    formula : str
        Read alike by every system.
    data : str
        A data set of the package, or ``"slopes:ROWS:GROUPS"``, ``"bernoulli:ROWS:GROUPS"``,
        ``"series:TIMES:GROUPS"``, simulated.
    kind : {"fit", "p-values", "refit"}
        ``"p-values"`` asks for those of t tests with Satterthwaite's degrees of freedom too;
        ``"refit"`` times the fits of a model to new responses, per response.
    group : str
        ``"models"``, ``"small"``, ``"residual"``, ``"inference"``, ``"generalised"``,
        ``"several"``, ``"refit"`` or ``"scale"``.
    bars : mapping
        System to how many times as fast interlace has to be.
    systems : tuple of str
        Who takes part.
    rename : mapping
        Columns whose names not every system can read.
    distribution : Distribution, optional
        Of a generalised model; None is a linear one by REML.
    correlation : str
        Of the residuals, in nlme's spelling; empty for none.
    """

    name: str
    formula: str
    data: str
    kind: str = "fit"
    group: str = "small"
    bars: MappingProxyType[str, float] = field(default_factory=lambda: MappingProxyType({}))
    systems: tuple[str, ...] = LINEAR
    rename: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))
    distribution: Distribution | None = None
    correlation: str = ""


def bars(**ratios: float) -> MappingProxyType[str, float]:
    return MappingProxyType(ratios)


def generalised(
    name: str,
    data: str,
    formula: str,
    family: str,
    ratios: MappingProxyType[str, float],
    *,
    weights: str = "",
    nAGQ: int = 1,
    zi: str = "",
    dispersion: str = "",
    kind: str = "fit",
    group: str = "generalised",
    systems: tuple[str, ...] = GENERALISED,
) -> Task:
    """A task of a generalised linear mixed model."""
    return Task(name, formula, data, kind, group, ratios, systems,
                distribution=Distribution(family, weights, nAGQ, zi, dispersion))  # fmt: skip


def residual(name: str, formula: str, correlation: str) -> Task:
    """A task of a linear model with correlated residuals."""
    return Task(f"{name}-residual", formula, name, group="residual", bars=bars(nlme=5.0),
                systems=("interlace", "nlme"), correlation=correlation)  # fmt: skip


SLOPES = " + ".join(["1", *(f"x{i}" for i in range(1, 8))])
NOT_SLOWER = bars(lme4=1.0, mixedlm=1.0)
NOT_SLOWER_THAN_R = bars(lme4=1.0, glmmTMB=1.0)
VERBAGG = "y ~ Anger + Gender + btype + situ + mode"
CONTRACEPTION = "y ~ age + age2 + urban + livch"
GUIMMUN = "y ~ kid2p + mom25p + ord + ethn + momEd + husEd + momWork + rural + pcInd81"
SALAMANDERS = "count ~ spp + mined + (1|site)"
OWLS = "SiblingNegotiation ~ FoodTreatment * SexParent + offset(logBroodSize) + (1|Nest)"
#: Models with several linear predictors: nobody else has them.
SEVERAL = ("interlace", "glmmTMB")
EPIL2 = "y ~ Base * trt + Age + Visit"
AR1 = "y ~ x + ar1(0 + time | g)"
BERNOULLI = "y ~ x1 + x2 + x3 + x4 + x5 + (1|g)"

TASKS = (
    Task("InstEval", "y ~ service + (1|s) + (1|d)", "InstEval",
         group="models", bars=bars(lme4=5.0, glmm=1.5)),
    Task("InstEval-dept", "y ~ service + (1|s) + (1|d) + (1|dept)", "InstEval",
         group="models", bars=bars(lme4=8.0, glmm=2.0)),
    Task("maximal", f"y ~ {SLOPES} + ({SLOPES} | subj) + ({SLOPES} | item)", "maximal",
         group="models", bars=bars(lme4=40.0, glmm=10.0, mixedlm=4.0)),
    Task("Chem97", "score ~ gcsecnt + (1|school) + (1|lea)", "Chem97",
         group="models", bars=bars(lme4=3.0, glmm=1.0)),
    Task("sleepstudy", "Reaction ~ Days + (Days|Subject)", "sleepstudy", bars=bars(lme4=5.0)),
    Task("Penicillin", "diameter ~ 1 + (1|plate) + (1|sample)", "Penicillin", bars=bars(lme4=5.0)),
    Task("Pastes", "strength ~ 1 + (1|batch) + (1|sample)", "Pastes", bars=bars(lme4=5.0)),
    Task("Dyestuff", "Yield ~ 1 + (1|Batch)", "Dyestuff", bars=NOT_SLOWER),
    Task("Machines", "score ~ Machine + (Machine|Worker)", "Machines", bars=NOT_SLOWER),
    Task("Oats", "crop ~ nitro + (1|Block) + (1|Block:Variety)", "Oats",
         bars=NOT_SLOWER, rename=MappingProxyType({"yield": "crop"})),
    Task("cake", "angle ~ recipe * temp + (1|recipe:replicate)", "cake", bars=NOT_SLOWER),
    Task("Orthodont", "distance ~ age * Sex + (1 + age|Subject)", "Orthodont", bars=NOT_SLOWER),
    Task("Exam", "normexam ~ standLRT + sex + schgend + (1 + standLRT|school)", "Exam",
         bars=NOT_SLOWER),
    Task("ScotsSec", "attain ~ verbal + sex + (1|primary) + (1|second)", "ScotsSec",
         bars=NOT_SLOWER),
    Task("ham", "liking ~ Product * Information + (1|Consumer) + (1|Product:Consumer)", "ham",
         bars=NOT_SLOWER, rename=MappingProxyType({"Informed.liking": "liking"})),
    Task("carrots", "Preference ~ sens1 + sens2 + Homesize + (1 + sens1 + sens2|Consumer)"
         " + (1|Product)", "carrots", bars=NOT_SLOWER),
    residual("Ovary", "follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1|Mare)",
             "corAR1(form = ~ 1 | Mare)"),
    residual("BodyWeight", "weight ~ Time * Diet + (Time|Rat)", "corCAR1(form = ~ Time | Rat)"),
    residual("Orthodont", "distance ~ age * Sex + (1|Subject)", "corAR1(form = ~ 1 | Subject)"),
    Task("sleepstudy-p", "Reaction ~ Days + (Days|Subject)", "sleepstudy",
         kind="p-values", group="inference"),
    Task("InstEval-p", "y ~ service + (1|s) + (1|d)", "InstEval",
         kind="p-values", group="inference"),
    Task("refit", "Reaction ~ Days + (Days|Subject)", "sleepstudy",
         kind="refit", group="refit", bars=bars(glmm=3.0)),
    Task("slopes-1e5", "y ~ x + (1 + x|g)", "slopes:100000:10000", group="scale"),
    Task("slopes-1e6", "y ~ x + (1 + x|g)", "slopes:1000000:100000",
         group="scale", bars=bars(lme4=15.0)),
    generalised("VerbAgg", "VerbAgg", f"{VERBAGG} + (1|id) + (1|item)", "binomial",
                bars(lme4=40.0, glmmTMB=15.0, glmm=1.2)),
    generalised("Contraception", "Contraception", f"{CONTRACEPTION} + (1|district)",
                "binomial", NOT_SLOWER_THAN_R, systems=SYSTEMS),
    generalised("Contraception-slope", "Contraception", f"{CONTRACEPTION} + (urban|district)",
                "binomial", bars(lme4=60.0, glmmTMB=25.0, glmm=1.0)),
    generalised("grouseticks", "grouseticks",
                "TICKS ~ YEAR + cHEIGHT + (1|BROOD) + (1|INDEX) + (1|LOCATION)",
                "poisson", bars(lme4=20.0, glmmTMB=12.0, glmm=1.0)),
    generalised("guImmun", "guImmun", f"{GUIMMUN} + (1|mom) + (1|comm)",
                "binomial", bars(lme4=200.0, glmmTMB=12.0, glmm=1.0)),
    generalised("cbpp", "cbpp", "prop ~ period + (1|herd)",
                "binomial", bars(lme4=10.0, glmmTMB=40.0), weights="size", systems=SYSTEMS),
    generalised("cbpp-AGQ9", "cbpp", "prop ~ period + (1|herd)", "binomial", bars(lme4=1.0),
                weights="size", nAGQ=9, systems=("interlace", "lme4", "glmm")),
    generalised("bacteria", "bacteria", "y ~ trt + late + (1|ID)",
                "binomial", NOT_SLOWER_THAN_R, systems=SYSTEMS),
    generalised("epil2-slope", "epil2", f"{EPIL2} + (Visit|subject)",
                "poisson", NOT_SLOWER_THAN_R),
    generalised("Mmmec", "Mmmec", "deaths ~ uvb + offset(log_expected) + (1|nation) + (1|region)",
                "poisson", NOT_SLOWER_THAN_R),
    generalised("Arabidopsis", "Arabidopsis",
                "fruits ~ nutrient * amd + rack + status + (1|popu) + (1|gen)",
                "poisson", NOT_SLOWER_THAN_R),
    generalised("epil2-NB", "epil2", f"{EPIL2} + (1|subject)", "nbinom2", NOT_SLOWER_THAN_R),
    generalised("Salamanders-NB", "Salamanders", "count ~ spp * mined + (1|site)",
                "nbinom2", NOT_SLOWER_THAN_R),
    generalised("sleepstudy-Gamma", "sleepstudy", "Reaction ~ Days + (1|Subject)",
                "gamma", NOT_SLOWER_THAN_R),
    generalised("Salamanders-ZINB2", "Salamanders", SALAMANDERS, "nbinom2", bars(glmmTMB=15.0),
                zi="~ spp + mined", group="several", systems=SEVERAL),
    generalised("Salamanders-hurdle-NB2", "Salamanders", SALAMANDERS, "truncated_nbinom2",
                bars(glmmTMB=15.0), zi="~ spp + mined", group="several", systems=SEVERAL),
    generalised("Owls-ZINB1", "Owls", OWLS, "nbinom1", bars(glmmTMB=15.0),
                zi="~ 1", group="several", systems=SEVERAL),
    generalised("Owls-zi-effects", "Owls", OWLS, "nbinom2", bars(glmmTMB=8.0),
                zi="~ FoodTreatment + (1|Nest)", group="several", systems=SEVERAL),
    generalised("sleepstudy-beta", "sleepstudy", "share ~ Days + (1|Subject)", "beta_family",
                bars(glmmTMB=15.0), dispersion="~ Days", group="several", systems=SEVERAL),
    generalised("cbpp-betabinomial", "cbpp", "prop ~ period + (1|herd)", "betabinomial",
                bars(glmmTMB=15.0), weights="size", group="several", systems=SEVERAL),
    generalised("epil2-Tweedie", "epil2", f"{EPIL2} + (1|subject)", "tweedie",
                bars(glmmTMB=3.0), group="several", systems=SEVERAL),
    generalised("epil2-Conway-Maxwell", "epil2", f"{EPIL2} + (1|subject)", "compois",
                bars(glmmTMB=3.0), group="several", systems=SEVERAL),
    generalised("sleepstudy-dispersion", "sleepstudy", "Reaction ~ Days + (Days|Subject)",
                "gaussian", NOT_SLOWER_THAN_R, dispersion="~ Days", group="several",
                systems=SEVERAL),
    generalised("cbpp-refit", "cbpp", "prop ~ period + (1|herd)", "binomial", NOT_SLOWER_THAN_R,
                weights="size", kind="refit", group="refit"),
    Task("ar1-200x500", AR1, "series:500:200", group="scale", bars=bars(glmmTMB=10.0),
         systems=SEVERAL),
    Task("ar1-200x2000", AR1, "series:2000:200", group="scale", systems=("interlace",)),
    generalised("bernoulli-1e5", "bernoulli:100000:5000", BERNOULLI, "binomial",
                bars(glmmTMB=5.0), group="scale", systems=("interlace", "glmmTMB", "glmm")),
    generalised("bernoulli-1e6", "bernoulli:1000000:50000", BERNOULLI, "binomial",
                bars(), group="scale", systems=("interlace",)),
)  # fmt: skip

#: The time of 1e6 rows over that of 1e5 may be at most this: ten times the rows, caches missed.
LARGEST_GROWTH = 12.0
#: Peak memory of the process at 1e6 Bernoulli rows, MB.
LARGEST_PEAK = 3000.0
#: Peak memory above the data frame, in sizes of the columns that the model uses.
LARGEST_MEMORY = 6.0
#: Time of ``import interlace`` over that of the libraries it stands on.
LARGEST_IMPORT = 1.3
#: The first fit of a process, late imports included, over the same.
LARGEST_FIRST_FIT = 0.1
