"""Arrays of a worker that was told to give memory back: their pages are fetched once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from interlace.objective.partitioned import freed_memory

COUNT = """
import resource
import numpy as np
from interlace.objective.partitioned.freed_memory import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(500_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

outside = faults()
with freed_memory_kept():
    inside = faults()
print(outside, inside, faults())
"""


@pytest.mark.skipif(freed_memory._mallopt() is None, reason="of glibc alone")
@pytest.mark.parametrize("more", [{}, {"MALLOC_MMAP_THRESHOLD_": "131072"}])
def test_pages_are_fetched_once(more) -> None:
    told = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", **more}
    call = [sys.executable, "-c", COUNT]
    done = subprocess.run(call, env=told, capture_output=True, text=True, check=True)
    outside, inside, after = map(int, done.stdout.split())
    # who says more than Dask does has what was said
    assert inside > 0.7 * outside if more else inside < 0.3 * outside
    assert after > 0.7 * outside


def test_nothing_is_done_where_nothing_was_told(monkeypatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(freed_memory, "_mallopt", lambda: lambda *own: asked.append(own))
    for told in (None, "", "-1", "many"):
        if told is None:
            monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
        else:
            monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", told)
        with freed_memory.freed_memory_kept():
            pass
    assert asked == []
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    with pytest.raises(KeyError), freed_memory.freed_memory_kept():
        raise KeyError
    assert asked[-2:] == [
        (freed_memory.TRIM_THRESHOLD, 65536),
        (freed_memory.MMAP_THRESHOLD, 2**17),
    ]
