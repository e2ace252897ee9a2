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
    as long as they are not too long together.

    Parameters
    ----------
    function : callable
        Of one object, whose length is known.
    most : int, default 64
        Objects held.
    room : int, default 100000
        Their lengths together: some megabytes. A longer object is not held.

    Examples
    --------
    >>> from interlace.frames.identity import ByIdentity
    >>> texts = ByIdentity(lambda index: [str(label) for label in index])
    >>> labels = (1, 2)
    >>> texts(labels) is texts(labels)
    True
    """

    def __init__(
        self, function: Callable[[Any], _Value], most: int = 64, room: int = 100_000
    ) -> None:
        self._function, self._most, self._room = function, most, room
        self._kept: dict[int, tuple[Any, _Value]] = {}
        self._lock = Lock()

    def __call__(self, thing: Any) -> _Value:
        kept = self._kept.get(id(thing))
        if kept is not None and kept[0] is thing:
            return kept[1]
        value = self._function(thing)
        if len(thing) <= self._room:
            with self._lock:
                self._kept.pop(id(thing), None)
                left = self._room - len(thing) - sum(len(held) for held, _ in self._kept.values())
                while left < 0 or len(self._kept) >= self._most:
                    left += len(self._kept.pop(next(iter(self._kept)))[0])
                self._kept[id(thing)] = thing, value
        return value
