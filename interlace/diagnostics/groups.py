"""The groups of rows that a user names: rows one by one, a grouping factor, columns, an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..design.vectors import other_labels
from ..errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from ..frames.read import whole_frame

if TYPE_CHECKING:
    from ..design.design import Design, GroupingFactor


class Groups(NamedTuple):
    """Groups of the rows of a fit.

    Attributes
    ----------
    codes : (n,) int ndarray
    labels : pandas.Index
        Labels of the groups, named after what they are groups of.
    single : bool
        Whether each row is a group of its own, in order.
    """

    codes: np.ndarray
    labels: pd.Index
    single: bool = False

    def members(self) -> list[np.ndarray]:
        """The rows of each group."""
        order = np.argsort(self.codes, kind="stable")
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self.labels)))
        return np.split(order, ends[:-1])


def factor_groups(factor: GroupingFactor) -> Groups:
    """The levels of a grouping factor that have rows."""
    codes, labels = factor.label_codes, factor.labels
    if factor.known is not None:
        used, codes = np.unique(codes, return_inverse=True)
        labels = labels[used]
    return Groups(codes.astype(np.intp), pd.Index(labels, name=factor.name))


def groups_of(design: Design, by: Any, data: Any = None, name: str = "by") -> Groups:
    """The groups that ``by`` names: a factor of the design, columns of the data, or values.

    Without any each row is its own. Of columns the data of the fit are needed; refused are missing
    values, and one group of all rows.
    """
    if by is None:
        return Groups(np.arange(design.y.size), design.index, True)
    groups = named_groups(design, by, data, name)
    if len(groups.labels) < 2:
        raise ArgumentError(
            f"{name}={brief(by)} puts all rows into one group; at least two are needed"
        )
    return groups


def named_groups(design: Design, by: Any, data: Any = None, name: str = "by") -> Groups:
    """As ``groups_of``, where one group of all rows will do."""
    if isinstance(by, str):
        return _named(design, by, data, name)
    if isinstance(by, (list, tuple)) and by and all(isinstance(one, str) for one in by):
        parts = [_named(design, one, data, name) for one in by]
        labels = [part.labels.astype(str).to_numpy()[part.codes] for part in parts]
        joined = np.array([":".join(row) for row in zip(*labels, strict=True)], dtype=object)
        return _of_values(joined, ":".join(by), name)
    return _of_values(row_values(design, by, name), getattr(by, "name", None), name)


def _named(design: Design, by: str, data: Any, name: str) -> Groups:
    for factor in design.factors:
        if by == factor.name or sorted(by.split(":")) == sorted(factor.name.split(":")):
            return factor_groups(factor)
    if ":" in by and data is not None:
        return named_groups(design, by.split(":"), data, name)
    return _of_values(column(design, by, data, name), by, name)


def column(design: Design, wanted: str, data: Any, name: str) -> np.ndarray:
    """Values of a column of the data of the fit, in its rows, (n,)."""
    return series(design, wanted, data, name).to_numpy()


def series(design: Design, wanted: str, data: Any, name: str) -> pd.Series:
    """A column of the data of the fit as it is there, in its rows, (n,)."""
    known = [factor.name for factor in design.factors]
    frame = whole_frame(data)
    if frame is None:
        raise ArgumentError(
            f"{name}={wanted!r} is not one of the grouping factors of the model "
            f"({listing(known) or 'none'}), and the data of the fit are not known any more; give "
            "the values themselves"
        )
    if wanted not in frame:
        names = [*known, *map(str, frame.columns)]
        raise ArgumentError(
            f"{name}={wanted!r} is neither a grouping factor of the model nor a column of its data."
            f"{suggestion(wanted, names)}"
        )
    positions = design.rows_in(frame)
    if positions is None:
        raise ArgumentError(
            f"{name}={wanted!r}: the data have changed since the fit; give the values themselves"
        )
    return frame[wanted].iloc[positions]


def row_values(design: Design, by: Any, name: str) -> np.ndarray:
    """Values row by row, (n,); of all rows of the data where these are known."""
    if isinstance(by, pd.Series) and len(by) == design.y.size:
        if differ := other_labels(by.index, design.index):
            raise ArgumentError(
                f"{name} is a Series whose row labels are in another order or others than those of "
                f"the fit ({differ}); by.loc[m.resid.index] puts them in that of the fit"
            )
    try:
        values = np.asarray(by)
    except (TypeError, ValueError):
        values = np.empty(())
    if values.ndim != 1:
        raise ArgumentTypeError(
            f"{name} must be a grouping factor, a column of the data, or one value for each row of "
            f"the fit; got {brief(by)}"
        )
    if len(values) != design.y.size and design.rows is not None:
        if len(values) > int(design.rows.max(initial=-1)):
            values = values[design.rows]
    if len(values) != design.y.size:
        raise ArgumentError(
            f"{name} has {len(values)} values; the fit has {design.y.size} rows and needs one each"
        )
    return values


def _of_values(values: np.ndarray, label: Any, name: str) -> Groups:
    codes, levels = pd.factorize(values, sort=False)
    if (codes < 0).any():
        raise ArgumentError(
            f"{name} is missing in {np.count_nonzero(codes < 0)} row(s), which are in no group; "
            "fill them"
        )
    try:
        order = np.argsort(np.asarray(levels))
    except TypeError:  # labels of several kinds
        order = np.arange(len(levels))
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return Groups(place[codes], pd.Index(np.asarray(levels)[order], name=label))
