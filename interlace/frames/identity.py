"""What was worked out of objects that never change, found again by their identity."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

__all__ = ["ByIdentity"]

_Value = TypeVar("_Value")


class ByIdentity(Generic[_Value]):
    """Values of a function of objects that never change, by the identity of these.

    The objects are held, so that no other one can take their place in memory: only the last few,
    and only those that are not too long.

    Parameters
    ----------
    function : callable
        Of one object, whose length is known.
    most : int, default 64
        Objects held.
    longest : int, default 1000
        Length of an object above which it is not held.

    Examples
    --------
    >>> from interlace.frames.identity import ByIdentity
    >>> texts = ByIdentity(lambda index: [str(label) for label in index])
    >>> labels = (1, 2)
    >>> texts(labels) is texts(labels)
    True
    """

    def __init__(
        self, function: Callable[[Any], _Value], most: int = 64, longest: int = 1000
    ) -> None:
        self._function, self._most, self._longest = function, most, longest
        self._kept: dict[int, tuple[Any, _Value]] = {}
        self._lock = Lock()

    def __call__(self, thing: Any) -> _Value:
        kept = self._kept.get(id(thing))
        if kept is not None and kept[0] is thing:
            return kept[1]
        value = self._function(thing)
        if len(thing) <= self._longest:
            with self._lock:
                if len(self._kept) >= self._most:
                    del self._kept[next(iter(self._kept))]
                self._kept[id(thing)] = thing, value
        return value
