"""Values of JSON as the objects they stand for, of classes that a fit is made of and no others."""

from __future__ import annotations

from base64 import b64decode
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ...design.closed import outside
from ...design.expressions import UserNames
from ...errors import DataError
from .classes import TYPES, class_at
from .writing import expressions_of


class Reader:
    """Reads one fit; a DataError says what in the file cannot be."""

    def __init__(self) -> None:
        self.numbered: dict[int, Any] = {}
        self.evaluated: list[Any] = []

    def read(self, value: Any) -> Any:
        """The object that a value of JSON stands for."""
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        for key in KEYS:
            if key in value:
                return getattr(self, f"_{key}")(value)
        raise DataError(f"the file has an object with the keys {sorted(value)}: it is not read")

    def check_expressions(self) -> None:
        """Refuse texts that call anything but the functions of formulas."""
        for value in self.evaluated:
            for text in expressions_of(value):
                if strange := outside(text):
                    raise DataError(
                        f"the file has the expression {text!r} with {strange}, which is no "
                        "function of formulas: it is not read"
                    )

    def _float(self, value: dict) -> float:
        return float(value["float"])

    def _same(self, value: dict) -> Any:
        return self.numbered[value["same"]]

    def _enum(self, value: dict) -> Any:
        cls = class_at(value["enum"])
        if not issubclass(cls, Enum):
            raise DataError(f"{value['enum']} is no enumeration: the file is not read")
        return cls[value["name"]]

    def _names(self, value: dict) -> UserNames:
        out = UserNames({name: self.read(own) for name, own in value["names"]})
        out.update(dict.fromkeys(value["numpy"], np))
        return out

    def _array(self, value: dict) -> np.ndarray:
        shape, order = tuple(value["shape"]), value.get("order", "C")
        dtype = np.dtype(value["array"])
        if "bytes" in value:
            out = np.frombuffer(b64decode(value["bytes"]), dtype).reshape(shape)
        elif dtype.kind == "O":
            out = np.empty(int(np.prod(shape)), dtype=object)
            out[:] = [self.read(item) for item in value["items"]]
            out = out.reshape(shape)
        else:
            out = np.array(value["values"], dtype=dtype).reshape(shape)
        out = np.array(out, order=order)
        out.flags.writeable = value.get("writeable", True)
        self.numbered[value["number"]] = out
        return out

    def _scalar(self, value: dict) -> Any:
        return np.frombuffer(b64decode(value["bytes"]), np.dtype(value["scalar"]))[0]

    def _dtype(self, value: dict) -> np.dtype:
        return np.dtype(value["dtype"])

    def _range(self, value: dict) -> pd.Index:
        return pd.RangeIndex(*value["range"], name=self.read(value["name"])[0])

    def _multiindex(self, value: dict) -> pd.Index:
        levels = [self.read(level) for level in value["multiindex"]]
        codes = [self.read(code) for code in value["codes"]]
        return pd.MultiIndex(levels, codes, names=self.read(value["name"]))

    def _index(self, value: dict) -> pd.Index:
        name = self.read(value["name"])[0]
        return pd.Index(self.read(value["values"]), dtype=value["index"], name=name)

    def _frame(self, value: dict) -> pd.DataFrame:
        columns, of, rows = self.read(value["frame"]), self.read(value["of"]), value["rows"]
        out = pd.DataFrame(dict(enumerate(columns)), index=self.read(rows))
        return out.set_axis(of, axis=1)

    def _series(self, value: dict) -> pd.Series:
        values, rows = self.read(value["series"]), self.read(value["rows"])
        return pd.Series(values, index=rows, name=self.read(value["name"])[0])

    def _sparse(self, value: dict) -> Any:
        return sparse.csc_array(tuple(self.read(value["sparse"])), shape=tuple(value["shape"]))

    def _timestamp(self, value: dict) -> pd.Timestamp:
        return pd.Timestamp(value["timestamp"]).as_unit(value["unit"])

    def _slice(self, value: dict) -> slice:
        return slice(*self.read(value["slice"]))

    def _frozenset(self, value: dict) -> frozenset:
        return frozenset(self.read(value["frozenset"]))

    def _set(self, value: dict) -> set:
        return set(self.read(value["set"]))

    def _tuple(self, value: dict) -> tuple:
        return tuple(self.read(value["tuple"]))

    def _dict(self, value: dict) -> dict:
        return {self.read(k): self.read(v) for k, v in value["dict"]}

    def _type(self, value: dict) -> type:
        return TYPES[value["type"]] if value["type"] in TYPES else class_at(value["type"])

    def _bytes(self, value: dict) -> bytes:
        return b64decode(value["bytes"])

    def _class(self, value: dict) -> Any:
        cls = class_at(value["class"])
        if "items" in value:  # a named tuple
            return tuple.__new__(cls, self.read(value["items"]))
        arguments = self.read(value.get("arguments", []))
        out = cls(*arguments) if value.get("call") else cls.__new__(cls, *arguments)
        self.numbered[value["number"]] = out
        if "state" in value:
            _restore(out, self.read(value["state"]))
        for k, v in value.get("entries", []):
            out[self.read(k)] = self.read(v)
        self.evaluated.append(out)
        return out


def _restore(value: Any, state: Any) -> None:
    """Give an object its state, as the standard library's copy does."""
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
        return
    slots: dict[str, Any] = {}
    if isinstance(state, tuple):
        state, slots = state
    if state:
        value.__dict__.update(state)
    for name, own in (slots or {}).items():
        object.__setattr__(value, name, own)


#: What an object with one of these keys is; those that others may have too come last.
KEYS = (
    *("float", "same", "enum", "names", "array", "scalar", "dtype", "range", "multiindex", "index"),
    *("frame", "series", "sparse", "timestamp", "slice", "frozenset", "set", "tuple", "dict"),
    *("type", "class", "bytes"),
)
