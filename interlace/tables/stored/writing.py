"""Objects as values that JSON has: numbers exactly, classes by name, shared objects once.

A number, a text, a list, true, false and null are themselves. All else is an object with one key
that says what it is; classes and arrays have a number, by which they are referred to again.
"""

from __future__ import annotations

import copyreg
from base64 import b64encode
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ...design.closed import outside
from ...design.expressions import Lost, UserNames
from ...errors import ArgumentError, brief
from .classes import TYPES, allowed, path_of

#: Arrays of so many numbers are written as a list; longer ones as the bytes they are.
SHORT = 12


def expressions_of(value: Any) -> list[str]:
    """The texts of an object that are evaluated on new data."""
    name = type(value).__name__
    if name == "Resolved":
        return [value.text]
    if name == "PlainMatrix":
        return [call for call, _ in value.calls]
    if name == "Factor" and getattr(value.eval_method, "value", "") == "python":
        return [value.expr]
    return []


class Writer:
    """Writes one fit; an ArgumentError says what in it no file can hold."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.kept: list[Any] = []  # alive, so that no id is used twice
        self.kinds = self._kinds()

    def write(self, value: Any) -> Any:
        """The value of an object in JSON."""
        if value is None or isinstance(value, bool) or type(value) in (int, str):
            return value
        if type(value) is float:
            return value if np.isfinite(value) else {"float": repr(value)}
        if id(value) in self.numbers:
            return {"same": self.numbers[id(value)]}
        for kinds, write in self.kinds:
            if isinstance(value, kinds):
                return write(value)
        return self._object(value)

    def _kinds(self) -> list[tuple[Any, Callable[[Any], Any]]]:
        return [
            (Enum, lambda v: {"enum": self._path(type(v)), "name": v.name}),
            (UserNames, self._names),
            (np.ndarray, self._array),
            (np.generic, self._scalar),
            (np.dtype, lambda v: {"dtype": v.str}),
            (pd.Index, self._index),
            (pd.DataFrame, self._frame),
            (pd.Series, self._series),
            (sparse.sparray | sparse.spmatrix, self._sparse),
            (slice, lambda v: {"slice": [self.write(x) for x in (v.start, v.stop, v.step)]}),
            (pd.Timestamp, lambda v: {"timestamp": v.isoformat(), "unit": v.unit}),
            (bytes, lambda v: {"bytes": b64encode(v).decode("ascii")}),
            ((frozenset, set), self._set),
            (type, self._type),
            ((ModuleType, type(len), type(brief)), self._refuse),
        ]

    def _number(self, value: Any) -> int:
        self.kept.append(value)
        return self.numbers.setdefault(id(value), len(self.numbers))

    def _path(self, cls: type) -> str:
        path = path_of(cls)
        if not allowed(path):
            raise ArgumentError(
                f"to_json cannot hold an object of {cls.__module__}.{cls.__qualname__}, a class "
                "that this package does not have: pickle.dump(m, file) may hold it"
            )
        return path

    def _refuse(self, value: Any) -> Any:
        name = getattr(value, "__name__", getattr(value, "name", brief(value)))
        raise ArgumentError(
            f"to_json cannot hold {name}, which the model uses: a file holds numbers and "
            "texts, no functions of the user. Compute the column beforehand, or use pickle.dump(m, "
            "file) where the function can be imported"
        )

    def _names(self, value: UserNames) -> Any:
        for name, own in value.items():
            if isinstance(own, ModuleType) and own.__name__ == "numpy":
                continue
            if isinstance(own, (ModuleType, Lost)) or callable(own):
                self._refuse(own if not isinstance(own, Lost) else Lost(name))
        numpy = [name for name, own in value.items() if isinstance(own, ModuleType)]
        items = [[k, self.write(v)] for k, v in value.items() if k not in numpy]
        return {"names": items, "numpy": numpy}

    def _scalar(self, value: np.generic) -> Any:
        if value.dtype.kind not in "biufM":
            raise ArgumentError(f"to_json cannot hold {brief(value)}")
        return {"scalar": value.dtype.str, "bytes": b64encode(value.tobytes()).decode("ascii")}

    def _array(self, value: np.ndarray) -> Any:
        out: dict[str, Any] = {"array": value.dtype.str, "shape": list(value.shape)}
        out["number"] = self._number(value)
        if value.flags.f_contiguous and not value.flags.c_contiguous:
            out["order"] = "F"
        if not value.flags.writeable:
            out["writeable"] = False
        kind = value.dtype.kind
        if kind in "OT":
            out["array"] = "O"
            return out | {"items": [self.write(item) for item in value.ravel().tolist()]}
        if kind not in "biufMmUS":
            raise ArgumentError(f"to_json cannot hold an array of {value.dtype}")
        short = value.size <= SHORT and kind in "biu"
        if short or (value.size <= SHORT and kind == "f" and np.isfinite(value).all()):
            return out | {"values": value.ravel().tolist()}
        return out | {"bytes": b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")}

    def _index(self, value: pd.Index) -> Any:
        name = [self.write(value.name)]
        if isinstance(value, pd.RangeIndex):
            return {"range": [value.start, value.stop, value.step], "name": name}
        if isinstance(value, pd.MultiIndex):
            levels = [self.write(level) for level in value.levels]
            codes = [self.write(np.asarray(code)) for code in value.codes]
            return {"multiindex": levels, "codes": codes, "name": self.write(list(value.names))}
        dtype = str(value.dtype)
        times = isinstance(value, (pd.DatetimeIndex, pd.TimedeltaIndex))
        values = np.asarray(value.asi8) if times else value.to_numpy()
        return {"index": dtype, "values": self.write(values), "name": name}

    def _frame(self, value: pd.DataFrame) -> Any:
        columns = [self.write(value.iloc[:, j].to_numpy()) for j in range(value.shape[1])]
        return {"frame": columns, "of": self.write(value.columns), "rows": self.write(value.index)}

    def _series(self, value: pd.Series) -> Any:
        name = [self.write(value.name)]
        rows = self.write(value.index)
        return {"series": self.write(value.to_numpy()), "rows": rows, "name": name}

    def _sparse(self, value: Any) -> Any:
        csc = sparse.csc_array(value)
        parts = [self.write(part) for part in (csc.data, csc.indices, csc.indptr)]
        return {"sparse": parts, "shape": list(csc.shape)}

    def _set(self, value: Any) -> Any:
        return {type(value).__name__: [self.write(item) for item in sorted(value, key=repr)]}

    def _type(self, value: type) -> Any:
        path = path_of(value)
        return {"type": path} if path in TYPES else {"type": self._path(value)}

    def _object(self, value: Any) -> Any:
        cls = type(value)
        if cls is list:
            return [self.write(item) for item in value]
        if cls is tuple:
            return {"tuple": [self.write(item) for item in value]}
        if cls is dict:
            return {"dict": self._items(value.items())}
        path = self._path(cls)
        for text in expressions_of(value):
            if strange := outside(text):
                self._refuse(Lost(strange))
        if isinstance(value, tuple):
            return {"class": path, "items": [self.write(item) for item in value]}
        reduced = value.__reduce_ex__(2)
        function, arguments, *rest = reduced
        rest += [None] * (3 - len(rest))
        out: dict[str, Any] = {"class": path, "number": self._number(value)}
        if function is copyreg.__newobj__:  # type: ignore[attr-defined]
            arguments = arguments[1:]
        elif function is cls:
            out["call"] = True
        else:
            self._refuse(value)
        if arguments:
            out["arguments"] = [self.write(item) for item in arguments]
        if rest[0] is not None:
            # in one order, whatever was computed of the fit before
            state = dict(sorted(rest[0].items())) if type(rest[0]) is dict else rest[0]
            out["state"] = self.write(state)
        if rest[2] is not None:
            out["entries"] = self._items(rest[2])
        return out

    def _items(self, items: Any) -> list[list[Any]]:
        return [[self.write(k), self.write(v)] for k, v in items]
