"""Who does the work of a fit: arguments of front doors that are no part of the model."""

from __future__ import annotations

from typing import Any

__all__ = ["taken_out"]


def taken_out(call: dict[str, Any], nAGQ: int) -> dict[str, Any]:  # noqa: N803
    """``executor`` and ``partitions``, checked and out of the call that a result remembers.

    A pool is closed, and a Dask client gone, before a result fits its model again.
    """
    engine = {name: call.pop(name) for name in ("executor", "partitions")}
    if any(value is not None for value in engine.values()):
        from ..objective.partitioned.engines import check_engine, wake

        check_engine(**engine, nAGQ=nAGQ)
        wake(engine["executor"])
    return engine
