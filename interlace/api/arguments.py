"""The check of the first argument that functions of fits share."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentTypeError, brief
from ..results.base import ModelResult


def check_result(result: Any, function: str) -> None:
    """Refuse anything but a fitted model as the first argument of this function."""
    if not isinstance(result, ModelResult):
        raise ArgumentTypeError(
            f"{function} takes a fitted model as its first argument, as fit(), glmer() or glm() "
            "return it; got "
            f"{brief(result)}"
        )
