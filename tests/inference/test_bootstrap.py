"""The bootstrap against lme4's and boot's, its streams, its failures and its intervals."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError
from interlace.inference.parameters import parameter_names, parameter_values
from interlace.inference.resampling import replicates as module
from interlace.inference.resampling.intervals import intervals
from interlace.inference.resampling.jackknife import units

SLEEP = "Reaction ~ Days + (Days | Subject)"
CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
REFERENCES = json.loads((R_PARITY / "references" / "bootstrap.json").read_text(encoding="utf-8"))
LINEAR = ("sleepstudy", "dyestuff", "penicillin", "cake")
#: Those whose refits by lme4 come to an optimum.
DRAWN = LINEAR[:3]


def linear(name):
    case = REFERENCES[name]
    return il.fit(case["formula"], il.load_dataset(case["data"]), method=case["method"])


@pytest.fixture(scope="module")
def sleep():
    return il.fit(SLEEP, il.load_dataset("sleepstudy"))


@pytest.fixture(scope="module")
def cbpp():
    return il.glmer(CBPP, il.load_dataset("cbpp"), "binomial")


# -- against R ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINEAR)
def test_refits_of_responses_that_r_drew(name):
    m, case = linear(name), REFERENCES[name]
    np.testing.assert_allclose(parameter_values(m.fit), case["statistic"], rtol=1e-6)
    for drawn in case["refits"]:
        new = m.refit(np.array(drawn["y"]))
        expected = np.array(drawn["statistic"], dtype=float)
        np.testing.assert_allclose(parameter_values(new.fit), expected, rtol=1e-6, atol=1e-6)
        assert new.llf == pytest.approx(drawn["log_lik"], rel=1e-8)


def agree(frame, reference):
    """Means and standard deviations of replicates, within five errors of both simulations."""
    mean, sd = np.array(reference["mean"]), np.array(reference["sd"])
    n, nsim = len(frame), reference["nsim"]
    error = sd * np.sqrt(1.0 / n + 1.0 / nsim)
    assert (np.abs(frame.mean().to_numpy() - mean) < 5.0 * error).all()
    # the kurtosis of standard deviations and correlations is not that of a normal variable
    kurtosis = ((frame - frame.mean()) ** 4).mean() / frame.var(ddof=0) ** 2
    error = sd * np.sqrt((kurtosis.to_numpy() - 1.0) / 4.0 * (1.0 / n + 1.0 / nsim))
    assert (np.abs(frame.std().to_numpy() - sd) < 5.0 * error).all()


@pytest.mark.parametrize("name", DRAWN)
def test_parametric_replicates_are_distributed_as_those_of_lme4(name):
    m = linear(name)
    agree(
        m.bootstrap(1000 if name != "penicillin" else 300, seed=7).frame.dropna(),
        REFERENCES[name]["parametric"],
    )


@pytest.mark.parametrize("name", DRAWN)
def test_replicates_given_the_modes_are_distributed_as_those_of_lme4(name):
    m = linear(name)
    kept = m.bootstrap(300, seed=8, use_u=True).frame.dropna()
    agree(kept, REFERENCES[name]["kept"])
    semi = m.bootstrap(300, method="semiparametric", seed=9).frame.dropna()
    agree(semi, REFERENCES[name]["semiparametric"])


def test_generalised_models(cbpp):
    case = REFERENCES["cbpp"]
    se = cbpp.bse.max()
    for drawn in case["refits"]:
        new = cbpp.refit(np.array(drawn["y"]))
        expected = np.array(drawn["statistic"], dtype=float)
        # lme4's search stops early: a thousandth of a standard error
        np.testing.assert_allclose(parameter_values(new.fit), expected, atol=1e-3 * se)
    agree(cbpp.bootstrap(400, seed=2).frame, case["parametric"])


@pytest.mark.parametrize("level", ["0.95", "0.9", "0.999"])
@pytest.mark.parametrize("method", ["normal", "basic", "percentile"])
def test_limits_are_those_of_boot_ci(method, level):
    case = REFERENCES["sleepstudy"]
    t, t0 = np.array(case["t"], dtype=float), np.array(case["statistic"])
    expected = [row[method] for row in case["limits"][level]]
    np.testing.assert_allclose(intervals(method, float(level), t0, t), expected, rtol=1e-10)


def test_bca_is_that_of_boot_ci():
    case = REFERENCES["bca"]
    x, t = np.array(case["x"]), np.array(case["t"])
    left_out = (x.sum() - x) / (x.size - 1)
    d = left_out.mean() - left_out
    a = np.array([np.sum(d**3) / (6.0 * np.sum(d**2) ** 1.5)])
    limits = intervals("bca", 0.95, np.array([case["t0"]]), t[:, None], a)
    np.testing.assert_allclose(limits[0], case["limits"], rtol=1e-8)


def test_bca_leaves_out_the_outermost_groups(sleep):
    b = sleep.bootstrap(300, seed=1)
    values = []
    frame = il.load_dataset("sleepstudy")
    for subject in frame["Subject"].unique():
        rest = frame[frame["Subject"] != subject]
        values.append(parameter_values(il.fit(SLEEP, rest).fit))
    d = np.mean(values, axis=0) - np.array(values)
    a = np.sum(d**3, axis=0) / (6.0 * np.sum(d**2, axis=0) ** 1.5)
    expected = intervals("bca", 0.95, b.estimate.to_numpy(), b.frame.to_numpy(), a)
    np.testing.assert_allclose(b.conf_int("bca"), expected, rtol=1e-4)
    other = pickle.loads(pickle.dumps(sleep.bootstrap(20, seed=1)))
    with pytest.raises(ArgumentError, match="from a pickle"):
        other.conf_int("bca")
    nested = il.fit("strength ~ 1 + (1 | batch / cask)", il.load_dataset("Pastes"))
    assert len(set(units(nested.fit.design))) == 10
    crossed = il.fit("diameter ~ 1 + (1 | plate) + (1 | sample)", il.load_dataset("Penicillin"))
    assert len(set(units(crossed.fit.design))) == 24
    m = il.glm("Reaction ~ Days", frame)
    assert len(set(units(m.fit.design))) == 180
    assert m.bootstrap(60, seed=1).conf_int("bca").notna().all(axis=None)


def test_intervals_of_results(sleep, cbpp):
    b = sleep.bootstrap(100, seed=4)
    for kind in ("percentile", "basic", "normal", "bca"):
        own = sleep.conf_int(method="boot", nsim=100, seed=4, boot_type=kind)
        np.testing.assert_array_equal(own, b.conf_int(kind).loc[own.index])
    assert own.index.tolist() == sleep.confint(method="Wald", r_names=False).index.tolist()
    named = sleep.confint(method="boot", nsim=100, seed=4, boot_type="perc", parm="theta_")
    assert named.index.tolist() == [".sig01", ".sig02", ".sig03", ".sigma"]
    np.testing.assert_array_equal(named.loc[".sigma"], b.conf_int("perc").loc["sigma"])
    assert "singular" in " ".join(named.attrs["notes"])
    one = cbpp.conf_int(0.9, method="boot", nsim=40, seed=1, parm="period[T.2]")
    assert one.shape == (1, 2)
    sal = il.load_dataset("Salamanders")
    for m in (
        il.glmer("count ~ mined + (1 | site)", sal, "nbinom2", ziformula="~ mined"),
        il.glm("Reaction ~ Days", il.load_dataset("sleepstudy")),
        il.glmer(SLEEP.replace("(Days |", "(1 |"), il.load_dataset("sleepstudy"), "gaussian"),
    ):
        table = m.conf_int(method="boot", nsim=12, seed=1)
        assert table.index.tolist() == m.confint(method="Wald", r_names=False).index.tolist()
        assert (table["lower"] < table["upper"]).all()


# -- streams -----------------------------------------------------------------------------------


def test_replicates_do_not_depend_on_workers_nor_on_their_number(sleep, cbpp):
    one = sleep.bootstrap(130, seed=3)
    pd.testing.assert_frame_equal(one.frame, sleep.bootstrap(130, seed=3, workers=3).frame)
    pd.testing.assert_frame_equal(one.frame.head(60), sleep.bootstrap(60, seed=3).frame)
    assert not np.array_equal(one.frame[:50], one.frame[50:100])
    assert not one.frame.equals(sleep.bootstrap(130, seed=4).frame)
    same = cbpp.bootstrap(60, seed=1, workers=2).frame
    pd.testing.assert_frame_equal(cbpp.bootstrap(60, seed=1).frame, same)
    rng = np.random.default_rng(3)
    first, second = sleep.bootstrap(20, seed=rng).frame, sleep.bootstrap(20, seed=rng).frame
    assert not first.equals(second)
    pd.testing.assert_frame_equal(first, sleep.bootstrap(20, seed=np.random.default_rng(3)).frame)
    assert not sleep.bootstrap(20).frame.equals(sleep.bootstrap(20).frame)


def test_rows_and_sums_give_the_same_distribution(sleep):
    rows = sleep.bootstrap(800, lambda m: parameter_values(m.fit), seed=1).frame
    sums = sleep.bootstrap(1500, seed=2).frame
    values = {"mean": rows.mean(), "sd": rows.std(), "nsim": 800}
    agree(sums.dropna(), values)


# -- what is in it -----------------------------------------------------------------------------


def test_figures_are_those_of_the_frame(sleep):
    b = sleep.bootstrap(150, seed=1)
    assert b.frame.columns.tolist() == parameter_names(sleep.fit)
    np.testing.assert_allclose(b.bias, b.frame.mean() - b.estimate)
    np.testing.assert_allclose(b.se, b.frame.std())
    np.testing.assert_allclose(b.estimate[:2], sleep.fe_params)
    table = b.to_frame("normal", 0.9)
    np.testing.assert_allclose(table[["lower", "upper"]], b.conf_int("norm", 0.9))
    text = repr(b)
    assert "150 replicates" in text and "sd_Days|Subject" in text
    assert "<table>" in b._repr_html_()
    other = pickle.loads(pickle.dumps(b))
    pd.testing.assert_frame_equal(other.frame, b.frame)


def test_statistics_of_all_kinds(sleep):
    for func, names in (
        (lambda m: m.sigma, ["t1"]),
        (lambda m: m.fe_params, ["Intercept", "Days"]),
        (lambda m: {"a": m.sigma, "b": 1}, ["a", "b"]),
        (lambda m: [1, 2.0], ["t1", "t2"]),
    ):
        b = sleep.bootstrap(5, func, seed=1)
        assert b.frame.columns.tolist() == names
    with pytest.raises(ArgumentTypeError, match="func must give a number"):
        sleep.bootstrap(5, lambda m: "text")
    with pytest.raises(ArgumentError, match="fails on this fit: ZeroDivisionError") as failure:
        sleep.bootstrap(5, lambda m: 1 / 0)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)  # with the user's own lines
    # R's names
    b = il.bootMer(sleep, FUN=lambda m: m.fe_params, nsim=5, seed=1)
    pd.testing.assert_frame_equal(b.t, sleep.bootstrap(5, lambda m: m.fe_params, seed=1).frame)
    kept = il.bootMer(sleep, nsim=5, seed=1, re_form=None)
    pd.testing.assert_frame_equal(kept.t, sleep.bootstrap(5, seed=1, use_u=True).frame)


def test_failures_are_counted_and_shown(sleep):
    def fails(m):
        if m.sigma > sleep.sigma:
            raise ValueError("too large")
        return m.sigma

    b = sleep.bootstrap(40, fails, seed=1)
    failed = b.frame["t1"].isna()
    assert b.n_failed == failed.sum() > 5
    assert b.failures == {"the statistic failed: too large": b.n_failed}
    assert "refits failed and are left out" in repr(b) and "too large" in repr(b)
    np.testing.assert_allclose(b.se["t1"], b.frame["t1"].dropna().std(), rtol=1e-14)
    # a response that a link cannot give
    frame = pd.DataFrame({"y": [1.0, 2, 1, 3, 2, 1] * 4, "g": np.repeat(range(8), 3)})
    m = il.glmer("y ~ 1 + (1 | g)", frame, il.Poisson("identity"))
    b = m.bootstrap(30, seed=1)
    assert b.n == 30 and b.frame.isna().any(axis=1).sum() == b.n_failed


def test_singular_refits_are_counted():
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
    b = m.bootstrap(200, seed=1)
    zero = b.frame["sd_(Intercept)|Batch"] < 1e-3 * m.sigma
    assert b.n_singular == zero.sum() > 50
    assert f"{b.n_singular} refits are singular" in repr(b)


def test_models_of_every_kind(cbpp):
    sal = il.load_dataset("Salamanders")
    zero = il.glmer("count ~ mined + (1 | site)", sal, "poisson", ziformula="~ mined")
    b = zero.bootstrap(3, seed=1)
    assert b.frame.columns.tolist() == [
        *("Intercept", "mined[T.no]", "zi~Intercept", "zi~mined[T.no]", "sd_(Intercept)|site")
    ]
    for m in (
        il.glm("incidence / size ~ period", il.load_dataset("cbpp"), "binomial", weights="size"),
        il.glm("count ~ mined", sal, "nbinom2"),
        il.glm("count ~ mined", sal, "poisson", ziformula="~ mined"),
        il.fit(SLEEP, il.load_dataset("sleepstudy"), method="ML"),
    ):
        b = m.bootstrap(4, seed=1)
        assert b.n_failed == 0 and np.isfinite(b.frame.to_numpy()).all()
        np.testing.assert_allclose(b.estimate.iloc[: len(m.fe_params)], m.fe_params)
    gaussian = il.glm("Reaction ~ Days", il.load_dataset("sleepstudy"))
    b = gaussian.bootstrap(400, method="semiparametric", seed=1)
    np.testing.assert_allclose(b.se["Days"], gaussian.bse["Days"], rtol=0.2)
    assert b.frame.columns[-1] == "sigma"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n": 0}, "n must be a positive"),
        ({"workers": 0}, "workers must be"),
        ({"seed": True}, "seed must be"),
        ({"func": 3}, "func must be a function"),
        ({"method": "case"}, "'parametric' or 'semiparametric'"),
        ({"method": "semiparametric", "use_u": False}, "stay at their modes"),
        ({"n_jobs": 2}, "write workers=2"),
        ({"nsim": 2}, "write n=2"),
    ],
)
def test_refusals(sleep, arguments, said):
    with pytest.raises(ArgumentError, match=said):
        sleep.bootstrap(**arguments)


def test_refusals_by_model(cbpp):
    with pytest.raises(ArgumentError, match="no responses of the family 'binomial'"):
        cbpp.bootstrap(3, method="semiparametric")
    frame = {"x": range(12), "y": range(12), "g": [0, 1, 2] * 4}
    with pytest.warns(il.ConvergenceWarning):
        exact = il.fit("y ~ x + (1 | g)", frame)
    with pytest.raises(ArgumentError, match="nothing to draw"):
        exact.bootstrap(3)


def test_progress_goes_to_the_error_stream(sleep, capsys):
    sleep.bootstrap(120, seed=1, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "120/120" in err and err.endswith("\n")
    sleep.bootstrap(60, seed=1)
    assert capsys.readouterr().err == ""


def test_a_bar_appears_for_what_takes_long(sleep, capsys, monkeypatch):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(module, "LONG", 0.0)
    sleep.bootstrap(60, seed=1)
    assert "60/60" in capsys.readouterr().err


# -- coverage ----------------------------------------------------------------------------------


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(12)
    g = np.repeat(np.arange(40), 4)
    x = np.tile(np.arange(4.0), 40)
    m = il.fit(
        "y ~ x + (1 | g)", {"g": g, "x": x, "y": rng.normal(size=40)[g] + rng.normal(size=160)}
    )
    truth = parameter_values(m.fit)
    sets, level = 100, 0.9
    drawn = m.simulate(sets, seed=3).to_numpy()
    methods = ("percentile", "basic", "normal")
    inside = np.zeros((3, truth.size))
    for i in range(sets):
        b = m.refit(drawn[:, i]).bootstrap(99, seed=i)
        for k, method in enumerate(methods):
            limits = b.conf_int(method, level).to_numpy()
            inside[k] += (limits[:, 0] <= truth) & (truth <= limits[:, 1])
    share = inside / sets
    # three errors of the simulation, and what 99 replicates leave open
    assert np.abs(share - level).max() < 3.0 * np.sqrt(level * (1.0 - level) / sets) + 0.02
