"""Write the data of a task once, for Python (a pickle) and for R (CSV files)."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from simulate import responses, slopes
from tasks import Task

#: Responses of the refit task: enough that their mean time says little about any one.
REFITS = 100


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
    used = [name for name in frame if re.search(rf"\b{re.escape(name)}\b", task.formula)]
    frame = frame[used].copy()
    stem = folder / task.name
    frame.to_pickle(f"{stem}.pickle")
    frame.to_csv(f"{stem}.csv", index=False)
    levels(frame, task.formula).to_csv(f"{stem}.levels.csv", index=False)
    if task.kind == "refit":
        new = responses(
            frame["Days"].to_numpy(float), frame["Subject"].cat.codes.to_numpy(), REFITS
        )
        new = pd.DataFrame(new.T, columns=[f"y{i}" for i in range(REFITS)])
        new.to_pickle(f"{stem}.responses.pickle")
        new.to_csv(f"{stem}.responses.csv", index=False)
    size = int(frame.memory_usage(index=False, deep=True).sum())
    return {"stem": str(stem), "bytes": size, "rows": len(frame)}


def load(data: str) -> pd.DataFrame:
    """A data set of the package, or a simulated one."""
    if data.startswith("slopes:"):
        return slopes(*(int(part) for part in data.split(":")[1:]))
    import interlace

    return interlace.load_dataset(data)


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
