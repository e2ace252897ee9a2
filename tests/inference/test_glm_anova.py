"""Tests of terms and hypotheses of models without random effects whose dispersion is estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interlace.api.glm import glm
from interlace.errors import ArgumentError


def unbalanced() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    n = 31
    f = rng.choice(["p", "q", "r"], n, p=[0.5, 0.3, 0.2])
    x, z = rng.normal(size=(2, n))
    eta = 1.0 + 0.3 * x + 0.4 * (f == "q")
    return pd.DataFrame({"f": f, "x": x, "z": z, "y": rng.gamma(4.0, np.exp(eta) / 4.0)})


def residual_squares(formula: str, data: pd.DataFrame) -> tuple[float, int]:
    X = glm(formula, data).fit.design.X
    y = data["y"].to_numpy()
    residuals = y - X @ np.linalg.lstsq(X, y)[0]
    return residuals @ residuals, X.shape[1]


@pytest.mark.parametrize(
    ("type", "term", "smaller", "larger"),
    [
        (1, "f", "y ~ 1", "y ~ f"),
        (1, "x", "y ~ f", "y ~ f + x"),
        (1, "f:x", "y ~ f + x + z", "y ~ f * x + z"),
        (2, "f", "y ~ x + z", "y ~ f + x + z"),
        (2, "z", "y ~ f * x", "y ~ f * x + z"),
        (3, "z", "y ~ f * x", "y ~ f * x + z"),
    ],
)
def test_terms_of_linear_models_get_f_tests(type, term, smaller, larger):
    data = unbalanced()
    (rss, p), (less, more) = residual_squares(smaller, data), residual_squares(larger, data)
    full, columns = residual_squares("y ~ f * x + z", data)
    n = len(data)
    F = (rss - less) / (more - p) / (full / (n - columns))
    row = glm("y ~ f * x + z", data).anova(type=type).loc[term]
    assert (row["NumDF"], row["DenDF"]) == (more - p, n - columns)
    assert row["F value"] == pytest.approx(F, rel=1e-9)
    assert row["Pr(>F)"] == pytest.approx(stats.f.sf(F, more - p, n - columns), rel=1e-9)


@pytest.mark.parametrize("family", ["gaussian", "Gamma(log)", "inverse_gaussian(log)"])
def test_joint_tests_of_one_coefficient_are_its_t_test(family):
    m = glm("y ~ f * x + z", unbalanced(), family)
    p = m.tidy().set_index("term")["p_value"]["z"]
    assert m.anova().loc["z", "Pr(>F)"] == pytest.approx(p, rel=1e-10)
    assert m.wald_test("z = 0").pvalue == pytest.approx(p, rel=1e-10)
    assert m.wald_test("f[T.q] = f[T.r] = 0").df_denom == m.df_resid
    chisq = m.anova(test="Chisq")
    assert chisq.columns.tolist() == ["Chisq", "Df", "Pr(>Chisq)"]
    np.testing.assert_allclose(chisq["Chisq"] / chisq["Df"], m.anova()["F value"], rtol=1e-14)


def test_a_known_dispersion_has_chi_squared_tests():
    data = unbalanced().assign(k=lambda d: (d.y**2).round())
    for m in (glm("k ~ f + x", data, "poisson"), glm("k ~ f + x", data, "negativebinomial")):
        assert m.anova().columns.tolist() == ["Chisq", "Df", "Pr(>Chisq)"]
        assert m.wald_test("x = 0").distribution == "chi2"
        with pytest.raises(ArgumentError, match="test='F' needs an estimated dispersion"):
            m.anova(test="F")
