"""What ``.plot`` of an object is: a call draws the usual picture, its methods are the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..calls import one_of
from ..errors import suggestion


class Plots:
    """Pictures of an object: each is a method, and ``.plot("name")`` another way to call it."""

    #: What the object is called where the pictures are listed.
    _owner: ClassVar[str] = "x"
    #: The picture that a call without a kind draws.
    _usual: ClassVar[str] = ""
    #: Other words for the kinds.
    _words: ClassVar[Mapping[str, str]] = {}

    def __call__(self, kind: str | None = None, *args: Any, **options: Any) -> Any:
        """The usual picture, or that of a kind, with its arguments."""
        if kind is None:
            return self._draw_usual(*args, **options)
        name = self._words.get(kind, kind) if isinstance(kind, str) else kind
        return getattr(self, one_of("kind", name, self._kinds()))(*args, **options)

    def _draw_usual(self, *args: Any, **options: Any) -> Any:
        return getattr(self, self._usual)(*args, **options)

    @classmethod
    def _kinds(cls) -> list[str]:
        return [name for name in dir(cls) if not name.startswith("_")]

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there: says what serves instead."""
        hint = "" if name.startswith("_") else self._hint(name)
        raise AttributeError(f"there is no picture {name!r}{hint}")

    def _hint(self, name: str) -> str:
        own = self._words.get(name, name)
        if own in self._kinds():
            return f": {name!r} is {self._owner}.plot.{own}()"
        near = suggestion(name, self._kinds())
        return f".{near}" if near else ""

    def __repr__(self) -> str:
        own = self._owner
        return f"Pictures: {own}.plot(), or {own}.plot.NAME() of {', '.join(self._kinds())}"
