"""What is timed: models of the literature, a maximal one, refits, growth with the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

#: The order of columns of the tables.
SYSTEMS = ("interlace", "lme4", "glmm", "mixedlm")


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
        A data set of the package, or ``"slopes:ROWS:GROUPS"``, simulated.
    kind : {"fit", "p-values", "refit"}
        ``"p-values"`` asks for those of t tests with Satterthwaite's degrees of freedom too;
        ``"refit"`` times the fits of a model to new responses, per response.
    group : str
        ``"models"``, ``"small"``, ``"inference"``, ``"refit"`` or ``"scale"``.
    bars : mapping
        System to how many times as fast interlace has to be.
    systems : tuple of str
        Who takes part.
    rename : mapping
        Columns whose names not every system can read.
    """

    name: str
    formula: str
    data: str
    kind: str = "fit"
    group: str = "small"
    bars: MappingProxyType[str, float] = field(default_factory=lambda: MappingProxyType({}))
    systems: tuple[str, ...] = SYSTEMS
    rename: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))


def bars(**ratios: float) -> MappingProxyType[str, float]:
    return MappingProxyType(ratios)


SLOPES = " + ".join(["1", *(f"x{i}" for i in range(1, 8))])
NOT_SLOWER = bars(lme4=1.0, mixedlm=1.0)

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
    Task("sleepstudy-p", "Reaction ~ Days + (Days|Subject)", "sleepstudy",
         kind="p-values", group="inference"),
    Task("InstEval-p", "y ~ service + (1|s) + (1|d)", "InstEval",
         kind="p-values", group="inference"),
    Task("refit", "Reaction ~ Days + (Days|Subject)", "sleepstudy",
         kind="refit", group="refit", bars=bars(glmm=3.0)),
    Task("slopes-1e5", "y ~ x + (1 + x|g)", "slopes:100000:10000", group="scale"),
    Task("slopes-1e6", "y ~ x + (1 + x|g)", "slopes:1000000:100000",
         group="scale", bars=bars(lme4=15.0)),
)  # fmt: skip

#: Time of slopes-1e6 over slopes-1e5 may be at most this: ten times the rows, and caches missed.
LARGEST_GROWTH = 12.0
#: Peak memory above the data frame, in sizes of the columns that the model uses.
LARGEST_MEMORY = 6.0
#: Time of ``import interlace`` over that of the libraries it stands on.
LARGEST_IMPORT = 1.3
#: The first fit of a process, late imports included, over the same.
LARGEST_FIRST_FIT = 0.1
