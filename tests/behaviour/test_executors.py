"""Fits spread over workers: the same answer from threads, processes and Dask, and from fewer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError, WorkerError
from interlace.objective.partitioned import dask as dask_workers
from interlace.objective.partitioned.pools import FileWorkers
from interlace.objective.partitioned.workers import ThreadWorkers, Workers

# rows with missing values are part of the data
pytestmark = pytest.mark.filterwarnings("ignore:dropped .* row:interlace.errors.DataWarning")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Rows out of order, of levels nested in others, with weights, an offset and missing values."""
    rng = np.random.default_rng(7)
    n = 700
    d = pd.DataFrame({"s": rng.integers(0, 13, n), "x": rng.normal(50.0, 10.0, n)})
    d["class"] = [f"{s}ß{c}" for s, c in zip(d.s, rng.integers(0, 4, n), strict=True)]
    d["s"] = pd.Categorical(d.s, categories=range(15))  # two levels without rows
    d["f"] = rng.choice(["a", "b", "c"], n)
    d["off"], d["w"] = 0.1 * rng.normal(size=n), rng.integers(1, 4, n)
    effect = rng.normal(size=15)
    eta = 0.2 + 0.03 * (d.x - 50.0) + 0.7 * effect[d.s.cat.codes]
    d["y"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    d["count"] = rng.poisson(np.exp(0.5 * eta))
    d["many"] = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(1.0 + 0.5 * eta)))
    d["some"] = np.where(rng.random(n) < 0.3, 0, rng.poisson(np.exp(1.0 + 0.5 * eta)))
    d["size"] = rng.gamma(2.0, np.exp(0.5 * eta) / 2.0)
    d.loc[::50, "x"] = np.nan
    return d


MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "slopes": ("y ~ x + f + (1 + x | s)", {"family": "binomial", "offset": "off"}),
    "nested": ("count ~ x + (1 | s / class)", {"family": "poisson", "weights": "w"}),
    "quadrature": ("y ~ x + (1 | s)", {"family": "binomial", "nAGQ": 7}),
    "another parameter": ("many ~ f + (1 | s)", {"family": "nbinom2"}),
    "dispersion": ("size ~ f + (1 | s)", {"family": "gamma", "link": "log", "dispformula": "~ f"}),
    "zeros": ("some ~ f + (1 | s)", {"family": "poisson", "ziformula": "~ f"}),
    "without gradients": ("y ~ x + (1 | s)", {"family": "binomial", "optimizer": "bobyqa"}),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request, frame) -> tuple[Callable[..., Any], Any]:
    """The fit as a function of executor and partitions, and in memory."""
    formula, kw = MODELS[request.param]

    def fit(**how: Any) -> Any:
        return il.glmer(formula, frame, **kw, **how)

    return fit, fit()


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        yield pool


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as own,
        distributed.Client(own) as client,
    ):
        yield client


def same(one: Any, other: Any, tolerance: float) -> None:
    """Estimates, standard errors, modes and verdict; relative to standard errors where near 0."""
    errors = np.sqrt(np.diagonal(one.fit.cov_all))
    for a, b in ((one.fit.beta, other.fit.beta), (one.fit.theta, other.fit.theta)):
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * np.nanmax(errors))
    assert other.llf == pytest.approx(one.llf, rel=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diagonal(other.fit.cov_all)), errors, rtol=1e-5)
    for a, b in zip(one.fit.b, other.fit.b, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(other.fit.mu, one.fit.mu, rtol=1e-4)
    assert other.fit.verdict == one.fit.verdict


def identical(one: Any, other: Any) -> None:
    """To 1e-9, as for any number of workers."""
    for name in ("beta", "theta", "cov_all"):
        a, b = getattr(one.fit, name), getattr(other.fit, name)
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(a)))
    assert other.llf == pytest.approx(one.llf, rel=1e-13)


def test_threads(model) -> None:
    fit, alone = model
    two = fit(partitions=2)
    same(alone, two, 1e-7)
    identical(fit(partitions=1), two)
    identical(fit(partitions=4), two)
    with ThreadPoolExecutor(3) as pool:
        identical(fit(executor=pool), two)


def test_processes(model, processes) -> None:
    fit, alone = model
    two = fit(executor=processes)
    same(alone, two, 1e-6)
    identical(fit(executor=processes, partitions=4), two)


