"""What is timed: a data set, a formula, and how often."""

from __future__ import annotations

from dataclasses import dataclass

SLOPES = " + ".join(f"x{i}" for i in range(1, 8))


@dataclass(frozen=True)
class Task:
    """One model, timed from formula string and data frame to result.

    Attributes
    ----------
    name : str
    data : str
        A data set of the package, or ``"simulated:rows:groups"``.
    formula : str
    repeats : int
        Warm repetitions after a first call that does not count.
    kind : str
        ``"fit"``, or ``"refit"``: the same model for a new response each time.
    """

    name: str
    data: str
    formula: str
    repeats: int = 5
    kind: str = "fit"


TASKS = [
    Task("sleepstudy", "sleepstudy", "Reaction ~ Days + (Days | Subject)", 60),
    Task("sleepstudy refit", "sleepstudy", "Reaction ~ Days + (Days | Subject)", 200, "refit"),
    Task("Dyestuff", "Dyestuff", "Yield ~ 1 + (1 | Batch)", 60),
    Task("Penicillin", "Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", 60),
    Task("Pastes", "Pastes", "strength ~ 1 + (1 | batch/cask)", 60),
    Task("Machines", "Machines", "score ~ Machine + (Machine | Worker)", 40),
    Task("Orthodont", "Orthodont", "distance ~ age * Sex + (age | Subject)", 40),
    Task("Oats", "Oats", "yield ~ nitro + (1 | Block/Variety)", 40),
    Task("cake", "cake", "angle ~ recipe * temperature + (1 | recipe:replicate)", 40),
    Task("Exam", "Exam", "normexam ~ standLRT + sex + schgend + (standLRT | school)", 20),
    Task("ScotsSec", "ScotsSec", "attain ~ verbal + sex + (1 | primary) + (1 | second)", 20),
    Task(
        "ham", "ham",
        "Informed.liking ~ Product * Information + (1 | Consumer) + (1 | Product:Consumer)", 20,
    ),
    Task("carrots", "carrots", "Preference ~ sens2 * Homesize + (1 + sens2 | Consumer)", 20),
    Task("Chem97", "Chem97", "score ~ gcsecnt + (1 | school) + (1 | lea)", 7),
    Task("InstEval s + d", "InstEval", "y ~ service + (1 | s) + (1 | d)", 5),
    Task("InstEval s + d + dept", "InstEval", "y ~ service + (1 | s) + (1 | d) + (1 | dept)", 5),
    Task(
        "maximal 2 x 8", "maximal",
        f"y ~ {SLOPES} + (1 + {SLOPES} | subj) + (1 + {SLOPES} | item)", 3,
    ),
    Task("1e5 rows", "simulated:100000:10000", "y ~ x + (1 + x | g)", 3),
    Task("1e6 rows", "simulated:1000000:100000", "y ~ x + (1 + x | g)", 2),
]
