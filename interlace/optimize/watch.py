"""What a fit has come to, shown where people look once it has taken a few seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from time import perf_counter
from typing import Any, TypeVar

from ..errors import ArgumentError, brief

__all__ = ["Watch", "now", "stage", "watched"]

# Seconds that a fit may take before anything is shown of it, and between two looks at it.
DELAY = 3.0
INTERVAL = 0.2

F = TypeVar("F", bound=Callable[..., Any])
_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


class Watch:
    """Stage, evaluations and criterion of one fit, with the line or bar that shows them."""

    def __init__(self, delay: float) -> None:
        self._next, self._shown = perf_counter() + delay, 0
        self.stage, self.evaluations = "", 0
        self._bar: Any = None

    def evaluated(self, value: float) -> None:
        """One more evaluation of a criterion."""
        self.evaluations += 1
        if perf_counter() >= self._next:
            self._show(f"{self.stage}, criterion {value:.8g}")

    def entered(self, stage: str) -> None:
        """The fit is at another stage."""
        self.stage = stage
        if perf_counter() >= self._next:
            self._show(stage)

    def _show(self, text: str) -> None:
        if self._bar is None:
            self._bar = _bar()
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(self.evaluations - self._shown)
        self._shown, self._next = self.evaluations, perf_counter() + INTERVAL

    def close(self) -> None:
        """Leave nothing on the screen."""
        if self._bar is not None:
            self._bar.close()


class _Line:
    """A line of text in place of tqdm's bar, where that is not installed."""

    def __init__(self) -> None:
        self._start, self._text, self._evaluations, self._width = perf_counter(), "", 0, 0

    def set_description_str(self, text: str, refresh: bool) -> None:
        """The text to show next."""
        self._text = text

    def update(self, more: int) -> None:
        """Show it over what was shown before."""
        self._evaluations += more
        seconds = perf_counter() - self._start
        text = f"{self._text}: {self._evaluations} evaluations [{seconds:.0f} s]"
        self._write(text)

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text.ljust(self._width)}")
        sys.stderr.flush()
        self._width = len(text)

    def close(self) -> None:
        """Leave nothing on the screen."""
        self._write("")
        sys.stderr.write("\r")
        sys.stderr.flush()


def _bar() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _Line()
    return tqdm(desc="", unit=" evaluations", leave=False, mininterval=0.0, dynamic_ncols=True)


def _is_looked_at() -> bool:
    """Whether what is written to the standard error is seen as it comes."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        return True
    return sys.stderr is not None and sys.stderr.isatty()


def now() -> Watch | None:
    """The watch of the fit that this is part of, if it has one."""
    return _watch.get()


def stage(name: str) -> None:
    """Say what a fit is at."""
    watch = _watch.get()
    if watch is not None:
        watch.entered(name)


def watched(function: F) -> F:
    """A function that fits a model, with its argument ``progress`` heeded."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        progress = kwargs.get("progress", "auto")
        by_itself = isinstance(progress, str) and progress == "auto"
        if not by_itself and not isinstance(progress, bool):
            raise ArgumentError(f"progress must be True, False or 'auto', got {brief(progress)}")
        if not progress or (by_itself and not _is_looked_at()):
            return function(*args, **kwargs)
        with _watching(Watch(DELAY if by_itself else 0.0)):
            return function(*args, **kwargs)

    return call  # type: ignore[return-value]


@contextmanager
def _watching(watch: Watch) -> Iterator[None]:
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)
        watch.close()
