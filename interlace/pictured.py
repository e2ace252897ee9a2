"""Objects that have pictures and stand below them: the package says who draws, when it is imported.

What is drawn stands above what it is drawn of, and imports run down; ``draws`` is called once, from
the top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Drawer = Callable[[Any], Any]
_drawers: list[Drawer] = []


def draws(drawer: Drawer) -> Drawer:
    """Makes this function give the pictures of every :class:`Pictured` object."""
    _drawers[:] = [drawer]
    return drawer


class Pictured:
    """An object with pictures."""

    @property
    def plot(self) -> Any:
        """Pictures with matplotlib: ``.plot()`` the usual one, its methods single ones."""
        return _drawers[0](self)
