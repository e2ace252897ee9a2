"""A fit owns its numbers: edits of the data, or of what a result hands out, do not reach it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError

FRAMES = ["dict", "pandas", "polars", "pyarrow"]
N = 120


def columns():
    rng = np.random.default_rng(5)
    return {
        "y": rng.normal(size=N),
        "x": rng.normal(size=N),
        "z": rng.normal(size=N),
        "g": np.arange(N) % 12,
        "w": rng.uniform(1.0, 2.0, N),
        "o": rng.normal(size=N),
        "k": rng.poisson(3.0, N).astype(float),
        "t": np.full(N, 30.0),
        "b": (rng.random(N) < 0.5).astype(float),
    }


def frame(library, data):
    """The data as a frame on the very memory of the arrays, where the library can."""
    if library == "pandas":
        return pd.DataFrame(data, copy=False)
    if library == "polars":
        return pytest.importorskip("polars").DataFrame(data)
    if library == "pyarrow":
        return pytest.importorskip("pyarrow").table(data)
    return data


MODELS = {
    "linear": lambda d, w, o: il.fit("y ~ x + (z | g)", d, weights=w, offset=o),
    "columns": lambda d, w, o: il.fit("y ~ 0 + x + offset(o) + (0 + z | g)", d, weights="w"),
    "counts": lambda d, w, o: il.glmer("k ~ x + (1 | g)", d, "poisson", weights=w, offset=o),
    "ratio": lambda d, w, o: il.glmer("k / t ~ x + (1 | g)", d, "binomial"),
    "trials": lambda d, w, o: il.glmer("b ~ x + (1 | g)", d, "binomial", weights=w * 0 + 2.0),
    "glm": lambda d, w, o: il.glm("k ~ 0 + x", d, "poisson", weights=w, offset=o),
}


def everything(m):
    """Numbers that read every array of the design again."""
    again = m.refit(np.asarray(m.fit.design.y).copy())
    parts = [m.resid, m.fittedvalues, m.fe_params, m.fe_bse, m.weights(), m.hatvalues()]
    parts += [again.fe_params, again.weights(), again.fittedvalues]
    return np.concatenate([np.asarray(part, dtype=float) for part in parts])


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("model", MODELS)
def test_later_edits_of_the_data(model, library):
    data = columns()
    frames = frame(library, data)
    w, o = data["w"], data["o"]
    before = everything(MODELS[model](frames, w, o))
    m = MODELS[model](frames, w, o)
    for values in data.values():
        values.flags.writeable = True
        values[:] = values[::-1] + 1
    if library == "pandas":
        for name in data:
            frames.loc[:, name] = 0
    np.testing.assert_array_equal(everything(m), before)


@pytest.mark.parametrize("model", ["linear", "counts", "glm"])
def test_another_response_stays_the_users(model):
    data = columns()
    m = MODELS[model](data, data["w"], data["o"])
    y = data["k"].copy()
    again = m.refit(y)
    before = everything(again)
    y[:] = 7.0
    np.testing.assert_array_equal(everything(again), before)


def test_functions_in_a_formula_get_copies():
    def moved(v):
        v += 5.0
        return v

    for formula in (
        "moved(y) ~ x + (1 | g)",
        "y ~ x + offset(moved(o)) + (1 | g)",
        "y ~ moved(x) + (moved(z) | g)",
    ):
        data, fresh = columns(), columns()
        il.fit(formula, data)
        for name, values in fresh.items():
            np.testing.assert_array_equal(data[name], values)


def arrays(value, path, depth=0):
    """Every array within a value that is handed out."""
    if isinstance(value, np.ndarray):
        yield path, value
    elif isinstance(value, pd.Series):
        yield path, value.to_numpy()
    elif isinstance(value, pd.DataFrame):
        for name in value:
            yield f"{path}.{name}", value[name].to_numpy()
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from arrays(part, f"{path}[{key}]", depth)
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            yield from arrays(part, f"{path}[{i}]", depth)
    elif depth < 1 and hasattr(value, "__dict__") and not hasattr(value, "fit"):
        for key, part in vars(value).items():
            yield from arrays(part, f"{path}.{key}", depth + 1)


#: Results of their own, and refits by the hundred.
LEFT_OUT = ("fit", "call", "refit", "refit_ml", "bootstrap", "bootMer", "all_fit", "update")


@pytest.mark.parametrize("model", ["linear", "counts", "glm"])
def test_what_is_handed_out_is_not_the_fit(model):
    """Zeros written wherever they can be change nothing that is asked for afterwards."""
    data = columns()
    m = MODELS[model](data, data["w"], data["o"])
    m.summary()
    first = everything(m)
    reached = 0
    for name in dir(m):
        if name.startswith("_") or name in (*LEFT_OUT, "plot"):
            continue
        value = getattr(m, name)
        if callable(value):
            try:
                value = value()
            except (TypeError, ArgumentError):  # what needs arguments, or other models
                continue
        for path, array in arrays(value, name):
            if array.dtype.kind == "f" and array.flags.writeable:
                array[...], reached = -1.0, reached + 1
                assert path
    assert reached > 5
    np.testing.assert_array_equal(everything(m), first)
    assert (m.fe_pvalues >= 0.0).all()
    assert (m.convergence.hessian_eigenvalues > 0.0).all()


@pytest.mark.parametrize("model", ["linear", "counts"])
def test_the_record_is_closed(model):
    data = columns()
    fit = MODELS[model](data, data["w"], data["o"]).fit
    parts = [fit.x, fit.beta, fit.cov_beta, *fit.u, *fit.T, *fit.b, fit.fixed_part, fit.random_part]
    parts += [fit.design.y, fit.design.weights, fit.design.offset, fit.optimum.gradient]
    for part in parts:
        with pytest.raises(ValueError, match="read-only"):
            part[...] = 0.0
