"""Fitted models from documents in JSON: `from_json`."""

from __future__ import annotations

from typing import Any

from ..calls import checked
from ..errors import DataError
from ..models.base import BaseFit
from ..results.base import ModelResult
from ..tables.stored.document import from_json as read

__all__ = ["from_json"]


@checked
def from_json(source: Any) -> ModelResult:
    """Read a fitted model that ``m.to_json()`` wrote.

    Nothing that the document says is run: it may name the classes that fits are made of and the
    functions that formulas have, and is refused where it names anything else.

    Parameters
    ----------
    source : str or path
        The text of the document, or the path of its file.

    Returns
    -------
    LMMResult, SummedResult, GLMMResult, PartedResult, GLMResult, CLMResult or CLMMResult
        As from a pickle: it predicts, with standard errors and intervals, has its summary, tests
        and tables, but not the data frame of the fit, which ``update`` needs.

    Raises
    ------
    DataError
        If the document is none that can be read, of a later version, or damaged.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> il.from_json(m.to_json()).fe_params.round(1).to_dict()
    {'Intercept': 1527.5}
    """
    kind, fit = read(source)
    kinds = _kinds()
    if kind not in kinds or not isinstance(fit, BaseFit):
        raise DataError(
            f"the document is of a {kind!r}, a kind of model that this version does not know"
        )
    return kinds[kind](fit)


def _kinds() -> dict[str, type[ModelResult]]:
    """The classes of results by name."""
    from ..results.glm import GLMResult
    from ..results.glmm import GLMMResult
    from ..results.glmm_parted import PartedResult
    from ..results.lmm import LMMResult
    from ..results.lmm_summed import SummedResult
    from ..results.ordinal import CLMMResult, CLMResult

    mixed = LMMResult, SummedResult, GLMMResult, PartedResult, CLMMResult
    return {cls.__name__: cls for cls in (*mixed, GLMResult, CLMResult)}
