"""Progress is shown where people look, and late; who stops a fit gets the best point so far."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import interlace as il
from interlace.errors import ArgumentError
from interlace.optimize import watch

CBPP = "incidence / size ~ period + (1 | herd)"


def glmer(**how: Any) -> Any:
    return il.glmer(CBPP, il.load_dataset("cbpp"), "binomial", **how)


def lmm(**how: Any) -> Any:
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"), **how)


def clmm(**how: Any) -> Any:
    return il.clmm("rating ~ temp + (1 | judge)", il.load_dataset("wine"), **how)


def gls(**how: Any) -> Any:
    data = il.load_dataset("sleepstudy")
    return il.gls("Reaction ~ Days", data, "ar1(Days | Subject)", **how)


FITS = {"glmer": glmer, "fit": lmm, "clmm": clmm, "gls": gls}


@pytest.fixture(params=FITS)
def fit(request) -> Callable[..., Any]:
    return FITS[request.param]


@pytest.fixture
def terminal(monkeypatch) -> None:
    monkeypatch.setattr(watch, "_is_looked_at", lambda: True)
    monkeypatch.setattr(watch, "INTERVAL", 0.0)


def test_true_shows_stage_evaluations_and_criterion(fit, capsys, terminal) -> None:
    fit(progress=True)
    shown = capsys.readouterr().err
    assert "search, criterion" in shown and "evaluations" in shown


def test_fits_from_sums_show_their_stages(monkeypatch) -> None:
    stages: list[str] = []
    monkeypatch.setattr(watch.Watch, "entered", lambda self, name: stages.append(name))
    lmm(progress=True, compress=True)
    assert stages[:3] == ["sums of the rows", "cross-products", "search"]


def test_the_line_in_place_of_a_bar_is_wiped(fit, capsys, monkeypatch, terminal) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    m = fit(progress=True)
    *shown, last, nothing = capsys.readouterr().err.split("\r")
    assert any(f"criterion {m.fit.criterion:.5g}"[:14] in text for text in shown)
    assert not last.strip() and nothing == ""


@pytest.mark.parametrize("progress", ["auto", False])
def test_nothing_is_shown_of_short_fits_nor_without_a_terminal(
    fit, capsys, monkeypatch, terminal, progress
) -> None:
    monkeypatch.setattr(watch, "_bar", lambda: pytest.fail("shown"))
    fit(progress=progress)
    monkeypatch.setattr(watch, "DELAY", -1.0)
    monkeypatch.setattr(watch, "_is_looked_at", lambda: False)
    fit(progress=progress)
    assert capsys.readouterr().err == ""


def test_long_fits_are_shown_in_a_terminal(fit, capsys, monkeypatch, terminal) -> None:
    monkeypatch.setattr(watch, "DELAY", -1.0)
    fit()
    assert "criterion" in capsys.readouterr().err
    fit(progress=False)
    assert capsys.readouterr().err == ""


def test_what_a_result_does_later_shows_nothing(capsys) -> None:
    m = glmer(progress=True)
    capsys.readouterr()
    m.conf_int(method="profile")
    il.update(m, ". ~ . - period")
    assert capsys.readouterr().err == ""


def test_tqdm_is_imported_when_something_is_shown() -> None:
    code = (
        "import sys, interlace as il\n"
        "m = il.fit('Yield ~ 1 + (1 | Batch)', il.load_dataset('Dyestuff'))\n"
        "assert 'tqdm' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


@pytest.mark.parametrize("progress", ["yes", 1, None])
def test_other_values_are_refused(progress) -> None:
    with pytest.raises(ArgumentError, match="progress must be True, False or 'auto'"):
        glmer(progress=progress)


# -- stopping -------------------------------------------------------------------------------------


@pytest.fixture
def stop_at(monkeypatch) -> Callable[[int], None]:
    """Interrupt at the n-th evaluation of a search, whose steps are taken one by one."""

    def plan(number: int) -> None:
        evaluate, count = watch_counted().evaluate, []

        def counted(self, x, order=2):
            count.append(None)
            if len(count) == number:
                raise KeyboardInterrupt
            return evaluate(self, x, order)

        monkeypatch.setattr(watch_counted(), "evaluate", counted)
        monkeypatch.setattr(watch_counted(), "steps_from", lambda *_: None)

    return plan


def watch_counted() -> Any:
    from interlace.optimize import minimise

    return sys.modules[minimise.__module__]._Counted


def test_an_interrupt_has_the_best_point(fit, stop_at, monkeypatch) -> None:
    whole = fit()
    with monkeypatch.context():
        stop_at(4)
        with pytest.raises(KeyboardInterrupt) as caught:
            fit()
    stopped = caught.value
    assert isinstance(stopped, il.FitInterrupted) and not isinstance(stopped, Exception)
    assert stopped.evaluations == 3
    objective = whole.fit.objective
    assert objective.evaluate(stopped.x, 0).value == pytest.approx(stopped.criterion, rel=1e-10)
    np.testing.assert_allclose(stopped.theta, objective.theta(stopped.x))
    again = pickle.loads(pickle.dumps(stopped))
    assert again.criterion == stopped.criterion and str(again) == str(stopped)
    assert f"after 3 evaluations, at a criterion of {stopped.criterion:.8g}" in str(stopped)


def test_an_interrupt_before_any_evaluation(stop_at) -> None:
    stop_at(1)
    with pytest.raises(il.FitInterrupted) as caught:
        lmm()
    assert caught.value.criterion == np.inf and caught.value.evaluations == 0
    assert caught.value.theta.shape == (3,)


def test_an_interrupt_of_the_last_hessian(monkeypatch) -> None:
    def stop(self, x):
        raise KeyboardInterrupt

    whole = glmer()
    monkeypatch.setattr(type(whole.fit.objective), "hessian", stop)
    monkeypatch.setattr(watch_counted(), "steps_from", lambda *_: None)
    with pytest.raises(il.FitInterrupted) as caught:
        glmer()
    assert caught.value.criterion == pytest.approx(whole.fit.criterion, rel=1e-6)
