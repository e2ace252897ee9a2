"""Print the files below a folder that have one of the given endings, for the build.

Usage: ``python list_sources.py FOLDER ENDING [ENDING ...]``; one path a line, relative to the
folder, with forward slashes, sorted. Caches and hidden folders are left out.
"""

import sys
from pathlib import Path


def sources(folder: Path, endings: tuple[str, ...]) -> list[str]:
    """Relative paths of the files below `folder` whose names end with one of `endings`."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in found
        if path.name.endswith(endings)
        and not any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    )


if __name__ == "__main__":
    print("\n".join(sources(Path(sys.argv[1]), tuple(sys.argv[2:]))))
