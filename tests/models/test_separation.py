"""Separation: found where it is, with the coefficients and directions that it leaves open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import interlace as il
from interlace import families as fam
from interlace.api.glm import glm
from interlace.design.build import build
from interlace.design.rank import independent_columns
from interlace.errors import ConvergenceWarning
from interlace.models.glm import fit_glm
from interlace.models.observations import observe
from interlace.models.separation import family_separation, find_separation

LINKS = ["logit", "probit", "cloglog", "loglog", "cauchit"]


def cells() -> pd.DataFrame:
    """All rows of g = c are successes, counts of g = b are zero, x separates `parted`."""
    rng = np.random.default_rng(1)
    g = np.repeat(list("abc"), 20)
    x = rng.normal(size=60)
    y = rng.integers(0, 2, 60) * 1.0
    counts = rng.poisson(3, 60) * 1.0
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "y": np.where(g == "c", 1.0, y),
            "count": np.where(g == "b", 0.0, counts),
            "parted": (x > 0) * 1.0,
        }
    )


@pytest.mark.parametrize("link", LINKS)
def test_quasi_complete_separation_is_told(link):
    data = cells()
    with pytest.warns(ConvergenceWarning) as caught:
        m = glm("y ~ x + g", data, fam.Binomial(link))
    (warning,) = caught
    assert "quasi-complete separation" in str(warning.message)
    assert "20 of 60 rows" in str(warning.message)
    assert "g[T.c] rises without bound" in str(warning.message)
    assert warning.filename == __file__
    assert m.infinite == {"g[T.c]": 1} and not m.converged
    assert m.convergence.verdict == "separated"
    assert "g[T.c] rises" in str(m.summary())
    # What is left is the fit of the other rows.
    rest = glm("y ~ x + g", data[data["g"] != "c"], fam.Binomial(link))
    finite = ["Intercept", "x", "g[T.b]"]
    # cauchit's tails are thin: 1e-6 of probability lie 3e5 away, and weigh on the others.
    assert np.allclose(m.params[finite], rest.params[finite], atol=1e-4)
    assert np.allclose(m.bse[finite], rest.bse[finite], rtol=1e-3)
    assert m.bse["g[T.c]"] > 1e3
    assert m.deviance == pytest.approx(rest.deviance, abs=1e-3)


@pytest.mark.parametrize("link", LINKS)
def test_complete_separation_is_told(link):
    with pytest.warns(
        ConvergenceWarning, match="complete separation: .*predict every row.*x rises"
    ):
        m = glm("parted ~ x", cells(), fam.Binomial(link))
    assert m.infinite["x"] == 1
    assert np.isfinite(m.params).all() and np.isfinite(m.deviance) and m.deviance < 0.1
    assert np.isfinite(m.bse).all() and not m.converged


@pytest.mark.parametrize("family", ["poisson", "negativebinomial"])
def test_cells_of_zero_counts_are_told(family):
    data = cells()
    with pytest.warns(ConvergenceWarning, match=r"20 of 60 rows are all zero.*g\[T.b\] falls"):
        m = glm("count ~ x + g", data, family)
    assert m.infinite == {"g[T.b]": -1}
    rest = glm("count ~ x + g", data[data["g"] != "b"], family="poisson")
    if family == "poisson":
        assert np.allclose(m.params[["x", "g[T.c]"]], rest.params[["x", "g[T.c]"]], atol=1e-6)


def test_a_reference_level_of_successes_moves_all_coefficients():
    data = cells().assign(g=lambda d: d["g"].map({"a": "z", "b": "y", "c": "a"}))
    with pytest.warns(ConvergenceWarning):
        m = glm("y ~ g", data, "binomial")
    assert m.infinite == {"Intercept": 1, "g[T.y]": -1, "g[T.z]": -1}


def test_a_log_link_has_one_end_only():
    data = cells()
    with pytest.warns(ConvergenceWarning) as caught:
        m = glm(
            "none ~ x + g", data.assign(none=data["y"] * (data["g"] != "b")), fam.Binomial("log")
        )
    assert len(caught) == 1 and m.infinite.get("g[T.b]") == -1


def test_rare_events_are_no_separation():
    """Means near the border alone are no sign; and asked, the answer is no."""
    data = pd.DataFrame({"k": [1.0, 0, 2, 5], "n": [5e6, 4e6, 5e6, 6e6], "x": [0.0, 1, 2, 3]})
    m = glm("cbind(k, n - k) ~ x", data, "binomial")
    assert m.converged and m.infinite == {} and m.fittedvalues.min() < 1e-6
    fit = m.fit
    assert family_separation(fit.design.X, fit.observations, fit.family, fit.design.x_names) is None


def test_the_program_is_small_where_few_means_are_at_the_border(monkeypatch):
    import scipy.optimize

    sizes, solve = [], scipy.optimize.linprog

    def counted(cost, upper, *arguments, **named):
        sizes.append(upper.shape[0])
        return solve(cost, upper, *arguments, **named)

    monkeypatch.setattr(scipy.optimize, "linprog", counted)
    rng = np.random.default_rng(4)
    n = 3000
    data = pd.DataFrame({"x": rng.normal(size=n), "rare": np.arange(n) < 20})
    data["y"] = np.where(data["rare"], 1.0, rng.integers(0, 2, n))
    with pytest.warns(ConvergenceWarning, match="20 of 3000 rows perfectly.*rare.* rises"):
        glm("y ~ x + rare", data, "binomial")
    assert max(sizes) == 20


def test_the_fit_of_separated_data_has_no_nan(dataset):
    data = cells()
    with pytest.warns(ConvergenceWarning):
        m = glm("parted ~ x + g", data, "binomial")
    for values in (m.params, m.bse, m.pvalues, m.fittedvalues, m.hatvalues(), m.residuals()):
        assert np.isfinite(values).all()
    assert m.predict({"x": [0.5], "g": ["a"]}).between(0, 1).all()


# -- the function itself ------------------------------------------------------------------------


def test_proportions_hold_their_rows():
    X = np.column_stack([np.ones(4), [1.0, 2, 3, 4]])
    assert find_separation(X, np.array([0, 0.5, 1, 1]), np.ones(4), ("i", "x")).infinite == {
        "i": -1,
        "x": 1,
    }
    assert find_separation(X, np.array([0, 0.5, 0.5, 1]), np.ones(4), ("i", "x")) is None
    one_group = np.column_stack([np.ones(4), [0.0, 0, 1, 1]])
    held = find_separation(one_group, np.array([0.2, 0.4, 1, 1]), np.full(4, 5.0), ("i", "x"))
    assert (held.kind, held.infinite, held.rows.tolist()) == (
        "quasi-complete", {"x": 1}, [False, False, True, True],
    )  # fmt: skip


def test_units_of_covariates_do_not_matter():
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(50), rng.normal(size=50), np.arange(50) < 7])
    y = np.where(X[:, 2] > 0, 1.0, rng.integers(0, 2, 50))
    for scale in ([1, 1, 1], [1, 1e-8, 1e8], [1, 1e10, 1e-6]):
        assert find_separation(X * scale, y, np.ones(50), tuple("abc")).infinite == {"c": 1}


small = st.integers(-2, 2)


@st.composite
def binary_designs(draw):
    n, p = draw(st.integers(4, 12)), draw(st.integers(1, 3))
    X = np.array(draw(st.lists(st.lists(small, min_size=p, max_size=p), min_size=n, max_size=n)))
    X = np.column_stack([np.ones(n), X]).astype(float)
    y = np.array(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n)))
    return X[:, independent_columns(X)], y


@settings(max_examples=150, deadline=None)
@given(binary_designs())
def test_what_is_found_is_a_proof_and_what_is_not_is_a_maximum(case):
    X, y = case
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    found = find_separation(X, y, np.ones(len(y)), names)
    if found is not None:
        moves = X @ found.direction
        sign = np.where(y == 1, 1.0, np.where(y == 0, -1.0, 0.0))
        # No row's likelihood falls along the direction, and that of the rows named rises.
        assert (sign * moves >= -1e-6).all() and np.abs(moves[sign == 0]).max(initial=0) < 1e-6
        assert (sign * moves)[found.rows].min() > 0.4
        assert found.kind == ("complete" if found.rows.all() else "quasi-complete")
        kept = X[~found.rows]
        fixed = len(independent_columns(kept)) if len(kept) else 0
        assert (fixed < X.shape[1]) == bool(found.infinite)
        return
    # Without separation Newton's method arrives, far from the border (integers up to 2, n <= 12).
    beta = np.zeros(X.shape[1])
    for _ in range(60):
        mu = 1 / (1 + np.exp(-X @ beta))
        step = np.linalg.solve(X.T @ (X * (mu * (1 - mu))[:, None]), X.T @ (y - mu))
        beta += step / max(1.0, np.abs(X @ step).max())
    assert np.abs(step).max() < 1e-8 * max(1.0, np.abs(beta).max())


def test_only_what_gives_cause_is_judged(monkeypatch):
    import interlace.models.separation as module

    def refuse(*arguments):
        raise AssertionError("the linear program was solved")

    design = build("y ~ x", cells(), linear=False)
    family = fam.Binomial()
    monkeypatch.setattr(module, "find_separation", refuse)
    fit_glm(design, observe(design, family), family)


def test_the_example_of_the_documents():
    data = il.load_dataset("cbpp")
    data["ill"] = np.where(data["period"] == "4", 0, data["incidence"])
    with pytest.warns(ConvergenceWarning, match=r"period\[T.4\] falls without bound"):
        glm("cbind(ill, size - ill) ~ period", data, "binomial")
