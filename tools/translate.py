"""Translate Cython modules into C or C++ for the build, all in one run of Cython.

Usage: ``python translate.py CYTHON FOLDER [OPTION ...] SOURCE [SOURCE ...]``; options begin with a
dash. What is made of ``a/b.pyx`` is ``FOLDER/b.c``, or ``b.cpp`` with the option ``--cplus``.

Cython starts in as much time as it takes for a module, and is started once here. A module is left
as it is if nothing that it may be made of is newer, so that a change of one compiles one.
"""

import subprocess
import sys
from pathlib import Path


def stale(source: Path, made: Path) -> bool:
    """Whether a module has to be translated: it or a file that some include is newer."""
    if not made.exists():
        return True
    parts = [source, *source.parent.parent.parent.rglob("*.pxi"), *source.parent.glob("*.pxd")]
    return any(part.stat().st_mtime >= made.stat().st_mtime for part in parts)


def translate(cython: str, folder: Path, options: list[str], sources: list[Path]) -> int:
    """Run Cython on the modules that are stale; its exit code."""
    ending = ".cpp" if "--cplus" in options else ".c"
    wanted = [s for s in sources if stale(s, folder / f"{s.stem}{ending}")]
    if not wanted:
        return 0
    return subprocess.call([cython, *options, "-o", str(folder), *map(str, wanted)])


if __name__ == "__main__":
    program, place, *rest = sys.argv[1:]
    options = [text for text in rest if text.startswith("-")]
    sources = [Path(text) for text in rest if not text.startswith("-")]
    sys.exit(translate(program, Path(place), options, sources))
