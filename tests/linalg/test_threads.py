"""BLAS is held to one thread during fits, and only then, whatever threads and forks there are."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import interlace as il
from interlace.linalg import threads
from interlace.linalg.threads import THREADED, UNTHREADED, blas_threads, one_thread

BETWEEN = (UNTHREADED + THREADED) // 2


def counts():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pools = threadpoolctl.threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


@pytest.fixture
def two_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if set(counts()) != {2}:
            pytest.skip("this BLAS has one thread")
        yield


@pytest.fixture
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Library:
    """A BLAS of four threads, slow to be told otherwise."""

    clear_controlling_thread = None

    def __init__(self):
        self.num_threads = 4

    def set_num_threads(self, threads):
        threading.Event().wait(1e-4)
        self.num_threads = threads


class LibraryOfThreads(threading.local):
    """One whose limits are those of the thread that asks."""

    num_threads = 4

    def set_num_threads(self, threads):
        self.num_threads = threads


class LibraryOfOneThread(Library):
    """One that listens to the thread that asked first, as threadpoolctl from 3.8 on has it."""

    controlling = None

    def clear_controlling_thread(self, force):
        assert force
        self.controlling = None

    def set_num_threads(self, threads):
        self.controlling = self.controlling or threading.get_ident()
        if self.controlling == threading.get_ident():
            super().set_num_threads(threads)


@pytest.fixture(params=[Library, LibraryOfThreads, LibraryOfOneThread])
def hold(request):
    hold = threads._Hold()
    hold._libraries = [request.param()]
    return hold


def of(hold):
    return hold._libraries[0].num_threads


def test_small_and_large_models_are_left_alone():
    assert blas_threads(UNTHREADED) is blas_threads(0) is blas_threads(THREADED)


def test_between_blas_is_held_to_one_thread(two_threads):
    with blas_threads(BETWEEN):
        assert set(counts()) == {1}
        with blas_threads(BETWEEN):
            assert set(counts()) == {1}
        assert set(counts()) == {1}
    assert set(counts()) == {2}


def test_an_error_inside_lets_go(two_threads):
    with pytest.raises(ValueError, match="inside"), one_thread(10**6), blas_threads(BETWEEN):
        raise ValueError("inside")
    assert set(counts()) == {2}


def test_many_threads_entering_and_leaving(hold, often_switched):
    seen = []

    def work(_):
        for _ in range(5):
            with hold, hold:
                seen.append(of(hold))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
        after = list(pool.map(lambda _: of(hold), range(16)))
    assert set(seen) == {1}
    assert set(after) == {4}
    assert of(hold) == 4


def test_the_last_to_leave_need_not_be_the_first_that_came(hold):
    inside, over = threading.Event(), threading.Event()

    def first():
        with hold:
            inside.set()
            over.wait(10)
        return of(hold)

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(first)
        inside.wait(10)
        with hold:
            assert of(hold) == 1
            over.set()
            assert worker.result() in (1, 4)
            assert of(hold) == 1
        assert of(hold) == 4
        assert pool.submit(of, hold).result() == 4


def test_fits_in_threads_leave_the_setting(two_threads, often_switched):
    rng = np.random.default_rng(0)
    n = 6000
    data = {"g": rng.integers(0, 50, n), "h": rng.integers(0, 40, n), "y": rng.normal(size=n)}
    data["x"] = rng.normal(size=n)
    m = il.fit("y ~ x + (1 | g) + (1 | h)", data)
    drawn = m.simulate(8, seed=1)
    serial = [m.refit(drawn[name]).fit.x.tobytes() for name in drawn]
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda name: m.refit(drawn[name]).fit.x.tobytes(), drawn))
    assert fits == serial
    assert set(counts()) == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.parametrize("forks", ["another thread inside", "the thread inside"])
def test_a_fork_inside(hold, forks):
    """What other threads held is let go of; what the one that forked holds stays until its end."""
    inside, over = threading.Event(), threading.Event()

    def work():
        with hold:
            inside.set()
            over.wait(10)

    worker = threading.Thread(target=work)
    worker.start()
    inside.wait(10)
    try:
        if forks == "another thread inside":
            assert answer_of_child(lambda: of(hold)) == 4
        else:
            with hold:
                assert answer_of_child(lambda: of(hold)) == 1

            def leave():
                hold.__exit__()
                return of(hold)

            hold.__enter__()
            assert answer_of_child(leave) == 4
            hold.__exit__()
    finally:
        over.set()
        worker.join()
    assert of(hold) == 4


def answer_of_child(question):
    """A small number that a forked child finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if not child:
        answer = 255
        try:
            answer = question()
        finally:
            os._exit(answer)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
