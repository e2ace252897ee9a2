"""The exceptions: what they are caught as, and how they read."""

from __future__ import annotations

import pickle

import pytest

from interlace import errors


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (errors.FormulaError, ValueError),
        (errors.DataError, ValueError),
        (errors.ArgumentError, ValueError),
        (errors.ArgumentTypeError, TypeError),
        (errors.ArgumentTypeError, errors.ArgumentError),
        (errors.MissingDependencyError, ImportError),
        (errors.NumericalError, ArithmeticError),
        (errors.TooLargeError, MemoryError),
        (errors.UnknownNameError, KeyError),
        (errors.WorkerError, RuntimeError),
        (errors.FitInterrupted, KeyboardInterrupt),
        (errors.DataWarning, UserWarning),
        (errors.ConvergenceWarning, errors.InterlaceWarning),
    ],
)
def test_what_they_are_caught_as(ours, builtin):
    assert issubclass(ours, builtin)
    if issubclass(ours, Exception) and not issubclass(ours, Warning):
        assert issubclass(ours, errors.InterlaceError)


@pytest.mark.parametrize("name", errors.__all__)
def test_made_by_new_alone(name):
    # as tblib does, which Dask has unpickle errors together with their tracebacks
    kind = getattr(errors, name)
    assert kind.__new__(kind, "words").args == ("words",)


def test_formula_error_points_into_the_text_and_pickles():
    error = errors.FormulaError("no such thing", "y ~ x + ?", 8)
    assert str(error) == "no such thing\n    y ~ x + ?\n            ^"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.formula, again.position) == (str(error), error.formula, 8)
    assert str(errors.FormulaError("plain")) == "plain"


def test_listing_counts_what_it_leaves_out():
    assert errors.listing(["a", 1]) == "a, 1"
    assert errors.listing(range(20), 3) == "0, 1, 2, … (17 more)"


def test_suggestion():
    assert errors.suggestion("dayz", ["Days", "Subject"]) == " Did you mean 'Days'?"
    assert errors.suggestion("qqq", ["Days", "Subject"]) == ""
