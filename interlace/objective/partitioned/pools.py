"""Pools of processes as workers: `concurrent.futures`, loky, joblib's ``Parallel``.

A pool does not say which of its processes takes a task. Pieces are therefore files that every
process maps into memory when it is first asked of them, and keeps: what it holds can be made again
from its file by any other.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock
from typing import Any

from ...linalg.row_threads import ended
from ...linalg.threads import one_thread
from .pieces import Piece
from .questions import MANY, Part, Question, Start
from .workers import PartWorkers, Reading

__all__ = ["JoblibWorkers", "PoolWorkers"]

# Buffers begin at multiples of this in a file: a cache line.
ALIGNED = 64


def store(things: Any, path: Path) -> None:
    """Write pieces, or rows, so that `stored` has their arrays without reading them."""
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(things, protocol=5, buffer_callback=buffers.append)
    raws = [buffer.raw() for buffer in buffers]
    head = pickle.dumps((text, [raw.nbytes for raw in raws]))
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little"))
        file.write(head)
        for raw in raws:
            file.write(bytes(-file.tell() % ALIGNED))
            file.write(raw)


def stored(path: Path) -> Any:
    """What is in a file, its arrays in its pages."""
    with path.open("rb") as file:
        pages = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    end = 8 + int.from_bytes(pages[:8], "little")
    text, sizes = pickle.loads(pages[8:end])
    buffers = []
    for size in sizes:
        start = end + -end % ALIGNED
        end = start + size
        buffers.append(pages[start:end])
    return pickle.loads(text, buffers=buffers)


_held: dict[Path, Part] = {}
_lock = Lock()


def ask_stored(path: Path, question: Question, starts: Sequence[Start | None]) -> list[Any]:
    """The answers of the pieces in a file, which this process keeps until it is asked of others."""
    with _lock:
        if path not in _held:
            for other in [p for p in _held if p.parent != path.parent]:
                del _held[other]
            _held[path] = Part(stored(path))
        part = _held[path]
    return part.ask(question, starts)


def read_into(path: Path, reading: Reading) -> Any:
    """Read the rows of a part into a file; what is seen of them."""
    with one_thread(MANY):
        rows = reading.rows()
        seen = rows.seen()
    store(rows, path)
    return seen


def prepare_from(source: Path, path: Path, how: Any) -> None:
    """Make pieces of the rows in a file, in another."""
    with one_thread(MANY):
        store(stored(source).pieces(how), path)
    source.unlink()


class FileWorkers(PartWorkers):
    """Workers that find their pieces in files."""

    forget = True

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._folder = Path(tempfile.mkdtemp(prefix="interlace-"))
        self._paths: list[Path] = []

    def take(self, pieces: Sequence[Piece], words: Sequence[str]) -> None:
        super().take(pieces, words)
        for i, part in enumerate(self._parts):
            path = self._folder / f"{i}.pieces"
            store(list(pieces[part]), path)
            self._paths.append(path)

    def read(self, readings: Sequence[Reading], words: Sequence[str]) -> list[Any]:
        self._read_apart(readings, words)
        self._paths = [self._folder / f"{i}.pieces" for i in range(len(readings))]
        self._sources = [path.with_suffix(".rows") for path in self._paths]
        tasks = list(zip(self._sources, readings, strict=True))
        if self._is_forked() or not all(reading.travels for reading in readings):
            # engines have threads, which no fork survives: one part after the other, here
            return [read_into(*task) for task in tasks]
        return self._answers(read_into, tasks)

    def prepare(self, how: Any) -> None:
        pairs = zip(self._sources, self._paths, strict=True)
        self._answers(prepare_from, [(source, path, how) for source, path in pairs])

    def _is_forked(self) -> bool:
        """Whether processes of the pool are copies of this one."""
        return False

    def ask(self, question: Question, starts: Sequence[Start | None]) -> list[Any]:
        tasks = [
            (path, question, list(starts[part]))
            for path, part in zip(self._paths, self._parts, strict=True)
        ]
        return [answer for own in self._answers(ask_stored, tasks) for answer in own]

    @abstractmethod
    def _answers(self, work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What a function gives for each task, in order."""

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class PoolWorkers(FileWorkers):
    """Anything with the interface of `concurrent.futures`."""

    def __init__(self, pool: Any, count: int) -> None:
        super().__init__(count)
        self._pool = pool

    def _is_forked(self) -> bool:
        context = getattr(self._pool, "_mp_context", None)
        method = getattr(context, "get_start_method", lambda: None)()
        return method == "fork"

    def _answers(self, work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        futures: list[Any] = []
        try:
            futures.extend(self._pool.submit(work, *task) for task in tasks)
            return ended(futures)
        except (BrokenExecutor, CancelledError) as error:
            failed = [i for i, future in enumerate(futures) if _failed(future)]
            raise self.gone(failed[0] if failed else len(futures) % len(tasks), error) from error


def _failed(future: Any) -> bool:
    return future.cancelled() or (future.done() and future.exception() is not None)


class JoblibWorkers(FileWorkers):
    """joblib's ``Parallel``."""

    def __init__(self, parallel: Callable[..., Any], count: int) -> None:
        super().__init__(count)
        self._parallel = parallel

    def _answers(self, work: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> list[Any]:
        from joblib import delayed

        try:
            return list(self._parallel([delayed(work)(*task) for task in tasks]))
        except BrokenExecutor as error:
            raise self.gone(0, error) from error
