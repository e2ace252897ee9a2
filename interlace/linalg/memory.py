"""Memory that is still to be had, to refuse what would need more before it is begun."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path

from ..errors import TooLargeError

__all__ = ["available_memory", "check_memory"]

MEMINFO = Path("/proc/meminfo")
# The limit of a container and what it has taken, by version of control groups.
GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
# Of what a container has taken, files that the system can drop.
DROPPED = "inactive_file"


def available_memory() -> float:
    """Bytes that this process can still have, by what the system says; infinite if nothing."""
    return min(_of_machine(), *(_of_group(*group) for group in GROUPS))


def _of_machine() -> float:
    try:
        lines = MEMINFO.read_text().splitlines()
        return 1024.0 * next(float(s.split()[1]) for s in lines if s.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:  # all there is: too much rather than too little
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return inf


def _of_group(limit: Path, taken: Path) -> float:
    try:
        left = float(limit.read_text()) - float(taken.read_text())  # no number: no limit
        lines = (limit.parent / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return inf
    return left + sum(float(s.split()[1]) for s in lines if s.split()[:1] == [DROPPED])


def check_memory(needed: float, task: str, remedy: str) -> None:
    """Raise a `TooLargeError` where a task needs more bytes than there are."""
    left = available_memory()
    if needed > left:
        raise TooLargeError(
            f"{task} needs about {needed / 1e9:.3g} GB of memory and {left / 1e9:.3g} GB are free; "
            f"{remedy}"
        )
