"""Who does the work of a fit: arguments of front doors that are no part of the model."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["taken_out", "threads_of"]


def taken_out(call: dict[str, Any], nAGQ: int) -> dict[str, Any]:  # noqa: N803
    """``executor`` and ``partitions``, checked and out of the call that a result remembers.

    A pool is closed, and a Dask client gone, before a result fits its model again.
    """
    engine = {name: call.pop(name) for name in ("executor", "partitions")}
    if any(value is not None for value in engine.values()):
        from ..objective.partitioned.engines import check_engine

        check_engine(**engine, nAGQ=nAGQ)
    return engine


def threads_of(engine: dict[str, Any]) -> AbstractContextManager[None]:
    """Threads for what is done here before workers are there, if they are asked for."""
    if all(value is None for value in engine.values()):
        return nullcontext()
    from ..objective.partitioned.engines import threads_here

    return threads_here(**engine)
