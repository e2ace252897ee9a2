"""Compact letter displays: means that share a letter do not differ (Piepho 2004)."""

from __future__ import annotations

from string import ascii_letters

import numpy as np

__all__ = ["compact_letters"]


def compact_letters(different: np.ndarray, symbols: str = ascii_letters) -> list[str]:
    """A text for each of k means in their order, from which of them differ, boolean (k, k).

    Sets without two that differ, as large as they can be: a set in which two do is split in two,
    and sets within others are dropped.
    """
    k = len(different)
    sets = [frozenset(range(k))]
    for i in range(k):
        for j in range(i):
            if different[i, j]:
                split = [s for s in sets if i in s and j in s]
                parts = [part for s in split for part in (s - {i}, s - {j})]
                sets = [s for s in sets if s not in split]
                for part in sorted(set(parts), key=len, reverse=True):
                    if not any(part <= other for other in sets):
                        sets.append(part)
    ordered = sorted(sets, key=sorted)
    marks = [symbols[n] if n < len(symbols) else f"({n + 1})" for n in range(len(ordered))]
    return ["".join(mark for mark, s in zip(marks, ordered) if i in s) for i in range(k)]