def test_joblib(model) -> None:
    joblib = pytest.importorskip("joblib")
    fit, alone = model
    same(alone, fit(executor=joblib.Parallel(n_jobs=2, backend="threading")), 1e-6)


@pytest.mark.parametrize("model", ["slopes", "nested", "zeros"], indirect=True)
def test_dask(model, client) -> None:
    fit, alone = model
    two = fit(executor=client)
    same(alone, two, 1e-7)
    identical(fit(executor=client, partitions=1), two)
    identical(fit(executor=client, partitions=4), two)


def test_ordered_categories(processes) -> None:
    formula, wine = "rating ~ temp + contact + (1 | judge)", il.load_dataset("wine")
    for kw in ({}, {"nominal": "~ contact"}, {"nAGQ": 5}):
        formula = "rating ~ temp + (1 | judge)" if "nominal" in kw else formula
        alone = il.clmm(formula, wine, **kw)
        same(alone, il.clmm(formula, wine, partitions=2, **kw), 1e-7)
        same(alone, il.clmm(formula, wine, executor=processes, **kw), 1e-6)


def test_results_are_whole_without_their_workers(frame) -> None:
    """Tests, refits, profiles and other fits of the same model go on here."""
    formula = "y ~ x + f + (1 | s)"
    with ThreadPoolExecutor(2) as pool:
        m = il.glmer(formula, frame, "binomial", executor=pool)
    alone = il.glmer(formula, frame, "binomial")
    # estimates are those of the workers, not made again
    assert "solution" in m.fit.__dict__ and m.fit._objective is None
    assert m.summary() is not None and "executor" not in m.call
    np.testing.assert_allclose(
        m.conf_int(method="profile"), alone.conf_int(method="profile"), rtol=1e-4, atol=1e-5
    )
    again = il.update(m, ". ~ . - f")
    assert again.llf == pytest.approx(il.glmer("y ~ x + (1 | s)", frame, "binomial").llf)
    assert m.refit(frame.y[m.fit.design.index]).llf == pytest.approx(m.llf, rel=1e-9)


@pytest.mark.parametrize("late", [0.0, 0.2], ids=["", "before the pool knows the thread"])
def test_a_task_of_a_pool_does_not_wait_for_its_own_thread(frame, late, monkeypatch) -> None:
    alone = il.glmer("y ~ x + (1 | s)", frame, "binomial")
    start = threading.Thread.start

    def slow(thread: threading.Thread) -> None:
        start(thread)
        time.sleep(late)

    monkeypatch.setattr(threading.Thread, "start", slow)
    with ThreadPoolExecutor(1) as pool:
        inner = pool.submit(il.glmer, "y ~ x + (1 | s)", frame, "binomial", executor=pool)
        same(alone, inner.result(timeout=60), 1e-7)


def test_nothing_is_left_behind(frame, processes) -> None:
    threads = set(threading.enumerate())
    folder = Path(tempfile.gettempdir())
    before = set(folder.glob("interlace-*"))
    il.glmer("y ~ x + (1 | s)", frame, "binomial", partitions=3)
    il.glmer("y ~ x + (1 | s)", frame, "binomial", executor=processes)
    assert set(threading.enumerate()) - threads <= {processes._executor_manager_thread}
    # files of fits that others run at the same time are theirs
    assert not [p for p in set(folder.glob("interlace-*")) - before if [*p.glob("*.pieces")]]


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.fixture
def at_question(monkeypatch) -> Callable[[type[Workers], int, Callable[[], Any]], None]:
    """Do something before the n-th question that workers of a kind are asked."""

    def plan(kind: type[Workers], number: int, action: Callable[[], Any]) -> None:
        ask, asked = kind.ask, []

        def counted(self, *args):
            asked.append(None)
            if len(asked) == number:
                action()
            return ask(self, *args)

        monkeypatch.setattr(kind, "ask", counted)

    return plan


def test_pools_that_were_closed_are_refused(frame) -> None:
    for pool in (ThreadPoolExecutor(2), ProcessPoolExecutor(2)):
        pool.shutdown()
        with pytest.raises(ArgumentError, match=rf"a {type(pool).__name__} that was closed"):
            il.glmer("y ~ x + (1 | s)", frame, "binomial", executor=pool)


