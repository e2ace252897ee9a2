"""The classes that a file may name."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from ...errors import DataError

#: Folders of the package whose classes are parts of a fit.
FOLDERS = (
    "covariance",
    "design",
    "families",
    "formula",
    "frames",
    "models",
    "objective",
    "optimize",
)
#: Those that the sums of rows that were not in memory are made of.
SUMS = frozenset(
    f"interlace.linalg.crossproducts.{name}"
    for name in (
        "blocks:PairBlocks",
        "blocks:ZCross",
        "linear:LevelRoots",
        "standardise:Standardisation",
        "summed:SummedProducts",
    )
)
#: Those of formulaic that its recipe of a model matrix is made of.
FORMULAIC = frozenset(
    {
        "formulaic.formula:OrderingMethod",
        "formulaic.formula:SimpleFormula",
        "formulaic.materializers.base:EncodedTermStructure",
        "formulaic.materializers.types.enums:ClusterBy",
        "formulaic.materializers.types.enums:NAAction",
        "formulaic.materializers.types.evaluated_factor:EvaluatedFactor",
        "formulaic.materializers.types.factor_values:FactorValuesMetadata",
        "formulaic.materializers.types.scoped_factor:ScopedFactor",
        "formulaic.materializers.types.scoped_term:ScopedTerm",
        "formulaic.model_spec:ModelSpec",
        "formulaic.parser.types.factor:Factor",
        "formulaic.parser.types.factor:EvalMethod",
        "formulaic.parser.types.factor:Kind",
        "formulaic.parser.types.factor:Factor.EvalMethod",
        "formulaic.parser.types.factor:Factor.Kind",
        "formulaic.parser.types.term:Term",
        "formulaic.parser.types.token:Token",
        "formulaic.parser.types.token:Token.Kind",
        "formulaic.transforms.contrasts:ContrastsState",
        "formulaic.transforms.contrasts:TreatmentContrasts",
        "formulaic.transforms.contrasts:SASContrasts",
        "formulaic.transforms.contrasts:SumContrasts",
        "formulaic.transforms.contrasts:HelmertContrasts",
        "formulaic.transforms.contrasts:DiffContrasts",
        "formulaic.transforms.contrasts:PolyContrasts",
        "formulaic.transforms.contrasts:CustomContrasts",
        "formulaic.transforms.contrasts:_ContrastEnum",
        "formulaic.utils.sentinels:Sentinel",
        "formulaic.utils.variables:Variable",
        "formulaic.utils.variables:Variable.Role",
    }
)
#: Types that may stand as values.
TYPES = {f"{kind.__module__}:{kind.__name__}": kind for kind in (bool, int, float, str, object)}
_PATH = re.compile(r"interlace\.(\w+)(\.[a-z_]\w*)*:\w+(\.\w+)*")


def path_of(cls: type) -> str:
    """``"interlace.design.design:Design"``."""
    return f"{cls.__module__}:{cls.__qualname__}"


def allowed(path: str) -> bool:
    """Whether a file may name a class."""
    parts = _PATH.fullmatch(path)
    return path in FORMULAIC | SUMS or (parts is not None and parts[1] in FOLDERS)


def class_at(path: Any) -> type:
    """The class of a path; refused where it is none that a fit is made of."""
    if not isinstance(path, str) or not allowed(path):
        raise DataError(
            f"the file names {path!r}, which is no part of a model, and was not read. Models are "
            "stored by m.to_json()"
        )
    module, _, name = path.partition(":")
    try:
        value: Any = import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        raise DataError(
            f"the file names {path!r}, which this version does not have: read it with the version "
            "that wrote it, and fit again"
        ) from None
    # a class that moved may be found where it was
    if not isinstance(value, type) or not allowed(path_of(value)):
        raise DataError(f"the file names {path!r}, which is no class of its module: it is not read")
    return value
