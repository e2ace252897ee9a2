"""Write the data of a task once, for Python (a pickle) and for R (CSV files)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from simulate import bernoulli, proportions, responses, series, slopes
from tasks import Task

#: Responses of the refit task: enough that their mean time says little about any one.
REFITS = 100
SIMULATED = {"slopes": slopes, "bernoulli": bernoulli, "series": series}


def write(task: Task, folder: Path) -> dict[str, str | int]:
    """Write the columns that a task uses, all numbers such that R reads the same doubles.

    Parameters
    ----------
    task : Task
        What to write for.
    folder : Path
        Where the files go: ``NAME.pickle``, ``NAME.csv``, ``NAME.levels.csv`` (a line for each
        level of each factor) and for refits ``NAME.responses.csv``.

    Returns
    -------
    dict
        ``stem`` of the files and ``bytes`` of the columns.
    """
    frame = load(task.data).rename(columns=dict(task.rename))
    needed = task.formula
    if task.distribution is not None:
        own = task.distribution
        needed += f" {own.weights} {own.zi} {own.dispersion}"
    used = [name for name in frame if re.search(rf"\b{re.escape(name)}\b", needed)]
    frame = frame[used].copy()
    stem = folder / task.name
    frame.to_pickle(f"{stem}.pickle")
    frame.to_csv(f"{stem}.csv", index=False)
    levels(frame, task.formula).to_csv(f"{stem}.levels.csv", index=False)
    if task.kind == "refit":
        new = new_responses(frame, task.data)
        new.to_pickle(f"{stem}.responses.pickle")
        new.to_csv(f"{stem}.responses.csv", index=False)
    size = int(frame.memory_usage(index=False, deep=True).sum())
    return {"stem": str(stem), "bytes": size, "rows": len(frame)}


def new_responses(frame: pd.DataFrame, data: str) -> pd.DataFrame:
    """One column for each refit."""
    if data == "cbpp":
        period, herd = (frame[name].cat.codes.to_numpy() for name in ("period", "herd"))
        new = proportions(period, herd, frame["size"].to_numpy(), REFITS)
    else:
        days, subject = frame["Days"].to_numpy(float), frame["Subject"].cat.codes.to_numpy()
        new = responses(days, subject, REFITS)
    return pd.DataFrame(new.T, columns=[f"y{i}" for i in range(REFITS)])


def load(data: str) -> pd.DataFrame:
    """A data set of the package with the columns that every system can read, or a simulated one."""
    kind, *sizes = data.split(":")
    if kind in SIMULATED:
        return SIMULATED[kind](*map(int, sizes))
    import interlace

    frame = interlace.load_dataset(data)
    return frame.assign(**READABLE[data](frame)) if data in READABLE else frame


def yes(column: pd.Series) -> pd.Series:
    """1 for the second level of a factor, 0 for the first."""
    return column.cat.codes.astype(float)


#: Columns to add, since not every system has factors as responses, ``I()`` or ``factor()``.
READABLE: dict[str, Callable[[pd.DataFrame], dict[str, pd.Series]]] = {
    "VerbAgg": lambda frame: {"y": yes(frame["r2"])},
    "guImmun": lambda frame: {"y": yes(frame["immun"])},
    "Contraception": lambda frame: {"y": yes(frame["use"]), "age2": frame["age"] ** 2},
    "bacteria": lambda frame: {"y": yes(frame["y"]), "late": (frame["week"] > 2).astype(float)},
    "cbpp": lambda frame: {"prop": frame["incidence"] / frame["size"]},
    "sleepstudy": lambda frame: {"share": (frame["Reaction"] - 150.0) / 350.0},
    "Mmmec": lambda frame: {"log_expected": np.log(frame["expected"])},
    "Arabidopsis": lambda frame: {
        "fruits": frame["total.fruits"],
        "nutrient": frame["nutrient"].astype(str).astype("category"),
        "rack": frame["rack"].astype(str).astype("category"),
    },
}


def levels(frame: pd.DataFrame, formula: str) -> pd.DataFrame:
    """Name, level and order of each factor; a number that groups has no levels of its own."""
    rows = [
        (name, level, int(column.cat.ordered))
        for name, column in frame.items()
        if isinstance(column.dtype, pd.CategoricalDtype)
        for level in column.cat.categories
    ]
    grouping = {name for part in re.findall(r"\|([^)]*)\)", formula) for name in part.split(":")}
    rows += [
        (name, "", 0)
        for name in frame
        if name in {group.strip() for group in grouping}
        and not isinstance(frame[name].dtype, pd.CategoricalDtype)
    ]
    return pd.DataFrame(rows, columns=["column", "level", "ordered"])