def test_a_dask_client_that_was_closed_is_refused(frame, client) -> None:
    from distributed import Client

    with Client(client.scheduler.address) as other:
        pass
    with pytest.raises(ArgumentError, match="a Client that was closed"):
        il.clmm("f ~ x + (1 | s)", frame, executor=other)


def test_a_killed_process_is_said_by_its_partition(frame, at_question) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        at_question(
            FileWorkers, 4, lambda: [os.kill(p, signal.SIGKILL) for p in list(pool._processes)]
        )
        with pytest.raises(WorkerError, match=r"partition \d of 2 \(s .* is gone: Broken"):
            il.glmer("y ~ x + (1 | s)", frame, "binomial", executor=pool)


def test_a_killed_dask_worker_is_replaced(frame, client, at_question) -> None:
    alone = il.glmer("y ~ x + (1 | s)", frame, "binomial")

    def kill() -> None:
        pids = client.run(os.getpid)
        os.kill(sorted(pids.items())[0][1], signal.SIGKILL)

    at_question(dask_workers.DaskWorkers, 4, kill)
    same(alone, il.glmer("y ~ x + (1 | s)", frame, "binomial", executor=client), 1e-7)


def test_dask_workers_read_their_parts_and_again_when_one_dies(
    frame, client, at_question, tmp_path
) -> None:
    pl = pytest.importorskip("polars")
    data = frame.assign(s=frame.s.astype(str))
    pl.from_pandas(data).write_parquet(tmp_path / "rows.parquet")
    formula = "y ~ x + f + (1 | s / class)"
    alone = il.glmer(formula, data, "binomial")

    def kill() -> None:
        pids = client.run(os.getpid)
        os.kill(sorted(pids.items())[0][1], signal.SIGKILL)

    at_question(dask_workers.DaskWorkers, 4, kill)
    apart = il.glmer(formula, f"{tmp_path}/*.parquet", "binomial", executor=client)
    np.testing.assert_allclose(apart.fit.beta, alone.fit.beta, rtol=1e-8)
    np.testing.assert_allclose(apart.fit.theta, alone.fit.theta, rtol=1e-8)


def test_dask_workers_that_stay_away_are_said(frame, client, at_question, monkeypatch) -> None:
    def asked(*_: Any) -> dict[int, BaseException]:
        return {1: OSError("no route")}

    monkeypatch.setattr(dask_workers.DaskWorkers, "_done", asked)
    with pytest.raises(WorkerError, match=r"partition 2 of 2 \(s .*is gone: OSError \(no route\)"):
        il.glmer("y ~ x + (1 | s)", frame, "binomial", executor=client, partitions=2)


def test_an_interrupt_leaves_nothing_running_and_says_how_far_it_came(frame, at_question) -> None:
    threads = set(threading.enumerate())
    at_question(ThreadWorkers, 6, lambda: signal.raise_signal(signal.SIGINT))
    # what was started in the background of a shell ignores the signal
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(il.FitInterrupted) as caught:
            il.glmer("y ~ x + (1 | s)", frame, "binomial", partitions=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(threading.enumerate()) == threads
    whole = il.glmer("y ~ x + (1 | s)", frame, "binomial")
    assert whole.fit.criterion < caught.value.criterion < whole.fit.criterion + 50.0
    on = il.glmer("y ~ x + (1 | s)", frame, "binomial", theta0=caught.value.theta)
    assert on.llf == pytest.approx(whole.llf, rel=1e-9)


class Own:
    """An executor of nobody's."""

    submit = None


@pytest.mark.parametrize("executor", ["threads", 2, Own(), {"pool": 2}])
def test_what_is_no_executor_is_refused(frame, executor) -> None:
    with pytest.raises(ArgumentTypeError, match="executor must be a pool of concurrent.futures"):
        il.glmer("y ~ x + (1 | s)", frame, "binomial", executor=executor)


@pytest.mark.parametrize(
    ("kw", "words"),
    [
        ({"partitions": 0}, "partitions=0 is out of range"),
        ({"partitions": 2, "nAGQ": 0}, "are for nAGQ=1"),
    ],
)
def test_arguments_are_refused_before_any_fitting(frame, kw, words) -> None:
    with pytest.raises(ArgumentError, match=words):
        il.glmer("y ~ x + (1 | s)", frame, "binomial", **kw)
