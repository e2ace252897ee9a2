"""The first step of every front door, from a call to its design, and the last, fit to result."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from ..design.build import build
from ..design.expressions import CallerNames
from ..errors import ArgumentTypeError, brief, warn_if_not_converged
from ..frames.files import is_named
from ..frames.lazy import LazyRows
from ..frames.parts import is_in_parts, scanned
from ..linalg.memory import check_memory
from ..optimize import stage

if TYPE_CHECKING:
    from ..design.design import Design
    from ..design.parted import PartedFrame
    from ..design.summed import SummedDesign
    from ..inference.update import Doors
    from ..results.base import ModelResult

_Result = TypeVar("_Result", bound="ModelResult")

#: Arguments that the design is built from.
OF_DESIGN = (
    *("formula", "data", "groups", "random", "weights", "offset", "contrasts", "subset"),
    "na_action",
)


#: Others whose texts name columns.
OF_COLUMNS = (
    *("formula", "groups", "random", "weights", "offset", "contrasts", "subset", "dispformula"),
    *("ziformula", "shapeformula", "zoiformula", "coiformula", "nominal", "scale"),
)


#: Bytes of a value of a lazy frame that is collected: as the engine has it, and in the model.
COLLECTED = 16.0


def scanned_data(call: Mapping[str, Any]) -> Any:
    """One lazy frame of the paths or parts that the data of a call are."""
    given = [call[name] for name in OF_COLUMNS if call.get(name) is not None]
    return scanned(call["data"], [str(value) for value in given])


def _collectable(call: Mapping[str, Any]) -> Any:
    """The lazy frame of a call whose columns fit into memory, or TooLargeError."""
    data = scanned_data(call)
    given = [str(call[name]) for name in OF_COLUMNS if call.get(name) is not None]
    rows = LazyRows(data)
    columns = sum(is_named(name, given) for name in rows.schema)
    check_memory(
        COLLECTED * columns * rows.count(),
        f"reading {columns} columns of data that are not in memory",
        "fit() takes what its model needs by sums of the engine, glmer() leaves those of paths and "
        "lazy frames with the workers of executor=; or filter and sum them in the engine",
    )
    return data


def design_of(call: dict[str, Any], **kind: Any) -> tuple[Design, dict[str, float]]:
    """The design of a call, and how long it took to build."""
    clock = perf_counter()
    stage("design")
    if is_in_parts(call["data"]):
        call["data"] = _collectable(call)
    arguments = {name: call[name] for name in OF_DESIGN if name in call}
    design = build(**arguments, **kind, context=_context(call, CallerNames()))
    return design, {"design": perf_counter() - clock}


def _context(call: Mapping[str, Any], names: Mapping[str, Any]) -> Mapping[str, Any]:
    """Names that formulas may use besides columns: the caller's, and those of matrices."""
    matrices = call.get("matrices")
    if matrices is not None:
        if not isinstance(matrices, Mapping) or not all(isinstance(k, str) for k in matrices):
            raise ArgumentTypeError(
                "matrices must be a dict of the names that the formula has and their matrices, as "
                f"in matrices={{'A': A}} for (1 | g, cov=A); got {brief(matrices)}"
            )
        return {**names, **matrices}
    return names


def summed_design_of(call: Mapping[str, Any]) -> tuple[SummedDesign, dict[str, float]]:
    """The design of a call whose data are lazy, by sums, and how long the engine took."""
    from ..design.summed import build_summed

    clock = perf_counter()
    stage("sums of the rows")
    arguments = {name: call[name] for name in OF_DESIGN if name in call}
    design = build_summed(**arguments, context=CallerNames())
    return design, {"sums": perf_counter() - clock}


def parted_frame_of(call: Mapping[str, Any], others: Any) -> tuple[PartedFrame, dict[str, float]]:
    """The frame of a call whose rows workers read, and how long the first queries took."""
    from ..design.parted import parted_frame

    clock = perf_counter()
    stage("queries")
    arguments = {name: call[name] for name in OF_DESIGN if name in call}
    context = _context(call, CallerNames())
    frame = parted_frame(**arguments, others=others, context=context)
    return frame, {"queries": perf_counter() - clock}


def result_of(kind: type[_Result], fit: Any, call: dict[str, Any], doors: Doors) -> _Result:
    """The result of a fit, which remembers its call; with a warning if it did not converge."""
    warn_if_not_converged(fit)
    call.pop("progress", None)
    result = kind(fit)
    result.call, result._doors = call, doors
    return result
