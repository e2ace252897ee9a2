"""The uncertainty of the variance parameters in predictions of known groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, fitted

import interlace as il
from interlace.errors import ArgumentError
from interlace.inference.satterthwaite import variance_derivatives
from interlace.inference.theta_slopes import estimate_slopes, residual_df

SLEEP = "Reaction ~ Days + (Days | Subject)"
MODELS = {
    "slopes": ("sleepstudy", SLEEP, {}),
    "maximum likelihood": ("sleepstudy", SLEEP, {"method": "ML"}),
    "uncorrelated": ("sleepstudy", "Reaction ~ Days + (Days || Subject)", {}),
    "crossed": ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", {}),
    "nested": ("Pastes", "strength ~ 1 + (1 | batch / cask)", {}),
    "weights": ("sleepstudy", SLEEP, {"weights": np.linspace(1.0, 3.0, 180)}),
    "homogeneous": ("Machines", "score ~ Machine + homcs(0 + Machine | Worker)", {}),
    "series": ("sleepstudy", "Reaction ~ Days + ar1(0 + factor(Days) | Subject)", {}),
    "no coefficients": ("sleepstudy", "Reaction ~ 0 + (Days | Subject)", {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_slopes_are_central_differences(name, dataset) -> None:
    data, formula, arguments = MODELS[name]
    fit = il.fit(formula, dataset(data), **arguments).fit
    ours = estimate_slopes(fit)
    h = 1e-4  # of x, which is of order 1: differences are good to h^2 = 1e-8

    def estimates(x):
        solution = fit.objective.solution(x)
        T = fit.scale.natural(fit.scale.templates(x))
        return [np.asarray(solution.beta), *(u @ t.T for u, t in zip(solution.u, T, strict=True))]

    size = [np.abs(v).max(initial=1.0) for v in estimates(fit.x)]
    for j, unit in enumerate(np.eye(fit.x.size)):
        ends = zip(estimates(fit.x + h * unit), estimates(fit.x - h * unit), strict=True)
        slopes = [(up - down) / (2.0 * h) for up, down in ends]
        exact = [ours.beta[:, j], *(b[:, :, j] for b in ours.b)]
        for numeric, own, scale in zip(slopes, exact, size, strict=True):
            np.testing.assert_allclose(own, numeric, rtol=1e-6, atol=1e-6 * scale)


def test_standard_errors_by_shares(fit_cache) -> None:
    m = fit_cache("sleepstudy", SLEEP)
    none, delta, corrected = (
        m.get_prediction(theta_error=e) for e in ("none", "delta", "corrected")
    )
    np.testing.assert_array_equal(none.se, m.get_prediction().se)
    share = delta.se**2 - none.se**2
    assert (share > 0.0).all()
    np.testing.assert_allclose(corrected.se**2 - none.se**2, 2.0 * share, rtol=1e-9)
    # the interval of an observation is the corrected one by default
    default = m.get_prediction()
    np.testing.assert_allclose(default.obs_se**2, corrected.se**2 + m.scale, rtol=1e-12)
    np.testing.assert_allclose(delta.obs_se**2, delta.se**2 + m.scale, rtol=1e-12)
    np.testing.assert_allclose(none.obs_se**2, none.se**2 + m.scale, rtol=1e-12)
    # also of the linear predictor, and beside levels that are not known
    linear = m.get_prediction(type="link", theta_error="delta")
    np.testing.assert_allclose(linear.se, delta.se, rtol=1e-12)
    both = {"Days": [2.0, 2.0], "Subject": ["308", "x"]}
    mixed = m.get_prediction(both, new_levels="population", theta_error="corrected")
    plain = m.get_prediction(both, new_levels="population")
    assert mixed.se[0] > plain.se[0] and mixed.se[1] == plain.se[1]
    assert mixed.obs_df[0] == residual_df(m.fit) and mixed.obs_df[1] == mixed.df[1]


def test_degrees_of_freedom_of_the_residual_are_exact_in_balanced_data(dataset) -> None:
    # one way: the residual sum of squares within groups has n - l degrees of freedom
    m = il.fit("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff"))
    np.testing.assert_allclose(residual_df(m.fit), 24.0, rtol=1e-6)
    frame = m.get_prediction().summary_frame(alpha=0.05)
    half = 0.5 * (frame["obs_ci_upper"] - frame["obs_ci_lower"])
    np.testing.assert_allclose(half / m.get_prediction().obs_se, 2.0638985616280205, rtol=1e-6)


def test_a_variance_of_zero_is_given(dataset) -> None:
    m = il.fit("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2"))
    assert m.is_singular
    none, corrected = (m.get_prediction(theta_error=e) for e in ("none", "corrected"))
    # the slope in sigma_b is zero there: estimates change with its square
    np.testing.assert_allclose(none.se, corrected.se, rtol=1e-9)
    assert np.isfinite(corrected.obs_se).all()


def test_units_and_order_of_rows_do_not_matter(dataset) -> None:
    sleep = dataset("sleepstudy")
    m = il.fit(SLEEP, sleep).get_prediction(theta_error="delta")
    scaled = sleep.assign(Reaction=sleep["Reaction"] * 1e6, Days=sleep["Days"] * 1e-4)
    far = il.fit(SLEEP, scaled).get_prediction(theta_error="delta")
    np.testing.assert_allclose(far.se, 1e6 * m.se, rtol=1e-6)
    mixed = sleep.sample(frac=1.0, random_state=1)
    turned = il.fit(SLEEP, mixed).get_prediction(theta_error="delta")
    np.testing.assert_allclose(pd.Series(turned.se, turned.index)[m.index], m.se, rtol=1e-7)


def test_generalised_models(fit_cache) -> None:
    g = fitted(*CBPP)
    none, delta = g.get_prediction(theta_error="none"), g.get_prediction(theta_error="delta")
    np.testing.assert_array_equal(none.se, g.get_prediction().se)
    # the same rows in the other curvature, theta's share on top: beside R's in parity
    assert delta.linear_se.mean() > none.linear_se.mean()
    with pytest.raises(ArgumentError, match="'delta' has the uncertainty"):
        g.get_prediction(theta_error="corrected")
    ticks = il.load_dataset("grouseticks")
    b = il.glmer("TICKS ~ YEAR + (1 | BROOD)", ticks, "nbinom1")
    se = b.get_prediction().se
    np.testing.assert_allclose(b.get_prediction(theta_error="delta").se, se, rtol=1e-5)
    with pytest.raises(ArgumentError, match="from all parameters together"):
        b.get_prediction(theta_error="none")


def covered(seed: int, groups: int, size: int, sd: tuple[float, float]) -> list[float]:
    """Shares of means and observations of known groups within their 90 % intervals."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(groups), size), np.tile(np.arange(size), groups) - 0.5 * (size - 1)
    b = rng.normal(size=(groups, 2)) * sd
    data = {"g": g, "x": x, "y": 1.0 + b[g, 0] + (0.5 + b[g, 1]) * x + rng.normal(size=g.size)}
    m = il.fit("y ~ x + (x | g)" if sd[1] else "y ~ x + (1 | g)", data)
    at = 0.5 * size
    mean = 1.0 + b[:, 0] + (0.5 + b[:, 1]) * at
    y = mean + rng.normal(size=groups)
    new = {"g": np.arange(groups), "x": np.full(groups, at)}
    out = []
    for error in ("none", None):
        table = m.get_prediction(new, theta_error=error).summary_frame(alpha=0.1)
        out.append(((y >= table["obs_ci_lower"]) & (y <= table["obs_ci_upper"])).mean())
    return out


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    "design", [(20, 6, (1.0, 0.4)), (8, 5, (1.0, 0.4)), (8, 5, (1.0, 0.0))], ids=str
)
def test_intervals_of_observations_of_known_groups_cover_what_they_say(design) -> None:
    shares = np.array([covered(seed, *design) for seed in range(200)])
    error = shares.std(axis=0, ddof=1) / np.sqrt(len(shares))
    assert abs(shares[:, 1].mean() - 0.9) < 3.0 * error[1]
    # and not for another reason than theta: without it they cover less
    assert (shares[:, 1] - shares[:, 0]).mean() >= 0.0


def test_variance_parameters_of_an_exact_fit_are_given() -> None:
    data = {"y": [1.0, 1.0, 2.0, 2.0, 4.0, 4.0], "g": [0, 0, 1, 1, 2, 2]}
    with pytest.warns(il.ConvergenceWarning):
        m = il.fit("y ~ 1 + (1 | g)", data)
    assert np.isnan(variance_derivatives(m.fit).A).all() and residual_df(m.fit) == np.inf
    assert np.isnan(m.get_prediction(theta_error="delta").se).all()  # as without
    assert np.isnan(m.get_prediction(theta_error="none").se).all()
