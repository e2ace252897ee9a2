"""What results hand out by name, with errors that say which names there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from .errors import UnknownNameError, brief, listing, suggestion

__all__ = ["ByGroup", "VarianceTable", "unknown_name"]


def unknown_name(source: str, key: Any, names: Iterable[Any], instead: str = "") -> Exception:
    """The error for a key that is not among the names; ``instead`` is what to write for it."""
    names = list(names)
    advice = f" {instead}" if instead else suggestion(key, names)
    has = f"only {listing(repr(name) for name in names)}" if names else "and nothing else"
    return UnknownNameError(f"{source} has no {brief(key)}, {has}.{advice}")


class ByGroup(dict[str, Any]):
    """Values of grouping factors by name: a dict whose missing keys are errors in words.

    Parameters
    ----------
    values : iterable of (str, value) or dict
    source : str
        What it is, as users write it, such as ``"m.random_effects"``.
    """

    def __init__(self, values: Any = (), source: str = "m.random_effects") -> None:
        super().__init__(values)
        self.source = source

    def __missing__(self, key: Any) -> Any:
        raise unknown_name(self.source, key, self, self._instead(key))

    def __reduce__(self) -> Any:
        return type(self), (dict(self), self.source)

    def _instead(self, key: Any) -> str:
        """The table that has the key as a level or an effect, written out."""
        for name, table in self.items():
            if not isinstance(table, pd.DataFrame):
                continue
            same = [label for label in table.index if str(label) == str(key)]
            if same:
                return f"It is a level: {self.source}[{name!r}].loc[{_written(same[0])}]"
            if key in list(table.columns):
                return f"It is a column: {self.source}[{name!r}][{key!r}]"
        return ""


def _written(label: Any) -> str:
    """A label as one types it."""
    return repr(label.item() if hasattr(label, "item") else label)


class VarianceTable(pd.DataFrame):
    """Variances and covariances of random effects, a row each, whose missing columns say more."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            if isinstance(key, str) and "group" in self.columns and key not in self.columns:
                raise self._unknown(key) from None
            raise

    def _unknown(self, key: str) -> Exception:
        groups = list(dict.fromkeys(self["group"]))
        instead = ""
        if key in groups:
            instead = f"""It is a group: m.VarCorr().query("group == '{key}'") has its rows"""
            if key != "Residual":
                instead += f", m.variance_components[{key!r}] its covariance matrix"
        elif not suggestion(key, self.columns) and (near := suggestion(key, groups)):
            instead = f"Groups are in the column 'group'.{near}"
        return unknown_name("m.VarCorr()", key, self.columns, instead)
