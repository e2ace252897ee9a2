"""Models with structures beside models that are the same in other words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import DataError


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    k, groups = 4, 25
    g, t = np.repeat(np.arange(groups), 2 * k), np.tile(np.arange(k), 2 * groups)
    x = rng.normal(size=g.size)
    R = 0.7 ** np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    b = 1.5 * rng.normal(size=(groups, k)) @ np.linalg.cholesky(R).T
    y = 1.0 + 0.5 * x + b[g, t] + rng.normal(size=g.size)
    data = {"y": y, "x": x, "t": t, "g": g, "f": pd.Categorical(t), "pos": 1.5 * t + (t > 2)}
    return pd.DataFrame(
        {**data, "h": rng.integers(0, 7, g.size), "c": rng.poisson(np.exp(0.3 * b[g, t]))}
    )


def test_compound_symmetry_is_two_nested_intercepts(frame):
    m = il.fit("y ~ x + homcs(0 + f | g)", frame)
    nested = il.fit("y ~ x + (1 | g) + (1 | g:f)", frame)
    assert m.llf == pytest.approx(nested.llf, abs=1e-8)
    for ddf in ("satterthwaite", "kenward-roger"):
        own, other = il.anova(m, ddf=ddf), il.anova(nested, ddf=ddf)
        np.testing.assert_allclose(own.to_numpy(), other.to_numpy(), rtol=1e-5)
    np.testing.assert_allclose(m.bse, nested.bse, rtol=1e-6)
    np.testing.assert_allclose(m.fittedvalues, nested.fittedvalues, atol=1e-6)
    m = il.glmer("c ~ x + homcs(0 + f | g)", frame, "poisson")
    nested = il.glmer("c ~ x + (1 | g) + (1 | g:f)", frame, "poisson")
    assert m.llf == pytest.approx(nested.llf, abs=1e-6)
    np.testing.assert_allclose(m.bse, nested.bse, rtol=1e-4)


def test_structures_of_two_effects_are_any_covariance(frame):
    two = frame.assign(z=pd.Categorical(frame["t"] % 2))
    reference = il.fit("y ~ x + us(0 + z | g)", two)
    for name in ("cs", "toep", "hetar1"):
        m = il.fit(f"y ~ x + {name}(0 + z | g)", two)
        assert m.llf == pytest.approx(reference.llf, abs=1e-8)
        own, other = (il.anova(one, ddf="kenward-roger") for one in (m, reference))
        np.testing.assert_allclose(own.to_numpy(), other.to_numpy(), rtol=1e-5)
    assert il.fit("y ~ x + rr(0 + z | g, d=2)", two).llf == pytest.approx(reference.llf, abs=1e-8)


def test_an_exponential_over_times_is_an_autoregression(frame):
    series = il.fit("y ~ x + ar1(0 + t | g)", frame)
    m = il.fit("y ~ x + exp(0 + t | g)", frame)
    assert m.llf == pytest.approx(series.llf, abs=1e-7)
    rho = series.VarCorr().query("term2 == 'rho'")["sd_or_corr"].item()
    length = m.VarCorr().query("term2 == 'range'")["sd_or_corr"].item()
    assert np.exp(-1.0 / length) == pytest.approx(rho, rel=1e-4)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_positions_are_those_of_the_range(frame, unit):
    m = il.fit("y ~ x + exp(0 + pos | g)", frame)
    other = il.fit("y ~ x + exp(0 + pos | g)", frame.assign(pos=frame["pos"] * unit))
    assert other.llf == pytest.approx(m.llf, abs=1e-8)
    own, moved = (
        one.VarCorr().query("term2 == 'range'")["sd_or_corr"].item() for one in (m, other)
    )
    assert moved == pytest.approx(unit * own, rel=1e-4)


def test_a_field_has_one_group():
    rng = np.random.default_rng(5)
    places = rng.uniform(0.0, 5.0, (60, 2))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    field = np.linalg.cholesky(np.exp(-apart / 1.5) + 1e-9 * np.eye(60)) @ rng.normal(size=60)
    d = pd.DataFrame({"a": places[:, 0], "b": places[:, 1], "one": 1})
    d = pd.concat([d, d]).assign(y=np.tile(2.0 * field, 2) + 0.5 * rng.normal(size=120))
    m = il.fit("y ~ 1 + exp(0 + a + b | one)", d, method="ML")
    assert m.converged
    sd, length, sigma = m.VarCorr()["sd_or_corr"]
    apart = np.tile(apart, (2, 2))
    V = sd**2 * np.exp(-apart / length) + sigma**2 * np.eye(120)
    r = d["y"].to_numpy() - m.fe_params.iloc[0]
    dense = -0.5 * (np.linalg.slogdet(2.0 * np.pi * V)[1] + r @ np.linalg.solve(V, r))
    assert m.llf == pytest.approx(dense, abs=1e-6)


def test_new_positions_are_refused_and_new_groups_are_not(frame):
    for term in ("ar1(0 + t | g)", "exp(0 + pos | g)"):
        m = il.fit(f"y ~ x + {term}", frame)
        np.testing.assert_allclose(m.predict(frame), m.fittedvalues, atol=1e-10)
        new = frame.head(1).assign(t=9, pos=77.0)
        with pytest.raises(DataError, match="no effect at the position (9|77).*include_re=False"):
            m.predict(new)
        expected = m.fe_params.iloc[0] + m.fe_params.iloc[1] * new["x"].item()
        assert m.predict(new, include_re=False).item() == pytest.approx(expected)
        new = frame.head(1).assign(g=999)
        assert m.predict(new, new_levels="population").item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("ar1(x | g)", r"needs effects at times: ar1\(0 \+ time \| g\)"),
        ("ar1(1 + f | g)", "needs effects at times"),
        ("ar1(0 + pos2 | g)", r"no whole numbers; .*Write ou\(\)|no whole numbers"),
        ("exp(0 + f | g)", "needs effects at positions"),
        ("ar1(0 + one | g)", "one time or position only"),
    ],
)
def test_left_sides_that_are_no_times_or_places(frame, term, message):
    with pytest.raises(DataError, match=message):
        il.fit(f"y ~ x + {term}", frame.assign(pos2=frame["pos"] + 0.5, one=1))


def test_deletions_leave_whole_terms_out(frame):
    m = il.fit("y ~ x + ar1(0 + f | g) + (1 | h)", frame)
    table = il.ranova(m)
    assert table.index.tolist() == ["<none>", "ar1(0 + f | g)", "(1 | h)"]
    assert table["Df"].tolist()[1:] == [2.0, 1.0]


def test_a_structure_on_its_boundary_is_diagnosed(frame):
    # residuals of neighbouring times fall apart: no more is shared at the same time than before it
    apart = (-1.0) ** frame["t"] * np.where(frame.index % 8 < 4, 1.0, -1.0)
    noise = apart + 0.1 * np.random.default_rng(1).normal(size=len(frame))
    m = il.fit("y ~ x + ar1(0 + f | g)", frame.assign(y=frame["g"] % 5 + noise))
    assert "rho of the ar1() effects by g is estimated as 1" in str(m.diagnose())
    full = il.fit("y ~ x + rr(0 + f | g, d=2)", frame)
    assert not il.isSingular(full)
    assert "rr()" not in str(full.diagnose())
